//! Errors of the token endpoint, in Entra's form: OAuth's with numbers (RFC 6749, 5.2; "AADSTS error codes").

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use crate::clock;

/// An answer that is not a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntraOAuthError {
    status: StatusCode,
    error: &'static str,
    /// The number of the AADSTS code.
    code: u32,
    description: String,
    retry_after: Option<u32>,
}

impl EntraOAuthError {
    pub(crate) fn new(error: &'static str, code: u32, description: impl Into<String>) -> Self {
        let status =
            if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Self { status, error, code, description: description.into(), retry_after: None }
    }

    /// 503 with the seconds to wait.
    pub(crate) fn unavailable(retry_after: u32) -> Self {
        let error =
            Self::new("temporarily_unavailable", 90_033, "A transient error has occurred. Please try again.");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(retry_after), ..error }
    }

    /// What an administrator's rules, or the application's registration, make of a sign-in.
    pub(crate) fn refused(number: u64) -> Self {
        let number = u32::try_from(number).unwrap_or(0);
        let error = match number {
            7_000_215 | 7_000_222 => "invalid_client",
            50_076 | 50_079 => "interaction_required",
            _ => "invalid_grant",
        };
        Self::new(error, number, "Words for developers.")
    }

    pub(crate) fn server() -> Self {
        let error = Self::new("server_error", 90_036, "An unexpected, non-retryable error has occurred.");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..error }
    }
}

impl IntoResponse for EntraOAuthError {
    fn into_response(self) -> Response {
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let timestamp = clock::now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.code, self.description
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
