//! A week as a person sees it: days across, hours down, what overlaps side by side; above the hours a bar over all the
//! days of whatever takes whole days.

use std::cmp::Reverse;
use std::ops::Range;

use chrono::{DateTime, Datelike, Duration, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

use crate::store::{ListWindow, StoredCalendar, StoredEntryAction, standing_between};
use crate::timing::{DateOrDateTime, midnight};

const MINUTES_OF_DAY: i64 = 24 * 60;

/// The least height of an entry, so that its title can be read.
const MIN_BLOCK_MINUTES: i64 = 30;

/// An entry, on one day or over several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WeekBlock {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) location: String,
    /// Minutes since midnight by the wall clock; none for whole days.
    pub(super) minutes: Option<(i64, i64)>,
    /// Which of how many columns it stands in.
    pub(super) lane: usize,
    pub(super) lanes: usize,
    pub(super) tentative: bool,
    pub(super) free: bool,
    /// Whether an application wrote it.
    pub(super) by_application: bool,
    pub(super) recurring: bool,
}

/// What takes whole days.
#[derive(Debug, Clone)]
pub(super) struct AllDayBar {
    pub(super) block: WeekBlock,
    /// Its days of this week, counted from 0.
    pub(super) days: Range<usize>,
    /// Which of the rows above the hours it stands in.
    pub(super) row: usize,
    /// When it is, from its first to its last day.
    pub(super) when: String,
    pub(super) begins_before: bool,
    pub(super) ends_after: bool,
}

/// A day with what stands on it.
#[derive(Debug, Clone)]
pub(super) struct WeekDay {
    pub(super) date: NaiveDate,
    pub(super) timed: Vec<WeekBlock>,
}

/// Seven days from a Monday on.
#[derive(Debug, Clone)]
pub(super) struct WeekView {
    pub(super) days: Vec<WeekDay>,
    pub(super) bars: Vec<AllDayBar>,
    /// The hours that are shown.
    pub(super) first_hour: i64,
    pub(super) last_hour: i64,
}

/// The Monday of the week of `day`.
pub(super) fn monday(day: NaiveDate) -> NaiveDate {
    day - Duration::days(i64::from(day.weekday().num_days_from_monday()))
}

impl WeekView {
    /// The week of `calendar` that starts on `first`.
    pub(super) fn of(calendar: &StoredCalendar, first: NaiveDate, now: DateTime<Utc>) -> Self {
        let zone = calendar.info.zone;
        let window = ListWindow {
            from: Some(midnight(first, zone)),
            to: Some(midnight(first + Duration::days(7), zone)),
        };
        let shown = standing_between(calendar, window, now);
        let mut days: Vec<_> = (0..7)
            .map(|number| WeekDay { date: first + Duration::days(number), timed: Vec::new() })
            .collect();
        let mut bars = Vec::new();
        for one in shown {
            let entry = one.entry();
            let block = WeekBlock {
                id: one.id(),
                title: entry.title().filter(|title| !title.trim().is_empty()).unwrap_or("(No title)").into(),
                location: entry.location().unwrap_or_default().into(),
                minutes: None,
                lane: 0,
                lanes: 1,
                tentative: entry.is_tentative(),
                free: entry.is_free(),
                by_application: entry
                    .history
                    .first()
                    .is_some_and(|change| change.action == StoredEntryAction::Insert),
                recurring: entry.series.is_some() || entry.occurrence_of.is_some(),
            };
            let (start, end) = one.span();
            if let Some(whole) = whole_days(start, end, zone) {
                bars.push(AllDayBar::of(block, &whole, when(start, end, zone), first));
                continue;
            }
            for day in &mut days {
                day.put(&block, start, end, zone);
            }
        }
        let mut week = Self { days, bars, first_hour: 8, last_hour: 18 };
        week.arrange();
        week
    }

    fn arrange(&mut self) {
        stack(&mut self.bars);
        for day in &mut self.days {
            lay_out(&mut day.timed);
            for (from, to) in day.timed.iter().filter_map(|block| block.minutes) {
                self.first_hour = self.first_hour.min(from / 60);
                self.last_hour = self.last_hour.max((to + 59) / 60);
            }
        }
    }
}

/// The days of what lasts a day or longer, the last one exclusive; `None`: it stands among the hours.
fn whole_days(start: DateOrDateTime, end: DateOrDateTime, zone: Tz) -> Option<Range<NaiveDate>> {
    if let (DateOrDateTime::On(first), DateOrDateTime::On(end)) = (start, end) {
        return Some(first..end);
    }
    let (from, to) = (start.instant(zone), end.instant(zone));
    if to - from < Duration::days(1) {
        return None;
    }
    let last = (to - Duration::seconds(1)).with_timezone(&zone).date_naive();
    Some(from.with_timezone(&zone).date_naive()..last + Duration::days(1))
}

/// "Mon 2 Feb", "Mon 2 – Wed 4 Feb", "Mon 2 Feb, 15:00 – Wed 4 Feb, 11:00".
fn when(start: DateOrDateTime, end: DateOrDateTime, zone: Tz) -> String {
    if let (DateOrDateTime::On(first), DateOrDateTime::On(end)) = (start, end) {
        let last = end - Duration::days(1);
        let end = last.format("%a %-d %b");
        return if last <= first {
            end.to_string()
        } else if first.month() == last.month() {
            format!("{} – {end}", first.format("%a %-d"))
        } else {
            format!("{} – {end}", first.format("%a %-d %b"))
        };
    }
    let at =
        |when: DateOrDateTime| when.instant(zone).with_timezone(&zone).format("%a %-d %b, %H:%M").to_string();
    format!("{} – {}", at(start), at(end))
}

impl AllDayBar {
    fn of(block: WeekBlock, whole: &Range<NaiveDate>, when: String, monday: NaiveDate) -> Self {
        let day = |date: NaiveDate| usize::try_from((date - monday).num_days().clamp(0, 7)).unwrap_or(0);
        Self {
            block,
            days: day(whole.start)..day(whole.end),
            row: 0,
            when,
            begins_before: whole.start < monday,
            ends_after: whole.end > monday + Duration::days(7),
        }
    }
}

/// Gives bars that share a day rows of their own: the earliest first, of those the longest.
fn stack(bars: &mut [AllDayBar]) {
    bars.sort_by_key(|bar| (bar.days.start, Reverse(bar.days.end), bar.block.title.clone()));
    let mut ends: Vec<usize> = Vec::new();
    for bar in bars {
        bar.row = ends.iter().position(|end| *end <= bar.days.start).unwrap_or(ends.len());
        if bar.row == ends.len() {
            ends.push(bar.days.end);
        } else {
            ends[bar.row] = bar.days.end;
        }
    }
}

impl WeekDay {
    /// Puts the part of an entry here that falls on this day.
    fn put(&mut self, block: &WeekBlock, start: DateOrDateTime, end: DateOrDateTime, zone: Tz) {
        let today = |at: DateTime<Utc>| {
            let local = at.with_timezone(&zone).naive_local();
            let days = (local.date() - self.date).num_days();
            days * MINUTES_OF_DAY + i64::from(local.hour() * 60 + local.minute())
        };
        let (from, to) = (today(start.instant(zone)), today(end.instant(zone)));
        if from < MINUTES_OF_DAY && to > 0 {
            let minutes = Some((from.max(0), to.min(MINUTES_OF_DAY)));
            self.timed.push(WeekBlock { minutes, ..block.clone() });
        }
    }
}

/// Gives entries that overlap columns of their own.
fn lay_out(blocks: &mut [WeekBlock]) {
    blocks.sort_by_key(|block| (block.minutes, block.title.clone()));
    let mut cluster = 0..0;
    let mut ends: Vec<i64> = Vec::new();
    for index in 0..blocks.len() {
        let (from, to) = blocks[index].minutes.unwrap_or((0, MINUTES_OF_DAY));
        if ends.iter().all(|end| *end <= from) {
            finish_cluster(&mut blocks[cluster.clone()], ends.len());
            cluster = index..index;
            ends.clear();
        }
        let end = to.max(from + MIN_BLOCK_MINUTES);
        let lane = ends.iter().position(|taken| *taken <= from).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(end);
        } else {
            ends[lane] = end;
        }
        blocks[index].lane = lane;
        cluster.end = index + 1;
    }
    finish_cluster(&mut blocks[cluster], ends.len());
}

fn finish_cluster(cluster: &mut [WeekBlock], lanes: usize) {
    for block in cluster {
        block.lanes = lanes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(from: i64, to: i64) -> WeekBlock {
        WeekBlock {
            id: String::new(),
            title: format!("{from}"),
            location: String::new(),
            minutes: Some((from, to)),
            lane: 0,
            lanes: 1,
            tentative: false,
            free: false,
            by_application: false,
            recurring: false,
        }
    }

    #[test]
    fn what_overlaps_stands_side_by_side_and_what_touches_does_not() {
        let mut blocks = [block(540, 660), block(600, 630), block(630, 700), block(700, 760)];
        lay_out(&mut blocks);
        let places: Vec<_> = blocks.iter().map(|block| (block.lane, block.lanes)).collect();
        assert_eq!(places, [(0, 2), (1, 2), (1, 2), (0, 1)]);
    }

    #[test]
    fn an_entry_over_midnight_is_cut() {
        let zone = chrono_tz::UTC;
        let mut day = WeekDay { date: "2026-02-03".parse().unwrap(), timed: Vec::new() };
        let (start, end) = (at("2026-02-02T22:00:00Z"), at("2026-02-03T01:30:00Z"));
        assert_eq!(whole_days(start, end, zone), None);
        day.put(&block(0, 0), start, end, zone);
        assert_eq!(day.timed[0].minutes, Some((0, 90)));
    }

    fn at(text: &str) -> DateOrDateTime {
        DateOrDateTime::At(text.parse().unwrap())
    }

    fn on(text: &str) -> DateOrDateTime {
        DateOrDateTime::On(text.parse().unwrap())
    }

    #[test]
    fn what_takes_whole_days_is_a_bar_over_all_of_them() {
        let zone = chrono_tz::Europe::Berlin;
        let monday: NaiveDate = "2026-02-02".parse().unwrap();
        for (start, end, days, words) in [
            (on("2026-02-03"), on("2026-02-04"), 1..2, "Tue 3 Feb"),
            (on("2026-02-03"), on("2026-02-06"), 1..4, "Tue 3 – Thu 5 Feb"),
            (on("2026-01-30"), on("2026-02-20"), 0..7, "Fri 30 Jan – Thu 19 Feb"),
            (
                at("2026-02-03T14:00:00Z"),
                at("2026-02-05T10:00:00Z"),
                1..4,
                "Tue 3 Feb, 15:00 – Thu 5 Feb, 11:00",
            ),
            (
                at("2026-02-02T23:00:00Z"),
                at("2026-02-03T23:00:00Z"),
                1..2,
                "Tue 3 Feb, 00:00 – Wed 4 Feb, 00:00",
            ),
        ] {
            let whole = whole_days(start, end, zone).unwrap();
            let bar = AllDayBar::of(block(0, 0), &whole, when(start, end, zone), monday);
            assert_eq!((bar.days, bar.when.as_str()), (days, words));
            assert_eq!(bar.begins_before && bar.ends_after, words.starts_with("Fri 30"));
        }
    }

    #[test]
    fn bars_that_share_a_day_stand_below_each_other() {
        let bar = |days: Range<usize>| AllDayBar {
            block: block(0, 0),
            days,
            row: 0,
            when: String::new(),
            begins_before: false,
            ends_after: false,
        };
        let mut bars = [bar(3..5), bar(0..2), bar(0..4), bar(2..3)];
        stack(&mut bars);
        let rows: Vec<_> = bars.iter().map(|bar| (bar.days.clone(), bar.row)).collect();
        assert_eq!(rows, [(0..4, 0), (0..2, 1), (2..3, 1), (3..5, 1)]);
    }
}
