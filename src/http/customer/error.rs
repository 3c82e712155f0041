//! Why a customer's page is not shown, or what they wanted not done.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_domain::language::Language;
use concord_jobs::language::TextKey;
use concord_services::{ServiceError, customers::CustomerError};
use concord_storage::StorageError;

use super::{CustomerTexts, answer_with};
use crate::{
    app::admission::AdmissionError,
    http::{accept_language::accept_language, pages::PageError},
};

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

/// Which page is shown instead: the language of its reader is known where the request is.
#[derive(Clone, Copy)]
enum ErrorPage {
    Gone,
    Failed(StatusCode),
}

impl ErrorPage {
    fn render(self, language: Language) -> Response {
        let texts = CustomerTexts { language, business: "" };
        let (status, page) = match self {
            Self::Gone => (StatusCode::NOT_FOUND, texts.gone_page()),
            Self::Failed(status) => (status, texts.failed_page(status)),
        };
        match page {
            Ok(page) => answer_with(status, page),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

/// Shows what went wrong in the language that the browser asks for, and keeps all answers out of search engines.
pub(super) async fn in_language_of_browser(request: Request, next: Next) -> Response {
    let language = Language::choose(None, accept_language(request.headers()), None);
    let mut response = next.run(request).await;
    if let Some(page) = response.extensions_mut().remove::<ErrorPage>() {
        let retry_after = response.headers_mut().remove(header::RETRY_AFTER);
        response = page.render(language);
        response.headers_mut().extend(retry_after.map(|value| (header::RETRY_AFTER, value)));
    }
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

impl IntoResponse for CustomerPageError {
    fn into_response(self) -> Response {
        let page = match &self {
            Self::Gone => ErrorPage::Gone,
            Self::Failed(error) => {
                let status = error.status();
                if status == StatusCode::INTERNAL_SERVER_ERROR {
                    tracing::error!(%error, "a customer's page could not be shown");
                }
                ErrorPage::Failed(status)
            }
        };
        let mut response = page.render(Language::default());
        response.extensions_mut().insert(page);
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
