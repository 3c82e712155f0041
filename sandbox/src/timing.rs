//! Times as calendars know them: an instant, or a whole day that has an instant only in some zone.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// When something starts or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DateOrDateTime {
    At(DateTime<Utc>),
    /// A day; as an end it is exclusive.
    On(NaiveDate),
}

impl DateOrDateTime {
    /// The instant at which this stands in `zone`: a day starts at its local midnight.
    pub(crate) fn instant(self, zone: Tz) -> DateTime<Utc> {
        match self {
            DateOrDateTime::At(at) => at,
            DateOrDateTime::On(day) => midnight(day, zone),
        }
    }

    /// What the clock on the wall says in `zone`; midnight for a day.
    pub(crate) fn local(self, zone: Tz) -> NaiveDateTime {
        match self {
            DateOrDateTime::At(at) => at.with_timezone(&zone).naive_local(),
            DateOrDateTime::On(day) => day.and_time(NaiveTime::MIN),
        }
    }

    /// Later by `length` (whole days for a day).
    pub(crate) fn plus(self, length: Duration) -> Self {
        match self {
            DateOrDateTime::At(at) => DateOrDateTime::At(at + length),
            DateOrDateTime::On(day) => DateOrDateTime::On(day + Duration::days(length.num_days())),
        }
    }

    /// The time from `self` to `later`, if both are of one kind.
    pub(crate) fn until(self, later: DateOrDateTime) -> Option<Duration> {
        match (self, later) {
            (DateOrDateTime::At(from), DateOrDateTime::At(to)) => Some(to - from),
            (DateOrDateTime::On(from), DateOrDateTime::On(to)) => Some(to - from),
            _ => None,
        }
    }

    /// Whether this is a whole day.
    pub(crate) fn is_day(self) -> bool {
        matches!(self, DateOrDateTime::On(_))
    }
}

/// RFC 3339 in UTC, or a date.
impl std::fmt::Display for DateOrDateTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DateOrDateTime::At(at) => write!(formatter, "{}", at.format("%Y-%m-%dT%H:%M:%SZ")),
            DateOrDateTime::On(day) => write!(formatter, "{day}"),
        }
    }
}

/// The first instant of `day` in `zone`.
pub(crate) fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    resolve(day.and_time(NaiveTime::MIN), zone)
}

/// The instant of a wall clock time. In the hour that is skipped the clock reads on as before the change (RFC 5545,
/// 3.3.5); of a repeated hour the first one is meant.
pub(crate) fn resolve(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let day_before = zone.from_utc_datetime(&(local - Duration::days(1)));
            let offset = day_before.naive_local() - day_before.naive_utc();
            (local - offset).and_utc()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_local_time_uses_offset_before_change() {
        let zone = chrono_tz::Europe::Lisbon;
        let skipped = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(1, 30, 0).unwrap();
        assert_eq!(DateOrDateTime::At(resolve(skipped, zone)).to_string(), "2026-03-29T01:30:00Z");
        let repeated = NaiveDate::from_ymd_opt(2026, 10, 25).unwrap().and_hms_opt(1, 30, 0).unwrap();
        assert_eq!(DateOrDateTime::At(resolve(repeated, zone)).to_string(), "2026-10-25T00:30:00Z");
    }
}
