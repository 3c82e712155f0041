//! Everything that is reached over HTTP.

mod accept_language;
mod admission;
pub mod api;
mod calendar_file;
mod channel_webhooks;
pub(crate) mod connections;
mod customer;
pub mod feeds;
pub mod health;
mod logos;
mod mail_hook;
pub mod oauth;
pub mod pages;
pub mod provider_webhooks;
mod request_origin;
mod security;

use axum::{Router, extract::Request, middleware, middleware::Next, response::Response};
use concord_storage::{WriteCaller, on_behalf_of};

use crate::app::App;

/// All routes of a front.
pub fn router(app: &App) -> Router {
    let router = Router::new()
        .merge(api::router(app))
        .merge(pages::router(app))
        .merge(customer::router())
        .merge(logos::router())
        .merge(oauth::router(app))
        .merge(provider_webhooks::router(app))
        .merge(channel_webhooks::router(app))
        .merge(mail_hook::router(app))
        .merge(health::router())
        .with_state(app.clone());
    let feeds = feeds::router(app).with_state(app.clone());
    // Outside of everything, so that what took too long or panicked counts too.
    let guarded = security::apply_layers(router, app).merge(security::apply_feed_layers(feeds, app));
    guarded
        .layer(middleware::from_fn(with_interactive_priority))
        .layer(middleware::from_fn(health::metrics::count_requests))
}

/// Whoever asks is answered within seconds, if only that there is too much to do.
async fn with_interactive_priority(request: Request, next: Next) -> Response {
    on_behalf_of(WriteCaller::Request, next.run(request)).await
}
