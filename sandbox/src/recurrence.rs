//! Recurring entries: the part of RFC 5545's recurrence rules that persons use, expanded in the entry's own zone so that
//! "every Monday at nine" stays at nine when the clocks change.
//!
//! Understood: `FREQ` of `DAILY`, `WEEKLY`, `MONTHLY`, `YEARLY` with `INTERVAL`, `COUNT`, `UNTIL`, `BYDAY` (with ordinals
//! in `MONTHLY`), `BYMONTHDAY` (in `MONTHLY`), `WKST`; one `RRULE`, and `EXDATE` and `RDATE`. Anything else is refused
//! aloud, never expanded wrongly.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;

use crate::timing::{DateOrDateTime, resolve};

/// How many steps one expansion may take. A daily series of a century has 36,500.
const MAX_STEPS: usize = 50_000;

/// The parsed recurrence of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecurrenceSet {
    rule: Option<RecurrenceRule>,
    added: BTreeSet<DateOrDateTime>,
    excluded: BTreeSet<DateOrDateTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RecurrenceRule {
    frequency: RecurrenceFrequency,
    interval: u32,
    count: Option<usize>,
    until: Option<DateOrDateTime>,
    days: Vec<(Option<i8>, Weekday)>,
    month_days: Vec<i8>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecurrenceFrequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
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
        let mut rule = RecurrenceRule {
            frequency: RecurrenceFrequency::Daily,
            interval: 1,
            count: None,
            until: None,
            days: Vec::new(),
            month_days: Vec::new(),
            week_start: Weekday::Mon,
        };
        let mut frequency = None;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("no rule part: {part}"))?;
            let bad = || format!("bad {name} in a recurrence rule: {value}");
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    frequency = Some(match value.to_ascii_uppercase().as_str() {
                        "DAILY" => RecurrenceFrequency::Daily,
                        "WEEKLY" => RecurrenceFrequency::Weekly,
                        "MONTHLY" => RecurrenceFrequency::Monthly,
                        "YEARLY" => RecurrenceFrequency::Yearly,
                        _ => return Err(bad()),
                    });
                }
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(bad)?;
                }
                "COUNT" => rule.count = Some(value.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?),
                "UNTIL" => rule.until = Some(date(value, zone).ok_or_else(bad)?),
                "BYDAY" => rule.days = value.split(',').map(by_day).collect::<Option<_>>().ok_or_else(bad)?,
                "BYMONTHDAY" => {
                    let day = |text: &str| text.parse().ok().filter(|n: &i8| *n != 0 && n.abs() <= 31);
                    rule.month_days = value.split(',').map(day).collect::<Option<_>>().ok_or_else(bad)?;
                }
                "WKST" => rule.week_start = weekday(value).ok_or_else(bad)?,
                _ => return Err(format!("not supported in a recurrence rule: {name}")),
            }
        }
        rule.frequency = frequency.ok_or("a recurrence rule needs FREQ")?;
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<(), String> {
        if self.count.is_some() && self.until.is_some() {
            return Err("a recurrence rule has COUNT or UNTIL, not both".into());
        }
        if self.frequency != RecurrenceFrequency::Monthly {
            if self.days.iter().any(|(ordinal, _)| ordinal.is_some()) {
                return Err("BYDAY with a number is for FREQ=MONTHLY".into());
            }
            if !self.month_days.is_empty() {
                return Err("BYMONTHDAY is supported with FREQ=MONTHLY only".into());
            }
        }
        if self.frequency == RecurrenceFrequency::Yearly && !self.days.is_empty() {
            return Err("BYDAY is not supported with FREQ=YEARLY".into());
        }
        Ok(())
    }

    fn starts(&self, start: DateOrDateTime, zone: Tz, end: DateTime<Utc>) -> Vec<DateOrDateTime> {
        let (first_day, time) = match start {
            DateOrDateTime::On(day) => (day, None),
            DateOrDateTime::At(at) => {
                let local = at.with_timezone(&zone).naive_local();
                (local.date(), Some(local.time()))
            }
        };
        let at = |day: NaiveDate| match time {
            None => DateOrDateTime::On(day),
            Some(time) => DateOrDateTime::At(resolve(day.and_time(time), zone)),
        };
        // An UNTIL that is a date holds for the whole of that day (RFC 5545, 3.3.10).
        let last = self.until.map(|until| match (until, time) {
            (DateOrDateTime::On(day), Some(_)) => {
                DateOrDateTime::At(resolve(day.and_time(NaiveTime::MIN), zone) + Duration::days(1))
            }
            (DateOrDateTime::At(at), None) => DateOrDateTime::On(at.with_timezone(&zone).date_naive()),
            _ => until,
        });
        let mut starts = Vec::new();
        for step in 0..MAX_STEPS {
            let Some(days) = self.days_of_step(first_day, step) else { break };
            for day in days.into_iter().filter(|day| *day >= first_day) {
                let found = at(day);
                let past_last = last.is_some_and(|last| found > last);
                let counted_out = self.count.is_some_and(|count| starts.len() >= count);
                if past_last || counted_out || found.instant(zone) >= end {
                    return starts;
                }
                starts.push(found);
            }
        }
        starts
    }

    /// The days of the `step`-th period, in order, those before the first day included. `None` past the calendar's end.
    fn days_of_step(&self, first: NaiveDate, step: usize) -> Option<Vec<NaiveDate>> {
        let nth = u32::try_from(step).ok()?.checked_mul(self.interval)?;
        match self.frequency {
            RecurrenceFrequency::Daily => {
                let day = first.checked_add_signed(Duration::days(i64::from(nth)))?;
                let wanted = self.days.is_empty() || self.days.iter().any(|(_, name)| *name == day.weekday());
                Some(if wanted { vec![day] } else { Vec::new() })
            }
            RecurrenceFrequency::Weekly => {
                let monday = first - Duration::days(i64::from(days_from(self.week_start, first.weekday())));
                let week = monday.checked_add_signed(Duration::days(7 * i64::from(nth)))?;
                if self.days.is_empty() {
                    return Some(vec![week + (first - monday)]);
                }
                let offsets: BTreeSet<u8> =
                    self.days.iter().map(|(_, day)| days_from(self.week_start, *day)).collect();
                Some(offsets.into_iter().map(|offset| week + Duration::days(i64::from(offset))).collect())
            }
            RecurrenceFrequency::Monthly => {
                Some(self.days_of_month(first.with_day(1)?.checked_add_months(Months::new(nth))?, first))
            }
            RecurrenceFrequency::Yearly => {
                let year = first.year().checked_add(i32::try_from(nth).ok()?)?;
                if year > 9999 {
                    return None;
                }
                // The 29th of February exists in leap years only; other years are passed over.
                Some(first.with_year(year).into_iter().collect())
            }
        }
    }

    fn days_of_month(&self, month: NaiveDate, first: NaiveDate) -> Vec<NaiveDate> {
        let length = i8::try_from(month.num_days_in_month()).unwrap_or(31);
        let day = |number: i8| month.with_day(u32::try_from(number).ok()?);
        let mut days = BTreeSet::new();
        for number in &self.month_days {
            days.extend(day(if *number < 0 { length + 1 + number } else { *number }));
        }
        for (ordinal, name) in &self.days {
            let named: Vec<_> = (1..=length).filter_map(day).filter(|day| day.weekday() == *name).collect();
            match ordinal {
                None => days.extend(named),
                Some(nth) if *nth > 0 => days.extend(named.get(usize::from(nth.unsigned_abs()) - 1)),
                Some(nth) => {
                    days.extend(named.len().checked_sub(usize::from(nth.unsigned_abs())).map(|at| named[at]));
                }
            }
        }
        if self.month_days.is_empty() && self.days.is_empty() {
            days.extend(month.with_day(first.day()));
        }
        days.into_iter().collect()
    }
}

/// How many days after `week_start` the weekday `day` comes.
fn days_from(week_start: Weekday, day: Weekday) -> u8 {
    u8::try_from(day.days_since(week_start)).unwrap_or(0)
}

fn by_day(text: &str) -> Option<(Option<i8>, Weekday)> {
    let split = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at))?;
    let (ordinal, name) = text.split_at(split);
    let ordinal = match ordinal {
        "" => None,
        number => Some(number.parse().ok().filter(|n: &i8| *n != 0 && n.abs() <= 5)?),
    };
    Some((ordinal, weekday(name)?))
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
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
            "RRULE:FREQ=DAILY;BYSETPOS=1",
            "RRULE:FREQ=WEEKLY;BYDAY=1MO",
            "EXDATE:20260101",
            "nonsense",
        ] {
            assert!(RecurrenceSet::parse(&[line.into()], Lisbon).is_err(), "{line}");
        }
    }
}
