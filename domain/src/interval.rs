//! Half-open stretches of time, and stays by date.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The half-open stretch `[start, end)` of UTC instants; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant inside.
    pub start: DateTime<Utc>,
    /// The first instant after.
    pub end: DateTime<Utc>,
}

impl Interval {
    /// `None` when `end` is not after `start`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether the two share an instant; touching ends do not.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// From its start to its end.
    pub fn length(&self) -> Duration {
        self.end - self.start
    }

    /// The same stretch with `before` and `after` minutes added around it.
    #[must_use]
    pub fn padded(&self, before: u32, after: u32) -> Self {
        Self {
            start: self.start - Duration::minutes(i64::from(before)),
            end: self.end + Duration::minutes(i64::from(after)),
        }
    }
}

/// The first instant of `date` in `zone`.
///
/// Where the clock jumps over midnight (as in some zones when summer time begins) the day starts at the first
/// instant that exists.
pub fn start_of_day(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    instant_at(date.and_time(NaiveTime::MIN), zone)
}

/// The instant at which clocks in `zone` show `local`: the earlier one where they show it twice, the first
/// after the gap where they never show it.
pub fn instant_at(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => after_gap(local, zone),
    }
}

/// Gaps are at most a day long (Samoa skipped 2011-12-30); quarter hours are the finest that zones jump by today.
fn after_gap(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    (1..=96)
        .find_map(|quarters| zone.from_local_datetime(&(local + Duration::minutes(15 * quarters))).earliest())
        .map_or_else(|| Utc.from_utc_datetime(&local), |at| at.with_timezone(&Utc))
}

/// The nights `[check_in, check_out)` as instants: from midnight to midnight in the resource's zone, so that a
/// departure and an arrival on one day do not overlap.
pub fn stay(check_in: NaiveDate, check_out: NaiveDate, zone: Tz) -> Option<Interval> {
    Interval::new(start_of_day(check_in, zone), start_of_day(check_out, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn touching_intervals_do_not_overlap() {
        let zone = chrono_tz::Europe::Lisbon;
        let first = stay(date("2026-03-01"), date("2026-03-03"), zone).unwrap();
        let second = stay(date("2026-03-03"), date("2026-03-04"), zone).unwrap();
        assert!(!first.overlaps(&second));
        assert!(first.overlaps(&first.padded(0, 1)));
        assert!(first.padded(0, 1).overlaps(&second));
    }

    #[test]
    fn a_stay_of_no_nights_is_none() {
        assert_eq!(stay(date("2026-03-01"), date("2026-03-01"), chrono_tz::UTC), None);
    }

    #[test]
    fn a_night_over_the_change_to_summer_time_is_an_hour_shorter() {
        let night = stay(date("2026-03-29"), date("2026-03-30"), chrono_tz::Europe::Berlin).unwrap();
        assert_eq!(night.length(), Duration::hours(23));
    }

    #[test]
    fn a_day_that_has_no_midnight_starts_after_the_gap() {
        // Summer time began at midnight in Cairo on 2023-04-28.
        let start = start_of_day(date("2023-04-28"), chrono_tz::Africa::Cairo);
        assert_eq!(start.to_rfc3339(), "2023-04-27T22:00:00+00:00");
    }
}
