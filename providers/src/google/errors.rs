//! What Google's refusals mean (<https://developers.google.com/workspace/calendar/api/guides/errors>).

use http::StatusCode;
use serde_json::Value;

use crate::{
    error::ProviderError,
    error_response::{self, ErrorBody},
    quote::quote,
};

/// Over quota; with 403 or with 429.
const RATE_REASONS: &[&str] = &[
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "dailyLimitExceeded",
    "RATE_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
];

pub(super) type GoogleErrorResponse = error_response::ProviderErrorResponse<GoogleErrorBody>;
pub(super) type GoogleCallError = error_response::ProviderCallError<GoogleErrorBody>;

/// What Google says in a refusal.
#[derive(Debug)]
pub(super) struct GoogleErrorBody {
    reason: String,
    message: String,
    /// The parameter that is at fault.
    location: String,
}

impl GoogleErrorResponse {
    /// Whether it is about the cursor or page that a list was asked with: 410 `fullSyncRequired` or
    /// `updatedMinTooLongAgo`, or a 400 that names the parameter.
    pub(super) fn says_cursor_expired(&self) -> bool {
        let Some(body) = &self.body else { return false };
        match self.status {
            StatusCode::GONE => true,
            StatusCode::BAD_REQUEST => {
                matches!(body.location.as_str(), "syncToken" | "pageToken")
                    || body.message.to_ascii_lowercase().contains("sync token")
                    || body.message.to_ascii_lowercase().contains("page token")
            }
            _ => false,
        }
    }
}

impl ErrorBody for GoogleErrorBody {
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let error = body.get("error").filter(|error| error.is_object())?;
        let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str);
        // Newer parts of Google give `details` and `status` instead of `errors`.
        let detail = || {
            let details = error.get("details").and_then(Value::as_array)?;
            details.iter().find_map(|detail| detail.get("reason").and_then(Value::as_str))
        };
        let reason = text("/errors/0/reason").or_else(detail).or_else(|| text("/status")).unwrap_or_default();
        Some(Self {
            reason: quote(reason, &[]),
            message: quote(text("/message").unwrap_or_default(), &[]),
            location: quote(text("/errors/0/location").unwrap_or_default(), &[]),
        })
    }

    /// 410 `deleted` for a tombstone, 404 for what never was.
    fn says_gone(refusal: &GoogleErrorResponse) -> bool {
        refusal.body.is_some() && matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::GONE)
    }

    fn judge(refusal: GoogleErrorResponse) -> ProviderError {
        let GoogleErrorResponse { status, retry_after, body } = refusal;
        if status == StatusCode::UNAUTHORIZED {
            return ProviderError::Unauthorized;
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return ProviderError::RateLimited { retry_after };
        }
        let Some(Self { reason, message, .. }) = body.filter(|_| !status.is_server_error()) else {
            return ProviderError::Transient(format!("Google answered {status}"));
        };
        match status {
            StatusCode::FORBIDDEN if RATE_REASONS.contains(&reason.as_str()) => {
                ProviderError::RateLimited { retry_after }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => ProviderError::NotFound,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ProviderError::Precondition,
            StatusCode::REQUEST_TIMEOUT => ProviderError::Transient(format!("Google answered {status}")),
            _ => {
                tracing::info!(status = status.as_u16(), reason, message, "Google refused a call");
                if API_DISABLED_REASONS.contains(&reason.as_str()) {
                    return ProviderError::AccountUnusable(API_DISABLED_MESSAGE.to_owned());
                }
                ProviderError::Rejected(match advice(&reason) {
                    Some(advice) => advice.to_owned(),
                    None if message.is_empty() => format!("it answered {status}"),
                    None => message,
                })
            }
        }
    }
}

/// The calendar API is switched off in the project that the OAuth client belongs to.
const API_DISABLED_REASONS: &[&str] = &["accessNotConfigured", "SERVICE_DISABLED"];

const API_DISABLED_MESSAGE: &str = "the Google Calendar API is disabled for this installation. An administrator must enable it in the Google \
    Cloud project of the OAuth client (APIs & Services, Library, Google Calendar API); it works a few minutes later";

/// What a person can do about it.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => {
            "a permission is missing: connect again and leave every box ticked"
        }
        "requiredAccessLevel" | "forbidden" | "forbiddenForNonOrganizer" | "cannotChangeOrganizer" => {
            "this account may not do that in this calendar"
        }
        "pushNotSupportedForRequestedResource" => "this calendar does not support change notifications",
        "push.webhookUrlNotHttps" | "push.webhookUrlUnauthorized" => {
            "it sends change notifications only to trusted addresses: PUBLIC_URL must be https with a valid certificate"
        }
        "timeRangeEmpty" => "the end is not after the start",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use http::header::RETRY_AFTER;
    use serde_json::json;

    use super::*;
    use crate::http::BufferedResponse;

    fn refusal(status: u16, reason: &str, message: &str) -> GoogleErrorResponse {
        let body = json!({ "error": { "code": status, "message": message,
            "errors": [{ "domain": "global", "reason": reason, "message": message }] } });
        read(status, &body.to_string())
    }

    fn read(status: u16, body: &str) -> GoogleErrorResponse {
        let response = BufferedResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: [(RETRY_AFTER, "9".parse().unwrap())].into_iter().collect(),
            body: body.to_owned().into(),
        };
        GoogleErrorResponse::read(&response, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn each_reason_has_its_consequence() {
        for (status, reason, code) in [
            (401, "authError", "unauthorized"),
            (403, "rateLimitExceeded", "rate_limited"),
            (403, "userRateLimitExceeded", "rate_limited"),
            (403, "quotaExceeded", "rate_limited"),
            (403, "insufficientPermissions", "rejected"),
            (403, "forbidden", "rejected"),
            (403, "accessNotConfigured", "account_unusable"),
            (403, "SERVICE_DISABLED", "account_unusable"),
            (404, "notFound", "not_found"),
            (409, "duplicate", "precondition"),
            (410, "deleted", "not_found"),
            (412, "conditionNotMet", "precondition"),
            (429, "rateLimitExceeded", "rate_limited"),
            (400, "timeRangeEmpty", "rejected"),
            (400, "invalid", "rejected"),
            (500, "backendError", "transient"),
            (503, "backendError", "transient"),
            (302, "moved", "rejected"),
        ] {
            assert_eq!(refusal(status, reason, "text").into_error().code(), code, "{status} {reason}");
        }
    }

    #[test]
    fn the_wait_is_kept() {
        for (status, reason) in [(429, "rateLimitExceeded"), (403, "userRateLimitExceeded")] {
            let error = refusal(status, reason, "").into_error();
            let nine = Some(Duration::from_secs(9));
            assert!(
                matches!(error, ProviderError::RateLimited { retry_after } if retry_after == nine),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_not_googles_answer_is_passing() {
        for body in ["<html>Error 404 (Not Found)!!1</html>", "", "{\"error\":", "[]", "{\"error\":\"x\"}"] {
            for status in [302, 403, 404, 409, 410, 412, 502] {
                let refusal = read(status, body);
                assert!(!refusal.says_gone() && !refusal.says_cursor_expired());
                assert_eq!(refusal.into_error().code(), "transient", "{status} {body:?}");
            }
        }
        assert_eq!(read(401, "<html>").into_error().code(), "unauthorized");
        assert_eq!(read(429, "<html>").into_error().code(), "rate_limited");
    }

    #[test]
    fn an_expired_cursor_is_told_from_a_wrong_request() {
        assert!(refusal(410, "fullSyncRequired", "").says_cursor_expired());
        assert!(refusal(410, "updatedMinTooLongAgo", "").says_cursor_expired());
        assert!(refusal(400, "invalid", "Invalid sync token value.").says_cursor_expired());
        assert!(!refusal(400, "timeRangeEmpty", "The specified time range is empty.").says_cursor_expired());
        assert!(!refusal(404, "notFound", "Not Found").says_cursor_expired());
    }

    #[test]
    fn newer_forms_of_the_body_are_read() {
        let body = json!({ "error": { "code": 403, "message": "Request had insufficient scopes.",
            "status": "PERMISSION_DENIED", "details": [{ "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT" }] } });
        let error = read(403, &body.to_string()).into_error();
        assert!(error.to_string().contains("connect again"), "{error}");
    }

    #[test]
    fn a_text_from_outside_is_one_short_line() {
        let error = refusal(400, "invalid", &"line\n".repeat(1_000)).into_error().to_string();
        assert!(error.len() < 400 && !error.contains('\n'), "{error}");
    }
}
