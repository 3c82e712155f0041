//! Times of bookings as their people say them, on pages and in mails.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{booking::BookingTime, interval::Interval};

/// The time of a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSpanText {
    /// "Tue 1 – Thu 3 Dec", "Sat 21 Nov, 14:00–15:30".
    pub text: String,
    /// "2 nights", "1 h 30 min".
    pub length: String,
}

/// The time of a booking as its people say it; `today` decides whether the year is named.
pub fn span(time: &BookingTime, zone: Tz, today: NaiveDate) -> TimeSpanText {
    match *time {
        BookingTime::Stay { check_in, check_out } => {
            let nights = (check_out - check_in).num_days();
            TimeSpanText {
                text: days(check_in, check_out, today),
                length: if nights == 1 { "1 night".to_owned() } else { format!("{nights} nights") },
            }
        }
        BookingTime::Timed { starts_at, ends_at } => {
            TimeSpanText { text: hours(starts_at, ends_at, zone, today), length: length(ends_at - starts_at) }
        }
    }
}

/// A stretch of instants as people say it: whole days without hours.
pub fn stretch(interval: Interval, zone: Tz, today: NaiveDate) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
    let (start, end) = (local(interval.start), local(interval.end));
    if start.time() == NaiveTime::MIN && end.time() == NaiveTime::MIN && start.date() < end.date() {
        return days(start.date(), end.date(), today);
    }
    hours(interval.start, interval.end, zone, today)
}

fn days(from: NaiveDate, until: NaiveDate, today: NaiveDate) -> String {
    let end = day(until, today);
    if from.year() != until.year() {
        format!("{} – {}", from.format("%a %-d %b %Y"), until.format("%a %-d %b %Y"))
    } else if from.month() == until.month() {
        format!("{} – {end}", from.format("%a %-d"))
    } else {
        format!("{} – {end}", from.format("%a %-d %b"))
    }
}

fn hours(start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz, today: NaiveDate) -> String {
    let (start, end) = (start.with_timezone(&zone), end.with_timezone(&zone));
    // Where the clocks change in between, both hours alone could be misread.
    let clock = |at: &DateTime<Tz>| {
        let offset = if start.format("%Z").to_string() == end.format("%Z").to_string() { "" } else { " %Z" };
        at.format(&format!("%H:%M{offset}")).to_string()
    };
    let (from, until) = (start.date_naive(), end.date_naive());
    if from == until {
        format!("{}, {}–{}", day(from, today), clock(&start), clock(&end))
    } else {
        format!("{}, {} – {}, {}", day(from, today), clock(&start), day(until, today), clock(&end))
    }
}

/// "Sat 21 Nov", with the year if it is another one.
pub fn day(date: NaiveDate, today: NaiveDate) -> String {
    if date.year() == today.year() {
        date.format("%a %-d %b").to_string()
    } else {
        date.format("%a %-d %b %Y").to_string()
    }
}

fn length(length: TimeDelta) -> String {
    let (days, hours, minutes) = (length.num_days(), length.num_hours() % 24, length.num_minutes() % 60);
    let parts: Vec<String> = [(days, if days == 1 { "day" } else { "days" }), (hours, "h"), (minutes, "min")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "under a minute".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn stays_are_nights() {
        let today = date("2026-11-21");
        for (check_in, check_out, text, length) in [
            ("2026-12-01", "2026-12-03", "Tue 1 – Thu 3 Dec", "2 nights"),
            ("2026-11-30", "2026-12-01", "Mon 30 Nov – Tue 1 Dec", "1 night"),
            ("2026-12-30", "2027-01-02", "Wed 30 Dec 2026 – Sat 2 Jan 2027", "3 nights"),
            ("2027-03-01", "2027-03-02", "Mon 1 – Tue 2 Mar 2027", "1 night"),
        ] {
            let time = BookingTime::Stay { check_in: date(check_in), check_out: date(check_out) };
            let span = span(&time, chrono_tz::UTC, today);
            assert_eq!((span.text.as_str(), span.length.as_str()), (text, length));
        }
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        let today = date("2026-11-21");
        for (starts_at, ends_at, text, length) in [
            ("2026-11-21T14:00:00Z", "2026-11-21T15:30:00Z", "Sat 21 Nov, 15:00–16:30", "1 h 30 min"),
            (
                "2026-11-21T22:30:00Z",
                "2026-11-22T09:00:00Z",
                "Sat 21 Nov, 23:30 – Sun 22 Nov, 10:00",
                "10 h 30 min",
            ),
            (
                "2026-10-25T00:30:00Z",
                "2026-10-25T02:00:00Z",
                "Sun 25 Oct, 02:30 CEST–03:00 CET",
                "1 h 30 min",
            ),
        ] {
            let time = BookingTime::Timed { starts_at: at(starts_at), ends_at: at(ends_at) };
            let span = span(&time, chrono_tz::Europe::Berlin, today);
            assert_eq!((span.text.as_str(), span.length.as_str()), (text, length));
        }
    }

    #[test]
    fn whole_days_are_told_without_hours() {
        for (start, end, text) in [
            ("2026-11-21T23:00:00Z", "2026-11-23T23:00:00Z", "Sun 22 – Tue 24 Nov"),
            ("2026-11-21T23:00:00Z", "2026-11-22T11:00:00Z", "Sun 22 Nov, 00:00–12:00"),
        ] {
            let interval = Interval { start: at(start), end: at(end) };
            assert_eq!(stretch(interval, chrono_tz::Europe::Berlin, date("2026-11-21")), text);
        }
    }
}
