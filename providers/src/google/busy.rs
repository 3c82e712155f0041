//! Busy times by a free/busy query.

use chrono::Duration;
use concord_domain::interval::Interval;
use google_calendar3::api::{FreeBusyCalendar, FreeBusyRequest, FreeBusyRequestItem, FreeBusyResponse};

use super::GoogleCalendar;
use crate::{access::CalendarAccess, error::ProviderError, error_response::parse_json};

/// Google refuses a stretch of more than about 90 days with `timeRangeTooLong` (reported), so longer ones are asked in
/// parts.
const MAX_WINDOW_DAYS: i64 = 60;

impl CalendarAccess<'_, GoogleCalendar> {
    pub(super) async fn read_busy(&self, window: Interval) -> Result<Vec<Interval>, ProviderError> {
        let calendar = self.calendar;
        let mut busy = Vec::new();
        for part in parts(window) {
            let request = FreeBusyRequest {
                time_min: Some(part.start),
                time_max: Some(part.end),
                items: Some(vec![FreeBusyRequestItem { id: Some(calendar.to_owned()) }]),
                ..FreeBusyRequest::default()
            };
            let response = self.account.post("freeBusy", &request).await?;
            busy.extend(parse_busy(calendar, parse_json(&response, "Google")?)?);
        }
        Ok(busy)
    }
}

fn parts(window: Interval) -> impl Iterator<Item = Interval> {
    let mut from = window.start;
    std::iter::from_fn(move || {
        let until =
            window.end.min(from.checked_add_signed(Duration::days(MAX_WINDOW_DAYS)).unwrap_or(window.end));
        let part = Interval::new(from, until)?;
        from = until;
        Some(part)
    })
}

fn parse_busy(calendar: &str, response: FreeBusyResponse) -> Result<Vec<Interval>, ProviderError> {
    let mut calendars = response.calendars.unwrap_or_default();
    let Some(FreeBusyCalendar { busy, errors }) = calendars.remove(calendar) else {
        return Err(ProviderError::Transient(
            "Google's response has no busy times for the calendar".to_owned(),
        ));
    };
    // A calendar that cannot be read does not fail the query: the refusal stands inside.
    if let Some(error) = errors.into_iter().flatten().next() {
        return Err(match error.reason.as_deref().unwrap_or_default() {
            "notFound" => ProviderError::NotFound,
            "rateLimitExceeded" | "userRateLimitExceeded" | "quotaExceeded" => {
                ProviderError::RateLimited { retry_after: None }
            }
            "internalError" | "backendError" => {
                ProviderError::Transient("Google cannot compute it now".to_owned())
            }
            reason => ProviderError::Rejected(crate::quote::quote(reason, &[])),
        });
    }
    let intervals = busy.into_iter().flatten().filter_map(|period| Interval::new(period.start?, period.end?));
    Ok(intervals.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn response(calendar: &Value) -> Result<Vec<Interval>, ProviderError> {
        parse_busy("x", serde_json::from_value(json!({ "calendars": { "x": calendar } })).unwrap())
    }

    fn interval(start: &str, end: &str) -> Interval {
        Interval::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_long_window_is_asked_in_parts_without_gaps() {
        let window = interval("2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z");
        let parts: Vec<Interval> = parts(window).collect();
        assert_eq!(parts.len(), 4);
        assert_eq!((parts[0].start, parts[3].end), (window.start, window.end));
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn a_refusal_inside_the_answer_is_one() {
        for (reason, code) in [
            ("notFound", "not_found"),
            ("quotaExceeded", "rate_limited"),
            ("internalError", "transient"),
            ("groupTooBig", "rejected"),
        ] {
            let error =
                response(&json!({ "errors": [{ "domain": "global", "reason": reason }] })).unwrap_err();
            assert_eq!(error.code(), code, "{reason}");
        }
    }

    #[test]
    fn a_period_that_is_none_is_left_out() {
        let found = response(&json!({ "busy": [
            { "start": "2026-03-01T10:00:00Z", "end": "2026-03-01T10:00:00Z" },
            { "start": "2026-03-01T10:00:00Z" },
            { "start": "2026-03-01T11:00:00+01:00", "end": "2026-03-01T12:00:00+01:00" },
        ] }));
        assert_eq!(found.unwrap(), [interval("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z")]);
    }

    #[test]
    fn an_answer_about_another_calendar_is_no_answer() {
        let response = serde_json::from_value(json!({ "calendars": { "y": { "busy": [] } } })).unwrap();
        assert_eq!(parse_busy("x", response).unwrap_err().code(), "transient");
    }
}
