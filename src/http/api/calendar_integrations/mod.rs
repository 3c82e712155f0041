//! `/calendar_integrations`: staff members' accounts at calendar providers.

use axum::{Json, http::StatusCode};
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    ids::{CalendarId, ConnectionId, StaffId},
    sync::remote_change::RemoteChangePolicy,
};
use concord_services::connections::{self as jobs, ConnectionUpdate};
use concord_storage::{
    busy_times, calendars,
    connections::{self, Connection},
    entries,
    idempotency::in_parts,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

mod authorize;
mod caldav;
mod responses;

use self::responses::{
    BusyTimeResponse, CalendarEntryResponse, CalendarEventsResponse, IntegrationResponse,
    IntegrationTestResponse,
};
use super::{
    auth::Api,
    patch_field::PatchField,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath, ApiQuery},
    responses::Listing,
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
struct ListIntegrationsQuery {
    /// Those of this staff member.
    #[param(value_type = Option<uuid::Uuid>)]
    staff: Option<StaffId>,
}

/// List calendar integrations
///
/// All that are not disconnected, oldest first.
#[utoipa::path(get, path = "/calendar_integrations", tag = "Calendar integrations",
    operation_id = "list_calendar_integrations", params(ListIntegrationsQuery),
    responses((status = 200, description = "The full list", body = Listing<IntegrationResponse>)))]
async fn list(
    api: Api,
    ApiQuery(filter): ApiQuery<ListIntegrationsQuery>,
) -> ApiResult<Listing<IntegrationResponse>> {
    let found = match filter.staff {
        Some(staff) => connections::of_staff(&api.context.db, api.business, staff).await?,
        None => connections::list(&api.context.db, api.business).await?,
    };
    let ids: Vec<ConnectionId> = found.iter().map(|connection| connection.id).collect();
    let mut listed = calendars::of_connections(&api.context.db, api.business, &ids).await?;
    let answer = |connection: Connection| {
        let calendars = listed.remove(&connection.id).unwrap_or_default();
        IntegrationResponse::new(connection, calendars)
    };
    Ok(Json(Listing::complete(found.into_iter().map(answer).collect())))
}

async fn integration_response(app: &App, connection: Connection) -> Result<IntegrationResponse, ApiError> {
    let calendars = calendars::of_connection(&app.context.db, connection.business_id, connection.id).await?;
    Ok(IntegrationResponse::new(connection, calendars))
}

async fn find_connection(api: &Api, id: ConnectionId) -> Result<Connection, ApiError> {
    let found = connections::find(&api.context.db, api.business, id).await?;
    found.ok_or_else(|| ApiError::not_found("calendar integration"))
}

/// Read a calendar integration
#[utoipa::path(get, path = "/calendar_integrations/{id}", tag = "Calendar integrations",
    operation_id = "get_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The integration", body = IntegrationResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<ConnectionId>) -> ApiResult<IntegrationResponse> {
    let connection = find_connection(&api, id).await?;
    integration_response(&api, connection).await.map(Json)
}

/// Changes to an integration; omitted fields are unchanged.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CalendarIntegrationChange, example = json!({ "direction": "both" }))]
struct IntegrationPatch {
    /// Sync direction.
    direction: Option<Direction>,
    /// Which bookings are written to it.
    coverage: Option<Coverage>,
    /// What to do when entries are moved, resized or renamed there; null: the business default.
    #[serde(default)]
    #[schema(value_type = Option<RemoteChangePolicy>)]
    remote_moves: PatchField<RemoteChangePolicy>,
    /// What to do when entries are deleted or restored there; null: the business default.
    #[serde(default)]
    #[schema(value_type = Option<RemoteChangePolicy>)]
    remote_deletions: PatchField<RemoteChangePolicy>,
    /// `true`: new bookings of its staff member go here. To end that, make another one the default.
    is_default: Option<bool>,
    /// `paused` or `active`.
    state: Option<ConnectionState>,
}

impl IntegrationPatch {
    fn validate(&self) -> Result<(), ApiError> {
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
    request_body = IntegrationPatch,
    responses((status = 200, description = "Changed", body = IntegrationResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<ConnectionId>,
    ApiJson(body): ApiJson<IntegrationPatch>,
) -> ApiResult<IntegrationResponse> {
    body.validate()?;
    let before = find_connection(&api, id).await?;
    let change = api.change();
    // The state first: it is the one that can be refused.
    match body.state {
        Some(state) if state == before.state => {}
        Some(ConnectionState::Paused) => jobs::pause(&api.context, &change, id).await?,
        Some(ConnectionState::Active) => jobs::resume(&api.context, &change, id).await?,
        _ => {}
    }
    let wanted = ConnectionUpdate {
        direction: body.direction,
        coverage: body.coverage,
        moves: body.remote_moves.into_change(),
        deletions: body.remote_deletions.into_change(),
        make_default: body.is_default == Some(true),
        ..ConnectionUpdate::default()
    };
    jobs::update(&api.context, &change, id, &wanted).await?;
    let after = find_connection(&api, id).await?;
    integration_response(&api, after).await.map(Json)
}

/// What to do with the entries.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DisconnectQuery {
    /// Whether to delete the entries from the calendar; default false.
    #[serde(default)]
    #[param(required = false)]
    remove_entries: bool,
}

/// Disconnect a calendar
///
/// Revokes access at the provider and, if requested, deletes the entries. Reconnecting the same account
/// resumes where it left off.
#[utoipa::path(delete, path = "/calendar_integrations/{id}", tag = "Calendar integrations",
    operation_id = "disconnect_calendar", params(("id" = Uuid, Path, description = "Its id"), DisconnectQuery),
    responses((status = 200, description = "Disconnected", body = IntegrationResponse)))]
async fn disconnect(
    api: Api,
    ApiPath(id): ApiPath<ConnectionId>,
    ApiQuery(removal): ApiQuery<DisconnectQuery>,
) -> ApiResult<IntegrationResponse> {
    jobs::disconnect(&api.context, &api.change(), id, removal.remove_entries).await?;
    let after = find_connection(&api, id).await?;
    integration_response(&api, after).await.map(Json)
}

/// Sync now
///
/// Writes pending entries, imports busy times and compares, as soon as a worker is free. Entries in sync are
/// not rewritten; changes made in the calendar are handled by the remote change settings.
#[utoipa::path(post, path = "/calendar_integrations/{id}/sync", tag = "Calendar integrations",
    operation_id = "sync_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Started", body = IntegrationResponse)))]
async fn sync(
    api: Api,
    ApiPath(id): ApiPath<ConnectionId>,
) -> Result<(StatusCode, Json<IntegrationResponse>), ApiError> {
    jobs::resync(&api.context, api.business, id).await?;
    let connection = find_connection(&api, id).await?;
    Ok((StatusCode::ACCEPTED, Json(integration_response(&api, connection).await?)))
}

/// Test a calendar integration
///
/// Asks the provider for the list of calendars and returns the result.
#[utoipa::path(post, path = "/calendar_integrations/{id}/test", tag = "Calendar integrations",
    operation_id = "test_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The test result", body = IntegrationTestResponse)))]
async fn test(api: Api, ApiPath(id): ApiPath<ConnectionId>) -> ApiResult<IntegrationTestResponse> {
    let report = in_parts(Box::pin(jobs::test(&api.context, api.business, id))).await?;
    Ok(Json(IntegrationTestResponse { ok: report.ok, message: report.message, calendars: report.calendars }))
}

/// Compare a calendar with the bookings
///
/// Checks every entry in the calendars and fixes differences, as soon as a worker is
/// free. The result is in `drift`. Runs automatically every night.
#[utoipa::path(post, path = "/calendar_integrations/{id}/compare", tag = "Calendar integrations",
    operation_id = "compare_calendar_integration", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Started", body = IntegrationResponse)))]
async fn compare(
    api: Api,
    ApiPath(id): ApiPath<ConnectionId>,
) -> Result<(StatusCode, Json<IntegrationResponse>), ApiError> {
    jobs::compare(&api.context, api.business, id).await?;
    let connection = find_connection(&api, id).await?;
    Ok((StatusCode::ACCEPTED, Json(integration_response(&api, connection).await?)))
}

/// Bookings at the most in one answer.
const MAX_ENTRIES: u32 = 200;

/// List the events of a calendar integration
///
/// Upcoming bookings in its calendars, and upcoming imported busy
/// times.
#[utoipa::path(get, path = "/calendar_integrations/{id}/events", tag = "Calendar integrations",
    operation_id = "list_calendar_events", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Upcoming busy times", body = CalendarEventsResponse)))]
async fn events(api: Api, ApiPath(id): ApiPath<ConnectionId>) -> ApiResult<CalendarEventsResponse> {
    let (db, business, now) = (&api.context.db, api.business, api.now());
    let connection = find_connection(&api, id);
    let upcoming =
        async { entries::upcoming(db, business, id, now, MAX_ENTRIES).await.map_err(ApiError::from) };
    let calendars = async { calendars::of_connection(db, business, id).await.map_err(ApiError::from) };
    let (_, upcoming, calendars) = tokio::try_join!(connection, upcoming, calendars)?;
    let entries = upcoming.into_iter().map(CalendarEntryResponse::from).collect();
    let mut busy = Vec::new();
    for calendar in calendars {
        let found = busy_times::upcoming(db, business, calendar.id, now).await?;
        busy.extend(found.into_iter().map(BusyTimeResponse::from));
    }
    Ok(Json(CalendarEventsResponse { entries, busy }))
}

/// Changes to a calendar; omitted fields are unchanged.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CalendarChange, example = json!({ "reads": true }))]
struct CalendarPatch {
    /// Whether its busy times are imported.
    reads: Option<bool>,
    /// `true`: new bookings are written to it. To end that, choose another calendar.
    writes: Option<bool>,
}

/// Update a calendar
#[utoipa::path(patch, path = "/calendar_integrations/{id}/calendars/{calendar}", tag = "Calendar integrations",
    operation_id = "change_calendar",
    params(("id" = Uuid, Path, description = "The integration's id"), ("calendar" = Uuid, Path, description = "The calendar's id")),
    request_body = CalendarPatch,
    responses((status = 200, description = "The integration with its calendars", body = IntegrationResponse)))]
async fn change_calendar(
    api: Api,
    ApiPath((id, calendar)): ApiPath<(ConnectionId, CalendarId)>,
    ApiJson(body): ApiJson<CalendarPatch>,
) -> ApiResult<IntegrationResponse> {
    find_connection(&api, id).await?;
    let found = calendars::of_connection(&api.context.db, api.business, id).await?;
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
                "cannot be true: the account cannot write to this calendar",
            ));
        }
        _ => {}
    }
    let wanted = ConnectionUpdate {
        reads: body.reads.map(|reads| (calendar, reads)).into_iter().collect(),
        writes: body.writes.and_then(|writes| writes.then_some(calendar)),
        ..ConnectionUpdate::default()
    };
    jobs::update(&api.context, &api.change(), id, &wanted).await?;
    let connection = find_connection(&api, id).await?;
    integration_response(&api, connection).await.map(Json)
}
