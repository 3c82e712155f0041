//! Errors of the Calendar API in Google's shape: `{"error": {"code", "message", "errors": [{"domain", "reason", ...}]}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoogleApiError {
    pub(crate) status: StatusCode,
    pub(crate) domain: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Which header or parameter is to blame: its kind and its name.
    pub(crate) location: Option<(&'static str, &'static str)>,
    pub(crate) retry_after: Option<u32>,
}

impl GoogleApiError {
    fn new(
        status: StatusCode,
        domain: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { status, domain, reason, message: message.into(), location: None, retry_after: None }
    }

    fn at(mut self, kind: &'static str, name: &'static str) -> Self {
        self.location = Some((kind, name));
        self
    }

    /// 400 with a sentence that names what is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "global", "invalid", message)
    }

    /// 400 for a parameter of the query.
    pub(crate) fn bad_parameter(name: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(message).at("parameter", name)
    }

    /// 400 for something that must be there.
    pub(crate) fn required(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "global", "required", message)
    }

    /// 400: the end is not after the start. It never gets better by trying again.
    pub(crate) fn time_range_empty() -> Self {
        let message = "The specified time range is empty.";
        Self::new(StatusCode::BAD_REQUEST, "calendar", "timeRangeEmpty", message).at("parameter", "timeMax")
    }

    /// 401: no token, an unknown one, or one that has ended.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "global", "authError", "Invalid Credentials")
            .at("header", "Authorization")
    }

    /// 403: the person has consented to less than this.
    pub(crate) fn insufficient_scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        Self::new(StatusCode::FORBIDDEN, "global", "insufficientPermissions", message)
    }

    /// 403: the API is switched off in the project of the application.
    pub(crate) fn not_configured() -> Self {
        let message = "Google Calendar API has not been used in project 123456789 before or it is disabled.";
        Self::new(StatusCode::FORBIDDEN, "usageLimits", "accessNotConfigured", message)
    }

    /// 403: the calendar may be read, not written.
    pub(crate) fn forbidden_for_non_writer() -> Self {
        let message = "You need to have writer access to this calendar.";
        Self::new(StatusCode::FORBIDDEN, "calendar", "requiredAccessLevel", message)
    }

    /// 403: too many requests of this person.
    pub(crate) fn user_rate_limit() -> Self {
        Self::new(StatusCode::FORBIDDEN, "usageLimits", "userRateLimitExceeded", "User Rate Limit Exceeded")
    }

    /// 403: too many requests of this application.
    pub(crate) fn project_rate_limit() -> Self {
        Self::new(StatusCode::FORBIDDEN, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
    }

    /// 429 with the seconds to wait.
    pub(crate) fn too_many_requests(retry_after: u32) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, retry_after: Some(retry_after), ..Self::project_rate_limit() }
    }

    /// 404 for calendars and events alike.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "global", "notFound", "Not Found")
    }

    /// 409: an event with this id is there, perhaps as a tombstone.
    pub(crate) fn duplicate() -> Self {
        let message = "The requested identifier already exists.";
        Self::new(StatusCode::CONFLICT, "global", "duplicate", message)
    }

    pub(crate) fn deleted() -> Self {
        Self::new(StatusCode::GONE, "global", "deleted", "Resource has been deleted")
    }

    /// 410: drop the cursor and read everything again.
    pub(crate) fn full_sync_required() -> Self {
        let message = "Sync token is no longer valid, a full sync is required.";
        Self::new(StatusCode::GONE, "calendar", "fullSyncRequired", message).at("parameter", "syncToken")
    }

    /// 412: the etag has changed.
    pub(crate) fn condition_not_met() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "global", "conditionNotMet", "Precondition Failed")
            .at("header", "If-Match")
    }

    /// 500 or 503, which come and go.
    pub(crate) fn backend(status: StatusCode) -> Self {
        Self::new(status, "global", "backendError", "Backend Error")
    }
}

impl From<StoreError> for GoogleApiError {
    fn from(refusal: StoreError) -> Self {
        match refusal {
            StoreError::NotFound => Self::not_found(),
            StoreError::ReadOnly => Self::forbidden_for_non_writer(),
            StoreError::Duplicate => Self::duplicate(),
            StoreError::Deleted => Self::deleted(),
            StoreError::Invalid(message) => Self::invalid(message),
            StoreError::Missing(message) => Self::required(&message),
            StoreError::Unwritten => Self::backend(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl IntoResponse for GoogleApiError {
    fn into_response(self) -> Response {
        let mut detail = json!({ "domain": self.domain, "reason": self.reason, "message": self.message });
        if let Some((kind, name)) = self.location {
            detail["locationType"] = kind.into();
            detail["location"] = name.into();
        }
        let body = json!({
            "error": { "code": self.status.as_u16(), "message": self.message, "errors": [detail] }
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#;
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
