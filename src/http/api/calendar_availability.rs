//! `/calendar_availability`: times that are blocked by hand. A block is a booking of the kind `block`, and as such in
//! the way of others, in feeds and in calendars.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, Customer},
    ids::{BookingId, ResourceId, StaffId, new_uuid},
};
use concord_services::bookings;
use concord_storage::{
    bookings::{self as store, BookingFilter},
    resources,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    bookings::body::time_from_pairs,
    occupancy::FreeTime,
    problem::{ApiError, ApiResult},
    request::{ApiDate, ApiInstant, ApiJson, ApiPath, ApiQuery},
    responses::{Listing, Paging},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, block)).routes(routes!(unblock))
}

/// A time to block. Send either `starts_at` and `ends_at`, or `check_in` and `check_out`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BlockBody, example = json!({
    "resource": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10", "check_in": "2026-12-24", "check_out": "2026-12-27", "title": "Closed"
}))]
struct BlockBody {
    /// What is blocked.
    #[schema(value_type = Uuid)]
    resource: ResourceId,
    /// The staff blocked with it.
    #[schema(value_type = Option<Vec<Uuid>>)]
    staff: Option<Vec<StaffId>>,
    /// From this instant.
    #[schema(value_type = Option<DateTime<Utc>>, example = "2026-12-01T14:00:00+01:00")]
    starts_at: Option<ApiInstant>,
    /// To this instant (exclusive).
    #[schema(value_type = Option<DateTime<Utc>>, example = "2026-12-01T14:00:00+01:00")]
    ends_at: Option<ApiInstant>,
    /// The first day.
    #[schema(value_type = Option<NaiveDate>, example = "2026-12-01")]
    check_in: Option<ApiDate>,
    /// The day after the last.
    #[schema(value_type = Option<NaiveDate>, example = "2026-12-01")]
    check_out: Option<ApiDate>,
    /// Units; all of them if it is not said.
    #[schema(minimum = 1, maximum = 1000)]
    quantity: Option<u32>,
    /// Why, in one line.
    #[schema(max_length = 300)]
    title: Option<String>,
    /// Notes for staff; may be empty.
    notes: Option<String>,
}

/// A blocked time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Block)]
struct BlockResponse {
    /// Its id, for `DELETE /calendar_availability/{id}`.
    id: Uuid,
    /// Its booking reference.
    reference: String,
    /// What is blocked.
    resource: Uuid,
    /// The staff blocked with it.
    staff: Vec<Uuid>,
    /// When it starts, in UTC; only of blocks by the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<DateTime<Utc>>,
    /// When it ends, in UTC (exclusive); only of blocks by the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
    /// The first day; only of blocks by the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    check_in: Option<NaiveDate>,
    /// The day after the last; only of blocks by the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    check_out: Option<NaiveDate>,
    /// How many units it takes.
    quantity: u32,
    /// Why, in one line.
    title: String,
    /// Notes for staff; may be empty.
    notes: String,
    /// Whether it still blocks.
    status: BookingStatus,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<Booking> for BlockResponse {
    fn from(booking: Booking) -> Self {
        let draft = booking.draft;
        let FreeTime { starts_at, ends_at, check_in, check_out } = draft.time.into();
        Self {
            id: booking.id.0,
            reference: booking.reference,
            resource: draft.resource.0,
            staff: draft.staff.into_iter().map(|id| id.0).collect(),
            starts_at,
            ends_at,
            check_in,
            check_out,
            quantity: draft.quantity,
            title: draft.title,
            notes: draft.notes,
            status: draft.status,
            created_at: booking.created_at,
        }
    }
}

/// List blocks
///
/// Active blocks that have not ended, ordered by start.
#[utoipa::path(get, path = "/calendar_availability", tag = "Availability", operation_id = "list_blocks", params(Paging),
    responses((status = 200, description = "A page of blocks", body = Listing<BlockResponse>)))]
async fn list(api: Api, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult<Listing<BlockResponse>> {
    let filter = BookingFilter {
        kind: Some(BookingKind::Block),
        active_only: true,
        from: Some(api.now()),
        ..BookingFilter::default()
    };
    let page = store::list(&api.context.db, api.business, &filter, &paging.page_request()?).await?;
    Ok(Json(Listing::from_page(page, BlockResponse::from)))
}

/// Block a time
///
/// Nobody can book it until the block is removed. Returns 409 if the time is taken.
#[utoipa::path(post, path = "/calendar_availability", tag = "Availability", operation_id = "create_block",
    request_body = BlockBody,
    responses((status = 201, description = "Blocked", body = BlockResponse,
        headers(("Location" = String, description = "Its URL as a booking")))))]
async fn block(api: Api, ApiJson(body): ApiJson<BlockBody>) -> Result<impl IntoResponse, ApiError> {
    let time = time_from_pairs((body.starts_at, body.ends_at), (body.check_in, body.check_out))?;
    let resource = resources::find(&api.context.db, api.business, body.resource).await?;
    let resource = resource.ok_or_else(|| ApiError::invalid("resource", "is not one of your resources"))?;
    let draft = BookingDraft {
        resource: resource.id,
        kind: BookingKind::Block,
        status: BookingStatus::Confirmed,
        time,
        title: body.title.unwrap_or_else(|| "Blocked".to_owned()),
        customer: Customer::default(),
        party_size: None,
        quantity: body.quantity.unwrap_or(resource.capacity),
        staff: body.staff.unwrap_or_default(),
        location: String::new(),
        notes: body.notes.unwrap_or_default(),
        source: "api".to_owned(),
        meeting_url: String::new(),
        guests: Vec::new(),
    };
    let change = api.change();
    let reference = format!("block-{}", new_uuid(change.now).simple());
    let written = bookings::put(&api.context, &change, &reference, &draft, Some(0)).await?;
    let location = api.absolute_url(&format!("/api/v1/bookings/{reference}"));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(BlockResponse::from(written.booking))))
}

/// Remove a block
///
/// The time becomes available again.
#[utoipa::path(delete, path = "/calendar_availability/{id}", tag = "Availability", operation_id = "remove_block",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "No longer blocked", body = BlockResponse)))]
async fn unblock(api: Api, ApiPath(id): ApiPath<BookingId>) -> ApiResult<BlockResponse> {
    let found = store::by_id(&api.context.db, api.business, id).await?;
    let block = found
        .filter(|booking| booking.draft.kind == BookingKind::Block)
        .ok_or_else(|| ApiError::not_found("block"))?;
    let change = api.change();
    let written = bookings::cancel(&api.context, &change, &block.reference, None).await?;
    Ok(Json(written.booking.into()))
}
