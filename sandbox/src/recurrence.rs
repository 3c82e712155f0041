//! Recurring entries (RFC 5545), expanded in the entry's own zone so that "every Monday at nine" stays at nine when the
//! clocks change: `rrule` counts on the clock on the wall, and each wall time is resolved in the zone.
//!
//! One `RRULE` of days or more, and `EXDATE` and `RDATE`. Anything else is refused aloud, never expanded wrongly.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Unvalidated};

use crate::timing::{DateOrDateTime, resolve};

/// The parsed recurrence of an entry.
#[derive(Debug, Clone)]
pub(crate) struct RecurrenceSet {
    rule: Option<RecurrenceRule>,
    added: BTreeSet<DateOrDateTime>,
    excluded: BTreeSet<DateOrDateTime>,
}

#[derive(Debug, Clone)]
struct RecurrenceRule {
    /// Without `UNTIL`, which is an instant, not a time on the wall.
    parts: RRule<Unvalidated>,
    until: Option<DateOrDateTime>,
}

impl RecurrenceSet {
    /// Reads the lines of a `recurrence` field for an entry that starts at `start`, in `zone`.
    ///
    /// # Errors
    /// A sentence that names the line which cannot be understood.
    pub(crate) fn parse(lines: &[String], zone: Tz) -> Result<Self, String> {
        let mut series = RecurrenceSet { rule: None, added: BTreeSet::new(), excluded: BTreeSet::new() };
        for line in lines {
            let (head, value) = line.split_once(':').ok_or_else(|| format!("no recurrence line: {line}"))?;
            let name = head.split(';').next().unwrap_or(head).to_ascii_uppercase();
            match name.as_str() {
                "RRULE" if series.rule.is_some() => return Err("more than one RRULE".into()),
                "RRULE" => series.rule = Some(RecurrenceRule::parse(value, zone)?),
                "EXDATE" => series.excluded.extend(dates(head, value, zone)?),
                "RDATE" => series.added.extend(dates(head, value, zone)?),
                _ => return Err(format!("not supported in a recurrence: {name}")),
            }
        }
        if series.rule.is_none() && series.added.is_empty() {
            return Err("a recurrence needs an RRULE or an RDATE".into());
        }
        Ok(series)
    }

    /// The starts of all occurrences of an entry that first starts at `start`, in order, before `end`.
    pub(crate) fn starts(&self, start: DateOrDateTime, zone: Tz, end: DateTime<Utc>) -> Vec<DateOrDateTime> {
        let mut starts = self.added.clone();
        starts.insert(start);
        if let Some(rule) = &self.rule {
            starts.extend(rule.starts(start, zone, end));
        }
        starts.into_iter().filter(|at| !self.excluded.contains(at) && at.instant(zone) < end).collect()
    }
}

impl RecurrenceRule {
    fn parse(text: &str, zone: Tz) -> Result<Self, String> {
        let (mut until, mut parts) = (None, Vec::new());
        for part in text.split(';').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("UNTIL") => {
                    let read = date(value, zone);
                    until = Some(read.ok_or_else(|| format!("bad UNTIL in a recurrence rule: {value}"))?);
                }
                _ => parts.push(part),
            }
        }
        let parts: RRule<Unvalidated> =
            parts.join(";").parse().map_err(|error: rrule::RRuleError| error.to_string())?;
        let any_start = rrule::Tz::UTC.from_utc_datetime(&DateTime::UNIX_EPOCH.naive_utc());
        parts.clone().validate(any_start).map_err(|error| error.to_string())?;
        let frequency = parts.get_freq();
        if !matches!(frequency, Frequency::Daily | Frequency::Weekly | Frequency::Monthly | Frequency::Yearly)
        {
            return Err("entries recur by days, weeks, months or years".into());
        }
        if parts.get_count().is_some() && until.is_some() {
            return Err("a recurrence rule has COUNT or UNTIL, not both".into());
        }
        let has_ordinal = parts.get_by_weekday().iter().any(|day| matches!(day, NWeekday::Nth(..)));
        if has_ordinal && matches!(frequency, Frequency::Daily | Frequency::Weekly) {
            return Err("BYDAY with a number is for months and years".into());
        }
        Ok(Self { parts, until })
    }

    fn starts(&self, start: DateOrDateTime, zone: Tz, end: DateTime<Utc>) -> Vec<DateOrDateTime> {
        let (first_day, time) = match start {
            DateOrDateTime::On(day) => (day, None),
            DateOrDateTime::At(at) => {
                let local = at.with_timezone(&zone).naive_local();
                (local.date(), Some(local.time()))
            }
        };
        let at = |wall: NaiveDateTime| match time {
            None => DateOrDateTime::On(wall.date()),
            Some(_) => DateOrDateTime::At(resolve(wall, zone)),
        };
        // An UNTIL that is a date holds for the whole of that day (RFC 5545, 3.3.10).
        let last = self.until.map(|until| match (until, time) {
            (DateOrDateTime::On(day), Some(_)) => {
                DateOrDateTime::At(resolve(day.and_time(NaiveTime::MIN), zone) + Duration::days(1))
            }
            (DateOrDateTime::At(at), None) => DateOrDateTime::On(at.with_timezone(&zone).date_naive()),
            _ => until,
        });
        let first = rrule::Tz::UTC.from_utc_datetime(&first_day.and_time(time.unwrap_or(NaiveTime::MIN)));
        let Ok(rule) = self.parts.clone().validate(first) else { return Vec::new() };
        RRuleSet::new(first)
            .rrule(rule)
            .limit()
            .into_iter()
            .map(|wall| at(wall.naive_utc()))
            .take_while(|found| last.is_none_or(|last| *found <= last) && found.instant(zone) < end)
            .collect()
    }
}

fn dates(head: &str, value: &str, zone: Tz) -> Result<Vec<DateOrDateTime>, String> {
    let mut zone = zone;
    for parameter in head.split(';').skip(1) {
        if let Some(name) = parameter.strip_prefix("TZID=") {
            zone = name.parse().map_err(|_| format!("unknown zone in a recurrence: {name}"))?;
        }
    }
    let read = |text: &str| date(text.trim(), zone).ok_or_else(|| format!("no date in a recurrence: {text}"));
    value.split(',').map(read).collect()
}

/// A DATE, a DATE-TIME in UTC, or a local DATE-TIME, which is read in `zone`.
fn date(text: &str, zone: Tz) -> Option<DateOrDateTime> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y%m%d") {
        return Some(DateOrDateTime::On(day));
    }
    let (digits, utc) = text.strip_suffix('Z').map_or((text, false), |digits| (digits, true));
    let local = NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S").ok()?;
    Some(DateOrDateTime::At(if utc { local.and_utc() } else { resolve(local, zone) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Lisbon;

    fn starts(start: DateOrDateTime, rule: &str, end: &str) -> Vec<String> {
        let lines: Vec<String> = rule.split('\n').map(String::from).collect();
        let end = end.parse().unwrap();
        RecurrenceSet::parse(&lines, Lisbon)
            .unwrap()
            .starts(start, Lisbon, end)
            .iter()
            .map(DateOrDateTime::to_string)
            .collect()
    }

    fn at(text: &str) -> DateOrDateTime {
        DateOrDateTime::At(text.parse().unwrap())
    }

    fn on(text: &str) -> DateOrDateTime {
        DateOrDateTime::On(text.parse().unwrap())
    }

    #[test]
    fn nine_o_clock_stays_nine_o_clock_when_the_clocks_change() {
        let found = starts(at("2026-10-19T08:00:00Z"), "RRULE:FREQ=WEEKLY;COUNT=3", "2030-01-01T00:00:00Z");
        assert_eq!(found, ["2026-10-19T08:00:00Z", "2026-10-26T09:00:00Z", "2026-11-02T09:00:00Z"]);
    }

    #[test]
    fn several_weekdays_every_second_week() {
        let rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20260121T235959Z";
        let found = starts(at("2026-01-05T10:00:00Z"), rule, "2030-01-01T00:00:00Z");
        let expected =
            ["2026-01-05T10:00:00Z", "2026-01-07T10:00:00Z", "2026-01-19T10:00:00Z", "2026-01-21T10:00:00Z"];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_last_friday_and_the_31st_of_a_month() {
        let end = "2026-05-31T12:00:00Z";
        assert_eq!(
            starts(on("2026-01-30"), "RRULE:FREQ=MONTHLY;BYDAY=-1FR", end),
            ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24", "2026-05-29"]
        );
        assert_eq!(
            starts(on("2026-01-31"), "RRULE:FREQ=MONTHLY", end),
            ["2026-01-31", "2026-03-31", "2026-05-31"]
        );
    }

    #[test]
    fn dates_are_taken_out_and_put_in() {
        let rule = "RRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20260102\nRDATE;VALUE=DATE:20260110";
        assert_eq!(
            starts(on("2026-01-01"), rule, "2030-01-01T00:00:00Z"),
            ["2026-01-01", "2026-01-03", "2026-01-10"]
        );
    }

    #[test]
    fn an_endless_series_ends_at_the_window() {
        let found = starts(on("2026-01-01"), "RRULE:FREQ=DAILY", "2026-01-04T00:00:00Z");
        assert_eq!(found, ["2026-01-01", "2026-01-02", "2026-01-03"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "RRULE:FREQ=HOURLY",
            "RRULE:COUNT=2",
            "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260101",
            "RRULE:FREQ=DAILY;BYHOUR=25",
            "RRULE:FREQ=WEEKLY;BYDAY=1MO",
            "EXDATE:20260101",
            "nonsense",
        ] {
            assert!(RecurrenceSet::parse(&[line.into()], Lisbon).is_err(), "{line}");
        }
    }
}
