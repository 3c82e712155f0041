//! Beginning to connect an account whose owner consents at the provider.

use axum::{Extension, Json};
use concord_domain::{connection::ProviderKind, ids::StaffId};
use concord_services::connect::{self, ConnectError, ConnectInitiator, ConnectRequest};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::path::PathsBuilder};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::api::{
        auth::Api,
        problem::{ApiError, ApiResult},
        request::ApiJson,
    },
};

/// One route for each provider with a consent page.
pub(super) fn routes() -> OpenApiRouter<App> {
    let with_consent = ProviderKind::ALL.iter().filter_map(|kind| Some((*kind, kind.oauth()?)));
    with_consent.fold(OpenApiRouter::new(), |router, (kind, oauth)| {
        let (schemas, documented, handler) = routes!(authorize);
        let items = documented.paths.into_values().map(|mut item| {
            if let Some(operation) = &mut item.post {
                operation.operation_id = Some(format!("authorize_{}", oauth.api_word));
                operation.summary = Some(format!("Start connecting a {} calendar", kind.name()));
                let accounts = oauth.accounts.map(|accounts| format!("For {accounts}. ")).unwrap_or_default();
                let description = operation.description.take().unwrap_or_default();
                operation.description = Some(format!("{accounts}{description}"));
            }
            (format!("/calendar_integrations/{}/authorize", oauth.api_word), item)
        });
        let paths = items.fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item)).build();
        router.routes((schemas, paths, handler.layer(Extension(kind))))
    })
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
    return_to: Option<String>,
}

/// Where to send the staff member.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuthorizeAnswer)]
struct AuthorizeResponse {
    /// The provider's consent page. Valid for 15 minutes and one use.
    url: String,
}

/// Start connecting a calendar
///
/// Send the staff member's browser to `url`. After consent, the provider redirects them here
/// to confirm the connection; then the integration is listed. Users of this
/// installation must be signed in to confirm.
#[utoipa::path(post, path = "/calendar_integrations/authorize", tag = "Calendar integrations",
    request_body = AuthorizeBody,
    responses((status = 200, description = "The consent page", body = AuthorizeResponse)))]
async fn authorize(
    api: Api,
    Extension(provider): Extension<ProviderKind>,
    ApiJson(body): ApiJson<AuthorizeBody>,
) -> ApiResult<AuthorizeResponse> {
    let return_to = body.return_to.unwrap_or_else(|| "/calendars".to_owned());
    let begin = ConnectRequest {
        business: api.business,
        staff: body.staff,
        provider,
        // Whoever holds the key is no browser: the person who comes back confirms it.
        asker: ConnectInitiator::Key(api.key),
        return_to,
        login_hint: None,
    };
    match connect::begin(&api.context, begin).await {
        Ok(url) => Ok(Json(AuthorizeResponse { url: url.into() })),
        Err(ConnectError::UnknownStaff) => Err(ApiError::invalid("staff", "is not one of your staff")),
        Err(error) => Err(error.into()),
    }
}
