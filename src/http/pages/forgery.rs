//! Forms that another site made a browser send are refused, before any handler sees them.
//!
//! Two things must hold for whatever is not a GET: the browser says that the form came from our own pages, and the form
//! carries the token of the session. The forms of people who are not signed in (`/sign-in/...`) have no session, and so
//! only the first.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::Url;

use super::{PageError, calendar_sync, session::SessionToken};
use crate::app::App;

/// The field that carries the token.
pub(super) const FIELD: &str = "csrf";

pub(super) async fn refuse(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    if !is_from_our_pages(&app.public_url, request.headers()) {
        return PageError::Forged.into_response();
    }
    if request.uri().path().starts_with("/sign-in/") {
        return next.run(request).await;
    }
    let Some(token) = SessionToken::sent(request.headers()) else {
        return PageError::SignedOut { next: None }.into_response();
    };
    let (parts, body) = request.into_parts();
    // Only there are files taken.
    let is_upload = parts.uri.path().starts_with(calendar_sync::PATH);
    let most =
        if is_upload { calendar_sync::MOST_BYTES } else { app.config.server.max_body_kilobytes * 1024 };
    let Ok(bytes) = to_bytes(body, most).await else {
        return PageError::TooLarge.into_response();
    };
    let is_ours = if is_upload {
        calendar_sync::carries_token(&parts.headers, &bytes, &token).await
    } else {
        carries(&bytes, &token)
    };
    if !is_ours {
        return PageError::Forged.into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

fn carries(form: &Bytes, token: &SessionToken) -> bool {
    url::form_urlencoded::parse(form).any(|(name, value)| name == FIELD && token.is_form_token(&value))
}

/// `Sec-Fetch-Site` cannot be set by pages; browsers that don't send it send `Origin`. Who sends neither is no browser
/// and has nobody's session.
fn is_from_our_pages(public_url: &Url, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    if origin == public_url.origin().ascii_serialization() {
        return true;
    }
    // Reached by another name, such as localhost: then the page and the form have that name alike.
    let host = text(header::HOST).and_then(|host| host.parse::<Authority>().ok());
    let from = origin.split_once("://").and_then(|(_, rest)| rest.parse::<Authority>().ok());
    host.is_some() && host == from
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn is_ours(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_from_our_pages(&"https://book.example/".parse().unwrap(), &headers)
    }

    #[test]
    fn forms_from_elsewhere_are_refused() {
        assert!(is_ours(&[("sec-fetch-site", "same-origin")]));
        assert!(is_ours(&[("origin", "https://book.example")]));
        assert!(is_ours(&[("origin", "http://localhost:8080"), ("host", "localhost:8080")]));
        assert!(is_ours(&[]));
        assert!(!is_ours(&[("sec-fetch-site", "cross-site")]));
        assert!(!is_ours(&[("sec-fetch-site", "same-site"), ("origin", "https://book.example")]));
        assert!(!is_ours(&[("origin", "https://evil.example"), ("host", "book.example")]));
        assert!(!is_ours(&[("origin", "null"), ("host", "book.example")]));
    }

    #[test]
    fn the_token_is_looked_for_in_the_form() {
        let token = SessionToken::new();
        let form = |value: &str| Bytes::from(format!("title=A&{FIELD}={value}"));
        assert!(carries(&form(&token.form_token()), &token));
        assert!(!carries(&form(&SessionToken::new().form_token()), &token));
        assert!(!carries(&form(""), &token));
        assert!(!carries(&Bytes::from_static(b"title=A"), &token));
    }
}
