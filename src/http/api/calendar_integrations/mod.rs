//! `/calendar_integrations`: staff members' accounts at calendar providers.

use axum::{Json, extract::State, http::StatusCode};
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    ids::{CalendarId, ConnectionId, StaffId},
    sync::remote_change::RemoteChangePolicy,
};
use concord_jobs::connections as jobs;
use concord_storage::{
    busy_times, calendars,
    connections::{self, Connection, Settings},
    entries,
    idempotency::in_parts,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

mod answers;
mod authorize;
mod caldav;

use self::answers::{BusyAnswer, EntryAnswer, EventsAnswer, IntegrationAnswer, TestAnswer};
use super::{
    answers::Listing,
    auth::ApiCaller,
    given::Given,
    problem::ApiError,
    request::{Body, PathOf, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .merge(authorize::routes())
        .merge(caldav::routes())
        .routes(routes!(find, change, disconnect))
        .routes(routes!(sync))
        .routes(routes!(test))
        .routes(routes!(compare))
        .routes(routes!(events))
        .routes(routes!(change_calendar))
}

/// Which integrations are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those of this staff member.
    #[param(value_type = Option<uuid::Uuid>)]
    staff: Option<StaffId>,
}

/// List calendar integrations
///
/// All that are not disconnected, in the order of their making.
#[utoipa::path(get, path = "/calendar_integrations", tag = "Calendar integrations",
    operation_id = "list_calendar_integrations", params(Filter),
    responses((status = 200, description = "All of them", body = Listing<IntegrationAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(filter): Search<Filter>,
) -> Result<Json<Listing<IntegrationAnswer>>, ApiError> {
    let found = match filter.staff {
        Some(staff) => connections::of_staff(&app.context.db, caller.business, staff).await?,
        None => connections::list(&app.context.db, caller.business).await?,
    };
    let ids: Vec<ConnectionId> = found.iter().map(|connection| connection.id).collect();
    let mut listed = calendars::of_connections(&app.context.db, caller.business, &ids).await?;
    let answer = |connection: Connection| {
        let calendars = listed.remove(&connection.id).unwrap_or_default();
        IntegrationAnswer::new(connection, calendars)
    };
    Ok(Json(Listing::whole(found.into_iter().map(answer).collect())))
}

async fn answer(app: &App, connection: Connection) -> Result<IntegrationAnswer, ApiError> {
    let calendars = calendars::of_connection(&app.context.db, connection.business_id, connection.id).await?;
    Ok(IntegrationAnswer::new(connection, calendars))
}

async fn existing(app: &App, caller: &ApiCaller, id: ConnectionId) -> Result<Connection, ApiError> {
    let found = connections::find(&app.context.db, caller.business, id).await?;
    found.ok_or_else(|| ApiError::not_found("calendar integration"))
}

/// Read a calendar integration
#[utoipa::path(get, path = "/calendar_integrations/{id}", tag = "Calendar integrations",
    operation_id = "get_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The integration", body = IntegrationAnswer)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<Json<IntegrationAnswer>, ApiError> {
    let connection = existing(&app, &caller, id).await?;
    answer(&app, connection).await.map(Json)
}

/// What changes of an integration; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CalendarIntegrationChange, example = json!({ "direction": "both" }))]
struct Changed {
    /// Which way facts flow.
    #[serde(default)]
    #[schema(value_type = Option<schema::Direction>)]
    direction: Option<Direction>,
    /// Which bookings it gets.
    #[serde(default)]
    #[schema(value_type = Option<schema::Coverage>)]
    coverage: Option<Coverage>,
    /// What becomes of entries that are moved, resized or renamed there; null: as the business has it.
    #[serde(default)]
    #[schema(value_type = Option<schema::RemoteChangePolicy>)]
    remote_moves: Given<RemoteChangePolicy>,
    /// What becomes of entries that are deleted or brought back there; null: as the business has it.
    #[serde(default)]
    #[schema(value_type = Option<schema::RemoteChangePolicy>)]
    remote_deletions: Given<RemoteChangePolicy>,
    /// `true`: new bookings of its staff member go here. To end that, make another one the default.
    #[serde(default)]
    is_default: Option<bool>,
    /// `paused` or `active`.
    #[serde(default)]
    #[schema(value_type = Option<schema::ConnectionState>)]
    state: Option<ConnectionState>,
}

impl Changed {
    fn check(&self) -> Result<(), ApiError> {
        if self.is_default == Some(false) {
            return Err(ApiError::invalid(
                "is_default",
                "can only be true: make another integration the default instead",
            ));
        }
        match self.state {
            None | Some(ConnectionState::Active | ConnectionState::Paused) => Ok(()),
            Some(_) => Err(ApiError::invalid("state", "can only be set to active or paused")),
        }
    }
}

/// Change a calendar integration
#[utoipa::path(patch, path = "/calendar_integrations/{id}", tag = "Calendar integrations",
    operation_id = "change_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    request_body = Changed,
    responses((status = 200, description = "Changed", body = IntegrationAnswer)))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
    Body(body): Body<Changed>,
) -> Result<Json<IntegrationAnswer>, ApiError> {
    body.check()?;
    let before = existing(&app, &caller, id).await?;
    let change = caller.change(app.now());
    let settings = Settings {
        direction: body.direction.filter(|direction| *direction != before.direction),
        coverage: body.coverage.filter(|coverage| *coverage != before.coverage),
    };
    // The state first: it is the one that can be refused.
    match body.state {
        Some(state) if state == before.state => {}
        Some(ConnectionState::Paused) => jobs::pause(&app.context, &change, id).await?,
        Some(ConnectionState::Active) => jobs::resume(&app.context, &change, id).await?,
        _ => {}
    }
    if settings.direction.is_some() || settings.coverage.is_some() {
        jobs::set_settings(&app.context, &change, id, settings).await?;
    }
    let rules =
        (body.remote_moves.or(before.remote_moves), body.remote_deletions.or(before.remote_deletions));
    if rules != (before.remote_moves, before.remote_deletions) {
        jobs::set_remote_change_rules(&app.context, &change, id, rules).await?;
    }
    if body.is_default == Some(true) && !before.is_default {
        jobs::set_default(&app.context, &change, id).await?;
    }
    let after = existing(&app, &caller, id).await?;
    answer(&app, after).await.map(Json)
}

/// What becomes of the entries.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Removal {
    /// Whether the entries are taken out of the calendar; they stay if it is not said.
    #[serde(default)]
    #[param(required = false)]
    remove_entries: bool,
}

/// Disconnect a calendar
///
/// Ends the grant at the provider; the entries go, if that is wanted, a moment later. Connecting the same account again
/// takes up where this left off.
#[utoipa::path(delete, path = "/calendar_integrations/{id}", tag = "Calendar integrations",
    operation_id = "disconnect_calendar", params(("id" = Uuid, Path, description = "Its id"), Removal),
    responses((status = 200, description = "Disconnected", body = IntegrationAnswer)))]
async fn disconnect(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
    Search(removal): Search<Removal>,
) -> Result<Json<IntegrationAnswer>, ApiError> {
    jobs::disconnect(&app.context, &caller.change(app.now()), id, removal.remove_entries).await?;
    let after = existing(&app, &caller, id).await?;
    answer(&app, after).await.map(Json)
}

/// Synchronise now
///
/// Writes what waits, reads what is new and compares, as soon as a worker is free. What stands as it should is not written
/// again, and what its owner has changed or deleted is treated by the rules, as at every other time.
#[utoipa::path(post, path = "/calendar_integrations/{id}/sync", tag = "Calendar integrations",
    operation_id = "sync_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "It will be done", body = IntegrationAnswer)))]
async fn sync(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<(StatusCode, Json<IntegrationAnswer>), ApiError> {
    jobs::resync(&app.context, caller.business, id).await?;
    let connection = existing(&app, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(answer(&app, connection).await?)))
}

/// Test a calendar integration
///
/// Asks the provider for the calendars, and says what it answered.
#[utoipa::path(post, path = "/calendar_integrations/{id}/test", tag = "Calendar integrations",
    operation_id = "test_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "What the test found", body = TestAnswer)))]
async fn test(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<Json<TestAnswer>, ApiError> {
    let report = in_parts(Box::pin(jobs::test(&app.context, caller.business, id))).await?;
    Ok(Json(TestAnswer { ok: report.ok, message: report.message, calendars: report.calendars }))
}

/// Compare a calendar with the bookings
///
/// Looks at everything that stands in the calendars, as soon as a worker is free, and deals with what is not as it should
/// be. What it found is in `drift` when that is done. It happens every night by itself.
#[utoipa::path(post, path = "/calendar_integrations/{id}/compare", tag = "Calendar integrations",
    operation_id = "compare_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "It will be done", body = IntegrationAnswer)))]
async fn compare(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<(StatusCode, Json<IntegrationAnswer>), ApiError> {
    jobs::compare(&app.context, caller.business, id).await?;
    let connection = existing(&app, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(answer(&app, connection).await?)))
}

/// Bookings at the most in one answer.
const MOST_ENTRIES: u32 = 200;

/// List the events of a calendar integration
///
/// The bookings that stand in its calendars or are about to, and the busy times that were read from them, both still to
/// come.
#[utoipa::path(get, path = "/calendar_integrations/{id}/events", tag = "Calendar integrations",
    operation_id = "list_calendar_events", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "What stands there", body = EventsAnswer)))]
async fn events(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<Json<EventsAnswer>, ApiError> {
    let (db, business, now) = (&app.context.db, caller.business, app.now());
    let connection = existing(&app, &caller, id);
    let upcoming =
        async { entries::upcoming(db, business, id, now, MOST_ENTRIES).await.map_err(ApiError::from) };
    let calendars = async { calendars::of_connection(db, business, id).await.map_err(ApiError::from) };
    let (_, upcoming, calendars) = tokio::try_join!(connection, upcoming, calendars)?;
    let entries = upcoming.into_iter().map(EntryAnswer::from).collect();
    let mut busy = Vec::new();
    for calendar in calendars {
        let found = busy_times::upcoming(db, business, calendar.id, now).await?;
        busy.extend(found.into_iter().map(BusyAnswer::from));
    }
    Ok(Json(EventsAnswer { entries, busy }))
}

/// What changes of a calendar; what is left out stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CalendarChange, example = json!({ "reads": true }))]
struct ChangedCalendar {
    /// Whether its busy times are read.
    #[serde(default)]
    reads: Option<bool>,
    /// `true`: new bookings are written to it. To end that, choose another calendar.
    #[serde(default)]
    writes: Option<bool>,
}

/// Choose what a calendar is for
#[utoipa::path(patch, path = "/calendar_integrations/{id}/calendars/{calendar}", tag = "Calendar integrations",
    operation_id = "change_calendar",
    params(("id" = Uuid, Path, description = "The integration's id"), ("calendar" = Uuid, Path, description = "The calendar's id")),
    request_body = ChangedCalendar,
    responses((status = 200, description = "The integration with its calendars", body = IntegrationAnswer)))]
async fn change_calendar(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf((id, calendar)): PathOf<(ConnectionId, CalendarId)>,
    Body(body): Body<ChangedCalendar>,
) -> Result<Json<IntegrationAnswer>, ApiError> {
    existing(&app, &caller, id).await?;
    let found = calendars::of_connection(&app.context.db, caller.business, id).await?;
    let found =
        found.into_iter().find(|one| one.id == calendar).ok_or_else(|| ApiError::not_found("calendar"))?;
    match body.writes {
        Some(false) if found.writes => {
            return Err(ApiError::invalid(
                "writes",
                "can only be true: choose another calendar to be written instead",
            ));
        }
        Some(true) if !found.writable => {
            return Err(ApiError::invalid(
                "writes",
                "cannot be true: its owner may not write to this calendar",
            ));
        }
        _ => {}
    }
    let change = caller.change(app.now());
    if let Some(reads) = body.reads {
        jobs::set_reads(&app.context, &change, id, calendar, reads).await?;
    }
    if body.writes == Some(true) && !found.writes {
        jobs::set_written(&app.context, &change, id, calendar).await?;
    }
    let connection = existing(&app, &caller, id).await?;
    answer(&app, connection).await.map(Json)
}
