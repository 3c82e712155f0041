//! Fetches iCalendar feeds from addresses that people name.
//!
//! `address` understands what a person typed, `redirects` follows where an address leads and checks each step like the
//! first, `body` reads what comes with limits on the wire and unpacked, `error` says what went wrong and what follows.
//!
//! Whoever has the address of a feed can read it: addresses are secrets, and no log line, error or `Debug` text says more
//! of one than its host.

mod address;
mod body;
mod error;
mod redirects;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use concord_domain::clock::Clock;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, USER_AGENT,
    },
};
use tokio::time::Instant;
use url::Url;

pub use self::{address::feed_address, error::FeedError};
use self::{
    body::FeedBodyReader,
    redirects::{RedirectChain, is_redirect},
};
use crate::{
    error::SetupError,
    guard::{DnsResolver, SsrfGuard, SystemDnsResolver},
    http::{HttpClient, HttpConfig, retry_after},
};

/// Airbnb answers 403 to who has no name, and some want to know what calls.
const FEED_USER_AGENT: &str = concat!("Concord/", env!("CARGO_PKG_VERSION"), " (reads calendar feeds)");

/// Longer versions are taken for none: they are sent with each request and kept for each feed.
const MAX_VALIDATOR_LEN: usize = 1_000;

/// How long a feed may take, and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedFetchLimits {
    /// For opening one connection, TLS included.
    pub connect: Duration,
    /// For everything, redirects and the last byte included.
    pub total: Duration,
    /// Of what comes over the wire, and of what it unpacks to, in bytes.
    pub bytes: usize,
}

impl Default for FeedFetchLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30), bytes: 10 * 1024 * 1024 }
    }
}

/// Fetches feeds; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct FeedFetcher {
    http: HttpClient,
    limits: FeedFetchLimits,
    clock: Clock,
}

/// A feed, and the version of it that we have.
#[derive(Clone, Copy)]
pub struct FeedRequest<'a> {
    /// An http or https address, as [`feed_address`] makes it. User and password in it are sent as such (RFC 7617).
    pub url: &'a Url,
    /// As it came with the version that we have.
    pub etag: Option<&'a str>,
    /// As it came with the version that we have.
    pub last_modified: Option<&'a str>,
}

impl<'a> FeedRequest<'a> {
    /// Asks for the whole, whatever version we have.
    pub fn anew(url: &'a Url) -> Self {
        Self { url, etag: None, last_modified: None }
    }
}

impl fmt::Debug for FeedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedRequest").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedFetchOutcome {
    /// The version that we have is the current one.
    NotModified,
    Body(FeedBody),
}

/// A feed that came to its end. Whether it is a calendar, and a whole one, is for its reader to say.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedBody {
    pub bytes: Bytes,
    /// For the next request.
    pub etag: Option<String>,
    /// For the next request.
    pub last_modified: Option<String>,
    /// Where it stands from now on: the server leads there by redirects that are all permanent (301, 308).
    pub moved_to: Option<Url>,
}

impl fmt::Debug for FeedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedBody")
            .field("bytes", &self.bytes.len())
            .field("moved_to", &self.moved_to.as_ref().and_then(Url::host_str))
            .finish_non_exhaustive()
    }
}

impl FeedFetcher {
    /// Builds it. `guard` says which hosts a person may name, and which a server may lead to.
    pub fn new(limits: FeedFetchLimits, guard: SsrfGuard, clock: Clock) -> Result<Self, SetupError> {
        Self::with_resolver(limits, guard, Arc::new(SystemDnsResolver), clock)
    }

    /// The same with names that mean what `names` says.
    pub fn with_resolver(
        limits: FeedFetchLimits,
        guard: SsrfGuard,
        resolver: Arc<dyn DnsResolver>,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let config = HttpConfig {
            connect_timeout: limits.connect,
            request_timeout: limits.total,
            max_body_bytes: limits.bytes,
            unpack: false,
        };
        let http = HttpClient::new(config)?.guarded_with(guard, resolver)?;
        Ok(Self { http, limits, clock })
    }

    /// How long a fetch may take.
    pub fn patience(&self) -> Duration {
        self.limits.total
    }

    /// Refuses an address that will never be fetched, without calling it.
    pub fn judge(&self, url: &Url) -> Result<(), FeedError> {
        self.http.judge(url).map_err(|refused| FeedError::PrivateHost(refused.to_string()))
    }

    /// Fetches a feed once, if it is not the version that we have.
    pub async fn fetch(&self, request: FeedRequest<'_>) -> Result<FeedFetchOutcome, FeedError> {
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.limits.total, self.follow(request)).await;
        let outcome = outcome.unwrap_or(Err(FeedError::Timeout));
        let (host, ms) = (request.url.host_str().unwrap_or_default(), started.elapsed().as_millis());
        match &outcome {
            Ok(FeedFetchOutcome::NotModified) => tracing::debug!(host, ms, "a feed is as it was"),
            Ok(FeedFetchOutcome::Body(body)) => {
                tracing::debug!(host, ms, bytes = body.bytes.len(), "fetched a feed");
            }
            Err(error) => tracing::debug!(host, ms, %error, "a feed was not fetched"),
        }
        outcome
    }

    async fn follow(&self, request: FeedRequest<'_>) -> Result<FeedFetchOutcome, FeedError> {
        let mut trail = RedirectChain::from(request.url)?;
        loop {
            let mut call = reqwest::Request::new(Method::GET, trail.here().clone());
            *call.headers_mut() = headers(request, trail.authorization());
            let response = self.http.begin(call).await?;
            if is_redirect(response.status()) {
                trail.follow(response.status(), response.headers())?;
            } else {
                return self.finish(request, response, trail).await;
            }
        }
    }

    async fn finish(
        &self,
        request: FeedRequest<'_>,
        response: reqwest::Response,
        trail: RedirectChain,
    ) -> Result<FeedFetchOutcome, FeedError> {
        let (status, headers) = (response.status(), response.headers());
        let conditional = request.etag.is_some() || request.last_modified.is_some();
        if status == StatusCode::NOT_MODIFIED && conditional {
            return Ok(FeedFetchOutcome::NotModified);
        }
        if status != StatusCode::OK {
            return Err(FeedError::from_status(status, retry_after(headers, self.clock.now())));
        }
        let (etag, last_modified) = (text(headers, ETAG), text(headers, LAST_MODIFIED));
        let content_type = text(headers, CONTENT_TYPE).unwrap_or_default();
        let bytes = FeedBodyReader::of(headers, self.limits.bytes)?.read(response).await?;
        if body::is_web_page(&content_type, &bytes) {
            return Err(FeedError::WebPage);
        }
        Ok(FeedFetchOutcome::Body(FeedBody { bytes, etag, last_modified, moved_to: trail.moved_to() }))
    }
}

fn headers(request: FeedRequest<'_>, authorization: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(FEED_USER_AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("text/calendar, text/plain;q=0.8, */*;q=0.1"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    // What cannot be sent back is as if it had not come.
    let version = |text: Option<&str>| HeaderValue::from_str(text?).ok();
    for (name, value) in [
        (AUTHORIZATION, authorization),
        (IF_NONE_MATCH, version(request.etag)),
        (IF_MODIFIED_SINCE, version(request.last_modified)),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    headers
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= MAX_VALIDATOR_LEN).then(|| value.to_owned())
}
