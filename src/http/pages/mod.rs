//! The pages that people use: rendered here from templates, working without script.
//!
//! A page is a file: a struct with what it shows, a template of the same name in `templates/`, and its handlers. A
//! handler is given a `CurrentUser`, or a `Manager` where nobody else may come, and both carry the `App`. It reads from
//! `storage`, and what it changes goes through a use case of `services`. It answers with `render_page`,
//! `user.redirect_with_flash(..)` (back to a page, with a line that says what happened) or a `PageError`.
//!
//! A form is a `<form method="post">` with the hidden input `csrf`, whose value is `layout.csrf`: without the token of the
//! session it never gets to a handler (`csrf`). The handler takes it as a `PageForm<T>`. What is wrong with it is gathered
//! in `Faults`; the page is then answered with `render_refused` and a `Form::refused(typed, faults)`, which holds what was
//! typed. `faults.html` says above the fields what is wrong, each with a link to the field of that id, and the macros of
//! `fields.html` say it at the fields. Whoever loads the address of a form again is led to the page that it stands on:
//! `form_page_path` knows where that is not the path above.
//!
//! To add a page: the struct and its handlers in a file here, the template, `router()` merged below; and, if people
//! should find it in the navigation, a `layout::NavItem` and its line in `NAV`. Phones show the first four of them and
//! the last.

mod alerts;
mod api_keys;
pub(crate) mod assets;
mod attention;
mod booking_paths;
mod bookings;
mod business;
mod calendar_sync;
mod calendars;
mod changes;
mod channels;
mod components;
mod confirm;
mod cookies;
mod csrf;
mod customer_data;
mod drift;
mod error;
pub(crate) mod error_page;
mod extract;
mod feeds;
mod filters;
mod flash;
mod form;
mod format;
mod invitations;
mod job_subject;
mod layout;
mod mail;
mod mail_texts;
mod names;
mod notifications;
mod obstacles;
mod overview;
mod people;
mod platforms;
mod reminders;
mod resources;
mod reveal;
mod session;
mod sessions;
mod settings;
mod sign_in;
mod sync_log;
mod theme;
mod uploads;
mod webhooks;

use axum::{
    Router,
    http::{HeaderValue, Method, Uri, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
};

pub(crate) use assets::Assets;
pub(crate) use components::{join_names, sentence};
pub(crate) use cookies::SessionToken;
pub(in crate::http) use csrf::verify as refuse_forged;
pub(crate) use error::PageError;
pub(crate) use extract::{PageForm, PagePath, PageQuery};
pub(crate) use flash::Flash;
pub(crate) use session::CurrentUser;
pub(crate) use theme::Theme;

// What most pages are made of.
pub(in crate::http::pages) use self::{
    attention::Attention,
    booking_paths::{booking_path, linkable_path},
    components::{
        Pill, SelectOption, Tone, capitalize, capped_count, kind_label, language_options, pluralize,
    },
    confirm::{Confirmation, confirm_page, isolated},
    extract::local_path,
    filters::InvalidFilters,
    form::{Faults, Form},
    format::{RelativeTime, exact_time, parse_date, span, stretch},
    layout::{Layout, NavItem, render_page, render_partial, render_refused},
    names::{NAME_RULE, NameDirectory, all_resources, all_staff, is_name},
    reveal::{Reveal, RevealQuery},
    session::Manager,
};

use crate::app::App;

/// What a handler answers with, and what its helpers find for it.
pub(crate) type PageResult<T = Response> = Result<T, PageError>;

/// No cache on the way, nor the browser's own, keeps what was one person's.
async fn no_store(mut response: Response) -> Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// All pages, and the answer to whatever nobody else answers.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .merge(overview::router())
        .merge(bookings::router())
        .merge(calendars::router())
        .merge(changes::router())
        .merge(channels::router())
        .merge(calendar_sync::router(app))
        .merge(platforms::router())
        .merge(feeds::router())
        .merge(settings::router())
        .merge(business::router())
        .merge(invitations::router())
        .merge(resources::router())
        .merge(people::router())
        .merge(mail_texts::router())
        .merge(reminders::router())
        .merge(customer_data::router())
        .merge(notifications::router())
        .merge(alerts::router())
        .merge(api_keys::router())
        .merge(webhooks::router())
        .merge(sync_log::router())
        .merge(mail::router())
        .merge(sessions::router())
        .merge(sign_in::router())
        .merge(theme::router())
        .layer(middleware::from_fn_with_state(app.clone(), csrf::verify))
        .layer(middleware::map_response(no_store))
        .merge(assets::router())
        .method_not_allowed_fallback(redirect_to_form)
        .fallback(async || PageError::NotFound("page"))
}

/// What a form answered stands at the form's own address: who loads that again, or comes back to it, is led to the page
/// that the form is on.
async fn redirect_to_form(method: Method, uri: Uri) -> Response {
    match method {
        Method::GET | Method::HEAD => Redirect::to(&form_page_path(uri.path())).into_response(),
        _ => PageError::WrongMethod.into_response(),
    }
}

/// The page on which the form of an address stands.
fn form_page_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["channels", id, ..] => format!("/channels/{id}"),
        ["changes", ..] => "/changes".to_owned(),
        ["calendars", "connect", ..] => "/calendars".to_owned(),
        ["settings", "mail", ..] => "/settings/mail".to_owned(),
        ["settings", "sessions", ..] => "/settings/sessions".to_owned(),
        [] | [_] | ["retry", ..] => "/".to_owned(),
        [before @ .., _] => format!("/{}", before.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_its_page() {
        for (form, page) in [
            ("/calendar-sync/preview", "/calendar-sync"),
            ("/settings/people/users", "/settings/people"),
            ("/settings/people/users/7/link", "/settings/people/users/7"),
            ("/settings/platforms/airbnb", "/settings/platforms"),
            ("/settings/mail/7/again", "/settings/mail"),
            ("/settings/sessions/7/end", "/settings/sessions"),
            ("/settings/webhooks/7/test", "/settings/webhooks/7"),
            ("/settings/webhooks/7/deliveries/8/resend", "/settings/webhooks/7/deliveries/8"),
            ("/channels/7/webhooks", "/channels/7"),
            ("/channels/7/runs/8/undo", "/channels/7"),
            ("/changes/7/follow", "/changes"),
            ("/calendars/connect/google", "/calendars"),
            ("/calendars/7/resync", "/calendars/7"),
            ("/bookings/B-7/restore", "/bookings/B-7"),
            ("/retry/7", "/"),
            ("/sign-out", "/"),
        ] {
            assert_eq!(form_page_path(form), page);
        }
    }
}
