//! The pages for persons: who is there, each calendar week by week as its owner sees it, and the booking platforms.
//!
//! Plain HTML that works without script; the one small script shows a change when it happens.

mod calendar;
mod entry_form;
mod grid;
mod home;
mod mailbox;
mod month;
mod ota;
mod panel;
mod week;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::SandboxApp;
use crate::html::{document, escape};

/// Positions in the week are style attributes, hence the inline styles; scripts come from files only.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
                      img-src data: http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// In the head of a list that shows by itself what happens, without script.
const AUTO_REFRESH: &str = "<meta http-equiv=\"refresh\" content=\"5\">";

/// The routes of the pages.
pub(crate) fn router() -> Router<Arc<SandboxApp>> {
    Router::new()
        .route("/", get(home::show))
        .route("/mailbox", get(mailbox::list))
        .route("/mailbox/{id}", get(mailbox::read))
        .route("/calendar/{provider}/{account}", get(calendar::show))
        .route("/calendar/{provider}/{account}/revision", get(calendar::revision))
        .route("/calendar/{provider}/{account}/{action}", post(calendar::act))
        .route("/ota", get(ota::list))
        .route("/ota/{platform}/{listing}", get(ota::show))
        .route("/ota/{platform}/{listing}/revision", get(ota::revision))
        .route("/ota/{platform}/{listing}/{action}", post(ota::act))
        .layer(from_fn(with_policy))
        .route("/assets/sandbox.css", get(|| asset("text/css", include_str!("../../assets/sandbox.css"))))
        .route(
            "/assets/sandbox.js",
            get(|| asset("text/javascript", include_str!("../../assets/sandbox.js"))),
        )
}

async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn asset(kind: &'static str, text: &'static str) -> std::future::Ready<Response> {
    let answer = ([(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text).into_response();
    std::future::ready(answer)
}

/// What a person is told when there is nothing to show.
fn not_found(message: &str) -> Response {
    let body = format!(
        "<main><h1>Page not found</h1><p>{}</p><p><a href=\"/\">All sandbox calendars</a></p></main>",
        escape(message)
    );
    (StatusCode::NOT_FOUND, Html(document("Page not found", "narrow", &body))).into_response()
}
