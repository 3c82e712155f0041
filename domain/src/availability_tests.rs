//! Alternatives and daily vacancy, against tables of cases and what allocation says.

use proptest::prelude::*;

use super::*;
use crate::{
    ical::fixtures::{at, stay, timed},
    ids::OccupancyId,
    occupancy::{Placement, allocate_booking, free_units},
};

const LISBON: Tz = chrono_tz::Europe::Lisbon;

fn row(id: u128, unit: Option<u32>, time: BookingTime) -> Allocation {
    Allocation { id: OccupancyId(uuid::Uuid::from_u128(id)), unit, interval: time.interval(LISBON).unwrap() }
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
    let found =
        find_free_slots(&[need(&rows, 1)], &search(timed("2026-12-10T10:00:00Z", "2026-12-10T12:00:00Z")));
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
    let found =
        find_free_slots(&[need(&rows, 1)], &near(timed("2026-07-10T18:00:00Z", "2026-07-10T19:00:00Z"), 4));
    let expected = [
        timed("2026-07-10T06:00:00Z", "2026-07-10T07:00:00Z"),
        timed("2026-07-11T06:00:00Z", "2026-07-11T07:00:00Z"),
        timed("2026-07-11T07:00:00Z", "2026-07-11T08:00:00Z"),
        timed("2026-07-11T08:00:00Z", "2026-07-11T09:00:00Z"),
    ];
    assert_eq!(found, expected);
    let more =
        find_free_slots(&[need(&rows, 1)], &near(timed("2026-07-10T18:00:00Z", "2026-07-10T19:00:00Z"), 5));
    assert_eq!(more[4], timed("2026-07-10T20:00:00Z", "2026-07-10T21:00:00Z"));
    let late =
        find_free_slots(&[need(&rows, 1)], &near(timed("2026-07-10T19:30:00Z", "2026-07-10T20:30:00Z"), 2));
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
fn daily_vacancy_saturates_and_uses_local_midnight() {
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
        (BookingTime::Timed { starts_at: a, .. }, BookingTime::Timed { starts_at: b, .. }) => (a - b).abs(),
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
