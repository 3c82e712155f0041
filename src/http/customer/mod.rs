//! Customers' own pages: a booking at `/b/{token}`, and all bookings of an address at `/my/{token}`.
//!
//! Whoever has the address is let in: nobody signs in, no cookie is set, and nothing is kept by caches or found by search
//! engines. A page changes nothing when it is opened, since programs that look for viruses follow every link of a mail. It works
//! without script, in the customer's language; its texts are those of `locales/`.
//!
//! A handler takes a `PageVisitor`, who is known by the token before anything else is read, and then a `CustomerForm`.

mod actions;
mod digests;
mod error;
mod page;
mod portal;
mod reminders;
mod texts;
mod visitor;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header},
    middleware::from_fn,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};

use self::{
    error::{CustomerPageError, CustomerResult},
    texts::CustomerTexts,
    visitor::{CompletedAction, CustomerForm, MAX_FORM_BYTES, PageVisitor},
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/b/{token}", get(page::show))
        .route("/b/{token}/invite.ics", get(page::file))
        .route("/b/{token}/answer", post(actions::answer))
        .route("/b/{token}/move", get(actions::choose_time).post(actions::move_to))
        .route("/b/{token}/cancel", get(actions::confirm_cancel).post(actions::cancel))
        .route("/b/{token}/ask", get(actions::write_wish).post(actions::send_wish))
        .route("/b/{token}/all", post(portal::send_link))
        .route("/b/{token}/reminders/off", get(reminders::confirm).post(reminders::turn_off))
        .route("/my/{token}", get(portal::show))
        .route("/digests/off/{token}", get(digests::confirm).post(digests::turn_off))
        .route("/digests/on/{token}", post(digests::turn_on))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(from_fn(error::in_language_of_browser))
}

/// A page that no cache keeps, and whose address no other site learns.
fn answer_with(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, Html(page)).into_response()
}
