//! Where there is room: the alternatives that come with a refused booking, and what is free each day.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

use crate::{
    booking::BookingTime,
    interval::{Interval, start_of_day},
    occupancy::{Allocation, ResourceDemand},
};

/// One subject that the booking needs: its resource, or a staff member (of capacity 1).
#[derive(Clone, Copy, Debug)]
pub struct SubjectDemand<'a> {
    /// All rows of the subject within the search's reach, allocated or not.
    pub rows: &'a [Allocation],
    /// Units that there are.
    pub capacity: u32,
    /// Units that are wanted.
    pub quantity: u32,
    /// Minutes that the subject needs before a booking.
    pub buffer_before: u32,
    /// Minutes that the subject needs after a booking.
    pub buffer_after: u32,
}

/// What is looked for, and how far.
#[derive(Clone, Copy, Debug)]
pub struct SlotSearch {
    /// The time that was refused.
    pub wanted: BookingTime,
    /// The zone whose nights a stay counts, and whose clocks say what is day.
    pub zone: Tz,
    /// No suggestion starts before this.
    pub not_before: DateTime<Utc>,
    /// How far a suggestion may start from the wanted start, to either side.
    pub reach: Duration,
    /// How far timed suggestions are shifted at a time; stays are shifted by days.
    pub step: Duration,
    /// How many are enough.
    pub most: usize,
}

/// The most shifts to either side that are tried: four weeks of quarter hours.
const MAX_SHIFTS: i32 = 2_688;

/// The hours between which people expect to be offered something.
const DAY_BEGINS: u32 = 7;
const DAY_ENDS: u32 = 21;

/// Free times like the wanted one (as long, as many nights), nearest first and the earlier one of two as near. Those at
/// night come after all others, unless the wanted one is at night itself. Timed suggestions do not overlap each other: a
/// quarter of an hour's difference is no other choice.
pub fn find_free_slots(needs: &[SubjectDemand<'_>], search: &SlotSearch) -> Vec<BookingTime> {
    let levels: Vec<Levels> =
        needs.iter().map(|need| Levels::of(need.rows.iter().map(|row| row.interval))).collect();
    let mut found: Vec<(BookingTime, Interval)> = Vec::new();
    let (at_night, by_day): (Vec<_>, Vec<_>) = shifted(search).partition(|time| comes_last(*time, search));
    for time in by_day.into_iter().chain(at_night) {
        if found.len() >= search.most {
            break;
        }
        let Some(interval) = time.interval(search.zone) else { continue };
        let timed = matches!(time, BookingTime::Timed { .. });
        let new = !timed || found.iter().all(|(_, other)| !other.overlaps(&interval));
        if new
            && interval.start >= search.not_before
            && needs.iter().zip(&levels).all(|(need, levels)| levels.have_room(need, interval))
        {
            found.push((time, interval));
        }
    }
    found.into_iter().map(|(time, _)| time).collect()
}

fn comes_last(time: BookingTime, search: &SlotSearch) -> bool {
    is_at_night(time, search.zone) && !is_at_night(search.wanted, search.zone)
}

/// Whether any of it is before the day begins or after it ends. A stay has nights by its nature.
fn is_at_night(time: BookingTime, zone: Tz) -> bool {
    let BookingTime::Timed { starts_at, ends_at } = time else { return false };
    let (from, until) =
        (starts_at.with_timezone(&zone).naive_local(), ends_at.with_timezone(&zone).naive_local());
    let day_ends = from.date().and_hms_opt(DAY_ENDS, 0, 0);
    from.hour() < DAY_BEGINS || day_ends.is_none_or(|day_ends| until > day_ends)
}

/// The wanted time, moved to and fro by ever more, the wanted time itself not among them.
fn shifted(search: &SlotSearch) -> impl Iterator<Item = BookingTime> {
    let wanted = search.wanted;
    let step = match wanted {
        BookingTime::Timed { .. } => search.step.max(Duration::minutes(1)),
        BookingTime::Stay { .. } => Duration::days(1),
    };
    let reach = search.reach;
    (1..=MAX_SHIFTS)
        .map_while(move |count| step.checked_mul(count).filter(|by| *by <= reach))
        .flat_map(|by| [-by, by])
        .filter_map(move |by| moved(wanted, by))
}

fn moved(time: BookingTime, by: Duration) -> Option<BookingTime> {
    let day = |date: NaiveDate| date.checked_add_signed(by);
    let instant = |at: DateTime<Utc>| at.checked_add_signed(by);
    Some(match time {
        BookingTime::Timed { starts_at, ends_at } => {
            BookingTime::Timed { starts_at: instant(starts_at)?, ends_at: instant(ends_at)? }
        }
        BookingTime::Stay { check_in, check_out } => {
            BookingTime::Stay { check_in: day(check_in)?, check_out: day(check_out)? }
        }
    })
}

/// A day, and how many units are free for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayVacancy {
    pub date: NaiveDate,
    /// No instant of it needs one of these.
    pub units: u32,
    /// How much of it is free.
    pub room: DayRoom,
}

crate::words! {
    /// How much of a day is free: of a resource by the hour a day is seldom free or full.
    DayRoom "Availability of a day." {
        /// Every unit, all day.
        Free = "free",
        /// Some unit, at some time.
        Partly = "partly",
        /// No unit at any time.
        Full = "full",
    }
}

/// What is free on each day `from` a date to the day before another, in `zone`. `taken`: the time of each row, allocated or
/// not, that overlaps these days; units are alike, and what is allocated can move.
pub fn daily_vacancy(
    taken: &[Interval],
    capacity: u32,
    (from, to): (NaiveDate, NaiveDate),
    zone: Tz,
) -> Vec<DayVacancy> {
    let levels = Levels::of(taken.iter().copied());
    let days = from.iter_days().take_while(|date| *date < to);
    days.filter_map(|date| {
        let day = Interval::new(start_of_day(date, zone), start_of_day(date.succ_opt()?, zone))?;
        let most = u32::try_from(levels.peak(day)).unwrap_or(0);
        let least = u32::try_from(levels.trough(day)).unwrap_or(0);
        let room = match (most, least) {
            (0, _) => DayRoom::Free,
            (_, least) if least >= capacity => DayRoom::Full,
            _ => DayRoom::Partly,
        };
        Some(DayVacancy { date, units: capacity.saturating_sub(most), room })
    })
    .collect()
}

/// How many rows there are at each instant: each level holds from its instant to the next one's.
struct Levels(Vec<(DateTime<Utc>, i64)>);

impl Levels {
    fn of(rows: impl Iterator<Item = Interval>) -> Self {
        let mut steps: BTreeMap<DateTime<Utc>, i64> = BTreeMap::new();
        for row in rows {
            *steps.entry(row.start).or_default() += 1;
            *steps.entry(row.end).or_default() -= 1;
        }
        let levels = steps.into_iter().scan(0, |level, (at, step)| {
            *level += step;
            Some((at, *level))
        });
        Self(levels.collect())
    }

    /// Units are alike and allocated rows can change theirs, so there is room wherever no instant has too many rows
    /// (`occupancy::allocate_booking` judges by the same).
    fn have_room(&self, need: &SubjectDemand<'_>, interval: Interval) -> bool {
        let SubjectDemand { buffer_before, buffer_after, .. } = *need;
        let taken = ResourceDemand { interval, buffer_before, buffer_after }.occupied();
        self.peak(taken) + i64::from(need.quantity) <= i64::from(need.capacity)
    }

    /// The most rows at any instant of a stretch of time.
    fn peak(&self, within: Interval) -> i64 {
        self.during(within).max().unwrap_or(0)
    }

    /// The fewest rows at any instant of a stretch of time.
    fn trough(&self, within: Interval) -> i64 {
        self.during(within).min().unwrap_or(0)
    }

    /// Each level of a stretch of time.
    fn during(&self, within: Interval) -> impl Iterator<Item = i64> {
        let first = self.0.partition_point(|(at, _)| *at <= within.start);
        // Nothing stands before the first row.
        let before = first.checked_sub(1).map_or(0, |before| self.0[before].1);
        let then = self.0[first..].iter().take_while(move |(at, _)| *at < within.end);
        std::iter::once(before).chain(then.map(|(_, level)| *level))
    }
}

#[cfg(test)]
#[path = "availability_tests.rs"]
mod tests;
