//! `/bookings`: found by the caller's own reference.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingKind, BookingStatus},
    ids::{BookingId, ResourceId, StaffId},
    people::Actor,
};
use concord_services::bookings;
use concord_storage::{
    bookings::{self as store, BookingFilter, PutError, WrittenBooking},
    businesses, entries, history, occupancy,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(crate) mod body;
mod invitations;
mod patch;
mod reminders;

use self::body::{BookingBody, BookingResponse};
use super::{
    auth::Api,
    preconditions::{Precondition, entity_tag},
    problem::{ApiError, ApiResult, Kind},
    request::{ApiJson, ApiPath, ApiQuery, ApiTimeBound},
    responses::{Listing, Paging, page_request},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, put, change, cancel))
        .routes(routes!(changes))
        .merge(invitations::routes())
        .merge(reminders::routes())
}

/// Filters for bookings.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListBookingsQuery {
    /// On this resource.
    #[param(value_type = Option<Uuid>)]
    resource: Option<ResourceId>,
    /// With this staff member.
    #[param(value_type = Option<Uuid>)]
    staff: Option<StaffId>,
    /// With this status.
    #[param(inline)]
    status: Option<BookingStatus>,
    /// Of this type.
    #[param(inline)]
    kind: Option<BookingKind>,
    /// Ending after this instant, or after the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2026-12-01")]
    from: Option<ApiTimeBound>,
    /// Starting before this instant, or before the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2027-01-01T00:00:00Z")]
    until: Option<ApiTimeBound>,
    /// Somewhere in reference, title, or the customer's name or address; letters of any case.
    search: Option<String>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List bookings
///
/// Ordered by start, paginated.
#[utoipa::path(get, path = "/bookings", tag = "Bookings", operation_id = "list_bookings", params(ListBookingsQuery),
    responses((status = 200, description = "A page of bookings", body = Listing<BookingResponse>)))]
async fn list(
    api: Api,
    ApiQuery(filter): ApiQuery<ListBookingsQuery>,
) -> ApiResult<Listing<BookingResponse>> {
    let ask = page_request(filter.limit, filter.cursor)?;
    let zone = match (filter.from, filter.until) {
        (None | Some(ApiTimeBound::At(_)), None | Some(ApiTimeBound::At(_))) => Tz::UTC,
        _ => business_zone(&api).await?,
    };
    let wanted = BookingFilter {
        resource: filter.resource,
        staff: filter.staff,
        status: filter.status,
        kind: filter.kind,
        from: filter.from.map(|from| from.instant(zone)),
        until: filter.until.map(|until| until.instant(zone)),
        search: filter.search.filter(|search| !search.trim().is_empty()),
        active_only: false,
    };
    let db = &api.context.db;
    let page = store::list(db, api.business, &wanted, &ask).await?;
    let ids: Vec<BookingId> = page.items.iter().map(|booking| booking.id).collect();
    let mut states = entries::sync_states_of(db, api.business, &ids).await?;
    let mut overlaps = occupancy::overlaps_of(db, api.business, &ids, api.now()).await?;
    Ok(Json(Listing::from_page(page, |booking| {
        let states = states.remove(&booking.id).unwrap_or_default();
        let overlaps = overlaps.remove(&booking.id).unwrap_or_default();
        BookingResponse::new(booking, states, overlaps)
    })))
}

/// The zone in which a business means its days.
pub(super) async fn business_zone(api: &Api) -> Result<Tz, ApiError> {
    let business = businesses::find(&api.context.db, api.business).await?;
    Ok(business.ok_or_else(|| ApiError::not_found("business"))?.zone)
}

/// With how it stands in connected calendars, and what it overlaps.
async fn booking_response(app: &App, booking: Booking) -> Result<BookingResponse, ApiError> {
    let db = &app.context.db;
    let states = entries::sync_states(db, booking.business, booking.id).await?;
    let mut overlaps = occupancy::overlaps_of(db, booking.business, &[booking.id], app.now()).await?;
    let overlaps = overlaps.remove(&booking.id).unwrap_or_default();
    Ok(BookingResponse::new(booking, states, overlaps))
}

async fn with_entity_tag(
    app: &App,
    booking: Booking,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<BookingResponse>), ApiError> {
    let tag = entity_tag(booking.version);
    Ok(([(header::ETAG, tag)], Json(booking_response(app, booking).await?)))
}

async fn find_booking(api: &Api, reference: &str) -> Result<Booking, ApiError> {
    let found = store::find(&api.context.db, api.business, reference).await?;
    found.ok_or_else(|| ApiError::not_found("booking"))
}

/// Read a booking
#[utoipa::path(get, path = "/bookings/{reference}", tag = "Bookings", operation_id = "get_booking",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 200, description = "The booking", body = BookingResponse,
        headers(("ETag" = String, description = "Its version, for `If-Match`")))))]
async fn find(api: Api, ApiPath(reference): ApiPath<String>) -> Result<impl IntoResponse, ApiError> {
    let booking = find_booking(&api, &reference).await?;
    with_entity_tag(&api, booking).await
}

/// Create or replace a booking
///
/// Creates the booking with this reference or replaces it; omitted fields get their defaults. Sending
/// the same again changes nothing. Returns 409 if the time is taken, even under concurrency: the
/// response then lists the conflicts and free times.
#[utoipa::path(put, path = "/bookings/{reference}", tag = "Bookings", operation_id = "put_booking",
    params(
        ("reference" = String, Path, description = "Your own reference: 1 to 128 characters without spaces or slashes"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`); `*`: only if it exists"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if it does not exist yet"),
    ),
    request_body = BookingBody,
    responses(
        (status = 201, description = "Created", body = BookingResponse,
            headers(("Location" = String, description = "Its URL"), ("ETag" = String, description = "Its version"))),
        (status = 200, description = "Replaced, or unchanged", body = BookingResponse,
            headers(("ETag" = String, description = "Its version"))),
    ))]
async fn put(
    api: Api,
    ApiPath(reference): ApiPath<String>,
    condition: Precondition,
    ApiJson(body): ApiJson<BookingBody>,
) -> Result<Response, ApiError> {
    let draft = body.into_draft()?;
    if condition == Precondition::Exists
        && store::find(&api.context.db, api.business, &reference).await?.is_none()
    {
        return Err(PutError::Stale { current: 0 }.into());
    }
    let change = api.change();
    let expected = condition.expected_version();
    let written = bookings::put(&api.context, &change, &reference, &draft, expected).await?;
    write_response(&api, written).await
}

/// Create a booking without a reference
///
/// For callers without their own references: one is generated, unless the body has a `reference`, which must not
/// be used yet. Send an `Idempotency-Key` so that retries create no second booking. Returns 409 if the time is
/// taken, like `PUT /bookings/{reference}`.
#[utoipa::path(post, path = "/bookings", tag = "Bookings", operation_id = "create_booking",
    request_body = BookingBody,
    responses((status = 201, description = "Created", body = BookingResponse,
        headers(("Location" = String, description = "Its URL"), ("ETag" = String, description = "Its version")))))]
async fn create(api: Api, ApiJson(body): ApiJson<BookingBody>) -> Result<Response, ApiError> {
    let reference = body.reference.clone().unwrap_or_else(store::new_reference);
    let draft = body.into_draft()?;
    // Version 0: there must be none yet.
    match bookings::put(&api.context, &api.change(), &reference, &draft, Some(0)).await {
        Err(PutError::Stale { .. }) => Err(ApiError::new(
            Kind::NotPossible,
            "This reference is already used. Update the booking with PUT or PATCH, or use another reference.",
        )),
        written => write_response(&api, written?).await,
    }
}

async fn write_response(app: &App, written: WrittenBooking) -> Result<Response, ApiError> {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = location(app, &written.booking.reference);
    let mut response = (status, with_entity_tag(app, written.booking).await?).into_response();
    if written.created {
        response.headers_mut().insert(header::LOCATION, location?);
    }
    Ok(response)
}

fn location(app: &App, reference: &str) -> Result<HeaderValue, ApiError> {
    let mut url = app.public_url.clone();
    url.path_segments_mut()
        .map_err(|()| ApiError::internal("the public address has no path"))?
        .clear()
        .extend(["api", "v1", "bookings", reference]);
    HeaderValue::try_from(url.as_str()).map_err(ApiError::internal)
}

/// How often a change is made anew when others were faster.
const MAX_ATTEMPTS: usize = 5;

/// Update a booking
///
/// A JSON merge patch (RFC 7396): fields in the body change, null clears, all others are unchanged. Naming `check_in`
/// or `check_out` of a booking by the hour makes it a stay, and the other way round.
#[utoipa::path(patch, path = "/bookings/{reference}", tag = "Bookings", operation_id = "change_booking",
    params(
        ("reference" = String, Path, description = "Your own reference"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)"),
    ),
    request_body(content = Object, content_type = "application/merge-patch+json",
        description = "The fields of `BookingBody` that change", example = json!({ "status": "completed" })),
    responses((status = 200, description = "Changed", body = BookingResponse,
        headers(("ETag" = String, description = "Its version")))))]
async fn change(
    api: Api,
    ApiPath(reference): ApiPath<String>,
    condition: Precondition,
    ApiJson(patch): ApiJson<Value>,
) -> Result<Response, ApiError> {
    if condition == Precondition::New {
        return Err(ApiError::new(Kind::Malformed, "If-None-Match cannot be used with PATCH."));
    }
    for _ in 0..MAX_ATTEMPTS {
        let booking = find_booking(&api, &reference).await?;
        let version = booking.version;
        let draft = patch::apply_patch(BookingResponse::new(booking, Vec::new(), Vec::new()), patch.clone())?
            .into_draft()?;
        let expected = condition.expected_version().unwrap_or(version);
        let change = api.change();
        match bookings::put(&api.context, &change, &reference, &draft, Some(expected)).await {
            // Changed by somebody else between reading and writing: the patch is applied to what is there now.
            Err(PutError::Stale { .. }) if condition.expected_version().is_none() => {}
            written => return write_response(&api, written?).await,
        }
    }
    Err(ApiError::new(Kind::Busy, "The same booking is being changed by another request.").retry_after(1))
}

/// Cancel a booking
///
/// Sets the status to `cancelled` and frees the time; its calendar entries are deleted. Does nothing if
/// already cancelled.
#[utoipa::path(delete, path = "/bookings/{reference}", tag = "Bookings", operation_id = "cancel_booking",
    params(
        ("reference" = String, Path, description = "Your own reference"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)"),
    ),
    responses((status = 200, description = "The cancelled booking", body = BookingResponse,
        headers(("ETag" = String, description = "Its version")))))]
async fn cancel(
    api: Api,
    ApiPath(reference): ApiPath<String>,
    condition: Precondition,
) -> Result<Response, ApiError> {
    find_booking(&api, &reference).await?;
    let change = api.change();
    let written = bookings::cancel(&api.context, &change, &reference, condition.expected_version()).await?;
    write_response(&api, written).await
}

/// A change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HistoryLine)]
struct HistoryLineResponse {
    /// Concord's id of the line.
    id: Uuid,
    /// When it was created.
    at: DateTime<Utc>,
    /// The actor: `kind` is `user`, `api_key`, `calendar` or `system`.
    #[schema(value_type = Object, example = json!({"kind": "api_key", "name": "Website"}))]
    actor: Actor,
    /// The action.
    #[schema(example = "changed")]
    action: String,
    /// What changed: each field with its value before and after.
    #[schema(value_type = Object)]
    detail: Value,
}

/// Read the history of a booking
///
/// Who changed what and when, newest first.
#[utoipa::path(get, path = "/bookings/{reference}/history", tag = "Bookings", operation_id = "get_booking_history",
    params(("reference" = String, Path, description = "Your own reference"), Paging),
    responses((status = 200, description = "A page of changes", body = Listing<HistoryLineResponse>)))]
async fn changes(
    api: Api,
    ApiPath(reference): ApiPath<String>,
    ApiQuery(paging): ApiQuery<Paging>,
) -> ApiResult<Listing<HistoryLineResponse>> {
    let ask = paging.page_request()?;
    let booking = find_booking(&api, &reference).await?;
    let page = history::list_for_subject(&api.context.db, api.business, booking.id.0, &ask).await?;
    Ok(Json(Listing::from_page(page, |line| HistoryLineResponse {
        id: line.id.0,
        at: line.at,
        actor: line.actor,
        action: line.action,
        detail: line.detail,
    })))
}
