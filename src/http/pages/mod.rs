//! The pages that people use: rendered here from templates, working without script.
//!
//! A page is a file: a struct with what it shows, a template of the same name in `templates/`, and its handlers. A
//! handler is given a `CurrentUser`, asks `storage` or `jobs`, and answers with `page`, `user.go(..)` (back to a page,
//! with a line that says what happened) or a `PageError`. A POST that carries no token of the session never gets to it
//! (`forgery`).
//!
//! To add a page: the struct and its handlers in a file here, the template, `router()` merged below; and, if people
//! should find it in the rail, a `frame::Place`.

mod api_keys;
mod asked;
pub(crate) mod assets;
mod attention;
mod bookings;
mod business;
mod calendar_sync;
mod calendars;
mod changes;
mod channels;
mod drift;
pub(crate) mod error;
mod feeds;
mod filters;
mod flash;
mod forgery;
mod frame;
mod mail;
mod names;
mod overview;
mod people;
mod pieces;
mod platforms;
mod resources;
mod session;
mod settings;
mod sign_in;
mod sync_log;
mod theme;
mod when;

use axum::{Router, middleware};

pub(crate) use asked::{Asked, Named};
pub(crate) use assets::Assets;
pub(crate) use error::PageError;
pub(crate) use flash::Flash;
pub(crate) use pieces::listed;
pub(crate) use session::{CurrentUser, SessionToken, local_path};
pub(crate) use theme::Theme;

use crate::app::App;

/// All pages, and the answer to whatever nobody else answers.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .merge(overview::router())
        .merge(bookings::router())
        .merge(calendars::router())
        .merge(changes::router())
        .merge(channels::router())
        .merge(calendar_sync::router())
        .merge(platforms::router())
        .merge(feeds::router())
        .merge(settings::router())
        .merge(business::router())
        .merge(resources::router())
        .merge(people::router())
        .merge(api_keys::router())
        .merge(sync_log::router())
        .merge(mail::router())
        .merge(sign_in::router())
        .merge(theme::router())
        .layer(middleware::from_fn_with_state(app.clone(), forgery::refuse))
        .merge(assets::router())
        .method_not_allowed_fallback(async || PageError::WrongMethod)
        .fallback(async || PageError::NotFound("page"))
}
