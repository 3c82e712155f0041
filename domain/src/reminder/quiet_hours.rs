//! Hours in which nobody is reminded.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Duration, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::interval::instant_at;

const DAY_MINUTES: u32 = 24 * 60;

/// From one clock time to another, each day; the end is outside, and may be on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes after midnight: from 0 to 1439.
    from: u32,
    /// The same; another one than `from`.
    until: u32,
}

/// Why two clock times are no quiet hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two different times of day, such as 22:00-07:00")]
pub struct QuietHoursError;

impl QuietHours {
    /// From minutes after midnight.
    ///
    /// # Errors
    /// One of them is no time of day, or both are the same.
    pub fn new(from: u32, until: u32) -> Result<Self, QuietHoursError> {
        let fits = from < DAY_MINUTES && until < DAY_MINUTES && from != until;
        if fits { Ok(Self { from, until }) } else { Err(QuietHoursError) }
    }

    /// From two clock times, such as `22:00` and `07:00`.
    ///
    /// # Errors
    /// As `new`.
    pub fn parse(from: &str, until: &str) -> Result<Self, QuietHoursError> {
        let minutes = |text: &str| {
            let time = NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| QuietHoursError)?;
            Ok(time.hour() * 60 + time.minute())
        };
        Self::new(minutes(from)?, minutes(until)?)
    }

    /// When they begin and end, in minutes after midnight.
    pub fn minutes(self) -> (u32, u32) {
        (self.from, self.until)
    }

    /// When they begin, as `22:00`.
    pub fn from_text(self) -> String {
        clock(self.from)
    }

    /// When they end, as `07:00`.
    pub fn until_text(self) -> String {
        clock(self.until)
    }

    /// The stretch of them in which `at` is, by the clocks of `zone`; `None`: it is in none. Where clocks show an hour twice,
    /// quiet hours begin with the first and end with the second.
    pub fn around(self, at: DateTime<Utc>, zone: Tz) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let local = at.with_timezone(&zone).naive_local();
        let minute = local.hour() * 60 + local.minute();
        let crosses_midnight = self.from > self.until;
        let is_quiet = if crosses_midnight {
            minute >= self.from || minute < self.until
        } else {
            (self.from..self.until).contains(&minute)
        };
        if !is_quiet {
            return None;
        }
        let midnight = local.date().and_time(NaiveTime::MIN);
        let began_yesterday = crosses_midnight && minute < self.until;
        let first = if began_yesterday { midnight - Duration::days(1) } else { midnight };
        let last = if crosses_midnight { first + Duration::days(1) } else { first };
        let on = |day: NaiveDateTime, minutes: u32| day + Duration::minutes(i64::from(minutes));
        Some((instant_at(on(first, self.from), zone), last_instant_at(on(last, self.until), zone)))
    }
}

/// The instant at which clocks show `local`: the later one where they show it twice.
fn last_instant_at(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    zone.from_local_datetime(&local)
        .latest()
        .map_or_else(|| instant_at(local, zone), |at| at.with_timezone(&Utc))
}

fn clock(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.from), clock(self.until))
    }
}

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, until) = text.split_once('-').ok_or(QuietHoursError)?;
        Self::parse(from, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::fixtures::at;

    fn around(hours: &str, instant: &str, zone: Tz) -> Option<(String, String)> {
        let found = hours.parse::<QuietHours>().unwrap().around(at(instant), zone);
        found.map(|(from, until)| (from.format("%dT%H:%M").to_string(), until.format("%dT%H:%M").to_string()))
    }

    #[test]
    fn night_is_one_stretch_before_and_after_midnight() {
        let zone = chrono_tz::Asia::Kathmandu;
        let night = Some(("10T16:15".to_owned(), "11T01:15".to_owned()));
        // 22:00 to 07:00 at +05:45.
        assert_eq!(around("22:00-07:00", "2026-12-10T16:15:00Z", zone), night);
        assert_eq!(around("22:00-07:00", "2026-12-11T01:14:59Z", zone), night);
        assert_eq!(around("22:00-07:00", "2026-12-11T01:15:00Z", zone), None);
        assert_eq!(around("22:00-07:00", "2026-12-10T16:14:59Z", zone), None);
    }

    #[test]
    fn midday_is_of_one_day() {
        let noon = Some(("10T12:00".to_owned(), "10T14:00".to_owned()));
        assert_eq!(around("12:00-14:00", "2026-12-10T13:59:00Z", chrono_tz::UTC), noon);
        assert_eq!(around("12:00-14:00", "2026-12-10T14:00:00Z", chrono_tz::UTC), None);
    }

    #[test]
    fn night_in_which_clocks_change_is_longer_or_shorter() {
        let zone = chrono_tz::Europe::Paris;
        let spring = Some(("28T21:00".to_owned(), "29T05:00".to_owned()));
        assert_eq!(around("22:00-07:00", "2026-03-29T01:30:00Z", zone), spring);
        let autumn = Some(("24T20:00".to_owned(), "25T06:00".to_owned()));
        assert_eq!(around("22:00-07:00", "2026-10-25T00:30:00Z", zone), autumn);
        // 02:30 comes twice, and the second one ends it; in spring it never comes.
        let twice = Some(("24T20:00".to_owned(), "25T01:30".to_owned()));
        assert_eq!(around("22:00-02:30", "2026-10-25T00:10:00Z", zone), twice);
        let never = Some(("28T21:00".to_owned(), "29T01:00".to_owned()));
        assert_eq!(around("22:00-02:30", "2026-03-29T00:59:00Z", zone), never);
    }

    #[test]
    fn what_are_no_hours_is_refused() {
        for text in ["", "22:00", "22:00-22:00", "24:00-07:00", "22-7", "22:00-7:60", "a-b"] {
            assert_eq!(text.parse::<QuietHours>(), Err(QuietHoursError), "{text}");
        }
        assert_eq!("22:00-07:30".parse::<QuietHours>().unwrap().to_string(), "22:00-07:30");
    }
}
