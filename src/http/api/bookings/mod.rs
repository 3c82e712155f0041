//! `/bookings`: found by the caller's own reference.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingKind, BookingStatus},
    ids::{BookingId, BusinessId, HistoryId, ResourceId, StaffId},
    people::Actor,
};
use concord_storage::{
    bookings::{self, BookingFilter, Put, PutError},
    businesses, entries, history, occupancy,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) mod body;
mod patch;

use self::body::{BookingAnswer, BookingBody};
use super::{
    answers::{Listing, Paging, page_ask},
    auth::ApiCaller,
    conditions::{Condition, entity_tag},
    problem::{ApiError, Kind},
    request::{Body, Bound, PathOf, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, put, change, cancel))
        .routes(routes!(changes))
}

/// Which bookings are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// On this resource.
    #[param(value_type = Option<uuid::Uuid>)]
    resource: Option<ResourceId>,
    /// With this staff member.
    #[param(value_type = Option<uuid::Uuid>)]
    staff: Option<StaffId>,
    /// In this state.
    #[param(value_type = Option<schema::BookingStatus>, inline)]
    status: Option<BookingStatus>,
    /// Of this sort.
    #[param(value_type = Option<schema::BookingKind>, inline)]
    kind: Option<BookingKind>,
    /// Ending after this instant, or after the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2026-12-01")]
    from: Option<Bound>,
    /// Starting before this instant, or before the beginning of this day in the business's zone.
    #[param(value_type = Option<String>, example = "2027-01-01T00:00:00Z")]
    until: Option<Bound>,
    /// Somewhere in reference, title, or the customer's name or address; letters of any case.
    search: Option<String>,
    /// How many at the most, 1 to 200; 50 if it is not said.
    limit: Option<u32>,
    /// What the page before said as `next_cursor`.
    cursor: Option<String>,
}

/// List bookings
///
/// In the order of their starts, a page at a time.
#[utoipa::path(get, path = "/bookings", tag = "Bookings", operation_id = "list_bookings", params(Filter),
    responses((status = 200, description = "A page of bookings", body = Listing<BookingAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(filter): Search<Filter>,
) -> Result<Json<Listing<BookingAnswer>>, ApiError> {
    let ask = page_ask(filter.limit, filter.cursor)?;
    let zone = match (filter.from, filter.until) {
        (None | Some(Bound::At(_)), None | Some(Bound::At(_))) => Tz::UTC,
        _ => zone_of(&app, caller.business).await?,
    };
    let wanted = BookingFilter {
        resource: filter.resource,
        staff: filter.staff,
        status: filter.status,
        kind: filter.kind,
        from: filter.from.map(|from| from.instant(zone)),
        until: filter.until.map(|until| until.instant(zone)),
        search: filter.search.filter(|search| !search.trim().is_empty()),
        standing: false,
    };
    let db = &app.context.db;
    let page = bookings::list(db, caller.business, &wanted, &ask).await?;
    let ids: Vec<BookingId> = page.items.iter().map(|booking| booking.id).collect();
    let mut states = entries::sync_states_of(db, caller.business, &ids).await?;
    let mut overlaps = occupancy::overlaps_of(db, caller.business, &ids, app.now()).await?;
    Ok(Json(Listing::of(page, |booking| {
        let states = states.remove(&booking.id).unwrap_or_default();
        let overlaps = overlaps.remove(&booking.id).unwrap_or_default();
        BookingAnswer::new(booking, states, overlaps)
    })))
}

/// The zone in which a business means its days.
pub(super) async fn zone_of(app: &App, business: BusinessId) -> Result<Tz, ApiError> {
    let business = businesses::find(&app.context.db, business).await?;
    Ok(business.ok_or_else(|| ApiError::not_found("business"))?.zone)
}

/// With how it stands in connected calendars, and what it overlaps.
async fn answer(app: &App, booking: Booking) -> Result<BookingAnswer, ApiError> {
    let db = &app.context.db;
    let states = entries::sync_states(db, booking.business, booking.id).await?;
    let mut overlaps = occupancy::overlaps_of(db, booking.business, &[booking.id], app.now()).await?;
    let overlaps = overlaps.remove(&booking.id).unwrap_or_default();
    Ok(BookingAnswer::new(booking, states, overlaps))
}

async fn tagged(
    app: &App,
    booking: Booking,
) -> Result<([(header::HeaderName, HeaderValue); 1], Json<BookingAnswer>), ApiError> {
    let tag = entity_tag(booking.version);
    Ok(([(header::ETAG, tag)], Json(answer(app, booking).await?)))
}

async fn existing(app: &App, caller: &ApiCaller, reference: &str) -> Result<Booking, ApiError> {
    let found = bookings::find(&app.context.db, caller.business, reference).await?;
    found.ok_or_else(|| ApiError::not_found("booking"))
}

/// Read a booking
#[utoipa::path(get, path = "/bookings/{reference}", tag = "Bookings", operation_id = "get_booking",
    params(("reference" = String, Path, description = "The caller's own name for it")),
    responses((status = 200, description = "The booking", body = BookingAnswer,
        headers(("ETag" = String, description = "Its version, for `If-Match`")))))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(reference): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let booking = existing(&app, &caller, &reference).await?;
    tagged(&app, booking).await
}

/// Create or replace a booking
///
/// Creates the booking of this reference, or replaces all that it says; what is left out has its default. Sending the
/// same again changes nothing. Refused with 409 where something stands, whatever the concurrency: the answer then
/// names what stands there and which times are free.
#[utoipa::path(put, path = "/bookings/{reference}", tag = "Bookings", operation_id = "put_booking",
    params(
        ("reference" = String, Path, description = "The caller's own name for it: 1 to 128 characters without spaces and slashes"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`), or `*`: only if it exists"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if it does not exist yet"),
    ),
    request_body = BookingBody,
    responses(
        (status = 201, description = "Created", body = BookingAnswer,
            headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version"))),
        (status = 200, description = "Replaced, or as it was", body = BookingAnswer,
            headers(("ETag" = String, description = "Its version"))),
    ))]
async fn put(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(reference): PathOf<String>,
    condition: Condition,
    Body(body): Body<BookingBody>,
) -> Result<Response, ApiError> {
    let draft = body.into_draft()?;
    if condition == Condition::Exists
        && bookings::find(&app.context.db, caller.business, &reference).await?.is_none()
    {
        return Err(PutError::Stale { current: 0 }.into());
    }
    let change = caller.change(app.now());
    let expected = condition.expected_version();
    let written = bookings::put(&app.context.db, &change, &reference, &draft, expected).await?;
    answer_written(&app, written).await
}

/// Make a booking
///
/// For callers without references of their own: one is made up, unless the body says `reference`, which no booking may
/// have yet. Send an `Idempotency-Key`, so that a repetition makes no second booking. Refused with 409 where something
/// stands, as `PUT /bookings/{reference}` is.
#[utoipa::path(post, path = "/bookings", tag = "Bookings", operation_id = "create_booking",
    request_body = BookingBody,
    responses((status = 201, description = "Created", body = BookingAnswer,
        headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Its version")))))]
async fn create(
    State(app): State<App>,
    caller: ApiCaller,
    Body(body): Body<BookingBody>,
) -> Result<Response, ApiError> {
    let reference = body.reference.clone().unwrap_or_else(bookings::new_reference);
    let draft = body.into_draft()?;
    // Version 0: there must be none yet.
    match bookings::put(&app.context.db, &caller.change(app.now()), &reference, &draft, Some(0)).await {
        Err(PutError::Stale { .. }) => Err(ApiError::new(
            Kind::NotPossible,
            "There is a booking of this reference already. Change it by PUT or PATCH, or give another reference.",
        )),
        written => answer_written(&app, written?).await,
    }
}

/// Pushes what follows from the change, and answers it.
pub(super) async fn answer_written(app: &App, written: Put) -> Result<Response, ApiError> {
    app.context.push(&written.jobs).await;
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = location(app, &written.booking.reference);
    let mut response = (status, tagged(app, written.booking).await?).into_response();
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
const TRIES: usize = 5;

/// Change a part of a booking
///
/// A JSON merge patch (RFC 7396): fields that stand in the body change, null clears, all others stay. Naming `check_in`
/// or `check_out` of a booking by the hour makes it a stay, and the other way round.
#[utoipa::path(patch, path = "/bookings/{reference}", tag = "Bookings", operation_id = "change_booking",
    params(
        ("reference" = String, Path, description = "The caller's own name for it"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)"),
    ),
    request_body(content = Object, content_type = "application/merge-patch+json",
        description = "The fields of `BookingBody` that change", example = json!({ "status": "completed" })),
    responses((status = 200, description = "Changed", body = BookingAnswer,
        headers(("ETag" = String, description = "Its version")))))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(reference): PathOf<String>,
    condition: Condition,
    Body(patch): Body<Value>,
) -> Result<Response, ApiError> {
    if condition == Condition::New {
        return Err(ApiError::new(Kind::Malformed, "If-None-Match makes no sense with PATCH."));
    }
    for _ in 0..TRIES {
        let booking = existing(&app, &caller, &reference).await?;
        let version = booking.version;
        let draft = patch::patched(BookingAnswer::new(booking, Vec::new(), Vec::new()), patch.clone())?
            .into_draft()?;
        let expected = condition.expected_version().unwrap_or(version);
        let change = caller.change(app.now());
        match bookings::put(&app.context.db, &change, &reference, &draft, Some(expected)).await {
            // Changed by somebody else between reading and writing: the patch is applied to what is there now.
            Err(PutError::Stale { .. }) if condition.expected_version().is_none() => {}
            written => return answer_written(&app, written?).await,
        }
    }
    Err(ApiError::new(Kind::Busy, "Others are changing the same booking.").retry_after(1))
}

/// Cancel a booking
///
/// It stays, with the status `cancelled`, and frees what it took; its entries in calendars go. A cancelled booking
/// stays as it is.
#[utoipa::path(delete, path = "/bookings/{reference}", tag = "Bookings", operation_id = "cancel_booking",
    params(
        ("reference" = String, Path, description = "The caller's own name for it"),
        ("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)"),
    ),
    responses((status = 200, description = "The cancelled booking", body = BookingAnswer,
        headers(("ETag" = String, description = "Its version")))))]
async fn cancel(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(reference): PathOf<String>,
    condition: Condition,
) -> Result<Response, ApiError> {
    existing(&app, &caller, &reference).await?;
    let change = caller.change(app.now());
    let written =
        bookings::cancel(&app.context.db, &change, &reference, condition.expected_version()).await?;
    answer_written(&app, written).await
}

/// A change that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HistoryLine)]
struct HistoryAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: HistoryId,
    /// When it was made.
    at: DateTime<Utc>,
    /// Who: `kind` is `user`, `api_key`, `calendar` or `system`.
    #[schema(value_type = Object, example = json!({"kind": "api_key", "name": "Website"}))]
    actor: Actor,
    /// What they did.
    #[schema(example = "changed")]
    action: String,
    /// What changed: each field with its value before and after.
    #[schema(value_type = Object)]
    detail: Value,
}

/// Read the history of a booking
///
/// Who changed what and when, the newest first.
#[utoipa::path(get, path = "/bookings/{reference}/history", tag = "Bookings", operation_id = "get_booking_history",
    params(("reference" = String, Path, description = "The caller's own name for it"), Paging),
    responses((status = 200, description = "A page of changes", body = Listing<HistoryAnswer>)))]
async fn changes(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(reference): PathOf<String>,
    Search(paging): Search<Paging>,
) -> Result<Json<Listing<HistoryAnswer>>, ApiError> {
    let ask = paging.ask()?;
    let booking = existing(&app, &caller, &reference).await?;
    let page = history::of_subject(&app.context.db, caller.business, booking.id.0, &ask).await?;
    Ok(Json(Listing::of(page, |line| HistoryAnswer {
        id: line.id,
        at: line.at,
        actor: line.actor,
        action: line.action,
        detail: line.detail,
    })))
}
