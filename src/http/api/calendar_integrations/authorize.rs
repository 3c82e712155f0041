//! Beginning to connect an account whose owner consents at the provider.

use axum::{Json, extract::State};
use concord_domain::{connection::ProviderKind, ids::StaffId};
use concord_jobs::connect::{self, Asker, Begin, ConnectError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::api::{auth::ApiCaller, problem::ApiError, request::Body},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(authorize_google)).routes(routes!(authorize_outlook))
}

/// Who shall connect, and where they come back to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthorizeBody, example = json!({ "staff": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10" }))]
struct Authorize {
    /// Whose account it will be.
    #[schema(value_type = uuid::Uuid)]
    staff: StaffId,
    /// A path of this installation to go to afterwards; the calendars if it is not said.
    #[serde(default)]
    return_to: Option<String>,
}

/// Where the staff member has to go.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuthorizeAnswer)]
struct Authorized {
    /// The provider's consent page. It holds for 15 minutes and is used once.
    url: String,
}

/// Begin to connect a Google calendar
///
/// Send the staff member's browser to `url`. After their consent the provider sends them back to this installation,
/// which shows them for whom the calendar is and asks them to confirm it; then the integration is in the list. Somebody
/// who can sign in here has to be signed in for that.
#[utoipa::path(post, path = "/calendar_integrations/google/authorize", tag = "Calendar integrations",
    operation_id = "authorize_google", request_body = Authorize,
    responses((status = 200, description = "The consent page", body = Authorized)))]
async fn authorize_google(
    State(app): State<App>,
    caller: ApiCaller,
    Body(body): Body<Authorize>,
) -> Result<Json<Authorized>, ApiError> {
    authorize(&app, &caller, ProviderKind::Google, body).await
}

/// Begin to connect a Microsoft calendar
///
/// For Microsoft 365 and Outlook.com. Send the staff member's browser to `url`. After their consent Microsoft sends them
/// back to this installation, which shows them for whom the calendar is and asks them to confirm it; then the integration
/// is in the list. Somebody who can sign in here has to be signed in for that.
#[utoipa::path(post, path = "/calendar_integrations/outlook/authorize", tag = "Calendar integrations",
    operation_id = "authorize_outlook", request_body = Authorize,
    responses((status = 200, description = "The consent page", body = Authorized)))]
async fn authorize_outlook(
    State(app): State<App>,
    caller: ApiCaller,
    Body(body): Body<Authorize>,
) -> Result<Json<Authorized>, ApiError> {
    authorize(&app, &caller, ProviderKind::Microsoft, body).await
}

async fn authorize(
    app: &App,
    caller: &ApiCaller,
    provider: ProviderKind,
    body: Authorize,
) -> Result<Json<Authorized>, ApiError> {
    let return_to = body.return_to.unwrap_or_else(|| "/calendars".to_owned());
    let begin = Begin {
        business: caller.business,
        staff: body.staff,
        provider,
        // Whoever holds the key is no browser: the person who comes back confirms it.
        asker: Asker::Key(caller.key),
        return_to,
        login_hint: None,
    };
    match connect::begin(&app.context, begin).await {
        Ok(url) => Ok(Json(Authorized { url: url.into() })),
        Err(ConnectError::UnknownStaff) => Err(ApiError::invalid("staff", "is not a staff member of yours")),
        Err(error) => Err(error.into()),
    }
}
