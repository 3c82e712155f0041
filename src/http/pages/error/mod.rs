//! What a person sees when something is wrong: what happened, whether anything was lost, and what to do.
//!
//! A handler returns a `PageError`; `error_page` makes the page of it, since only there the reader and the id of the
//! request are known. Texts of the inside go to the log, never onto the page.

mod messages;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use concord_services::ServiceError;
use concord_storage::StorageError;
use tokio::task::JoinError;

use super::sentence;
use crate::app::admission::AdmissionError;

/// Why a zone stays as it is.
pub(super) const STAYS_AHEAD: &str =
    "The time zone cannot be changed while there are current or upcoming stays.";

/// Why a page could not be shown, or an action not be done.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut {
        /// Where they wanted to go.
        next: Option<String>,
    },
    /// Not there, or not theirs to see; what it is, in a word.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The address of a form's action, opened like a page.
    #[error("the address does not know the method")]
    WrongMethod,
    #[error("only for managers")]
    ManagersOnly,
    /// A form that did not come from our pages, or from a session that is over.
    #[error("a form without the token of its session")]
    Forged,
    /// A form that is larger than anything that people type.
    #[error("the form is too large")]
    TooLarge,
    /// A form or a link that no page of ours made.
    #[error("the request makes no sense: {0}")]
    Malformed(String),
    /// It cannot be done as things stand; a sentence that says why.
    #[error("{0}")]
    NotPossible(String),
    /// A sign-in link that opens nothing.
    #[error("the sign-in link opens nothing")]
    DeadLink,
    /// A calendar could not be connected.
    #[error("a calendar could not be connected: {message}")]
    Connect {
        message: String,
        /// What it means for the person.
        advice: &'static str,
        /// Whether the provider is at fault, and not the request.
        is_providers: bool,
        /// Where they can try again.
        back: String,
    },
    /// An OpenID Connect issuer signed nobody in.
    #[error("nobody was signed in: {message}")]
    SignIn {
        message: String,
        /// What the person can do.
        advice: &'static str,
        /// Whether the issuer is at fault, and not the request.
        is_issuers: bool,
    },
    /// Too much from one address.
    #[error("too many requests from one address")]
    TooMany {
        /// When they may try again.
        seconds: u64,
    },
    /// Too much is being done at once.
    #[error("all places are taken")]
    Full,
    /// Others are changing the same things.
    #[error("the database was busy")]
    Busy,
    /// The database is away or takes no changes; for the log.
    #[error("{0}")]
    Unavailable(String),
    /// The answer took too long.
    #[error("the answer took too long")]
    TooSlow,
    /// A mistake of ours, or a database that does not answer; for the log.
    #[error("{0}")]
    Broken(String),
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::NotFound("item"),
            StorageError::Busy | StorageError::Overlap | StorageError::Overloaded => Self::Busy,
            StorageError::Unavailable(_) | StorageError::Unwritable(_) => {
                Self::Unavailable(error.to_string())
            }
            StorageError::BadCursor => Self::Malformed(error.to_string()),
            StorageError::Exists => Self::NotPossible("This name is already used.".to_owned()),
            StorageError::StaysAhead => Self::NotPossible(STAYS_AHEAD.to_owned()),
            StorageError::UnitsTaken { highest } => Self::NotPossible(format!(
                "Unit {highest} still has a current or upcoming booking. Move or cancel it first."
            )),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<AdmissionError> for PageError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::RateLimited { seconds } => Self::TooMany { seconds },
            AdmissionError::Full => Self::Full,
            AdmissionError::TooLarge => Self::TooLarge,
            AdmissionError::Storage(error) => error.into(),
        }
    }
}

impl From<ServiceError> for PageError {
    fn from(error: ServiceError) -> Self {
        match error {
            // As pages call it.
            ServiceError::NotFound("calendar integration") => Self::NotFound("calendar"),
            ServiceError::NotFound(what) => Self::NotFound(what),
            ServiceError::NotPossible(reason) | ServiceError::Provider(reason) => {
                Self::NotPossible(sentence(&reason))
            }
            ServiceError::Storage(error) => error.into(),
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Broken(format!("a template could not be rendered: {error}"))
    }
}

impl From<JoinError> for PageError {
    fn from(error: JoinError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Without `error_page::render` around it an error is its status alone.
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::SignedOut { next: Some(next) } = &self {
            return Redirect::to(&sign_in_path(next)).into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The page that says how to sign in. Whoever then opens a link in this browser comes to `next`.
fn sign_in_path(next: &str) -> String {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/sign-in?next={next}")
}

impl PageError {
    pub(in crate::http) fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut { .. } => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::ManagersOnly | Self::Forged | Self::SignIn { is_issuers: false, .. } => {
                StatusCode::FORBIDDEN
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) | Self::Connect { is_providers: false, .. } => StatusCode::BAD_REQUEST,
            Self::Connect { is_providers: true, .. } | Self::SignIn { is_issuers: true, .. } => {
                StatusCode::BAD_GATEWAY
            }
            Self::NotPossible(_) => StatusCode::CONFLICT,
            Self::DeadLink => StatusCode::GONE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable(_) | Self::TooSlow | Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        let error = PageError::from(StorageError::Url("postgres://user:secret@host".to_owned()));
        assert!(!format!("{}{}{}", error.title(), error.text(), error.advice()).contains("secret"));
    }

    #[test]
    fn signed_out_error_keeps_return_path() {
        let response = PageError::SignedOut { next: Some("/bookings?q=a b".to_owned()) }.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[header::LOCATION], "/sign-in?next=%2Fbookings%3Fq%3Da+b");
        let response = PageError::SignedOut { next: None }.into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}
