//! `/bookings/{reference}/invitations`: who was invited and how that stands, sending it again, and the booking as a file.

use axum::{Json, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use concord_domain::{
    customer::CustomerAnswer,
    invitation::{AttendeeRole, InvitationState},
};
use concord_services::{
    customers,
    invitations::{self, AttendeeInvitation},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::find_booking;
use crate::{
    app::App,
    http::{
        api::{
            auth::Api,
            problem::{ApiError, ApiResult},
            request::ApiPath,
            responses::Listing,
        },
        calendar_file::calendar_file,
    },
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(send))
        .routes(routes!(file))
        .routes(routes!(page, revoke_page))
}

/// The invitation of one person.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
struct InvitationResponse {
    /// Whether it is the customer or a guest.
    role: AttendeeRole,
    /// May be empty.
    name: String,
    /// Email address.
    email: String,
    /// Its status.
    state: InvitationState,
    /// `SEQUENCE` of the last message that was accepted by a mail server.
    sequence: Option<u32>,
    /// When a mail server accepted the last message.
    sent_at: Option<DateTime<Utc>>,
    /// Why nothing is sent, or why the last message failed, in plain words.
    problem: Option<String>,
    /// Whether the person no longer comes.
    removed: bool,
    /// What they answered; null: nothing yet.
    answer: Option<CustomerAnswer>,
    /// When they answered.
    answered_at: Option<DateTime<Utc>>,
}

impl From<AttendeeInvitation> for InvitationResponse {
    fn from(invitation: AttendeeInvitation) -> Self {
        Self {
            role: invitation.role,
            name: invitation.name,
            email: invitation.address,
            state: invitation.state,
            sequence: invitation.sequence,
            sent_at: invitation.sent_at,
            problem: invitation.problem,
            removed: invitation.is_removed,
            answer: invitation.answer,
            answered_at: invitation.answered_at,
        }
    }
}

async fn listing(api: &Api, reference: &str) -> Result<Json<Listing<InvitationResponse>>, ApiError> {
    let booking = find_booking(api, reference).await?;
    let all = invitations::list(&api.context, &booking).await?;
    Ok(Json(Listing::complete(all.into_iter().map(InvitationResponse::from).collect())))
}

/// List the invitations of a booking
///
/// The customer first, then the guests. Those who no longer come are listed last.
#[utoipa::path(get, path = "/bookings/{reference}/invitations", tag = "Bookings", operation_id = "list_invitations",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 200, description = "All invitations", body = Listing<InvitationResponse>)))]
async fn list(api: Api, ApiPath(reference): ApiPath<String>) -> ApiResult<Listing<InvitationResponse>> {
    listing(&api, &reference).await
}

/// Send the invitations of a booking
///
/// Sends the customer and all guests the invitation, again or for the first time, whatever the business's setting
/// is. Returns 409 if the booking is cancelled or over, or nobody has an email address.
#[utoipa::path(post, path = "/bookings/{reference}/send_calendar_invite", tag = "Bookings",
    operation_id = "send_calendar_invite",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 202, description = "They are being sent", body = Listing<InvitationResponse>)))]
async fn send(
    api: Api,
    ApiPath(reference): ApiPath<String>,
) -> Result<(StatusCode, Json<Listing<InvitationResponse>>), ApiError> {
    let booking = find_booking(&api, &reference).await?;
    invitations::send(&api.context, &api.change(), &booking).await?;
    Ok((StatusCode::ACCEPTED, listing(&api, &reference).await?))
}

/// Download a booking as an iCalendar file
///
/// With the `UID` and `SEQUENCE` of its invitations, so that calendars recognise it.
#[utoipa::path(get, path = "/bookings/{reference}/invite.ics", tag = "Bookings", operation_id = "get_invite",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 200, description = "The booking", body = String, content_type = "text/calendar")))]
async fn file(api: Api, ApiPath(reference): ApiPath<String>) -> Result<Response, ApiError> {
    let booking = find_booking(&api, &reference).await?;
    let calendar = invitations::file(&api.context, api.business, booking.id).await?;
    Ok(calendar_file(calendar))
}

/// The customer's page.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CustomerPage)]
struct CustomerPageResponse {
    /// Whoever has this URL sees the booking and may change it as the business's rules allow.
    url: String,
}

/// Get the customer's page of a booking
///
/// Its URL is a secret, the same until it is revoked or the booking has another customer. Invitations contain it.
#[utoipa::path(get, path = "/bookings/{reference}/customer_page", tag = "Bookings", operation_id = "get_customer_page",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 200, description = "The page", body = CustomerPageResponse)))]
async fn page(api: Api, ApiPath(reference): ApiPath<String>) -> ApiResult<CustomerPageResponse> {
    let booking = find_booking(&api, &reference).await?;
    let url = customers::page_url(&api.context, &booking).await?;
    Ok(Json(CustomerPageResponse { url }))
}

/// Revoke the customers' pages of a booking
///
/// The URLs of the customer and of all guests stop working. The next invitation contains a new one.
#[utoipa::path(delete, path = "/bookings/{reference}/customer_page", tag = "Bookings",
    operation_id = "revoke_customer_page",
    params(("reference" = String, Path, description = "Your own reference")),
    responses((status = 204, description = "Revoked")))]
async fn revoke_page(api: Api, ApiPath(reference): ApiPath<String>) -> Result<StatusCode, ApiError> {
    let booking = find_booking(&api, &reference).await?;
    customers::revoke_pages(&api.context, &api.change(), &booking).await?;
    Ok(StatusCode::NO_CONTENT)
}
