//! Everything that is reached over HTTP.

pub mod admission;
pub mod api;
mod channel_hooks;
pub(crate) mod connections;
pub mod feeds;
pub mod health;
pub mod hooks;
mod limits;
pub mod oauth;
pub mod pages;
mod security;
mod shares;
mod visit;

use axum::{Router, extract::Request, middleware, middleware::Next, response::Response};
use concord_storage::{Caller, on_behalf_of};

use crate::app::App;

/// The whole front.
pub fn router(app: &App) -> Router {
    let router = Router::new()
        .merge(api::router(app))
        .merge(pages::router(app))
        .merge(feeds::info::router())
        .merge(oauth::router(app))
        .merge(hooks::router(app))
        .merge(channel_hooks::router(app))
        .merge(health::router())
        .with_state(app.clone());
    let feeds = feeds::router(app).with_state(app.clone());
    // Outside of everything, so that what took too long or panicked counts too.
    let guarded = security::guard(router, app).merge(security::guard_feeds(feeds, app));
    guarded
        .layer(middleware::from_fn(for_somebody_who_waits))
        .layer(middleware::from_fn(health::metrics::count_requests))
}

/// Whoever asks is answered within seconds, if only that there is too much to do.
async fn for_somebody_who_waits(request: Request, next: Next) -> Response {
    on_behalf_of(Caller::Request, next.run(request)).await
}
