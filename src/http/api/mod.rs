//! The API: JSON at `/api/v1` for other software, its OpenAPI document at `/api/openapi.json`, a page of it at
//! `/api/docs`.
//!
//! An endpoint group is a file: its types as they are sent and answered, its handlers, each with its annotation for the
//! document. A handler is given an `Api`, reads with `ApiJson`, `ApiQuery` and `ApiPath`, reads `storage` and writes
//! through `services` for that caller's business, and answers JSON or an `ApiError`.
//!
//! It must never answer an error that is no problem document, an id of another business, or a secret a second time.
//!
//! To add an endpoint: the handler with its `#[utoipa::path]`, and its name in `routes()` of its file; a new file gets
//! its line in `endpoints` below. The document, the page and the test of tenants pick it up from there.

mod alerts;
pub mod auth;
mod bookings;
mod business;
mod calendar_availability;
mod calendar_integrations;
mod channels;
mod conflicts;
mod docs;
mod document;
mod events;
mod feeds;
mod ical_import;
mod ical_info;
pub mod idempotency;
mod jobs;
mod json_errors;
mod mail_texts;
mod mails;
mod notifications;
mod occupancy;
mod patch_field;
mod personal_data;
mod platforms;
mod preconditions;
pub mod problem;
mod reminders;
mod remote_changes;
pub mod request;
mod resource_calendar;
mod resources;
mod responses;
mod staff;
mod sync_log;
mod webhooks;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{OriginalUri, Request},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
    routing::any,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::{
    idempotency::UnknownPath,
    problem::{ApiError, Kind},
    request::reserve_body_layer,
};
use crate::app::{App, admission::BodyClass};

/// All endpoints of version 1, without the prefix of their paths.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(bookings::routes())
        .merge(resources::routes())
        .merge(resource_calendar::routes())
        .merge(staff::routes())
        .merge(business::routes())
        .merge(calendar_integrations::routes())
        .merge(calendar_availability::routes())
        .merge(feeds::routes())
        .merge(channels::routes())
        .merge(platforms::routes())
        .merge(webhooks::routes())
        .merge(events::routes())
        .merge(conflicts::routes())
        .merge(mail_texts::routes())
        .merge(reminders::routes())
        .merge(notifications::routes())
        .merge(alerts::routes())
        .merge(remote_changes::routes())
        .merge(sync_log::routes())
        .merge(jobs::routes())
        .merge(mails::routes())
        .merge(personal_data::routes())
}

/// The OpenAPI document of an installation.
pub fn openapi(app: &App) -> OpenApi {
    document::build_document(app, endpoints().into_openapi())
}

/// The API with its document and page.
pub fn router(app: &App) -> Router<App> {
    let (version_1, described) = endpoints().split_for_parts();
    let document = Arc::new(document::build_document(app, described));
    let most_bytes = app.config.server.max_body_kilobytes * 1024;
    let version_1 = version_1
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown_path)
        // What a repeated POST is answered is kept as it is sent, so errors are written before.
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::idempotent))
        .layer(middleware::from_fn_with_state(
            (app.clone(), BodyClass::Forms, most_bytes),
            reserve_body_layer,
        ))
        .layer(middleware::from_fn_with_state(app.clone(), auth::require_key))
        .layer(middleware::from_fn(no_store));
    Router::new()
        .nest("/api/v1", version_1)
        .merge(ical_import::router(app))
        .merge(ical_info::router())
        .route("/api/{*rest}", any(unknown_path))
        .merge(docs::router(document))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
}

/// Answers are of one business and of this moment: no cache on the way may keep them.
async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn unknown_path(OriginalUri(uri): OriginalUri) -> (Extension<UnknownPath>, ApiError) {
    let words = format!("No endpoint at {}.", uri.path().escape_debug());
    (Extension(UnknownPath), ApiError::new(Kind::NotFound, words))
}

async fn method_not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    let words = format!("{} does not support {method}.", uri.path().escape_debug());
    ApiError::new(Kind::MethodNotAllowed, words)
}
