//! Refusals: answers with a status that is no success. They are read alike; what they mean, each provider judges.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use crate::{
    error::ProviderError,
    http::{BufferedResponse, retry_after},
};

/// What a provider says in the body of a refusal.
pub(crate) trait ErrorBody: Sized {
    /// `None`: the body is not the provider's, so somebody else answered: a proxy, a front end in trouble.
    fn read(body: &[u8]) -> Option<Self>;

    /// What to do next.
    fn judge(refusal: ProviderErrorResponse<Self>) -> ProviderError;
}

/// An answer with a status that is no success.
#[derive(Debug)]
pub(crate) struct ProviderErrorResponse<B> {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Option<B>,
}

impl<B: ErrorBody> ProviderErrorResponse<B> {
    /// Reads what counts; `now` is for a `Retry-After` that is a date.
    pub(crate) fn read(answer: &BufferedResponse, now: DateTime<Utc>) -> Self {
        Self::new(answer.status, &answer.headers, B::read(&answer.body), now)
    }

    /// The same of a body that was read already.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: Option<B>, now: DateTime<Utc>) -> Self {
        Self { status, retry_after: retry_after(headers, now), body }
    }

    /// What to do next.
    pub(crate) fn into_error(self) -> ProviderError {
        B::judge(self)
    }
}

/// A call that brought nothing: the provider said no, or nothing intelligible was said.
#[derive(Debug)]
pub(crate) enum ProviderCallError<B> {
    /// An answer with a status that is no success.
    Refused(ProviderErrorResponse<B>),
    /// No answer came in time: less may be asked for.
    Slow(ProviderError),
    Other(ProviderError),
}

impl<B> From<ProviderError> for ProviderCallError<B> {
    fn from(error: ProviderError) -> Self {
        Self::Other(error)
    }
}

impl<B: ErrorBody> From<ProviderCallError<B>> for ProviderError {
    fn from(trouble: ProviderCallError<B>) -> Self {
        match trouble {
            ProviderCallError::Refused(refusal) => refusal.into_error(),
            ProviderCallError::Slow(error) | ProviderCallError::Other(error) => error,
        }
    }
}
