//! Beginning to connect an account whose owner consents at the provider.

use axum::{Json, extract::State};
use concord_domain::{connection::ProviderKind, ids::StaffId};
use concord_services::connect::{self, ConnectError, ConnectInitiator, ConnectRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::api::{auth::ApiCaller, problem::ApiError, request::ApiJson},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(authorize_google)).routes(routes!(authorize_outlook))
}

/// Who connects, and where to return.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthorizeBody, example = json!({ "staff": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10" }))]
struct AuthorizeBody {
    /// The staff member.
    #[schema(value_type = uuid::Uuid)]
    staff: StaffId,
    /// Path to return to afterwards; defaults to the calendars page.
    #[serde(default)]
    return_to: Option<String>,
}

/// Where to send the staff member.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuthorizeAnswer)]
struct AuthorizeResponse {
    /// The provider's consent page. Valid for 15 minutes and one use.
    url: String,
}

/// Start connecting a Google calendar
///
/// Send the staff member's browser to `url`. After consent, the provider redirects them here
/// to confirm the connection; then the integration is listed. Users of this
/// installation must be signed in to confirm.
#[utoipa::path(post, path = "/calendar_integrations/google/authorize", tag = "Calendar integrations",
    operation_id = "authorize_google", request_body = AuthorizeBody,
    responses((status = 200, description = "The consent page", body = AuthorizeResponse)))]
async fn authorize_google(
    State(app): State<App>,
    caller: ApiCaller,
    ApiJson(body): ApiJson<AuthorizeBody>,
) -> Result<Json<AuthorizeResponse>, ApiError> {
    authorize(&app, &caller, ProviderKind::Google, body).await
}

/// Start connecting a Microsoft calendar
///
/// For Microsoft 365 and Outlook.com. Send the staff member's browser to `url`. After consent, Microsoft
/// redirects them here to confirm the connection; then the integration is listed. Users
/// of this installation must be signed in to confirm.
#[utoipa::path(post, path = "/calendar_integrations/outlook/authorize", tag = "Calendar integrations",
    operation_id = "authorize_outlook", request_body = AuthorizeBody,
    responses((status = 200, description = "The consent page", body = AuthorizeResponse)))]
async fn authorize_outlook(
    State(app): State<App>,
    caller: ApiCaller,
    ApiJson(body): ApiJson<AuthorizeBody>,
) -> Result<Json<AuthorizeResponse>, ApiError> {
    authorize(&app, &caller, ProviderKind::Microsoft, body).await
}

async fn authorize(
    app: &App,
    caller: &ApiCaller,
    provider: ProviderKind,
    body: AuthorizeBody,
) -> Result<Json<AuthorizeResponse>, ApiError> {
    let return_to = body.return_to.unwrap_or_else(|| "/calendars".to_owned());
    let begin = ConnectRequest {
        business: caller.business,
        staff: body.staff,
        provider,
        // Whoever holds the key is no browser: the person who comes back confirms it.
        asker: ConnectInitiator::Key(caller.key),
        return_to,
        login_hint: None,
    };
    match connect::begin(&app.context, begin).await {
        Ok(url) => Ok(Json(AuthorizeResponse { url: url.into() })),
        Err(ConnectError::UnknownStaff) => Err(ApiError::invalid("staff", "is not one of your staff")),
        Err(error) => Err(error.into()),
    }
}
