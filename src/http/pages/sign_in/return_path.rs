//! Where somebody wanted to go who had to sign in first, in a cookie.

use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    app::App,
    http::pages::{
        cookies::{cookie, read_cookie},
        local_path,
    },
};

/// The cookie that holds where somebody wanted to go.
const COOKIE: &str = "concord_next";

/// Longer ones are no page's; browsers keep cookies of up to 4096 bytes (RFC 6265, section 6.1).
const MAX_LENGTH: usize = 2000;

/// The way that is left in the browser, for as long as a link works.
pub(super) fn leave(app: &App, next: &str) -> HeaderValue {
    cookie(app, COOKIE, &URL_SAFE_NO_PAD.encode(next), app.config.security.sign_in_link.as_secs())
}

/// What takes it away again.
pub(super) fn removal_cookie(app: &App) -> HeaderValue {
    cookie(app, COOKIE, "", 0)
}

/// The way that was left. Not every cookie is ours, so it is looked at as closely as what stands in an address.
pub(super) fn read(headers: &HeaderMap) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(read_cookie(headers, COOKIE)?).ok()?;
    String::from_utf8(bytes).ok().filter(|next| is_return_path(next))
}

/// Whether somebody can have wanted to go there: a page of ours, and not a part that a script asked for.
pub(super) fn is_return_path(next: &str) -> bool {
    let path = next.split('?').next().unwrap_or_default();
    let is_part = path.starts_with("/live/") || path.ends_with("/live");
    next.len() <= MAX_LENGTH && !is_part && local_path(next).is_some()
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn a_way_leads_to_a_page_of_ours() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            let cookie = format!("{COOKIE}={}", URL_SAFE_NO_PAD.encode(value));
            headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
            read(&headers)
        };
        assert_eq!(with("/bookings?q=maria silva").as_deref(), Some("/bookings?q=maria silva"));
        let long = format!("/bookings?q={}", "a".repeat(MAX_LENGTH));
        for no_way in ["//evil.example", "https://evil.example", "/live/needs", "/bookings/B-1/live?x", &long]
        {
            assert_eq!(with(no_way), None, "{no_way}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
