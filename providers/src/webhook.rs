//! Sends signed messages to addresses that people name.
//!
//! Each call opens to where the guard lets it, follows no redirect, and reads no more of an answer than tells a person what
//! was wrong. An address may hold a secret in its path or query: no log line, error or `Debug` text says more of one than its
//! host.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::{
    error::SetupError,
    guard::{DnsResolver, SsrfGuard, SystemDnsResolver},
    http::{HttpCallError, HttpClient, HttpConfig, retry_after},
};

/// How long a call may take, and how much of an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookLimits {
    /// For opening the connection, TLS included.
    pub connect: Duration,
    /// For everything, the last byte of the answer included.
    pub total: Duration,
    /// Bytes of an answer that are read.
    pub answer_bytes: usize,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(15), answer_bytes: 2_000 }
    }
}

/// Why nothing is sent to an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookAddressError {
    #[error("is not a valid URL")]
    Invalid,
    #[error("must begin with https://")]
    Scheme,
    #[error("cannot contain a user name or password")]
    Credentials,
    #[error("is longer than {MAX_URL_LEN} characters")]
    TooLong,
    #[error("cannot be used: {0}")]
    Private(String),
}

/// The longest address, in characters.
const MAX_URL_LEN: usize = 2_000;

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    pub status: StatusCode,
    /// How long it wants to be left alone, if it says so; at most an hour.
    pub retry_after: Option<Duration>,
    /// How the answer begins, as far as it is text.
    pub excerpt: String,
}

/// Why there is no answer, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoWebhookAnswer(pub String);

/// Sends messages; clones share one pool of connections.
#[derive(Clone)]
pub struct WebhookSender {
    http: HttpClient,
    limits: WebhookLimits,
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSender").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl WebhookSender {
    /// Builds it. `guard` says which hosts a person may name.
    pub fn new(limits: WebhookLimits, guard: SsrfGuard) -> Result<Self, SetupError> {
        Self::with_resolver(limits, guard, Arc::new(SystemDnsResolver))
    }

    /// The same with names that mean what `resolver` says.
    pub fn with_resolver(
        limits: WebhookLimits,
        guard: SsrfGuard,
        resolver: Arc<dyn DnsResolver>,
    ) -> Result<Self, SetupError> {
        let config = HttpConfig {
            connect_timeout: limits.connect,
            request_timeout: limits.total,
            max_body_bytes: limits.answer_bytes,
            unpack: false,
        };
        let http = HttpClient::new(config)?.guarded_with(guard, resolver)?;
        Ok(Self { http, limits })
    }

    /// How long a call may take.
    pub fn patience(&self) -> Duration {
        self.limits.total
    }

    /// Understands an address that a person has typed. Over http nothing is sent but to hosts that the configuration allows
    /// although they are private: what is sent tells of customers.
    pub fn address(&self, text: &str) -> Result<Url, WebhookAddressError> {
        let text = text.trim();
        if text.chars().count() > MAX_URL_LEN {
            return Err(WebhookAddressError::TooLong);
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(WebhookAddressError::Invalid);
        }
        let mut url: Url = text.parse().map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => WebhookAddressError::Scheme,
            _ => WebhookAddressError::Invalid,
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(WebhookAddressError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
            return Err(WebhookAddressError::Invalid);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookAddressError::Credentials);
        }
        self.http.judge(&url).map_err(|refused| WebhookAddressError::Private(refused.to_string()))?;
        if url.scheme() == "http" && !self.http.allows_plain_http(&url) {
            return Err(WebhookAddressError::Scheme);
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Sends a message once. Any status is an answer, a redirect too. `now`: against which a date in `Retry-After` is
    /// measured where the answer has none of its own.
    pub async fn send(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        now: DateTime<Utc>,
    ) -> Result<WebhookAnswer, NoWebhookAnswer> {
        let started = Instant::now();
        let answer = self.exchange(url, headers, body, now).await;
        let (host, ms) = (url.host_str().unwrap_or_default(), started.elapsed().as_millis());
        match &answer {
            Ok(answer) => {
                tracing::debug!(host, status = answer.status.as_u16(), ms, "a webhook was answered");
            }
            Err(error) => tracing::debug!(host, ms, %error, "a webhook was not answered"),
        }
        answer.map_err(|error| NoWebhookAnswer(error.to_string()))
    }

    async fn exchange(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        now: DateTime<Utc>,
    ) -> Result<WebhookAnswer, HttpCallError> {
        if url.scheme() == "http" && !self.http.allows_plain_http(url) {
            return Err(HttpCallError::BadAddress);
        }
        let mut call = reqwest::Request::new(Method::POST, url.clone());
        *call.headers_mut() = headers;
        *call.body_mut() = Some(body.into());
        let mut response = self.http.begin(call).await?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), now));
        let mut bytes = Vec::new();
        while bytes.len() < self.limits.answer_bytes {
            // The status is there: what follows is for people alone.
            let Ok(Some(chunk)) = response.chunk().await else { break };
            let left = self.limits.answer_bytes - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(left)]);
        }
        Ok(WebhookAnswer { status, retry_after, excerpt: excerpt(&bytes) })
    }
}

/// As text, of which nothing moves a cursor or cannot be stored.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(guard: SsrfGuard) -> WebhookSender {
        WebhookSender::new(WebhookLimits::default(), guard).unwrap()
    }

    fn refusal(sender: &WebhookSender, text: &str) -> String {
        sender.address(text).map_or_else(|error| error.to_string(), |url| url.to_string())
    }

    #[test]
    fn addresses_are_understood_or_refused_with_a_reason() {
        let strict = sender(SsrfGuard::of("channels.allowed_hosts"));
        let long = format!("https://shop.example/{}", "x".repeat(2_000));
        for (text, says) in [
            (" https://shop.example/hook?key=1#top ", "https://shop.example/hook?key=1"),
            ("https://8.8.8.8/hook", "https://8.8.8.8/hook"),
            ("http://shop.example/hook", "must begin with https://"),
            ("ftp://shop.example/hook", "must begin with https://"),
            ("shop.example/hook", "must begin with https://"),
            ("", "must begin with https://"),
            ("https://", "is not a valid URL"),
            ("https://shop.example/a b", "is not a valid URL"),
            ("https://shop.example:0/", "is not a valid URL"),
            ("https://ana:secret@shop.example/", "cannot contain a user name or password"),
            (long.as_str(), "is longer than 2000 characters"),
        ] {
            assert_eq!(refusal(&strict, text), says, "{text}");
        }
        for private in [
            "https://127.0.0.1/",
            "https://10.0.0.7/hook",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://0x7f.1/",
            "https://2130706433/",
        ] {
            let says = refusal(&strict, private);
            assert!(says.contains("private address") && says.contains("channels.allowed_hosts"), "{says}");
        }
    }

    #[test]
    fn http_is_for_hosts_that_the_configuration_allows() {
        let named = sender(SsrfGuard::of("channels.allowed_hosts").allowing(["127.0.0.1", "shop.internal"]));
        assert!(named.address("http://127.0.0.1:9/hook").is_ok());
        assert!(named.address("http://shop.internal/hook").is_ok());
        assert_eq!(named.address("http://shop.example/hook"), Err(WebhookAddressError::Scheme));
        let open = SsrfGuard { allow_private: true, ..SsrfGuard::of("channels.allowed_hosts") };
        assert!(sender(open.clone()).address("http://10.0.0.7/hook").is_ok());
        assert_eq!(sender(open).address("http://8.8.8.8/hook"), Err(WebhookAddressError::Scheme));
    }

    #[test]
    fn what_cannot_be_shown_is_left_out_of_an_excerpt() {
        assert_eq!(excerpt(b"a\0b\x1b[31m\n\xff"), "ab[31m\n\u{fffd}");
    }
}
