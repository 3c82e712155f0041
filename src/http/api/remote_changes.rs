//! `/remote_changes`: what staff members did to bookings' entries in their own calendars, and what became of it.

use std::collections::{HashMap, hash_map::Entry};

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::BookingStatus,
    connection::ProviderKind,
    ids::{BookingId, ConnectionId, RemoteChangeId, StaffId},
    people::Actor,
    sync::{
        remote_change::{Edit, Refusal, RemoteChangeKind, RemoteChangeState},
        remote_change_text::Told,
    },
};
use concord_jobs::remote_change::{Answer, answer};
use concord_storage::{
    bookings, businesses,
    remote_changes::{self, RemoteChange},
    resources,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{FreeTime, Listing, page_ask},
    auth::ApiCaller,
    problem::ApiError,
    request::{PathOf, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(find))
        .routes(routes!(follow))
        .routes(routes!(revert))
        .routes(routes!(undo))
}

/// Which changes are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those in this state.
    #[param(value_type = Option<schema::RemoteChangeState>, inline)]
    state: Option<RemoteChangeState>,
    /// Those in the calendars of this staff member.
    #[param(value_type = Option<uuid::Uuid>)]
    staff: Option<StaffId>,
    /// How many at the most, 1 to 200; 50 if it is not said.
    limit: Option<u32>,
    /// What the page before said as `next_cursor`.
    cursor: Option<String>,
}

/// What of a booking was changed; what is not there was not, or is not known.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RemoteEdit)]
struct EditAnswer {
    /// When it takes place.
    #[serde(flatten)]
    time: FreeTime,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Where the booking stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::BookingStatus>)]
    status: Option<BookingStatus>,
}

impl From<Edit> for EditAnswer {
    fn from(edit: Edit) -> Self {
        let time = edit.time.map(FreeTime::from).unwrap_or_default();
        Self { time, title: edit.title, status: edit.status }
    }
}

/// What a staff member did to a booking's entry in their own calendar.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RemoteChange)]
struct ChangeAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: RemoteChangeId,
    /// The booking.
    #[schema(value_type = uuid::Uuid)]
    booking: BookingId,
    /// The booking's reference.
    reference: String,
    /// The calendar integration.
    #[schema(value_type = uuid::Uuid)]
    connection: ConnectionId,
    /// Who keeps the calendar.
    #[schema(value_type = schema::ProviderKind)]
    provider: ProviderKind,
    /// Whose calendar it is.
    #[schema(value_type = uuid::Uuid)]
    staff: StaffId,
    /// Their name.
    staff_name: String,
    /// What they did.
    #[schema(value_type = schema::RemoteChangeKind)]
    kind: RemoteChangeKind,
    /// What became of it.
    #[schema(value_type = schema::RemoteChangeState)]
    state: RemoteChangeState,
    /// Why the booking stands, where it was not a person who decided so; of one that was overtaken, by what.
    #[schema(value_type = Option<schema::Refusal>)]
    refusal: Option<Refusal>,
    /// All of it in words.
    #[schema(
        example = "Ana deleted the entry of booking A-1 in their Google calendar. Cancel the booking, or put the entry back?"
    )]
    summary: String,
    /// What of it was before.
    before: EditAnswer,
    /// What the booking would become, or became.
    after: EditAnswer,
    /// Whether the booking is still as it became by this, so that it can be taken back.
    can_be_undone: bool,
    /// When it was seen.
    seen_at: DateTime<Utc>,
    /// When somebody decided, or something else overtook it.
    decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    decided_by: Option<String>,
}

/// The changes in words, each in the zone of its booking.
async fn all_in_words(
    app: &App,
    caller: &ApiCaller,
    changes: Vec<RemoteChange>,
) -> Result<Vec<ChangeAnswer>, ApiError> {
    let (db, business) = (&app.context.db, caller.business);
    let there = |what: &str| ApiError::internal(format!("the {what} of a change is not there"));
    let home = businesses::find(db, business).await?.ok_or_else(|| there("business"))?.zone;
    let ids: Vec<BookingId> = changes.iter().map(|change| change.booking_id).collect();
    let booked = bookings::by_ids(db, business, &ids).await?;
    let mut zones = HashMap::new();
    for booking in booked.values() {
        if let Entry::Vacant(vacant) = zones.entry(booking.draft.resource) {
            let found = resources::find(db, business, *vacant.key()).await?;
            vacant.insert(found.ok_or_else(|| there("resource"))?.zone.unwrap_or(home));
        }
    }
    let answer = |change: RemoteChange| {
        let booking = booked.get(&change.booking_id).ok_or_else(|| there("booking"))?;
        Ok(in_words(app.now(), zones[&booking.draft.resource], change))
    };
    changes.into_iter().map(answer).collect()
}

fn in_words(now: DateTime<Utc>, zone: Tz, change: RemoteChange) -> ChangeAnswer {
    let decided_by = change.decided_by.as_ref().map(Actor::label);
    let summary = Told {
        who: &change.staff_name,
        entry: &format!("the entry of booking {}", change.reference),
        provider: change.provider,
        kind: change.kind,
        state: change.state,
        refusal: change.refusal,
        detail: &change.detail,
        edit: &change.edit,
        before: &change.before,
        decided_by: decided_by.as_deref(),
        zone,
        today: now.with_timezone(&zone).date_naive(),
    }
    .in_words();
    ChangeAnswer {
        summary,
        can_be_undone: change.can_be_undone(),
        id: change.id,
        booking: change.booking_id,
        reference: change.reference,
        connection: change.connection_id,
        provider: change.provider,
        staff: change.staff_id,
        staff_name: change.staff_name,
        kind: change.kind,
        state: change.state,
        refusal: change.refusal,
        before: change.before.into(),
        after: change.edit.into(),
        seen_at: change.seen_at,
        decided_at: change.decided_at,
        decided_by,
    }
}

/// List what was changed in calendars
///
/// What staff members did to bookings' entries in their own calendars, newest first. Those in the state `open` wait for
/// somebody to decide.
#[utoipa::path(get, path = "/remote_changes", tag = "Synchronisation", operation_id = "list_remote_changes",
    params(Wanted), responses((status = 200, description = "A page of them", body = Listing<ChangeAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(wanted): Search<Wanted>,
) -> Result<Json<Listing<ChangeAnswer>>, ApiError> {
    let ask = page_ask(wanted.limit, wanted.cursor)?;
    let narrowed = (wanted.staff, wanted.state);
    let page = remote_changes::list(&app.context.db, caller.business, narrowed, &ask).await?;
    let items = all_in_words(&app, &caller, page.items).await?;
    Ok(Json(Listing { items, next_cursor: page.next }))
}

async fn existing(app: &App, caller: &ApiCaller, id: RemoteChangeId) -> Result<Json<ChangeAnswer>, ApiError> {
    let found = remote_changes::find(&app.context.db, caller.business, id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("change"))?;
    let answer = all_in_words(app, caller, vec![found]).await?.pop();
    answer.map(Json).ok_or_else(|| ApiError::internal("a change without an answer"))
}

/// Read what was changed in a calendar
#[utoipa::path(get, path = "/remote_changes/{id}", tag = "Synchronisation", operation_id = "get_remote_change",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The change", body = ChangeAnswer)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<RemoteChangeId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    existing(&app, &caller, id).await
}

async fn decide(
    app: &App,
    caller: &ApiCaller,
    id: RemoteChangeId,
    with: Answer,
) -> Result<Json<ChangeAnswer>, ApiError> {
    answer(&app.context, &caller.change(app.now()), id, with).await?;
    existing(app, caller, id).await
}

/// Let the booking follow
///
/// Answers an open question: the booking becomes what its entry became. 409 if somebody has decided already or the
/// booking was changed since, and if the time is taken, with what stands there.
#[utoipa::path(post, path = "/remote_changes/{id}/follow", tag = "Synchronisation",
    operation_id = "follow_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The booking has followed", body = ChangeAnswer)))]
async fn follow(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<RemoteChangeId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    decide(&app, &caller, id, Answer::Follow).await
}

/// Put the entry back
///
/// Answers an open question: the booking stays as it is, and its entry is written, or removed, again.
#[utoipa::path(post, path = "/remote_changes/{id}/revert", tag = "Synchronisation",
    operation_id = "revert_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The entry will be put back", body = ChangeAnswer)))]
async fn revert(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<RemoteChangeId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    decide(&app, &caller, id, Answer::Revert).await
}

/// Take back what a booking has followed
///
/// The booking becomes what it was before, in everybody's calendars. 409 if it was changed since, and if the time is
/// taken, with what stands there.
#[utoipa::path(post, path = "/remote_changes/{id}/undo", tag = "Synchronisation",
    operation_id = "undo_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The booking is as it was", body = ChangeAnswer)))]
async fn undo(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<RemoteChangeId>,
) -> Result<Json<ChangeAnswer>, ApiError> {
    decide(&app, &caller, id, Answer::Undo).await
}
