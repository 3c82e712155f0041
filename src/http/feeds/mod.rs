//! `/feeds/{token}.ics`, and `/api/ical/bookings.ics`: what subscribers read. Their programs come every few minutes for
//! years, so that almost every request must end at one lookup and a 304.
//!
//! A feed is rendered when its revision has moved or a day has passed, and kept in memory with its compressed form and
//! its tag. Who has read which revision is remembered (`app::feed_access`). The token is a secret: it stands in no log
//! and no answer.

mod cache;
mod caching;
mod lookup;
mod readers;
pub(in crate::http) mod render;
mod response;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Extension, FromRequestParts, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
    routing::get,
};
use chrono::Days;
use concord_domain::{
    feed::FeedScope,
    ids::{ChannelId, FeedId},
};
use concord_storage::{
    StorageError, channels,
    feeds::{Feed, PublishedFeed},
    secret,
};
use secrecy::{ExposeSecret, SecretString};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub(in crate::http) use self::readers::{ANY_PLATFORM, is_shown_as_person};
use self::{
    cache::{FeedCache, FeedVersion},
    lookup::FeedLookups,
    readers::{FeedReaderKind, reader_name},
    render::FeedVariant,
};
use crate::{
    app::{App, feed_access::FeedAccess, rate_limiter::KeyedRateLimiter},
    config::FeedsConfig,
    http::request_origin::{client_address, network_of},
};

/// How long a booking that is over stays in a feed.
const PAST_DAYS: u64 = 31;

/// What is remembered from one request to the next.
#[derive(Clone)]
pub(in crate::http) struct FeedRouterState {
    feeds: FeedCache,
    feed_limit: Arc<KeyedRateLimiter<FeedId>>,
    address_limit: Arc<KeyedRateLimiter<IpAddr>>,
    lookups: Arc<FeedLookups>,
}

/// The routes of published feeds.
pub fn router(app: &App) -> Router<App> {
    let (config, clock) = (&app.config.feeds, &app.context.clock);
    let kept = FeedRouterState {
        feeds: FeedCache::new(config.cache_bytes),
        feed_limit: Arc::new(KeyedRateLimiter::new(config.requests_per_minute_per_token, clock)),
        address_limit: Arc::new(KeyedRateLimiter::new(config.requests_per_minute_per_address, clock)),
        lookups: Arc::default(),
    };
    let router = Router::new()
        .route("/feeds/{file}", get(read))
        .route("/api/ical/bookings.ics", get(read_bookings))
        .layer(Extension(kept));
    match cors_layer(config) {
        Some(layer) => router.layer(layer),
        None => router,
    }
}

/// The address of a feed.
pub fn feed_url(app: &App, token: &str) -> String {
    app.absolute_url(&format!("/feeds/{token}.ics"))
}

/// The address of all bookings of a business.
pub(in crate::http) fn bookings_feed_url(app: &App, token: &SecretString) -> String {
    app.absolute_url(&format!("/api/ical/bookings.ics?token={}", token.expose_secret()))
}

/// Lets scripts of the configured websites read feeds.
fn cors_layer(config: &FeedsConfig) -> Option<CorsLayer> {
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

/// Somebody who reads a feed.
#[derive(FromRequestParts)]
#[from_request(state(App))]
pub(in crate::http) struct FeedHttpRequest {
    #[from_request(via(State))]
    app: App,
    #[from_request(via(Extension))]
    kept: FeedRouterState,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    method: Method,
    headers: HeaderMap,
}

/// Read a feed
///
/// An iCalendar file (RFC 5545) for calendars to subscribe to. The URL needs no API key.
#[utoipa::path(get, path = "/feeds/{token}.ics", tag = "Feeds", operation_id = "read_feed", security(()),
    params(
        ("token" = String, Path, description = "The secret part of the feed's URL"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the cached version"),
    ),
    responses(
        (status = 200, description = "The calendar", content_type = "text/calendar", body = String),
        (status = 304, description = "Not modified"),
        (status = 404, description = "No feed at this URL", content_type = "text/plain", body = String),
        (status = 429, description = "Too many requests; see `Retry-After`", content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn read(request: FeedHttpRequest, Path(file): Path<String>) -> Response {
    request.respond(FeedVariant::Calendar, file.strip_suffix(".ics")).await
}

/// Read the feed of all bookings
///
/// An iCalendar file of the approved and confirmed bookings of a business, each called by its guest. The token is that
/// of any feed of the whole business, whose privacy it keeps: `full` tells guest, e-mail, phone, number of guests and
/// status, `title` no more than first names and nothing by which guests are reached, `busy` neither.
#[utoipa::path(get, path = "/api/ical/bookings.ics", tag = "Feeds", operation_id = "read_bookings_feed", security(()),
    params(
        ("token" = Option<String>, Query, description = "The token of a feed of the whole business; `GET /api/ical/info` gives one"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the cached version"),
    ),
    responses(
        (status = 200, description = "The calendar", content_type = "text/calendar", body = String),
        (status = 304, description = "Not modified"),
        (status = 401, description = "The address has no token", content_type = "text/plain", body = String),
        (status = 404, description = "No feed of a business is published under this token", content_type = "text/plain", body = String),
        (status = 429, description = "Too many requests; see `Retry-After`", content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn read_bookings(request: FeedHttpRequest, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let token = pairs.find_map(|(name, value)| (name == "token" && !value.is_empty()).then_some(value));
    match token {
        Some(token) => request.respond(FeedVariant::Guests, Some(&token)).await,
        None => response::missing_token(),
    }
}

impl FeedHttpRequest {
    async fn respond(&self, form: FeedVariant, token: Option<&str>) -> Response {
        let network = self.address().map(network_of);
        if let Some(Err(seconds)) = network.map(|network| self.kept.address_limit.try_acquire(&network)) {
            return response::rate_limited(seconds);
        }
        match self.serve_feed(form, token).await {
            Ok(response) => response,
            Err(StorageError::NotFound) => response::not_found(),
            Err(error) => {
                tracing::error!(%error, "a feed could not be read");
                response::unavailable()
            }
        }
    }

    fn address(&self) -> Option<IpAddr> {
        let Extension(ConnectInfo(peer)) = self.peer.as_ref()?;
        Some(client_address(&self.headers, peer.ip(), &self.app.config.server))
    }

    async fn serve_feed(&self, form: FeedVariant, token: Option<&str>) -> Result<Response, StorageError> {
        let now = self.app.now();
        let published = self.published_feed(form, token).await?;
        let feed = &published.feed;
        if let Err(seconds) = self.kept.feed_limit.try_acquire(&feed.id) {
            return Ok(response::rate_limited(seconds));
        }
        let today = now.date_naive();
        let first_day = today.checked_sub_days(Days::new(PAST_DAYS)).unwrap_or(today);
        let (key, version) = ((feed.id, form), FeedVersion::new(&published, first_day));
        let rendered = if let Some(rendered) = self.kept.feeds.find(key, version).await {
            rendered
        } else {
            let rendering = async {
                let _place = self.app.admission.acquire_heavy().await.map_err(|_| StorageError::Busy)?;
                render::render(&self.app, &published, form, first_day, now).await
            };
            // Large, and seldom needed.
            let kept = Box::pin(self.kept.feeds.get(key, version, rendering));
            kept.await.map_err(|error| clone_error(&error))?
        };
        if self.method == Method::GET {
            let reading = FeedAccess {
                feed,
                reader: reader_name(&self.headers),
                is_theirs: self.is_platform_read(feed).await?,
                address: self.address(),
                revision: published.contents,
                at: now,
            };
            if self.app.access.record(&reading) {
                self.app.access.flush(&self.app.context.db).await?;
            }
        }
        Ok(response::respond(feed, &rendered, &self.headers, &self.app, now))
    }

    /// Whether whom the feed is for knows by this reading what it says. Of a channel that is its platform, which is looked up
    /// only where the reader's name does not tell by itself.
    async fn is_platform_read(&self, feed: &Feed) -> Result<bool, StorageError> {
        let kind = FeedReaderKind::from_headers(&self.headers);
        let (FeedScope::Channel, Some(id)) = (feed.scope, feed.subject_id) else {
            return Ok(kind != FeedReaderKind::Person);
        };
        if !matches!(kind, FeedReaderKind::Calendar | FeedReaderKind::Platform(_)) {
            return Ok(kind.is_platform(None));
        }
        let context = &self.app.context;
        let channel = channels::find(&context.db, feed.business_id, ChannelId(id)).await?;
        Ok(kind.is_platform(channel.and_then(|channel| context.platforms.find(&channel.platform))))
    }

    /// The feed that is published under this token. `NotFound`, with no word on why, for anything else.
    async fn published_feed(
        &self,
        form: FeedVariant,
        token: Option<&str>,
    ) -> Result<Arc<PublishedFeed>, StorageError> {
        let token = token.ok_or(StorageError::NotFound)?;
        let digest = secret::digest(&SecretString::from(token));
        let found = self.kept.lookups.find(&self.app.context.db, &digest).await?;
        found
            .filter(|found| form == FeedVariant::Calendar || found.feed.scope == FeedScope::Business)
            .ok_or(StorageError::NotFound)
    }
}

/// Whoever waited for the same rendering shares its error.
fn clone_error(error: &StorageError) -> StorageError {
    match error {
        StorageError::NotFound => StorageError::NotFound,
        // Whatever passes: come again.
        StorageError::Busy | StorageError::Overloaded | StorageError::Unavailable(_) => StorageError::Busy,
        other => {
            tracing::error!(error = %other, "a feed could not be rendered");
            StorageError::Inconsistent { what: "feed" }
        }
    }
}
