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
    /// Which day.
    pub date: NaiveDate,
    /// No instant of it needs one of these.
    pub units: u32,
    /// How much of it is free.
    pub room: DayRoom,
}

crate::words! {
    /// How much of a day is free: of a resource by the hour a day is seldom free or full.
    DayRoom {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ical::fixtures::{at, stay, timed},
        ids::OccupancyId,
        occupancy::{Placement, allocate_booking, free_units},
    };

    const LISBON: Tz = chrono_tz::Europe::Lisbon;

    fn row(id: u128, unit: Option<u32>, time: BookingTime) -> Allocation {
        Allocation {
            id: OccupancyId(uuid::Uuid::from_u128(id)),
            unit,
            interval: time.interval(LISBON).unwrap(),
        }
    }

    fn need(rows: &[Allocation], capacity: u32) -> SubjectDemand<'_> {
        SubjectDemand { rows, capacity, quantity: 1, buffer_before: 0, buffer_after: 0 }
    }

    fn search(wanted: BookingTime) -> SlotSearch {
        SlotSearch {
            wanted,
            zone: LISBON,
            not_before: at("2026-12-01T00:00:00Z"),
            reach: Duration::days(14),
            step: Duration::minutes(15),
            most: 3,
        }
    }

    #[test]
    fn stays_keep_their_nights() {
        let rows = [row(1, Some(1), stay("2026-12-10", "2026-12-12"))];
        let found = find_free_slots(&[need(&rows, 1)], &search(stay("2026-12-10", "2026-12-12")));
        let expected = [
            stay("2026-12-08", "2026-12-10"),
            stay("2026-12-12", "2026-12-14"),
            stay("2026-12-07", "2026-12-09"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn timed_suggestions_stand_side_by_side() {
        let rows = [row(1, Some(1), timed("2026-12-10T11:00:00Z", "2026-12-10T12:00:00Z"))];
        let found = find_free_slots(
            &[need(&rows, 1)],
            &search(timed("2026-12-10T10:00:00Z", "2026-12-10T12:00:00Z")),
        );
        let expected = [
            timed("2026-12-10T09:00:00Z", "2026-12-10T11:00:00Z"),
            timed("2026-12-10T12:00:00Z", "2026-12-10T14:00:00Z"),
            timed("2026-12-10T07:00:00Z", "2026-12-10T09:00:00Z"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_free_at_night_comes_last_unless_a_night_was_wanted() {
        // The whole day from 8 to 21, in summer an hour ahead of UTC.
        let rows = [row(1, Some(1), timed("2026-07-10T07:00:00Z", "2026-07-10T20:00:00Z"))];
        let near = |wanted, most| SlotSearch {
            not_before: at("2026-07-01T00:00:00Z"),
            reach: Duration::hours(14),
            step: Duration::minutes(30),
            most,
            ..search(wanted)
        };
        let found = find_free_slots(
            &[need(&rows, 1)],
            &near(timed("2026-07-10T18:00:00Z", "2026-07-10T19:00:00Z"), 4),
        );
        let expected = [
            timed("2026-07-10T06:00:00Z", "2026-07-10T07:00:00Z"),
            timed("2026-07-11T06:00:00Z", "2026-07-11T07:00:00Z"),
            timed("2026-07-11T07:00:00Z", "2026-07-11T08:00:00Z"),
            timed("2026-07-11T08:00:00Z", "2026-07-11T09:00:00Z"),
        ];
        assert_eq!(found, expected);
        let more = find_free_slots(
            &[need(&rows, 1)],
            &near(timed("2026-07-10T18:00:00Z", "2026-07-10T19:00:00Z"), 5),
        );
        assert_eq!(more[4], timed("2026-07-10T20:00:00Z", "2026-07-10T21:00:00Z"));
        let late = find_free_slots(
            &[need(&rows, 1)],
            &near(timed("2026-07-10T19:30:00Z", "2026-07-10T20:30:00Z"), 2),
        );
        let nights = [
            timed("2026-07-10T20:00:00Z", "2026-07-10T21:00:00Z"),
            timed("2026-07-10T21:00:00Z", "2026-07-10T22:00:00Z"),
        ];
        assert_eq!(late, nights);
    }

    #[test]
    fn everybody_who_is_needed_must_be_free() {
        let wanted = timed("2026-12-10T10:00:00Z", "2026-12-10T11:00:00Z");
        let room = [row(1, Some(1), wanted)];
        let person = [row(2, Some(1), timed("2026-12-10T08:00:00Z", "2026-12-10T10:00:00Z"))];
        let found =
            find_free_slots(&[need(&room, 1), need(&person, 1)], &SlotSearch { most: 1, ..search(wanted) });
        assert_eq!(found, [timed("2026-12-10T11:00:00Z", "2026-12-10T12:00:00Z")]);
    }

    #[test]
    fn buffers_are_kept_free_too() {
        let wanted = timed("2026-12-10T10:00:00Z", "2026-12-10T11:00:00Z");
        let rows = [row(1, Some(1), wanted)];
        let need = SubjectDemand { buffer_before: 30, ..need(&rows, 1) };
        let found = find_free_slots(&[need], &SlotSearch { most: 2, ..search(wanted) });
        let expected = [
            timed("2026-12-10T09:00:00Z", "2026-12-10T10:00:00Z"),
            timed("2026-12-10T11:30:00Z", "2026-12-10T12:30:00Z"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_in_the_past_and_nothing_too_far() {
        let wanted = stay("2026-12-02", "2026-12-03");
        let rows = [row(1, Some(1), stay("2026-12-02", "2026-12-04"))];
        let near = SlotSearch { reach: Duration::days(3), most: 10, ..search(wanted) };
        let found = find_free_slots(&[need(&rows, 1)], &near);
        let expected = [
            stay("2026-12-01", "2026-12-02"),
            stay("2026-12-04", "2026-12-05"),
            stay("2026-12-05", "2026-12-06"),
        ];
        assert_eq!(found, expected);
        assert_eq!(find_free_slots(&[need(&rows, 0)], &near), []);
    }

    #[test]
    fn what_ends_before_the_next_begins_takes_one_unit() {
        let row = |start: &str, hours| Interval { start: at(start), end: at(start) + Duration::hours(hours) };
        let taken = [
            row("2026-12-01T08:00:00Z", 2),
            row("2026-12-01T10:00:00Z", 2),
            row("2026-12-02T09:00:00Z", 1),
            row("2026-12-02T09:30:00Z", 30),
        ];
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let free = daily_vacancy(&taken, 2, (day("2026-12-01"), day("2026-12-05")), chrono_tz::UTC);
        assert_eq!(free.iter().map(|day| day.units).collect::<Vec<_>>(), [1, 0, 1, 2]);
        assert_eq!((free[0].date, free[3].date), (day("2026-12-01"), day("2026-12-04")));
    }

    #[test]
    fn a_day_is_free_partly_free_or_full() {
        let row = |start: &str, end: &str| Interval { start: at(start), end: at(end) };
        let taken = [
            row("2026-12-02T09:00:00Z", "2026-12-02T10:00:00Z"),
            row("2026-12-03T00:00:00Z", "2026-12-03T12:00:00Z"),
            row("2026-12-03T12:00:00Z", "2026-12-04T00:00:00Z"),
            row("2026-12-04T00:00:00Z", "2026-12-04T23:59:00Z"),
        ];
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let rooms = |taken: &[Interval], capacity| {
            let days = daily_vacancy(taken, capacity, (day("2026-12-01"), day("2026-12-06")), chrono_tz::UTC);
            days.iter().map(|day| day.room.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(rooms(&taken, 1), ["free", "partly", "full", "partly", "free"]);
        assert_eq!(rooms(&taken, 2), ["free", "partly", "partly", "partly", "free"]);
        assert_eq!(rooms(&[], 1), ["free"; 5]);
    }

    #[test]
    fn more_than_there_are_units_leaves_none_and_midnight_is_that_of_the_zone() {
        // The whole of the 1st in Lisbon's summer, which ends an hour before midnight in UTC.
        let whole_day = Interval { start: at("2026-07-31T23:00:00Z"), end: at("2026-08-01T23:00:00Z") };
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let free = daily_vacancy(&[whole_day; 3], 2, (day("2026-07-31"), day("2026-08-03")), LISBON);
        assert_eq!(free.iter().map(|day| day.units).collect::<Vec<_>>(), [2, 0, 2]);
    }

    fn instant(quarters: i64) -> DateTime<Utc> {
        at("2027-03-20T00:00:00Z") + Duration::minutes(15 * quarters)
    }

    /// Rows that were allocated as they would be in the database, and some facts from outside without a unit.
    fn rows(capacity: u32) -> impl Strategy<Value = Vec<Allocation>> {
        let times = (0_i64..900, 1_i64..40, any::<bool>());
        proptest::collection::vec(times, 0..60).prop_map(move |times| {
            let mut rows: Vec<Allocation> = Vec::new();
            for (index, (start, length, fact)) in (0_u128..).zip(times) {
                let interval = Interval { start: instant(start), end: instant(start + length) };
                let unit = free_units(&rows, capacity, interval).first().copied();
                if unit.is_some() || fact {
                    rows.push(Allocation { id: OccupancyId(uuid::Uuid::from_u128(index)), unit, interval });
                }
            }
            rows
        })
    }

    fn wanted() -> impl Strategy<Value = BookingTime> {
        prop_oneof![
            (0_i64..900, 1_i64..60).prop_map(|(start, length)| BookingTime::Timed {
                starts_at: instant(start),
                ends_at: instant(start + length)
            }),
            (0_i64..9, 1_i64..4).prop_map(|(start, nights)| {
                let check_in = instant(0).date_naive() + Duration::days(start);
                BookingTime::Stay { check_in, check_out: check_in + Duration::days(nights) }
            }),
        ]
    }

    fn length(time: BookingTime) -> Duration {
        match time {
            BookingTime::Timed { starts_at, ends_at } => ends_at - starts_at,
            BookingTime::Stay { check_in, check_out } => check_out - check_in,
        }
    }

    fn distance(one: BookingTime, other: BookingTime) -> Duration {
        match (one, other) {
            (BookingTime::Timed { starts_at: a, .. }, BookingTime::Timed { starts_at: b, .. }) => {
                (a - b).abs()
            }
            (BookingTime::Stay { check_in: a, .. }, BookingTime::Stay { check_in: b, .. }) => (a - b).abs(),
            _ => panic!("a stay for a timed booking"),
        }
    }

    proptest! {
        #[test]
        fn each_suggestion_would_be_allocated(
            (capacity, rows) in (1_u32..4).prop_flat_map(|capacity| (Just(capacity), rows(capacity))),
            wanted in wanted(),
            quantity in 1_u32..3,
            buffers in (0_u32..40, 0_u32..40),
            most in 0_usize..6,
        ) {
            let search = SlotSearch {
                not_before: instant(50), reach: Duration::days(4), most, ..search(wanted)
            };
            let need = SubjectDemand { rows: &rows, capacity, quantity, buffer_before: buffers.0, buffer_after: buffers.1 };
            let found = find_free_slots(&[need], &search);
            prop_assert!(found.len() <= most);
            let mut last = (false, Duration::zero());
            for time in &found {
                let interval = time.interval(LISBON).unwrap();
                let taken = interval.padded(buffers.0, buffers.1);
                let allocation = allocate_booking(&rows, capacity, taken, quantity);
                let allocated = matches!(allocation, Placement::Allocated { .. });
                prop_assert!(allocated, "{:?} at {:?}", allocation, time);
                prop_assert_eq!(length(*time), length(wanted));
                prop_assert!(interval.start >= search.not_before);
                prop_assert!(*time != wanted && distance(*time, wanted) <= search.reach);
                let place = (comes_last(*time, &search), distance(*time, wanted));
                prop_assert!(place >= last, "by day first, then the nearest");
                last = place;
            }
            // Nothing nearer was passed over: the first free shift by day is the first suggestion.
            let is_free = |time: &BookingTime| {
                let interval = time.interval(LISBON).unwrap();
                let taken = interval.padded(buffers.0, buffers.1);
                let allocation = allocate_booking(&rows, capacity, taken, quantity);
                interval.start >= search.not_before && matches!(allocation, Placement::Allocated { .. })
            };
            let first = shifted(&search)
                .find(|time| !comes_last(*time, &search) && is_free(time))
                .or_else(|| shifted(&search).find(is_free));
            prop_assert_eq!(found.first().copied(), first.filter(|_| most > 0));
        }
    }
}
