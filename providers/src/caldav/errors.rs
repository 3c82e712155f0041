//! What the refusals of CalDAV servers mean. They say one and the same thing in different ways.

use http::StatusCode;

use super::xml;
use crate::{
    error::ProviderError,
    error_response::{self, ErrorBody},
};

pub(super) type CaldavErrorResponse = error_response::ProviderErrorResponse<DavPreconditions>;
pub(super) type CaldavCallError = error_response::ProviderCallError<DavPreconditions>;

/// The preconditions that a refusal names (RFC 4918, 16).
#[derive(Debug)]
pub(super) struct DavPreconditions(Vec<String>);

/// What a refused write means.
#[derive(Debug)]
pub(super) enum WriteRefusal {
    Error(ProviderError),
    /// It depends on whether the object is there.
    IsItThere,
    /// It depends on whether the calendar is there.
    IsTheCalendarThere,
}

impl CaldavErrorResponse {
    /// Whether it names no precondition.
    pub(super) fn says_nothing(&self) -> bool {
        self.conditions().is_empty()
    }

    fn conditions(&self) -> &[String] {
        self.body.as_ref().map(|conditions| conditions.0.as_slice()).unwrap_or_default()
    }

    fn names(&self, condition: &str) -> bool {
        self.conditions().iter().any(|named| named == condition)
    }

    /// Whether it is about the token of a sync-collection report: 403 with DAV:valid-sync-token (RFC 6578, 3.2); Sabre
    /// (Nextcloud, Baïkal) says 403 or 412 with another element, older servers 400, 409, 410 or 412 without any. A 404
    /// means the calendar.
    pub(super) fn says_cursor_expired(&self) -> bool {
        match self.status {
            StatusCode::FORBIDDEN => !self.names("need-privileges"),
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::GONE
            | StatusCode::PRECONDITION_FAILED => true,
            _ => false,
        }
    }

    /// What a refusal to write an object means; `new`: it was to be created.
    ///
    /// | what is the matter | said by | as |
    /// |---|---|---|
    /// | the calendar is gone | RFC 4918, Radicale | 409 |
    /// | | Sabre, iCloud | 404 |
    /// | | Xandikos | 404, 405 or 409 |
    /// | the object exists | all | 412 |
    /// | it has changed, or is gone | all | 412 |
    /// | | some, when it is gone | 404 |
    /// | the UID stands elsewhere | RFC 4791, 5.3.2.1 | 403 or 409, no-uid-conflict |
    /// | | RFC 6638, 3.2.4.1, Cyrus | 403 or 409, unique-scheduling-object-resource |
    /// | no right to write | RFC 3744, Sabre | 403, need-privileges |
    /// | | Radicale | 403 |
    /// | | subscribed calendars | 405 |
    /// | | Cyrus, of a calendar that is gone | 403, and a page for people |
    /// | no room | RFC 4331 | 413, or 403 or 507 with a quota |
    /// | | many, for a moment | 507 |
    pub(super) fn of_write(self, new: bool) -> WriteRefusal {
        use StatusCode as S;
        let rejected = |words: &str| WriteRefusal::Error(ProviderError::Rejected(words.to_owned()));
        if self.names("no-uid-conflict") || self.names("unique-scheduling-object-resource") {
            // A person has moved it, or has put it back under another name: it is to be found before it is written.
            return WriteRefusal::Error(ProviderError::Precondition);
        }
        if self.conditions().iter().any(|condition| condition.starts_with("quota-not-exceeded")) {
            return rejected("the account has no room left");
        }
        match self.status {
            S::PRECONDITION_FAILED if new => WriteRefusal::Error(ProviderError::Precondition),
            S::PRECONDITION_FAILED => WriteRefusal::IsItThere,
            S::FORBIDDEN if self.names("need-privileges") => rejected(MAY_NOT_WRITE),
            S::FORBIDDEN if self.says_nothing() => WriteRefusal::IsTheCalendarThere,
            S::METHOD_NOT_ALLOWED => WriteRefusal::IsTheCalendarThere,
            S::CONFLICT => WriteRefusal::Error(ProviderError::NotFound),
            _ => WriteRefusal::Error(self.into_error()),
        }
    }
}

impl ErrorBody for DavPreconditions {
    fn read(body: &[u8]) -> Option<Self> {
        Some(Self(xml::conditions(body)))
    }

    fn says_gone(refusal: &CaldavErrorResponse) -> bool {
        matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::GONE)
    }

    /// Where nothing else is known of the call.
    fn judge(refusal: CaldavErrorResponse) -> ProviderError {
        use StatusCode as S;
        let CaldavErrorResponse { status, retry_after, .. } = refusal;
        match status {
            S::UNAUTHORIZED => ProviderError::Unauthorized,
            S::TOO_MANY_REQUESTS => ProviderError::RateLimited { retry_after },
            // iCloud's way to say it.
            S::SERVICE_UNAVAILABLE if retry_after.is_some() => ProviderError::RateLimited { retry_after },
            S::NOT_FOUND | S::GONE => ProviderError::NotFound,
            S::PRECONDITION_FAILED => ProviderError::Precondition,
            S::REQUEST_TIMEOUT | S::LOCKED => transient_error(status),
            // Passing: a server that is being moved, a proxy that wants somebody to sign in once more.
            S::FOUND | S::SEE_OTHER | S::TEMPORARY_REDIRECT => ProviderError::Transient(format!(
                "it sends us elsewhere ({status}); if it stays so, connect the calendar again"
            )),
            S::INSUFFICIENT_STORAGE => {
                ProviderError::Transient(format!("it has no room left for the account ({status})"))
            }
            status if status.is_server_error() && status != S::NOT_IMPLEMENTED => transient_error(status),
            status if status.is_redirection() => ProviderError::Rejected(
                "the server has moved: connect the calendar again, with its new address".to_owned(),
            ),
            S::FORBIDDEN => {
                ProviderError::Rejected("this account may not do that in this calendar".to_owned())
            }
            _ => {
                let named = refusal.conditions().join(", ");
                tracing::info!(
                    status = status.as_u16(),
                    conditions = named,
                    "a CalDAV server refused a call"
                );
                ProviderError::Rejected(format!("it answered {status} {named}").trim_end().to_owned())
            }
        }
    }
}

pub(super) const MAY_NOT_WRITE: &str = "this account may not write to this calendar";

fn transient_error(status: StatusCode) -> ProviderError {
    ProviderError::Transient(format!("the CalDAV server answered {status}"))
}

/// An answer that should be something else.
pub(super) fn unreadable(what: &str) -> ProviderError {
    ProviderError::Transient(format!("the CalDAV server's response is no {what}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refusal(status: u16, conditions: &[&str], retry: Option<u64>) -> CaldavErrorResponse {
        CaldavErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry.map(Duration::from_secs),
            body: Some(DavPreconditions(conditions.iter().copied().map(str::to_owned).collect())),
        }
    }

    #[test]
    fn each_status_has_its_consequence() {
        for (status, retry, code) in [
            (401, None, "unauthorized"),
            (403, None, "rejected"),
            (404, None, "not_found"),
            (410, None, "not_found"),
            (412, None, "precondition"),
            (423, None, "transient"),
            (429, None, "rate_limited"),
            (429, Some(3), "rate_limited"),
            (500, None, "transient"),
            (501, None, "rejected"),
            (502, None, "transient"),
            (503, None, "transient"),
            (503, Some(9), "rate_limited"),
            (301, None, "rejected"),
            (302, None, "transient"),
            (307, None, "transient"),
            (308, None, "rejected"),
            (507, None, "transient"),
            (400, None, "rejected"),
        ] {
            assert_eq!(refusal(status, &[], retry).into_error().code(), code, "{status}");
        }
    }

    #[test]
    fn the_same_fault_of_a_write_is_the_same_however_it_is_said() {
        let meaning = |status, conditions: &[&str], new| match refusal(status, conditions, None).of_write(new)
        {
            WriteRefusal::Error(error) => error.code(),
            WriteRefusal::IsItThere => "is it there",
            WriteRefusal::IsTheCalendarThere => "is the calendar there",
        };
        for (status, conditions, new, expected) in [
            (412, &[][..], true, "precondition"),
            (412, &[], false, "is it there"),
            (404, &[], false, "not_found"),
            (404, &[], true, "not_found"),
            (409, &[], true, "not_found"),
            (405, &[], true, "is the calendar there"),
            (403, &[], true, "is the calendar there"),
            (403, &["need-privileges"], false, "rejected"),
            (403, &["no-uid-conflict"], true, "precondition"),
            (409, &["no-uid-conflict"], true, "precondition"),
            (403, &["unique-scheduling-object-resource"], true, "precondition"),
            (409, &["unique-scheduling-object-resource"], true, "precondition"),
            (412, &["no-uid-conflict"], true, "precondition"),
            (507, &[], true, "transient"),
            (507, &["quota-not-exceeded"], true, "rejected"),
            (302, &[], true, "transient"),
            (403, &["quota-not-exceeded"], true, "rejected"),
            (503, &[], true, "transient"),
            (401, &[], true, "unauthorized"),
        ] {
            assert_eq!(meaning(status, conditions, new), expected, "{status} {conditions:?} {new}");
        }
    }

    #[test]
    fn expired_sync_token_differs_from_missing_calendar() {
        assert!(refusal(403, &["valid-sync-token"], None).says_cursor_expired());
        assert!(refusal(410, &[], None).says_cursor_expired());
        assert!(!refusal(404, &[], None).says_cursor_expired());
        assert!(!refusal(403, &["need-privileges"], None).says_cursor_expired());
        assert!(!refusal(503, &[], None).says_cursor_expired());
    }
}
