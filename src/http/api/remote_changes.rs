//! `/remote_changes`: what staff members did to bookings' entries in their own calendars, and what became of it.

use std::collections::{HashMap, hash_map::Entry};

use axum::Json;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::BookingStatus,
    connection::ProviderKind,
    ids::{BookingId, RemoteChangeId, StaffId},
    people::Actor,
    sync::{
        remote_change::{BookingEdit, Refusal, RemoteChangeKind, RemoteChangeState},
        remote_change_text::RemoteChangeText,
    },
};
use concord_services::remote_changes::{RemoteChangeAnswer, answer};
use concord_storage::{
    bookings, businesses,
    remote_changes::{self, RemoteChange},
    resources,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    occupancy::FreeTime,
    problem::{ApiError, ApiResult},
    request::{ApiPath, ApiQuery},
    responses::{Listing, page_request},
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

/// Filters for changes.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListRemoteChangesQuery {
    /// With this status.
    #[param(inline)]
    state: Option<RemoteChangeState>,
    /// Those in the calendars of this staff member.
    #[param(value_type = Option<Uuid>)]
    staff: Option<StaffId>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// The changed fields; absent fields did not change or are unknown.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RemoteEdit)]
struct RemoteEditResponse {
    /// When it takes place.
    #[serde(flatten)]
    time: FreeTime,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The booking's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<BookingStatus>,
}

impl From<BookingEdit> for RemoteEditResponse {
    fn from(edit: BookingEdit) -> Self {
        let time = edit.time.map(FreeTime::from).unwrap_or_default();
        Self { time, title: edit.title, status: edit.status }
    }
}

/// A change that a staff member made to a booking's entry in their calendar.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RemoteChange)]
struct RemoteChangeResponse {
    /// Its id, for `/remote_changes/{id}`.
    id: Uuid,
    /// The booking.
    booking: Uuid,
    /// The booking's reference.
    reference: String,
    /// The calendar integration.
    connection: Uuid,
    /// The calendar provider.
    provider: ProviderKind,
    /// Whose calendar it is.
    staff: Uuid,
    /// Their name.
    staff_name: String,
    /// The action.
    kind: RemoteChangeKind,
    /// Its status.
    state: RemoteChangeState,
    /// Why it was not followed, if no person decided; for a superseded change, by what.
    refusal: Option<Refusal>,
    /// A summary in plain words.
    #[schema(
        example = "Ana deleted the entry of booking A-1 in their Google calendar. Cancel the booking, or revert the entry?"
    )]
    summary: String,
    /// The fields before.
    before: RemoteEditResponse,
    /// The fields after.
    after: RemoteEditResponse,
    /// Whether it can be undone.
    can_be_undone: bool,
    /// When it was detected.
    seen_at: DateTime<Utc>,
    /// When it was decided or superseded.
    decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    decided_by: Option<String>,
}

/// The changes in words, each in the zone of its booking.
async fn responses(api: &Api, changes: Vec<RemoteChange>) -> Result<Vec<RemoteChangeResponse>, ApiError> {
    let (db, business) = (&api.context.db, api.business);
    let there = |what: &str| ApiError::internal(format!("the {what} of a change is not there"));
    let home = businesses::find(db, business).await?.ok_or_else(|| there("business"))?.zone;
    let ids: Vec<BookingId> = changes.iter().map(|change| change.booking_id).collect();
    let booked = bookings::find_by_ids(db, business, &ids).await?;
    let mut zones = HashMap::new();
    for booking in booked.values() {
        if let Entry::Vacant(vacant) = zones.entry(booking.draft.resource) {
            let found = resources::find(db, business, *vacant.key()).await?;
            vacant.insert(found.ok_or_else(|| there("resource"))?.zone.unwrap_or(home));
        }
    }
    let answer = |change: RemoteChange| {
        let booking = booked.get(&change.booking_id).ok_or_else(|| there("booking"))?;
        Ok(response(api.now(), zones[&booking.draft.resource], change))
    };
    changes.into_iter().map(answer).collect()
}

fn response(now: DateTime<Utc>, zone: Tz, change: RemoteChange) -> RemoteChangeResponse {
    let decided_by = change.decided_by.as_ref().map(Actor::label);
    let summary = RemoteChangeText {
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
    .user_message();
    RemoteChangeResponse {
        summary,
        can_be_undone: change.can_be_undone(),
        id: change.id.0,
        booking: change.booking_id.0,
        reference: change.reference,
        connection: change.connection_id.0,
        provider: change.provider,
        staff: change.staff_id.0,
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

/// List remote changes
///
/// Changes that staff members made to booking entries in their calendars, newest first. Changes with the status
/// `open` need a decision.
#[utoipa::path(get, path = "/remote_changes", tag = "Sync", operation_id = "list_remote_changes",
    params(ListRemoteChangesQuery), responses((status = 200, description = "A page of them", body = Listing<RemoteChangeResponse>)))]
async fn list(
    api: Api,
    ApiQuery(wanted): ApiQuery<ListRemoteChangesQuery>,
) -> ApiResult<Listing<RemoteChangeResponse>> {
    let ask = page_request(wanted.limit, wanted.cursor)?;
    let narrowed = (wanted.staff, wanted.state);
    let page = remote_changes::list(&api.context.db, api.business, narrowed, &ask).await?;
    let items = responses(&api, page.items).await?;
    Ok(Json(Listing { items, next_cursor: page.next }))
}

async fn find_response(api: &Api, id: RemoteChangeId) -> ApiResult<RemoteChangeResponse> {
    let found = remote_changes::find(&api.context.db, api.business, id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("change"))?;
    let answer = responses(api, vec![found]).await?.pop();
    answer.map(Json).ok_or_else(|| ApiError::internal("a change without an answer"))
}

/// Read a remote change
#[utoipa::path(get, path = "/remote_changes/{id}", tag = "Sync", operation_id = "get_remote_change",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The change", body = RemoteChangeResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<RemoteChangeId>) -> ApiResult<RemoteChangeResponse> {
    find_response(&api, id).await
}

async fn resolve(api: &Api, id: RemoteChangeId, with: RemoteChangeAnswer) -> ApiResult<RemoteChangeResponse> {
    answer(&api.context, &api.change(), id, with).await?;
    find_response(api, id).await
}

/// Follow a remote change
///
/// Updates the booking to match its entry. Returns 409 if already decided, if the booking
/// has changed since, or if the time is taken, with the conflicts.
#[utoipa::path(post, path = "/remote_changes/{id}/follow", tag = "Sync",
    operation_id = "follow_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The booking was updated", body = RemoteChangeResponse)))]
async fn follow(api: Api, ApiPath(id): ApiPath<RemoteChangeId>) -> ApiResult<RemoteChangeResponse> {
    resolve(&api, id, RemoteChangeAnswer::Follow).await
}

/// Revert a remote change
///
/// Keeps the booking and restores its entry, or deletes it again.
#[utoipa::path(post, path = "/remote_changes/{id}/revert", tag = "Sync",
    operation_id = "revert_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The entry will be reverted", body = RemoteChangeResponse)))]
async fn revert(api: Api, ApiPath(id): ApiPath<RemoteChangeId>) -> ApiResult<RemoteChangeResponse> {
    resolve(&api, id, RemoteChangeAnswer::Revert).await
}

/// Undo a followed change
///
/// Restores the booking as it was before, in all calendars. Returns 409 if it has changed since, or if the
/// time is taken, with the conflicts.
#[utoipa::path(post, path = "/remote_changes/{id}/undo", tag = "Sync",
    operation_id = "undo_remote_change", params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The booking is as it was", body = RemoteChangeResponse)))]
async fn undo(api: Api, ApiPath(id): ApiPath<RemoteChangeId>) -> ApiResult<RemoteChangeResponse> {
    resolve(&api, id, RemoteChangeAnswer::Undo).await
}
