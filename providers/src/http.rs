//! The one HTTP client: limits, timing and tracing for every call to a provider.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http::{
    HeaderMap, HeaderName, Request, StatusCode,
    header::{CONTENT_TYPE, DATE, RETRY_AFTER},
};
use tokio::time::Instant;
use url::Url;

use crate::{
    error::{ProviderError, SetupError},
    guard::{DnsResolver, GuardedResolver, PlaintextHost, PrivateHost, SsrfGuard, SystemDnsResolver},
};

/// What we call ourselves. Some servers refuse who has no name.
pub const USER_AGENT: &str = concat!("Concord/", env!("CARGO_PKG_VERSION"));

/// Longest wait that a server can impose; whoever asks for more is asked again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Limits of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// For the connection, TLS included.
    pub connect_timeout: Duration,
    /// For the whole call, from the connection to the last byte of the answer.
    pub request_timeout: Duration,
    /// Largest answer, in bytes after decompression.
    pub max_body_bytes: usize,
    /// Whether packed answers are asked for and unpacked here. Who limits what comes over the wire too does it alone.
    pub unpack: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            // A page of 2,500 entries with long descriptions is below 20 MB.
            max_body_bytes: 32 * 1024 * 1024,
            unpack: true,
        }
    }
}

/// An answer that was read to its end, whatever its status.
#[derive(Clone, Debug)]
pub struct BufferedResponse {
    /// The status; a redirect is an answer like any other.
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl BufferedResponse {
    /// A header, if it is there and text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether its type is this one, whatever its parameters.
    pub(crate) fn is_of_type(&self, kind: &str) -> bool {
        self.header(&CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase().starts_with(kind)
    }
}

/// The shared client; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    config: HttpConfig,
    guard: Option<Arc<SsrfGuard>>,
    /// For http: where what is sent must not be read on its way.
    plain: Option<reqwest::Client>,
}

impl HttpClient {
    /// Builds the client. It follows no redirect: a token must not travel to an address that we were not configured
    /// with.
    pub fn new(config: HttpConfig) -> Result<Self, SetupError> {
        let client = builder(&config).build()?;
        Ok(Self { client, config, guard: None, plain: None })
    }

    /// The same client for addresses that people give us: it calls only what `guard` allows, and names mean what
    /// `resolver` says.
    ///
    /// It has a pool of its own, because reqwest's resolver belongs to a client and not to a call, and an open connection
    /// to what the configuration names must not be lent to what a person names. It goes through no proxy: that would
    /// resolve the names itself, out of the guard's sight.
    pub(crate) fn guarded_with(
        &self,
        guard: SsrfGuard,
        resolver: Arc<dyn DnsResolver>,
    ) -> Result<Self, SetupError> {
        let guard = Arc::new(guard);
        let guarded = GuardedResolver { guard: guard.clone(), resolver, plain: false };
        let client = builder(&self.config).dns_resolver(Arc::new(guarded)).no_proxy().build()?;
        Ok(Self { client, config: self.config.clone(), guard: Some(guard), plain: None })
    }

    /// The same for calls that carry a person's password: over http they go no further than their own network, unless the
    /// configuration allows the host. Names are judged as they are resolved here too, so that http has a client of its own.
    pub fn guarded_for_passwords(&self, guard: SsrfGuard) -> Result<Self, SetupError> {
        self.guarded_for_passwords_with(guard, Arc::new(SystemDnsResolver))
    }

    /// The same with names that mean what `resolver` says.
    pub(crate) fn guarded_for_passwords_with(
        &self,
        guard: SsrfGuard,
        resolver: Arc<dyn DnsResolver>,
    ) -> Result<Self, SetupError> {
        let guarded =
            GuardedResolver { guard: Arc::new(guard.clone()), resolver: resolver.clone(), plain: true };
        let plain = builder(&self.config).dns_resolver(Arc::new(guarded)).no_proxy().build()?;
        Ok(Self { plain: Some(plain), ..self.guarded_with(guard, resolver)? })
    }

    /// Sends `request` once and reads the answer to its end.
    ///
    /// Any status is an `Ok`. `Transient`: no or half an answer came, or one that is too large; the call may have had
    /// its effect. `Rejected`: the request's address cannot be called, or the guard refuses it.
    pub async fn send(&self, request: Request<Bytes>) -> Result<BufferedResponse, ProviderError> {
        Ok(self.attempt(request).await?)
    }

    /// The same, which says why there is no answer.
    pub(crate) async fn attempt(&self, request: Request<Bytes>) -> Result<BufferedResponse, HttpCallError> {
        let method = request.method().clone();
        let host = request.uri().host().unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        let started = Instant::now();
        let outcome = self.exchange(request).await;
        let ms = started.elapsed().as_millis();
        // Headers, query and bodies stay out: they hold tokens, codes and people's appointments.
        match &outcome {
            Ok(response) => {
                tracing::debug!(%method, host, path, status = response.status.as_u16(), ms, "called a provider");
            }
            Err(error) => tracing::debug!(%method, host, path, %error, ms, "a call to a provider failed"),
        }
        outcome
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<BufferedResponse, HttpCallError> {
        let mut response = self.begin(reqwest::Request::try_from(request)?).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.config.max_body_bytes {
                return Err(HttpCallError::TooLarge { limit: self.config.max_body_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(BufferedResponse {
            status: response.status(),
            headers: response.headers().clone(),
            body: body.freeze(),
        })
    }

    /// Whether an address may be called, as far as it says so itself: what a name means is known when it is called.
    pub(crate) fn judge(&self, url: &Url) -> Result<(), PrivateHost> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.check(url))
    }

    /// Whether the guard lets what nobody else must read go to an address over http; without a guard nothing may.
    pub(crate) fn allows_plain_http(&self, url: &Url) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.allows_plain_http(url))
    }

    /// Sends `request`, if the guard allows its address, and returns the answer when its headers are there. Nothing is
    /// logged.
    pub(crate) async fn begin(&self, request: reqwest::Request) -> Result<reqwest::Response, HttpCallError> {
        let plain = self.plain.as_ref().filter(|_| request.url().scheme() == "http");
        if let (Some(_), Some(guard)) = (plain, &self.guard) {
            guard.check_plain(request.url()).map_err(HttpCallError::PlainHost)?;
        }
        self.judge(request.url()).map_err(HttpCallError::PrivateHost)?;
        Ok(plain.unwrap_or(&self.client).execute(request).await?)
    }
}

fn builder(config: &HttpConfig) -> reqwest::ClientBuilder {
    install_crypto_provider();
    #[expect(clippy::disallowed_methods, reason = "this is the one client that everybody else shares")]
    let builder = reqwest::Client::builder();
    builder
        .gzip(config.unpack)
        .user_agent(USER_AGENT)
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
}

/// Why there is no whole answer. Without the URL: its path or its query may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpCallError {
    /// Nothing that can be called.
    #[error("the address cannot be called")]
    BadAddress,
    /// The guard refuses it.
    #[error(transparent)]
    PrivateHost(PrivateHost),
    /// A password must not go there.
    #[error(transparent)]
    PlainHost(PlaintextHost),
    /// The server answers, and not in TLS.
    #[error("{NO_TLS}")]
    NoTls,
    #[error("no response in time{}", cause_suffix(.0.as_deref()))]
    Timeout(Option<String>),
    /// No such name, nobody there (in time), or TLS failed.
    #[error("no connection{}", cause_suffix(.0.as_deref()))]
    NoConnection(Option<String>),
    /// It ended too soon, or cannot be unpacked.
    #[error("the response was cut short{}", cause_suffix(.0.as_deref()))]
    CutShort(Option<String>),
    /// It is no HTTP, or ended before the headers.
    #[error("the connection failed{}", cause_suffix(.0.as_deref()))]
    Broken(Option<String>),
    #[error("the response is larger than {limit} bytes")]
    TooLarge { limit: usize },
}

/// What is said where https is spoken to a port of http.
pub(crate) const NO_TLS: &str = "no connection: there is no https at this port";

fn cause_suffix(cause: Option<&str>) -> String {
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}

impl From<reqwest::Error> for HttpCallError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_builder() {
            return Self::BadAddress;
        }
        if let Some(refused) = find_cause::<PrivateHost>(&error) {
            return Self::PrivateHost(refused.clone());
        }
        if let Some(refused) = find_cause::<PlaintextHost>(&error) {
            return Self::PlainHost(refused.clone());
        }
        if error.is_connect() && is_plaintext_response(&error) {
            return Self::NoTls;
        }
        let cause = root_cause(&error);
        if error.is_connect() {
            Self::NoConnection(cause)
        } else if error.is_timeout() {
            Self::Timeout(cause)
        } else if error.is_body() || error.is_decode() {
            Self::CutShort(cause)
        } else {
            Self::Broken(cause)
        }
    }
}

impl From<HttpCallError> for ProviderError {
    fn from(error: HttpCallError) -> Self {
        match error {
            HttpCallError::BadAddress | HttpCallError::PrivateHost(_) | HttpCallError::PlainHost(_) => {
                Self::Rejected(error.to_string())
            }
            _ => Self::Transient(error.to_string()),
        }
    }
}

/// What the guarded resolver said, if that is why there is no connection.
fn find_cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    error_chain(error).find_map(|cause| cause.downcast_ref())
}

/// Whether what answered the first message of TLS is none of its own: mostly an HTTP server that wants no TLS.
fn is_plaintext_response(error: &reqwest::Error) -> bool {
    error_chain(error).filter_map(as_tls_error).any(|error| matches!(error, rustls::Error::InvalidMessage(_)))
}

/// An I/O error is no cause of what it wraps, but hides it, and may wrap another one.
fn as_tls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match cause.downcast_ref::<std::io::Error>() {
        Some(wrapping) => as_tls_error(wrapping.get_ref()?),
        None => cause.downcast_ref(),
    }
}

fn error_chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// What an error says that is behind all others: the outer ones tell which call failed, not why.
pub fn root_cause(error: &dyn Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// Makes `ring` the process's TLS provider; whoever comes second finds it done. reqwest is built without a provider of
/// its own, so that only one is linked.
pub fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread was faster, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// How long the server wants us to wait: `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3), at most an
/// hour. A date is measured against the answer's own `Date` where there is one, so that a wrong clock on either side
/// does no harm; else against `now`.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let sent = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
        (http_date(value)? - sent).to_std().unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn now() -> DateTime<Utc> {
        "1994-11-06T08:49:00Z".parse().unwrap()
    }

    #[test]
    fn seconds_are_understood_and_capped() {
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, " 7 ")]), now()), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "0")]), now()), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "999999999")]), now()), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn a_date_is_measured_from_the_answers_date_or_from_now() {
        let date = (RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after(&headers(std::slice::from_ref(&date)), now()), Some(Duration::from_secs(37)));
        let both = headers(&[date.clone(), (DATE, "Sun, 06 Nov 1994 08:49:27 GMT")]);
        assert_eq!(retry_after(&both, now()), Some(Duration::from_secs(10)));
        let past = headers(&[date, (DATE, "Sun, 06 Nov 1994 09:00:00 GMT")]);
        assert_eq!(retry_after(&past, now()), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_is_none() {
        for text in ["", "soon", "-1", "1.5", "18446744073709551616"] {
            assert_eq!(retry_after(&headers(&[(RETRY_AFTER, text)]), now()), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn crypto_can_be_installed_again() {
        install_crypto_provider();
        install_crypto_provider();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
