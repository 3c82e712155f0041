//! Calls to a provider's API, and its error responses: those are read alike; what they mean, each provider judges.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use concord_domain::clock::Clock;
use http::{Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::{
    error::ProviderError,
    http::{BufferedResponse, HttpCallError, HttpClient, retry_after},
    quote::describe_json_error,
};

/// What a provider says in the body of an error response.
pub(crate) trait ErrorBody: Sized {
    /// `None`: the body is not the provider's, so somebody else answered: a proxy, a front end with a fault of its own.
    fn read(body: &[u8]) -> Option<Self>;

    /// Whether it says that what was asked for is not there.
    fn says_gone(refusal: &ProviderErrorResponse<Self>) -> bool;

    /// What to do next.
    fn judge(refusal: ProviderErrorResponse<Self>) -> ProviderError;
}

/// A response with a status that is no success.
#[derive(Debug)]
pub(crate) struct ProviderErrorResponse<B> {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Option<B>,
}

impl<B: ErrorBody> ProviderErrorResponse<B> {
    /// Reads what counts; `now` is for a `Retry-After` that is a date.
    pub(crate) fn read(response: &BufferedResponse, now: DateTime<Utc>) -> Self {
        Self {
            status: response.status,
            retry_after: retry_after(&response.headers, now),
            body: B::read(&response.body),
        }
    }

    /// Whether it says that what was asked for is not there.
    pub(crate) fn says_gone(&self) -> bool {
        B::says_gone(self)
    }

    /// What to do next.
    pub(crate) fn into_error(self) -> ProviderError {
        B::judge(self)
    }
}

/// A call that brought nothing: the provider said no, or nothing intelligible was said.
#[derive(Debug)]
pub(crate) enum ProviderCallError<B> {
    /// A response with a status that is no success.
    Refused(ProviderErrorResponse<B>),
    /// No response came in time: less may be asked for.
    Slow(ProviderError),
    Other(ProviderError),
}

impl<B> ProviderCallError<B> {
    /// Whether less may be answered: our own patience ended, or that of a server in between.
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Self::Slow(_) => true,
            Self::Refused(refusal) => refusal.status == StatusCode::GATEWAY_TIMEOUT,
            Self::Other(_) => false,
        }
    }
}

/// `None`: what was asked for is not there.
pub(crate) fn unless_gone<T, B: ErrorBody>(
    outcome: Result<T, ProviderCallError<B>>,
) -> Result<Option<T>, ProviderCallError<B>> {
    match outcome {
        Err(ProviderCallError::Refused(refusal)) if refusal.says_gone() => Ok(None),
        outcome => outcome.map(Some),
    }
}

impl<B> From<ProviderError> for ProviderCallError<B> {
    fn from(error: ProviderError) -> Self {
        Self::Other(error)
    }
}

impl<B> From<HttpCallError> for ProviderCallError<B> {
    fn from(error: HttpCallError) -> Self {
        match error {
            HttpCallError::Timeout(_) => Self::Slow(error.into()),
            error => Self::Other(error.into()),
        }
    }
}

impl<B: ErrorBody> From<ProviderCallError<B>> for ProviderError {
    fn from(error: ProviderCallError<B>) -> Self {
        match error {
            ProviderCallError::Refused(refusal) => refusal.into_error(),
            ProviderCallError::Slow(error) | ProviderCallError::Other(error) => error,
        }
    }
}

impl HttpClient {
    /// Sends `request` once. A status that is no success is a [`ProviderCallError::Refused`].
    pub(crate) async fn call<B: ErrorBody>(
        &self,
        request: Request<Bytes>,
        clock: &Clock,
    ) -> Result<BufferedResponse, ProviderCallError<B>> {
        let response = self.attempt(request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(ProviderCallError::Refused(ProviderErrorResponse::read(&response, clock.now())))
    }
}

/// The JSON of a successful response. `provider`: what people call it.
pub(crate) fn parse_json<T: DeserializeOwned>(
    response: &BufferedResponse,
    provider: &str,
) -> Result<T, ProviderError> {
    serde_json::from_slice(&response.body).map_err(|error| unreadable(&error, provider))
}

/// A response that should be JSON of a certain form.
pub(crate) fn unreadable(error: &serde_json::Error, provider: &str) -> ProviderError {
    let fault = describe_json_error(error);
    tracing::warn!(provider, fault, "a response cannot be read");
    ProviderError::Transient(format!("{provider}'s response is {fault}"))
}
