//! Customers' own pages: a booking at `/b/{token}`, and all bookings of an address at `/my/{token}`.
//!
//! Whoever has the address is let in: nobody signs in, no cookie is set, and nothing is kept by caches or found by search
//! engines. A page changes nothing when it is opened, since programs that look for viruses follow every link of a mail. It works
//! without script, in the customer's language; its texts are those of `locales/`.

mod actions;
mod page;
mod portal;
mod reminders;
mod texts;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use concord_domain::language::Language;
use concord_services::customers::{self, CustomerError, CustomerVisit};
use concord_storage::StorageError;

use self::texts::CustomerTexts;
use super::request_origin::RequestOrigin;
use crate::app::{
    App,
    admission::{AdmissionError, CredentialKind},
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/b/{token}", get(page::show))
        .route("/b/{token}/invite.ics", get(page::file))
        .route("/b/{token}/answer", post(actions::answer))
        .route("/b/{token}/move", get(actions::choose_time).post(actions::move_to))
        .route("/b/{token}/cancel", get(actions::confirm_cancel).post(actions::cancel))
        .route("/b/{token}/ask", get(actions::write_wish).post(actions::ask))
        .route("/b/{token}/all", post(portal::send_link))
        .route("/b/{token}/reminders/off", get(reminders::confirm).post(reminders::turn_off))
        .route("/my/{token}", get(portal::show))
}

/// Why a customer's page is not shown.
#[derive(Debug)]
enum CustomerPageError {
    /// The address is nobody's, or no longer.
    Gone,
    /// Too much was asked.
    Busy,
    Broken(String),
}

impl From<StorageError> for CustomerPageError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy => Self::Busy,
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<AdmissionError> for CustomerPageError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Storage(error) => error.into(),
            AdmissionError::RateLimited { .. } | AdmissionError::Full | AdmissionError::TooLarge => {
                Self::Busy
            }
        }
    }
}

impl From<askama::Error> for CustomerPageError {
    fn from(error: askama::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl IntoResponse for CustomerPageError {
    fn into_response(self) -> Response {
        // Whose language it is nobody knows here.
        let texts = CustomerTexts { language: Language::default(), business: "" };
        let (status, page) = match &self {
            Self::Gone => (StatusCode::NOT_FOUND, texts.gone_page()),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, texts.busy_page()),
            Self::Broken(cause) => {
                tracing::error!(%cause, "a customer's page could not be shown");
                (StatusCode::INTERNAL_SERVER_ERROR, texts.busy_page())
            }
        };
        match page {
            Ok(page) => answer_with(status, page),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

type CustomerResult = Result<Response, CustomerPageError>;

/// The visit of whoever shows this token.
async fn open(app: &App, origin: &RequestOrigin, token: &str) -> Result<CustomerVisit, CustomerPageError> {
    let digest = customers::digest(token);
    let lookup = CustomerVisit::open(&app.context, &digest);
    let found = app.admission.look_up(CredentialKind::Link, origin.network(), &digest, lookup).await?;
    found.ok_or(CustomerPageError::Gone)
}

/// A page that no cache keeps, no search engine finds, and whose address no other site learns.
fn answer_with(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
    ];
    (status, headers, Html(page)).into_response()
}

/// What a customer reads instead of what they wanted to do.
fn refusal(texts: &CustomerTexts<'_>, error: CustomerError) -> Result<String, CustomerPageError> {
    use concord_jobs::language::TextKey;
    Ok(match error {
        CustomerError::NotAllowed => texts.with_business(TextKey::CustomerClosed),
        CustomerError::Stale => texts.text(TextKey::CustomerChangedMeanwhile),
        CustomerError::Taken => texts.text(TextKey::CustomerTaken),
        CustomerError::EmptyWish => texts.text(TextKey::CustomerAskEmpty),
        CustomerError::LongWish => texts.long_wish(),
        CustomerError::TooMany => texts.text(TextKey::CustomerBusyText),
        CustomerError::Storage(error) => return Err(error.into()),
    })
}
