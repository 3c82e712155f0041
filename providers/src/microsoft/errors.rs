//! What Graph's refusals mean (<https://learn.microsoft.com/graph/errors>).

use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    error::ProviderError,
    error_response::{self, ErrorBody, parse_json},
    http::BufferedResponse,
    quote::quote,
};

pub(super) type GraphErrorResponse = error_response::ProviderErrorResponse<GraphErrorBody>;
pub(super) type GraphCallError = error_response::ProviderCallError<GraphErrorBody>;

#[derive(Debug, Deserialize)]
struct GraphErrorEnvelope {
    error: GraphErrorBody,
}

/// What Graph says in a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct GraphErrorBody {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    /// The event that a POST with the same `transactionId` has made.
    #[serde(default, rename = "@event.existingEventId")]
    existing: Option<String>,
}

impl GraphErrorResponse {
    /// Whether it is about the link that a delta query was asked with: 410 with any code
    /// (<https://learn.microsoft.com/graph/delta-query-overview>), or a 400 about the token.
    pub(super) fn says_cursor_expired(&self) -> bool {
        let Some(body) = &self.body else { return false };
        let code = body.code.to_ascii_lowercase();
        let message = body.message.to_ascii_lowercase();
        match self.status {
            StatusCode::GONE => true,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => {
                code.starts_with("syncstate")
                    || code == "resyncrequired"
                    || self.status == StatusCode::BAD_REQUEST
                        && (code.starts_with("errorinvalid")
                            || ["skiptoken", "deltatoken", "skip token", "delta token", "sync state"]
                                .iter()
                                .any(|word| message.contains(word)))
            }
            _ => false,
        }
    }

    /// The event that the same POST has made before, if that is why this one is refused; empty where it is not named.
    pub(super) fn existing_event(&self) -> Option<&str> {
        let body = self.body.as_ref().filter(|body| body.code == DUPLICATE_TRANSACTION)?;
        Some(body.existing.as_deref().unwrap_or_default())
    }

    /// Whether the mailbox's server does not know the zone that was written.
    pub(super) fn says_zone_unknown(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
            && self.body.as_ref().is_some_and(|body| body.code.contains("TimeZoneNotSupported"))
    }
}

impl ErrorBody for GraphErrorBody {
    fn read(body: &[u8]) -> Option<Self> {
        let GraphErrorEnvelope { error } = serde_json::from_slice(body).ok()?;
        let code = error.code.chars().filter(|c| c.is_ascii_alphanumeric() || "_.-".contains(*c)).take(80);
        Some(Self { code: code.collect(), message: quote(&error.message, &[]), existing: error.existing })
    }

    /// A 404 of Graph's, or an id that cannot be one. Not if it is the mailbox that is not there, of which Graph says so
    /// with a 404 too.
    fn says_gone(refusal: &GraphErrorResponse) -> bool {
        let Some(body) = refusal.body.as_ref().filter(|body| !body.names_no_mailbox()) else { return false };
        matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::GONE)
            || refusal.status == StatusCode::BAD_REQUEST && MALFORMED_ID.contains(&body.code.as_str())
    }

    fn judge(refusal: GraphErrorResponse) -> ProviderError {
        if refusal.says_gone() {
            return ProviderError::NotFound;
        }
        let GraphErrorResponse { status, retry_after, body } = refusal;
        if body.as_ref().is_some_and(GraphErrorBody::names_no_mailbox) {
            tracing::info!(status = status.as_u16(), "Microsoft knows no mailbox of an account");
            return ProviderError::AccountUnusable(MAILBOX_MISSING_MESSAGE.to_owned());
        }
        match status {
            StatusCode::UNAUTHORIZED => return ProviderError::Unauthorized,
            StatusCode::TOO_MANY_REQUESTS => return ProviderError::RateLimited { retry_after },
            // Throttled too, when it says for how long.
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
                return ProviderError::RateLimited { retry_after };
            }
            _ => {}
        }
        let (code, message) = body.as_ref().map_or(("", ""), |body| (&body.code, &body.message));
        tracing::info!(status = status.as_u16(), code, message, "Microsoft refused a call");
        let Some(Self { code, .. }) = body.filter(|_| !status.is_server_error()) else {
            return ProviderError::Transient(format!("Microsoft answered {status}"));
        };
        match status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ProviderError::Precondition,
            StatusCode::BAD_REQUEST if code == DUPLICATE_TRANSACTION => ProviderError::Precondition,
            StatusCode::REQUEST_TIMEOUT | StatusCode::LOCKED => {
                ProviderError::Transient(format!("Microsoft answered {status}"))
            }
            _ if status.is_redirection() => {
                ProviderError::Transient(format!("Microsoft sends us elsewhere ({status})"))
            }
            // Always in our words: they are shown to who connects a calendar, too.
            _ => ProviderError::Rejected(match advice(&code) {
                Some(advice) => advice.to_owned(),
                None => format!("it answered {status} {code}"),
            }),
        }
    }
}

impl GraphErrorBody {
    /// Whether it is about the mailbox and not about what was asked for in it.
    fn names_no_mailbox(&self) -> bool {
        MAILBOX_MISSING_CODES.contains(&self.code.as_str())
            // The same of older servers; of anything else it says only that it "was not found".
            || self.code == "ResourceNotFound" && self.message.contains("could not be discovered")
    }
}

/// The mailbox is inactive, deleted, on a server of the organisation's own, or never was.
const MAILBOX_MISSING_CODES: &[&str] = &[
    "MailboxNotEnabledForRESTAPI",
    "MailboxNotSupportedForRESTAPI",
    "MailboxNotHostedInExchangeOnline",
    "MailboxNotFound",
    "ErrorNonExistentMailbox",
];

const MAILBOX_MISSING_MESSAGE: &str = "this account has no mailbox at Microsoft 365 or Outlook.com, so it has no calendar. Its \
    administrator may be able to restore it; otherwise, connect an account that has one";

const DUPLICATE_TRANSACTION: &str = "ErrorDuplicateTransactionId";

/// An id that its own form gives away.
const MALFORMED_ID: &[&str] = &["ErrorInvalidIdMalformed", "ErrorInvalidIdEmpty", "ErrorInvalidIdXml"];

/// What a person can do about it.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "ErrorAccessDenied" | "AccessDenied" | "accessDenied" | "Forbidden" => {
            "this account may not do that in this calendar"
        }
        "Authorization_RequestDenied" | "InsufficientPermissions" => {
            "a permission is missing: connect again and allow everything requested"
        }
        "ErrorInsufficientPermissionsInAccessToken" => "a permission is missing: connect again",
        "ErrorCalendarEndDateIsEarlierThanStartDate" => "the end is not after the start",
        "ValidationError" => {
            "it could not reach this installation at its address: PUBLIC_URL must be https and open to the internet"
        }
        "ErrorQuotaExceeded" => "the mailbox is full",
        "ErrorAccountSuspend" | "ErrorAccountSuspended" => {
            "Microsoft has suspended the account; its owner has to sign in at outlook.com"
        }
        _ => return None,
    })
}

/// The JSON of a successful answer. What is no JSON was said by somebody else: a sign-in page of a network, a proxy.
pub(super) fn json<T: DeserializeOwned>(response: &BufferedResponse) -> Result<T, ProviderError> {
    if !response.is_of_type("application/json") {
        let kind = quote(response.header(&CONTENT_TYPE).unwrap_or_default(), &[]);
        tracing::warn!(kind, "what should be Microsoft's response is no JSON");
        return Err(ProviderError::Transient("Microsoft's response is no JSON".to_owned()));
    }
    parse_json(response, "Microsoft")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use http::{HeaderMap, header::RETRY_AFTER};
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, code: &str, message: &str) -> GraphErrorResponse {
        read(status, &json!({ "error": { "code": code, "message": message, "innerError": {} } }).to_string())
    }

    fn read(status: u16, body: &str) -> GraphErrorResponse {
        let response = BufferedResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        };
        GraphErrorResponse::read(&response, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn each_code_has_its_consequence() {
        for (status, code, consequence) in [
            (400, "ErrorInvalidIdMalformed", "not_found"),
            (400, "ErrorInvalidRequest", "rejected"),
            (400, "TimeZoneNotSupportedException", "rejected"),
            (401, "InvalidAuthenticationToken", "unauthorized"),
            (403, "ErrorAccessDenied", "rejected"),
            (403, "MailboxNotEnabledForRESTAPI", "account_unusable"),
            (404, "MailboxNotEnabledForRESTAPI", "account_unusable"),
            (404, "ErrorNonExistentMailbox", "account_unusable"),
            (404, "ResourceNotFound", "not_found"),
            (400, "ErrorDuplicateTransactionId", "precondition"),
            (404, "ErrorItemNotFound", "not_found"),
            (409, "ErrorIrresolvableConflict", "precondition"),
            (412, "ErrorIrresolvableConflict", "precondition"),
            (429, "ApplicationThrottled", "rate_limited"),
            (429, "MailboxConcurrency", "rate_limited"),
            (500, "ErrorInternalServerError", "transient"),
            (503, "ErrorServerBusy", "transient"),
            (504, "UnknownError", "transient"),
            (302, "moved", "transient"),
        ] {
            assert_eq!(refusal(status, code, "text").into_error().code(), consequence, "{status} {code}");
        }
    }

    #[test]
    fn a_wait_that_is_named_is_kept() {
        for status in [429, 503] {
            let response = BufferedResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: [(RETRY_AFTER, "9".parse().unwrap())].into_iter().collect(),
                body: "{}".into(),
            };
            let error = GraphErrorResponse::read(&response, DateTime::UNIX_EPOCH).into_error();
            let nine = Some(Duration::from_secs(9));
            assert!(
                matches!(error, ProviderError::RateLimited { retry_after } if retry_after == nine),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_missing_mailbox_is_no_missing_entry() {
        let old = refusal(404, "ResourceNotFound", "Resource could not be discovered.");
        for refusal in [refusal(404, "MailboxNotEnabledForRESTAPI", ""), old] {
            assert!(!refusal.says_gone() && !refusal.says_cursor_expired());
            let words = refusal.into_error().user_message("Microsoft");
            assert!(words.contains("connect an account that has one"), "{words}");
        }
    }

    #[test]
    fn a_duplicate_names_the_event_that_is_there() {
        let body = r#"{"error": {"code": "ErrorDuplicateTransactionId", "@event.existingEventId": "AAk="}}"#;
        assert_eq!(read(400, body).existing_event(), Some("AAk="));
        assert_eq!(refusal(400, "ErrorDuplicateTransactionId", "").existing_event(), Some(""));
        assert_eq!(refusal(400, "ErrorInvalidRequest", "").existing_event(), None);
    }

    #[test]
    fn what_is_not_graphs_answer_is_passing() {
        for body in ["<html>404</html>", "", "{\"error\":", "[]", "{\"error\":\"x\"}"] {
            for status in [302, 403, 404, 409, 410, 412, 502, 503] {
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
        for (status, code, message) in [
            (410, "SyncStateNotFound", ""),
            (410, "resyncRequired", ""),
            (400, "SyncStateInvalid", ""),
            (404, "SyncStateNotFound", ""),
            (400, "ErrorInvalidUrlQuery", ""),
            (400, "BadRequest", "Badly formed token: the skipToken is invalid."),
        ] {
            assert!(refusal(status, code, message).says_cursor_expired(), "{status} {code}");
        }
        for (status, code) in [(404, "ErrorItemNotFound"), (403, "ErrorInvalidUser"), (400, "BadRequest")] {
            assert!(!refusal(status, code, "no").says_cursor_expired(), "{status} {code}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_our_words() {
        let error = refusal(400, &"Odd\n<b>".repeat(100), "Words of Microsoft's").into_error().to_string();
        assert!(error.len() < 200 && !error.contains(['\n', '<']) && error.contains("Odd"), "{error}");
        assert!(!error.contains("Words of"), "{error}");
    }
}
