//! Why a customer's page is not shown, or what they wanted not done.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use concord_domain::language::Language;
use concord_jobs::language::TextKey;
use concord_services::{ServiceError, customers::CustomerError};
use concord_storage::StorageError;

use super::{CustomerTexts, answer_with};
use crate::{app::admission::AdmissionError, http::pages::PageError};

/// Why a customer's page is not shown.
#[derive(Debug)]
pub(super) enum CustomerPageError {
    /// The address is nobody's, or no longer.
    Gone,
    /// As for a page of the business; a customer reads less of it.
    Failed(PageError),
}

pub(super) type CustomerResult = Result<Response, CustomerPageError>;

impl From<PageError> for CustomerPageError {
    fn from(error: PageError) -> Self {
        Self::Failed(error)
    }
}

impl From<StorageError> for CustomerPageError {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ServiceError> for CustomerPageError {
    fn from(error: ServiceError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AdmissionError> for CustomerPageError {
    fn from(error: AdmissionError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<askama::Error> for CustomerPageError {
    fn from(error: askama::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for CustomerPageError {
    fn into_response(self) -> Response {
        // Whose language it is nobody knows here.
        let texts = CustomerTexts { language: Language::default(), business: "" };
        let (status, page) = match &self {
            Self::Gone => (StatusCode::NOT_FOUND, texts.gone_page()),
            Self::Failed(error) => {
                let status = error.status();
                if status == StatusCode::INTERNAL_SERVER_ERROR {
                    tracing::error!(%error, "a customer's page could not be shown");
                }
                (status, texts.failed_page(status))
            }
        };
        let mut response = match page {
            Ok(page) => answer_with(status, page),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        };
        if let Self::Failed(PageError::TooMany { seconds }) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a customer reads instead of what they wanted to do, and with which status.
pub(super) fn refusal(
    texts: &CustomerTexts<'_>,
    error: CustomerError,
) -> Result<(StatusCode, String), CustomerPageError> {
    Ok(match error {
        CustomerError::NotAllowed => (StatusCode::FORBIDDEN, texts.with_business(TextKey::CustomerClosed)),
        CustomerError::Stale => (StatusCode::CONFLICT, texts.text(TextKey::CustomerChangedMeanwhile)),
        CustomerError::Taken => (StatusCode::CONFLICT, texts.text(TextKey::CustomerTaken)),
        CustomerError::EmptyWish => (StatusCode::UNPROCESSABLE_ENTITY, texts.text(TextKey::CustomerAskEmpty)),
        CustomerError::LongWish => (StatusCode::UNPROCESSABLE_ENTITY, texts.long_wish()),
        CustomerError::TooMany => (StatusCode::TOO_MANY_REQUESTS, texts.text(TextKey::CustomerBusyText)),
        CustomerError::Storage(error) => return Err(error.into()),
    })
}
