//! Which nights a platform may sell although they are taken: those that it does not know of.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::interval::{Interval, start_of_day};

/// The nights of `unknown` from today on, each once however many bookings take it, without those of `closed`, which the
/// platform does not sell anyway: it has sold or closed them itself. Of appointments by the hour the days on which they are.
pub fn exposed_nights(
    unknown: impl IntoIterator<Item = Interval>,
    closed: impl IntoIterator<Item = Interval>,
    zone: Tz,
    now: DateTime<Utc>,
) -> BTreeSet<NaiveDate> {
    let today = now.with_timezone(&zone).date_naive();
    let mut exposed: BTreeSet<NaiveDate> =
        unknown.into_iter().flat_map(|one| nights(one, zone)).filter(|night| *night >= today).collect();
    for one in closed {
        if exposed.is_empty() {
            break;
        }
        for night in nights(one, zone) {
            exposed.remove(&night);
        }
    }
    exposed
}

/// A platform that has missed so many of its turns in a row does not come back by itself.
const MISSED_READS: i32 = 3;
/// No platform is late before that: many pause at night.
pub const MIN_OVERDUE: Duration = Duration::hours(12);
/// Where nobody knows how often a platform reads.
const USUAL_OVERDUE: Duration = Duration::hours(48);

/// From when on a platform that last read our feed at `last_read` is late. `reads_every`: how often it usually reads, in
/// minutes, from and to.
pub fn overdue_at(last_read: DateTime<Utc>, reads_every: Option<(u32, u32)>) -> DateTime<Utc> {
    let usual = reads_every.map(|(_, longest)| Duration::minutes(i64::from(longest)) * MISSED_READS);
    last_read + usual.unwrap_or(USUAL_OVERDUE).max(MIN_OVERDUE)
}

/// The nights of a stretch: the days on which it is, without the last one where it ends as that begins.
pub fn nights(interval: Interval, zone: Tz) -> impl Iterator<Item = NaiveDate> {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let first = day(interval.start);
    let ends = day(interval.end);
    // Where clocks skip midnight, the day begins later.
    let last = if interval.end <= start_of_day(ends, zone) { ends - Days::new(1) } else { ends };
    first.iter_days().take_while(move |night| *night <= last.max(first))
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America::Sao_Paulo, Europe::Lisbon};

    use super::*;
    use crate::interval::stay;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn nights_of(stays: &[(&str, &str)], closed: &[(&str, &str)], zone: Tz, now: &str) -> Vec<String> {
        let interval = |(from, until): &(&str, &str)| stay(date(from), date(until), zone).unwrap();
        exposed_nights(stays.iter().map(interval), closed.iter().map(interval), zone, now.parse().unwrap())
            .iter()
            .map(|night| night.format("%m-%d").to_string())
            .collect()
    }

    #[test]
    fn a_night_counts_once_whoever_takes_it() {
        let stays =
            [("2026-12-03", "2026-12-05"), ("2026-12-04", "2026-12-06"), ("2026-12-04", "2026-12-05")];
        assert_eq!(nights_of(&stays, &[], Lisbon, "2026-12-01T12:00:00Z"), ["12-03", "12-04", "12-05"]);
    }

    #[test]
    fn nights_that_the_platform_sold_or_closed_are_not_exposed() {
        let closed = [("2026-12-04", "2026-12-05"), ("2026-12-09", "2026-12-12")];
        let stays = [("2026-12-03", "2026-12-06"), ("2026-12-09", "2026-12-12")];
        assert_eq!(nights_of(&stays, &closed, Lisbon, "2026-12-01T12:00:00Z"), ["12-03", "12-05"]);
    }

    #[test]
    fn nights_that_are_over_cannot_be_sold() {
        let stays = [("2026-11-29", "2026-12-03")];
        assert_eq!(nights_of(&stays, &[], Lisbon, "2026-12-01T12:00:00Z"), ["12-01", "12-02"]);
    }

    #[test]
    fn a_day_that_begins_at_one_ends_no_night() {
        // Midnight of 4 November 2018 did not exist in São Paulo.
        let stays = [("2018-11-03", "2018-11-04")];
        assert_eq!(nights_of(&stays, &[], Sao_Paulo, "2018-11-01T12:00:00Z"), ["11-03"]);
    }

    #[test]
    fn an_appointment_exposes_its_day() {
        let hour = Interval {
            start: "2026-12-03T10:00:00Z".parse().unwrap(),
            end: "2026-12-03T11:00:00Z".parse().unwrap(),
        };
        let now = "2026-12-01T12:00:00Z".parse().unwrap();
        let exposed = exposed_nights([hour, hour], [], Lisbon, now);
        assert_eq!(exposed.into_iter().collect::<Vec<_>>(), [date("2026-12-03")]);
    }
}
