//! A recurrence rule (RFC 5545, 3.3.10), expanded on the clock on the wall: instants are the caller's business.
//!
//! `rrule` does the arithmetic, always in UTC, which has no gaps. What is around it here is what it lacks: the first
//! instance that a rule does not give, a start near the window, and an end to its patience.

use chrono::{Datelike, Days, Duration, Month, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Weekday};
use rrule::{Frequency, NWeekday, RRule, RRuleSet, Tz, Validated};

use super::{
    limits::{ReadError, ReadLimits},
    recur_text::RecurText,
};

/// A rule that was found to be readable, with its start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExpandableRule {
    parts: RRule<Validated>,
    count: Option<u32>,
    /// Whether the start is one of them where the rule does not give it.
    counts_start: bool,
}

/// More often than every five minutes is no calendar's business.
const MAX_INSTANCES_PER_DAY: usize = 288;
/// No part of a rule has more values than a year has days.
const MAX_PART_VALUES: usize = 366;

impl ExpandableRule {
    /// The rule of an event that starts at `start` on the wall; the error says what is wrong with it.
    pub(super) fn of(written: &RecurText, start: NaiveDateTime) -> Result<Self, String> {
        if written.foreign_calendar {
            return Err("another calendar than the Gregorian".to_owned());
        }
        if written.skips {
            return Err("SKIP is not understood".to_owned());
        }
        let sizes = [
            written.bysecond.len(),
            written.byminute.len(),
            written.byhour.len(),
            written.byday.len(),
            written.bymonthday.len(),
            written.byyearday.len(),
            written.byweekno.len(),
            written.bymonth.len(),
            written.bysetpos.len(),
        ];
        if sizes.iter().any(|size| *size > MAX_PART_VALUES) {
            return Err("too many values in one part".to_owned());
        }
        if instances_per_day(written) > MAX_INSTANCES_PER_DAY {
            return Err("more often than every five minutes".to_owned());
        }
        let months: Option<Vec<Month>> =
            written.bymonth.iter().map(|month| Month::try_from(*month).ok()).collect();
        let parts = RRule::new(written.freq)
            .interval(written.interval)
            .week_start(written.wkst.unwrap_or(Weekday::Mon))
            .by_set_pos(written.bysetpos.clone())
            .by_month(&months.ok_or_else(|| "no such month".to_owned())?)
            .by_month_day(written.bymonthday.clone())
            .by_year_day(written.byyearday.clone())
            .by_week_no(written.byweekno.clone())
            .by_weekday(written.byday.iter().map(|day| nth(*day, written.freq)).collect())
            .by_hour(written.byhour.clone())
            .by_minute(written.byminute.clone())
            .by_second(written.bysecond.clone())
            .validate(Tz::UTC.from_utc_datetime(&start))
            .map_err(|error| error.to_string())?;
        // One of UNTIL and COUNT may stand there.
        let count = written.count.filter(|_| written.until.is_none());
        Ok(Self { parts, count, counts_start: true })
    }

    /// The same beside other rules: one of them gives the start, and this counts what it gives itself.
    pub(super) fn without_dtstart(self) -> Self {
        Self { counts_start: false, ..self }
    }

    /// What one period of the rule costs to look through, in steps.
    fn weight(&self) -> u64 {
        let positions = u64::try_from(self.parts.get_by_set_pos().len()).unwrap_or(0);
        positions
            + match self.parts.get_freq() {
                Frequency::Yearly => 20,
                Frequency::Monthly => 3,
                _ => 1,
            }
    }

    /// How long one period of the rule is, at least.
    fn period(&self) -> Duration {
        let interval = i64::from(self.parts.get_interval().max(1));
        match self.parts.get_freq() {
            Frequency::Yearly => Duration::days(365 * interval),
            Frequency::Monthly => Duration::days(28 * interval),
            Frequency::Weekly => Duration::weeks(interval),
            Frequency::Daily => Duration::days(interval),
            Frequency::Hourly => Duration::hours(interval),
            Frequency::Minutely => Duration::minutes(interval),
            Frequency::Secondly => Duration::seconds(interval),
        }
    }

    /// Steps to look through the stretch from one instance to the next.
    fn cost(&self, stretch: Duration) -> u64 {
        let periods = stretch.num_seconds() / self.period().num_seconds().max(1);
        // The library itself gives up after so many periods without an instance.
        u64::try_from(periods.clamp(0, 100_000)).unwrap_or(0) * self.weight() + 5
    }

    /// Where to begin so that nothing from `from` on is missed: the start, or the beginning of a period of the rule
    /// before `from`.
    fn fast_forward(&self, start: NaiveDateTime, from: NaiveDateTime) -> NaiveDateTime {
        if self.count.is_some() || from <= start {
            return start;
        }
        let interval = i64::from(self.parts.get_interval().max(1));
        // Whole periods of the rule to leave out, the last before `from` not among them.
        let skipped = |units: i64| (units / interval - 1).max(0) * interval;
        let near = match self.parts.get_freq() {
            Frequency::Yearly => {
                let years = skipped(i64::from(from.year() - start.year()));
                first_of(i64::from(start.year()) * 12 + years * 12)
            }
            Frequency::Monthly => {
                let months = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
                first_of(months(start) + skipped(months(from) - months(start)))
            }
            Frequency::Weekly => {
                let monday = start.date().week(self.parts.get_week_start()).checked_first_day();
                monday.and_then(|first| {
                    let weeks = skipped((from.date() - first).num_weeks());
                    first.checked_add_days(Days::new(u64::try_from(weeks * 7).ok()?))
                })
            }
            Frequency::Daily => {
                let days = skipped((from.date() - start.date()).num_days());
                u64::try_from(days).ok().and_then(|days| start.date().checked_add_days(Days::new(days)))
            }
            Frequency::Hourly => return start + Duration::hours(skipped((from - start).num_hours())),
            Frequency::Minutely => return start + Duration::minutes(skipped((from - start).num_minutes())),
            Frequency::Secondly => return start + Duration::seconds(skipped((from - start).num_seconds())),
        };
        near.map_or(start, |date| date.and_time(NaiveTime::MIN).max(start))
    }
}

/// The first day of a month, counted from the year 0.
fn first_of(month: i64) -> Option<NaiveDate> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    NaiveDate::from_ymd_opt(year, u32::try_from(month.rem_euclid(12)).ok()? + 1, 1)
}

/// Patience, so that no calendar takes longer to expand than it is worth. By steps, not by the clock: the same
/// calendar always ends the same way.
#[derive(Debug)]
pub(super) struct Budget {
    /// Each is about a tenth of a microsecond.
    steps: u64,
    /// Instances that may be found in the stretch of one rule, and in all.
    pub(super) most: usize,
}

impl Budget {
    pub(super) fn of(limits: &ReadLimits) -> Self {
        Self { steps: limits.steps, most: limits.occurrences }
    }

    /// Enough for a hundred zones with two centuries of summer time each.
    pub(super) fn of_zones() -> Self {
        Self { steps: 1_000_000, most: 1_000 }
    }

    /// Takes steps away; an error when there are not so many left, and from then on.
    pub(super) fn spend(&mut self, steps: u64) -> Result<(), ReadError> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(|_| ()).ok_or(ReadError::TooMuchWork)
    }
}

/// The wall times from `from` until before `to` at which a rule has instances, in order. The start is always the
/// first one, also where the rule does not give it (3.8.5.3).
pub(super) fn walls(
    rule: &ExpandableRule,
    start: NaiveDateTime,
    from: NaiveDateTime,
    to: NaiveDateTime,
    budget: &mut Budget,
) -> Result<Vec<NaiveDateTime>, ReadError> {
    // What a stretch costs is known when it was looked through: whoever has nothing left must not begin.
    budget.spend(1)?;
    let mut found = Vec::new();
    if to <= start {
        return Ok(found);
    }
    if from <= start {
        found.push(start);
    }
    let begin = rule.fast_forward(start, from);
    let instances = RRuleSet::new(Tz::UTC.from_utc_datetime(&begin)).rrule(rule.parts.clone()).limit();
    let mut left = rule.count.map(|count| count.saturating_sub(u32::from(rule.counts_start)));
    let mut last = begin;
    for wall in &instances {
        let wall = wall.naive_utc();
        budget.spend(rule.cost(wall - last))?;
        last = wall;
        if wall >= to || left == Some(0) {
            return Ok(found);
        }
        if wall < start || (wall == start && rule.counts_start) {
            continue;
        }
        left = left.map(|left| left - 1);
        if wall == start {
            continue;
        }
        if wall >= from {
            if found.len() >= budget.most {
                return Err(ReadError::TooManyOccurrences);
            }
            found.push(wall);
        }
    }
    // There is nothing more until the end of time, and that was looked through.
    budget.spend(rule.cost(MAX_WALL_TIME - last))?;
    Ok(found)
}

/// Beyond the last year of the library.
const MAX_WALL_TIME: NaiveDateTime = match NaiveDate::from_ymd_opt(10_000, 12, 31) {
    Some(date) => date.and_time(NaiveTime::MIN),
    None => NaiveDateTime::MAX,
};

/// At most so often on one day.
fn instances_per_day(written: &RecurText) -> usize {
    let interval = usize::from(written.interval);
    let (hours, minutes, seconds) =
        (written.byhour.len().max(1), written.byminute.len().max(1), written.bysecond.len().max(1));
    match written.freq {
        Frequency::Secondly => 86_400 / interval,
        Frequency::Minutely => 1_440 / interval * seconds,
        Frequency::Hourly => 24_usize.div_ceil(interval) * minutes * seconds,
        _ => hours * minutes * seconds,
    }
}

/// "The second Monday" has a meaning in months and years alone.
fn nth((number, weekday): (Option<i16>, Weekday), frequency: Frequency) -> NWeekday {
    match (number, frequency) {
        (Some(number), Frequency::Yearly | Frequency::Monthly) if number != 0 => {
            NWeekday::Nth(number, weekday)
        }
        _ => NWeekday::Every(weekday),
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
