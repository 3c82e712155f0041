//! Forms that another site made a browser send are refused, before any handler sees them.
//!
//! Two things must hold for whatever is not a GET: the browser says that the form came from our own pages, and the form
//! carries the token of a session that is alive, which is known before any of the form is read. The forms of people who
//! are not signed in (`/sign-in`, `/sign-in/...`, and the way back from a provider) have no session, and so only the first.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Multipart, Request, State},
    http::{HeaderMap, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::Url;

use super::{CurrentUser, PageError, SessionToken, uploads};
use crate::{
    app::{
        App,
        admission::{BodyClass, BodySize},
    },
    http::request_origin::RequestOrigin,
};

/// The field that carries the token.
const FIELD: &str = "csrf";

/// A form of somebody who is not signed in holds a code or an address at the most.
const MAX_ANONYMOUS_BYTES: usize = 16 * 1024;

pub(in crate::http) async fn verify(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    if !is_same_origin(&app.public_url, request.headers()) {
        return PageError::Forged.into_response();
    }
    let path = request.uri().path();
    if path == "/sign-in" || path.starts_with("/sign-in/") || path.starts_with("/oauth/") {
        let size = BodySize::of(request.body());
        return match app.admission.reserve_body(BodyClass::Forms, size, MAX_ANONYMOUS_BYTES).await {
            Ok(_held) => next.run(request).await,
            Err(error) => PageError::from(error).into_response(),
        };
    }
    let (parts, body) = request.into_parts();
    let visit = parts.extensions.get::<RequestOrigin>().cloned().unwrap_or_default();
    let token = match CurrentUser::of(&app, &parts.headers, &visit).await {
        Ok(Some(user)) => user.token,
        Ok(None) => return PageError::SignedOut { next: None }.into_response(),
        Err(error) => return error.into_response(),
    };
    // Only there are files taken.
    let is_upload = uploads::accepts_upload(parts.uri.path());
    let most =
        if is_upload { app.config.max_upload_bytes() } else { app.config.server.max_body_kilobytes * 1024 };
    let sort = if is_upload { BodyClass::Uploads } else { BodyClass::Forms };
    let size = BodySize::of(&body);
    let _held = match app.admission.reserve_body(sort, size, most).await {
        Ok(held) => held,
        Err(error) => return PageError::from(error).into_response(),
    };
    let Ok(bytes) = to_bytes(body, most).await else {
        return PageError::TooLarge.into_response();
    };
    let is_ours = if is_upload {
        carries_token(&parts.headers, &bytes, &token).await
    } else {
        has_token(&bytes, &token)
    };
    if !is_ours {
        return PageError::Forged.into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

fn has_token(form: &Bytes, token: &SessionToken) -> bool {
    url::form_urlencoded::parse(form).any(|(name, value)| name == FIELD && token.is_form_token(&value))
}

/// The token of the session is the first part of a form; no more of it is looked at.
const LOOKED_AT: usize = 4096;

/// Whether a form in parts carries the token of the session, as its first part.
async fn carries_token(headers: &HeaderMap, form: &Bytes, token: &SessionToken) -> bool {
    let mut start = Request::new(Body::from(form.slice(..form.len().min(LOOKED_AT))));
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return false };
    start.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    let Ok(mut parts) = Multipart::from_request(start, &()).await else { return false };
    let Ok(Some(first)) = parts.next_field().await else { return false };
    first.name() == Some(FIELD) && first.text().await.is_ok_and(|sent| token.is_form_token(&sent))
}

/// `Sec-Fetch-Site` cannot be set by pages; browsers that don't send it send `Origin`. Who sends neither is no browser
/// and has nobody's session.
fn is_same_origin(public_url: &Url, headers: &HeaderMap) -> bool {
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
        is_same_origin(&"https://book.example/".parse().unwrap(), &headers)
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
        assert!(has_token(&form(&token.form_token()), &token));
        assert!(!has_token(&form(&SessionToken::new().form_token()), &token));
        assert!(!has_token(&form(""), &token));
        assert!(!has_token(&Bytes::from_static(b"title=A"), &token));
    }

    #[tokio::test]
    async fn the_token_is_the_first_part() {
        let token = SessionToken::new();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=edge"));
        let part = |name: &str, value: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let right = part(FIELD, &token.form_token());
        let file = part("file", &"x".repeat(100_000));
        for (form, is_ours) in [
            (format!("{right}{file}--edge--\r\n"), true),
            (format!("{file}{right}--edge--\r\n"), false),
            (format!("{}{file}--edge--\r\n", part(FIELD, "guessed")), false),
            ("--edge--\r\n".to_owned(), false),
        ] {
            assert_eq!(carries_token(&headers, &form.into(), &token).await, is_ours);
        }
        assert!(!carries_token(&HeaderMap::new(), &right.into(), &token).await);
    }
}
