//! What readers of feeds are answered.

use axum::{
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use concord_storage::feeds::Feed;

use super::{caching, render::RenderedBody};
use crate::app::App;

/// The calendar, or that the reader has it already.
pub(super) fn respond(
    feed: &Feed,
    rendered: &RenderedBody,
    headers: &HeaderMap,
    app: &App,
    now: DateTime<Utc>,
) -> Response {
    let seconds = app.config.feeds.refresh.as_secs().min(300);
    let always = [
        (header::LAST_MODIFIED, caching::http_date(caching::last_modified(rendered.made_at, now))),
        (header::CACHE_CONTROL, format!("private, max-age={seconds}")),
        // Nobody finds a calendar by a search engine.
        (HeaderName::from_static("x-robots-tag"), "noindex".to_owned()),
    ];
    let with_bytes = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"{}.ics\"", file_name(&feed.name))),
    ];
    rendered.answer(headers, always, with_bytes)
}

/// Letters, digits and hyphens: what every file system and every header takes.
fn file_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let joined: String = words.join("-").chars().take(60).collect();
    if joined.is_empty() { "calendar".to_owned() } else { joined }
}

/// Whether there ever was a feed under the address is not told.
pub(super) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, NO_STORE, "Not found.\n").into_response()
}

pub(super) fn missing_token() -> Response {
    const WORDS: &str = "The URL must end with ?token=cf_... A manager finds the complete URL on the page \
         Calendar sync.\n";
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"concord\"")];
    (StatusCode::UNAUTHORIZED, NO_STORE, challenge, WORDS).into_response()
}

pub(super) fn rate_limited(seconds: u64) -> Response {
    let wait = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, NO_STORE, wait, "Too many requests.\n").into_response()
}

pub(super) fn unavailable() -> Response {
    let wait = [(header::RETRY_AFTER, "30")];
    (StatusCode::SERVICE_UNAVAILABLE, NO_STORE, wait, "The calendar is temporarily unavailable.\n")
        .into_response()
}

const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain() {
        for (name, file) in [
            ("Sea View", "Sea-View"),
            ("Zimmer 3 (Süd)", "Zimmer-3-S-d"),
            ("\"; filename=evil", "filename-evil"),
            ("房间", "calendar"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}
