//! The logos of businesses, as mails show them: to whoever has the address, which changes with the picture.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use concord_domain::ids::BusinessId;
use concord_services::{ServiceError, mail_design};

use super::pages::PageError;
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/logos/{business}/{name}", get(show))
}

async fn show(State(app): State<App>, Path((business, name)): Path<(BusinessId, String)>) -> Response {
    let digest = name.split('.').next().unwrap_or_default();
    match mail_design::logo(&app.context, business, digest).await {
        Ok((format, image)) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(format.as_str())),
                (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
                // Mail is read on pages of other sites.
                (
                    HeaderName::from_static("cross-origin-resource-policy"),
                    HeaderValue::from_static("cross-origin"),
                ),
            ];
            (headers, image).into_response()
        }
        Err(ServiceError::NotFound(_)) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => PageError::from(error).status().into_response(),
    }
}
