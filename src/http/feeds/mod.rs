//! `/feeds/{token}.ics`: what subscribers read. Their programs come every few minutes for years, so that almost every
//! request must end at one lookup and a 304.
//!
//! A feed is rendered when its revision has moved or a day has passed, and kept in memory with its compressed form and
//! its tag. The token is a secret: it stands in no log and no answer.

mod caching;
mod kept;
mod limits;
mod render;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Extension, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Days, Utc};
use concord_storage::{
    StorageError,
    feeds::{self, Feed},
    secret,
};
use secrecy::SecretString;
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::{
    caching::{Variant, is_fresh, wants_gzip},
    kept::{KeptFeeds, Version},
    limits::Limits,
    render::Rendered,
};
use crate::{app::App, config::FeedsConfig, http::limits::client_address};

/// How long a booking that is over stays in a feed.
const PAST_DAYS: u64 = 31;

/// What is remembered from one request to the next.
#[derive(Clone)]
pub(in crate::http) struct Kept {
    feeds: KeptFeeds,
    limits: Arc<Limits>,
}

/// The feeds.
pub fn router(app: &App) -> Router<App> {
    let config = &app.config.feeds;
    let kept = Kept {
        feeds: KeptFeeds::new(config.cache_bytes),
        limits: Arc::new(Limits::new(
            config.requests_per_minute_per_token,
            config.requests_per_minute_per_address,
        )),
    };
    let router = Router::new().route("/feeds/{file}", get(read)).layer(Extension(kept));
    match cross_origin(config) {
        Some(layer) => router.layer(layer),
        None => router,
    }
}

/// The address of a feed.
pub fn address_of(app: &App, token: &str) -> String {
    app.address(&format!("/feeds/{token}.ics"))
}

/// Lets scripts of the configured websites read feeds.
fn cross_origin(config: &FeedsConfig) -> Option<CorsLayer> {
    let origins = &config.allowed_origins;
    let allowed = if origins.is_empty() {
        return None;
    } else if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()))
    };
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers([header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE])
            .expose_headers([header::ETAG]),
    )
}

/// Read a feed
///
/// An iCalendar file (RFC 5545) for calendars to subscribe to. Who has the address needs no key.
#[utoipa::path(get, path = "/feeds/{token}.ics", tag = "Feeds", operation_id = "read_feed", security(()),
    params(
        ("token" = String, Path, description = "The secret part of the address that was given when the feed was made"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the reader has"),
    ),
    responses(
        (status = 200, description = "The calendar", content_type = "text/calendar", body = String),
        (status = 304, description = "The reader has it already"),
        (status = 404, description = "No feed is published under this address", content_type = "text/plain", body = String),
        (status = 429, description = "Too many requests; see `Retry-After`", content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn read(
    State(app): State<App>,
    Extension(kept): Extension<Kept>,
    connection: Option<Extension<ConnectInfo<SocketAddr>>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let now = app.now();
    if let Some(Extension(ConnectInfo(peer))) = connection {
        let address = client_address(&headers, peer.ip(), &app.config.server);
        if let Err(seconds) = kept.limits.take_address(address, now).await {
            return too_many(seconds);
        }
    }
    match answer(&app, &kept, &file, &headers, now).await {
        Ok(response) => response,
        Err(StorageError::NotFound) => unknown(),
        Err(error) => {
            tracing::error!(%error, "a feed could not be read");
            let wait = [(header::RETRY_AFTER, "30"), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "The calendar cannot be read at the moment.\n")
                .into_response()
        }
    }
}

async fn answer(
    app: &App,
    kept: &Kept,
    file: &str,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Response, StorageError> {
    let feed = find(app, file).await?;
    if let Err(seconds) = kept.limits.take_feed(feed.id, now).await {
        return Ok(too_many(seconds));
    }
    let revision = feeds::revision_of(&app.context.db, &feed).await?;
    let first_day = now.date_naive().checked_sub_days(Days::new(PAST_DAYS)).unwrap_or(now.date_naive());
    let rendering = render::render(app, &feed, first_day, now);
    let version = Version::new(&feed, revision, first_day);
    let rendered = kept.feeds.get(feed.id, version, rendering).await.map_err(|error| shared(&error))?;
    Ok(respond(&feed, &rendered, headers, app, now))
}

/// Whoever waited for the same rendering shares its error.
fn shared(error: &StorageError) -> StorageError {
    match error {
        StorageError::NotFound => StorageError::NotFound,
        StorageError::Busy => StorageError::Busy,
        other => {
            tracing::error!(error = %other, "a feed could not be rendered");
            StorageError::Inconsistent { what: "feed" }
        }
    }
}

/// The feed that is published under this name. `NotFound`, with no word on why, for anything else.
async fn find(app: &App, file: &str) -> Result<Feed, StorageError> {
    let token = file.strip_suffix(".ics").ok_or(StorageError::NotFound)?;
    let digest = secret::digest(&SecretString::from(token));
    feeds::find_by_digest(&app.context.db, &digest).await?.ok_or(StorageError::NotFound)
}

fn respond(feed: &Feed, rendered: &Rendered, headers: &HeaderMap, app: &App, now: DateTime<Utc>) -> Response {
    let variant = rendered.available(if wants_gzip(headers) { Variant::Gzip } else { Variant::Plain });
    let seconds = app.config.feeds.refresh.as_secs().min(300);
    let common = [
        (header::ETAG, rendered.tag(variant)),
        (header::LAST_MODIFIED, caching::http_date(caching::last_modified(rendered.made_at, now))),
        (header::CACHE_CONTROL, format!("private, max-age={seconds}")),
        (header::VARY, "Accept-Encoding".to_owned()),
        // Nobody finds a calendar by a search engine.
        (HeaderName::from_static("x-robots-tag"), "noindex".to_owned()),
    ];
    if is_fresh(headers, &rendered.tags(), rendered.made_at) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let body = rendered.body(variant);
    let mut response = (common, body.clone()).into_response();
    let own = response.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    own.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Ok(disposition) =
        HeaderValue::try_from(format!("inline; filename=\"{}.ics\"", file_name(&feed.name)))
    {
        own.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if variant == Variant::Gzip {
        own.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Letters, digits and hyphens: what every file system and every header takes.
fn file_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let joined: String = words.join("-").chars().take(60).collect();
    if joined.is_empty() { "calendar".to_owned() } else { joined }
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "Not found.\n").into_response()
}

fn too_many(seconds: u64) -> Response {
    let wait = [(header::RETRY_AFTER, seconds.to_string()), (header::CACHE_CONTROL, "no-store".to_owned())];
    (StatusCode::TOO_MANY_REQUESTS, wait, "Too many requests.\n").into_response()
}

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
