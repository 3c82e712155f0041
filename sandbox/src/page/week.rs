//! A week as a person sees it: days across, hours down, what overlaps side by side.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

use crate::google::{Action, Calendar, Window, standing_between};
use crate::timing::{When, midnight};

const MINUTES_OF_DAY: i64 = 24 * 60;

/// The least height of an entry, so that its title can be read.
const LEAST_MINUTES: i64 = 30;

/// An entry on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
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

/// A day with what stands on it.
#[derive(Debug, Clone)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    /// What takes the whole day.
    pub(super) whole: Vec<Block>,
    pub(super) timed: Vec<Block>,
}

/// Seven days from a Monday on.
#[derive(Debug, Clone)]
pub(super) struct Week {
    pub(super) days: Vec<Day>,
    /// The hours that are shown.
    pub(super) first_hour: i64,
    pub(super) last_hour: i64,
}

/// The Monday of the week of `day`.
pub(super) fn monday(day: NaiveDate) -> NaiveDate {
    day - Duration::days(i64::from(day.weekday().num_days_from_monday()))
}

impl Week {
    /// The week of `calendar` that starts on `first`.
    pub(super) fn of(calendar: &Calendar, first: NaiveDate, now: DateTime<Utc>) -> Self {
        let zone = calendar.info.zone;
        let window =
            Window { from: Some(midnight(first, zone)), to: Some(midnight(first + Duration::days(7), zone)) };
        let shown = standing_between(calendar, window, now);
        let mut days: Vec<_> = (0..7)
            .map(|number| Day { date: first + Duration::days(number), whole: Vec::new(), timed: Vec::new() })
            .collect();
        for one in shown {
            let entry = one.entry();
            let text =
                |name: &str| entry.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default();
            let block = Block {
                id: one.id(),
                title: entry.title().filter(|title| !title.trim().is_empty()).unwrap_or("(No title)").into(),
                location: text("location").into(),
                minutes: None,
                lane: 0,
                lanes: 1,
                tentative: entry.status.as_str() == "tentative",
                free: text("transparency") == "transparent",
                by_application: entry.history.first().is_some_and(|change| change.action == Action::Insert),
                recurring: entry.series.is_some() || entry.occurrence_of.is_some(),
            };
            let (start, end) = one.span();
            for day in &mut days {
                day.put(&block, start, end, zone);
            }
        }
        let mut week = Self { days, first_hour: 8, last_hour: 18 };
        week.arrange();
        week
    }

    fn arrange(&mut self) {
        for day in &mut self.days {
            day.whole.sort_by(|one, other| one.title.cmp(&other.title));
            lay_out(&mut day.timed);
            for (from, to) in day.timed.iter().filter_map(|block| block.minutes) {
                self.first_hour = self.first_hour.min(from / 60);
                self.last_hour = self.last_hour.max((to + 59) / 60);
            }
        }
    }
}

impl Day {
    /// Puts the part of an entry here that falls on this day.
    fn put(&mut self, block: &Block, start: When, end: When, zone: Tz) {
        let today = |at: DateTime<Utc>| {
            let local = at.with_timezone(&zone).naive_local();
            let days = (local.date() - self.date).num_days();
            days * MINUTES_OF_DAY + i64::from(local.hour() * 60 + local.minute())
        };
        if let (When::On(first), When::On(end)) = (start, end) {
            if (first..end).contains(&self.date) {
                self.whole.push(block.clone());
            }
            return;
        }
        let (from, to) = (today(start.instant(zone)), today(end.instant(zone)));
        if from < MINUTES_OF_DAY && to > 0 {
            let minutes = Some((from.max(0), to.min(MINUTES_OF_DAY)));
            self.timed.push(Block { minutes, ..block.clone() });
        }
    }
}

/// Gives entries that overlap columns of their own.
fn lay_out(blocks: &mut [Block]) {
    blocks.sort_by_key(|block| (block.minutes, block.title.clone()));
    let mut cluster = 0..0;
    let mut ends: Vec<i64> = Vec::new();
    for index in 0..blocks.len() {
        let (from, to) = blocks[index].minutes.unwrap_or((0, MINUTES_OF_DAY));
        if ends.iter().all(|end| *end <= from) {
            close(&mut blocks[cluster.clone()], ends.len());
            cluster = index..index;
            ends.clear();
        }
        let end = to.max(from + LEAST_MINUTES);
        let lane = ends.iter().position(|taken| *taken <= from).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(end);
        } else {
            ends[lane] = end;
        }
        blocks[index].lane = lane;
        cluster.end = index + 1;
    }
    close(&mut blocks[cluster], ends.len());
}

fn close(cluster: &mut [Block], lanes: usize) {
    for block in cluster {
        block.lanes = lanes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(from: i64, to: i64) -> Block {
        Block {
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
    fn an_entry_over_midnight_is_cut_and_a_stay_shows_on_each_of_its_days() {
        let zone = chrono_tz::UTC;
        let mut day = Day { date: "2026-02-03".parse().unwrap(), whole: Vec::new(), timed: Vec::new() };
        let at = |text: &str| When::At(text.parse().unwrap());
        day.put(&block(0, 0), at("2026-02-02T22:00:00Z"), at("2026-02-03T01:30:00Z"), zone);
        assert_eq!(day.timed[0].minutes, Some((0, 90)));
        let on = |text: &str| When::On(text.parse().unwrap());
        day.put(&block(0, 0), on("2026-02-01"), on("2026-02-03"), zone);
        assert!(day.whole.is_empty());
        day.put(&block(0, 0), on("2026-02-03"), on("2026-02-04"), zone);
        assert_eq!(day.whole.len(), 1);
    }
}
