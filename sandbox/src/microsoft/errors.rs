//! Errors of Graph in its shape: `{"error": {"code", "message", "innerError": {"date", "request-id", ...}}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::store::StoreError;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<u32>,
    /// The event that is there already.
    pub(crate) existing: Option<String>,
}

impl GraphApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, existing: None }
    }

    /// 400 with a code of its own.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400: a member of a body is not what it must be.
    pub(crate) fn property(message: impl Into<String>) -> Self {
        Self::bad("ErrorPropertyValidationFailure", message)
    }

    /// 400: the body cannot be read, or names a member that does not exist.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self::bad("RequestBodyRead", message)
    }

    /// 400: a part of the query is not understood.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::bad("ErrorInvalidUrlQuery", message)
    }

    /// 400: no id at all.
    pub(crate) fn malformed_id() -> Self {
        Self::bad("ErrorInvalidIdMalformed", "Id is malformed.")
    }

    /// 401: no token, an unknown one, or one that has ended.
    pub(crate) fn unauthenticated(has_token: bool) -> Self {
        let message = if has_token {
            "Lifetime validation failed, the token is expired."
        } else {
            "Access token is empty."
        };
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    /// 403: less was consented to, or the calendar may only be read.
    pub(crate) fn denied() -> Self {
        let message = "Access is denied. Check credentials and try again.";
        Self::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", message)
    }

    /// 404: no such thing in the mailbox, or no more.
    pub(crate) fn not_found() -> Self {
        let message = "The specified object was not found in the store.";
        Self::new(StatusCode::NOT_FOUND, "ErrorItemNotFound", message)
    }

    /// 404: no such address.
    pub(crate) fn no_segment() -> Self {
        Self::bad("BadRequest", "Resource not found for the segment.")
    }

    /// 404: the account has no mailbox in the cloud (any more). Said of everything in it, as if it were not there.
    pub(crate) fn no_mailbox() -> Self {
        let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        Self::new(StatusCode::NOT_FOUND, "MailboxNotEnabledForRESTAPI", message)
    }

    /// 410: drop the cursor and read everything again. Graph says it under either code.
    pub(crate) fn sync_state_expired(by_another_name: bool) -> Self {
        let code = if by_another_name { "SyncStateInvalid" } else { "SyncStateNotFound" };
        Self::new(StatusCode::GONE, code, "The sync state generation is not found; synchronize again.")
    }

    /// 412: the etag has changed.
    pub(crate) fn changed_meanwhile() -> Self {
        let message = "The send or update operation could not be performed because the change key passed in the \
                       request does not match the current change key for the item.";
        Self::new(StatusCode::PRECONDITION_FAILED, "ErrorIrresolvableConflict", message)
    }

    /// 429 with the seconds to wait.
    pub(crate) fn throttled(limit: &str, retry_after: u32) -> Self {
        let message = format!("Application is over its {limit} limit.");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "ApplicationThrottled", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// 503, with the seconds to wait if it is for too many requests.
    pub(crate) fn unavailable(retry_after: Option<u32>) -> Self {
        let message = "The server is currently unable to handle the request.";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message);
        Self { retry_after, ..error }
    }

    /// 500, which comes and goes.
    pub(crate) fn internal() -> Self {
        let message = "An internal server error occurred. The operation failed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ErrorInternalServerError", message)
    }
}

impl From<StoreError> for GraphApiError {
    fn from(refusal: StoreError) -> Self {
        match refusal {
            // What was deleted leaves nothing behind that an application could see.
            StoreError::NotFound | StoreError::Deleted => Self::not_found(),
            StoreError::ReadOnly => Self::denied(),
            StoreError::Duplicate => Self::bad("ErrorFolderExists", "There is one with this name already."),
            StoreError::Invalid(message) | StoreError::Missing(message) => Self::property(message),
            StoreError::Unwritten => Self::internal(),
        }
    }
}

impl IntoResponse for GraphApiError {
    fn into_response(self) -> Response {
        let id = Uuid::new_v4();
        let mut body = json!({
            "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": clock::now().format("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": id,
                    "client-request-id": id,
                },
            }
        });
        if let Some(existing) = self.existing {
            body["error"]["@event.existingEventId"] = existing.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize""#;
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
