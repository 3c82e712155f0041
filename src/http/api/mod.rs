//! The API: JSON at `/api/v1` for other software, its OpenAPI document at `/api/openapi.json`, a page of it at
//! `/api/docs`.
//!
//! An endpoint group is a file: its types as they are sent and answered, its handlers, each with its annotation for the
//! document. A handler is given an `ApiCaller`, reads with `Body`, `Search` and `PathOf`, asks `storage` or `jobs` for
//! that caller's business, and answers JSON or an `ApiError`.
//!
//! It must never answer an error that is no problem document, an id of another business, or a secret a second time.
//!
//! To add an endpoint: the handler with its `#[utoipa::path]`, and its name in `routes()` of its file; a new file gets
//! its line in `endpoints` below. The document, the page and the test of tenants pick it up from there.

mod answers;
pub mod auth;
mod bookings;
mod business;
mod calendar_availability;
mod calendar_integrations;
mod channels;
mod conditions;
mod conflicts;
mod docs;
mod document;
mod feeds;
mod given;
mod ical_import;
pub mod idempotency;
mod jobs;
mod mails;
mod platforms;
pub mod problem;
mod remote_changes;
pub mod request;
mod resource_calendar;
mod resources;
mod schema;
mod staff;
mod sync_log;
mod wording;

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
    idempotency::NothingThere,
    problem::{ApiError, Kind},
};
use crate::{
    app::App,
    http::admission::{Bodies, hold_body},
};

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
        .merge(conflicts::routes())
        .merge(remote_changes::routes())
        .merge(sync_log::routes())
        .merge(jobs::routes())
        .merge(mails::routes())
}

/// The OpenAPI document of an installation.
pub fn openapi(app: &App) -> OpenApi {
    document::complete(app, endpoints().into_openapi())
}

/// The API with its document and page.
pub fn router(app: &App) -> Router<App> {
    let (version_1, described) = endpoints().split_for_parts();
    let document = Arc::new(document::complete(app, described));
    let most_bytes = app.config.server.max_body_kilobytes * 1024;
    let version_1 = version_1
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown)
        // What a repeated POST is answered is kept as it is sent, so errors are written before.
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::replay))
        .layer(middleware::from_fn_with_state((app.clone(), Bodies::Forms, most_bytes), hold_body))
        .layer(middleware::from_fn_with_state(app.clone(), auth::require_key))
        .layer(middleware::from_fn(never_stored));
    Router::new()
        .nest("/api/v1", version_1)
        .merge(ical_import::router(app))
        .route("/api/{*rest}", any(unknown))
        .merge(docs::router(document))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
}

/// Answers are of one business and of this moment: no cache on the way may keep them.
async fn never_stored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn unknown(OriginalUri(uri): OriginalUri) -> (Extension<NothingThere>, ApiError) {
    let words = format!("Nothing answers at {}.", uri.path().escape_debug());
    (Extension(NothingThere), ApiError::new(Kind::NotFound, words))
}

async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> ApiError {
    let words = format!("{} does not know {method}.", uri.path().escape_debug());
    ApiError::new(Kind::MethodNotAllowed, words)
}
