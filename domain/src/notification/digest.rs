//! When a digest is due.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{interval::instant_at, settings::FieldErrors, words};

words! {
    /// A day of the week.
    DigestDay "Day of the week." {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
}

impl DigestDay {
    fn of(date: NaiveDate) -> Self {
        Self::ALL[date.weekday().num_days_from_monday() as usize]
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }
}

/// At which hour of which days somebody reads a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSchedule {
    /// From 0 to 23, by the clocks of the zone.
    pub hour: u32,
    /// At least one day.
    pub days: BTreeSet<DigestDay>,
    /// Whose clocks; `None`: those of the business.
    #[serde(default)]
    pub zone: Option<Tz>,
}

impl Default for DigestSchedule {
    /// Each day at eight.
    fn default() -> Self {
        Self { hour: 8, days: DigestDay::ALL.iter().copied().collect(), zone: None }
    }
}

impl DigestSchedule {
    /// Adds what is wrong with it.
    pub fn check(&self, faults: &mut FieldErrors) {
        faults.within("digest_hour", self.hour, 0, 23);
        if self.days.is_empty() {
            faults.add("digest_days", "must have at least one day");
        }
    }

    /// The first digest after `after`, on a later day than `last` was sent by the clocks of `zone`: there is one a day at
    /// most, also after the hour was changed. Where clocks show the hour twice it is the first of them, and the end of
    /// the gap where they never show it. `None`: there are no days.
    pub(super) fn first_after(
        &self,
        after: DateTime<Utc>,
        last: Option<DateTime<Utc>>,
        zone: Tz,
    ) -> Option<DateTime<Utc>> {
        let local_date = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        let time = NaiveTime::from_hms_opt(self.hour, 0, 0)?;
        let first = match last.map(local_date).and_then(|date| date.checked_add_days(Days::new(1))) {
            Some(next) => next.max(local_date(after)),
            None => local_date(after),
        };
        // A zone may skip a day: the gap's end is on the next one.
        let dates = first.iter_days().take(9).filter(|date| self.days.contains(&DigestDay::of(*date)));
        dates.map(|date| instant_at(date.and_time(time), zone)).find(|at| *at > after)
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Europe::Berlin, Pacific::Apia};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn hour(hour: u32) -> DigestSchedule {
        DigestSchedule { hour, ..DigestSchedule::default() }
    }

    #[test]
    fn digest_keeps_its_hour_when_clocks_change() {
        for (after, next) in [
            // Summer time begins on 29 March 2026, and ends on 25 October.
            ("2026-03-28T06:59:59Z", "2026-03-28T07:00:00Z"),
            ("2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z"),
            ("2026-10-24T06:00:00Z", "2026-10-25T07:00:00Z"),
            ("2026-10-25T07:00:00Z", "2026-10-26T07:00:00Z"),
        ] {
            assert_eq!(hour(8).first_after(at(after), None, Berlin), Some(at(next)), "{after}");
        }
    }

    #[test]
    fn hour_that_is_skipped_or_shown_twice_has_one_digest() {
        let skipped = hour(2).first_after(at("2026-03-28T12:00:00Z"), None, Berlin);
        assert_eq!(skipped, Some(at("2026-03-29T01:00:00Z")), "clocks show 3:00");
        let twice = hour(2).first_after(at("2026-10-24T12:00:00Z"), None, Berlin);
        assert_eq!(twice, Some(at("2026-10-25T00:00:00Z")));
        let next = hour(2).first_after(at("2026-10-25T00:00:00Z"), twice, Berlin);
        assert_eq!(next, Some(at("2026-10-26T01:00:00Z")));
        // Samoa had no 30 December 2011.
        let none = hour(8).first_after(at("2011-12-29T18:00:00Z"), None, Apia);
        assert!(none.is_some_and(|next| next > at("2011-12-29T18:00:00Z")));
    }

    #[test]
    fn digest_is_on_its_days_and_once_a_day() {
        let weekend = DigestSchedule { days: [DigestDay::Sunday].into(), ..hour(8) };
        // 1 July 2026 is a Wednesday.
        assert_eq!(
            weekend.first_after(at("2026-07-01T12:00:00Z"), None, Berlin),
            Some(at("2026-07-05T06:00:00Z"))
        );
        let sent = Some(at("2026-07-01T06:00:01Z"));
        let later = hour(20).first_after(at("2026-07-01T07:00:00Z"), sent, Berlin);
        assert_eq!(later, Some(at("2026-07-02T18:00:00Z")), "the hour was changed after today's");
        let none = DigestSchedule { days: BTreeSet::new(), ..hour(8) };
        assert_eq!(none.first_after(at("2026-07-01T12:00:00Z"), None, Berlin), None);
    }

    #[test]
    fn schedule_needs_an_hour_and_a_day() {
        for (schedule, is_right) in [
            (hour(0), true),
            (hour(23), true),
            (hour(24), false),
            (DigestSchedule { days: BTreeSet::new(), ..hour(8) }, false),
        ] {
            let mut faults = FieldErrors::default();
            schedule.check(&mut faults);
            assert_eq!(faults.into_result().is_ok(), is_right, "{schedule:?}");
        }
    }
}
