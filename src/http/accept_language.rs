//! The languages that a browser asks for.

use axum::http::{HeaderMap, header};

/// The value of `Accept-Language` (RFC 9110, 12.5.4), as it was sent; `None`: there is none, or it is not visible ASCII.
pub(super) fn accept_language(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok())
}
