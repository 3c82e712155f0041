//! Imports by cases.

use chrono::{Duration, NaiveDate};

use super::*;
use crate::{ical::fixtures::at, sync::drift::ExpectedState};

#[path = "busy_times_property_tests.rs"]
mod properties;

const LISBON: Tz = chrono_tz::Europe::Lisbon;

fn read(kind: ReadKind) -> CalendarRead {
    let window = Interval::new(at("2026-11-30T00:00:00Z"), at("2027-05-30T00:00:00Z")).unwrap();
    CalendarRead { kind, window, zone: LISBON, now: at("2026-12-01T00:00:00Z") }
}

fn full() -> CalendarRead {
    read(ReadKind::Full)
}

fn busy(busy: &[ObservedBusyTime]) -> StoredCalendarState<'_> {
    StoredCalendarState { busy, ours: &[] }
}

/// What follows if nothing was quarantined before.
fn plan(known: &[ObservedBusyTime], pages: &[ObservedEntry], read: &CalendarRead) -> BusyTimePlan {
    plan_import(busy(known), pages, &[], read, &QuarantinedIds::default())
}

/// What is written at once, and what at second sight.
fn surely(known: &[ObservedBusyTime], pages: &[ObservedEntry], read: &CalendarRead) -> BusyTimeChanges {
    let first = plan(known, pages, read);
    let quarantined = first.held.map(|held| held.quarantined).unwrap_or_default();
    applied(plan_import(busy(known), pages, &[], read, &quarantined))
}

fn hour(number: i64) -> EntryTime {
    let starts_at = at("2026-12-02T09:00:00Z") + Duration::hours(2 * number);
    EntryTime::Timed { starts_at, ends_at: starts_at + Duration::hours(1), zone: LISBON }
}

fn entry(id: &str, etag: &str, time: EntryTime) -> ObservedEntry {
    ObservedEntry {
        external_id: id.into(),
        series: None,
        etag: Some(etag.into()),
        deleted: false,
        busy: true,
        tentative: false,
        title: "Dentist".into(),
        time: Some(time),
        entry: None,
        updated_at: None,
        unreadable: false,
    }
}

fn applied(plan: BusyTimePlan) -> BusyTimeChanges {
    match plan.held {
        None => plan.changes,
        Some(held) => panic!("held: {}", held.reason),
    }
}

/// What is stored after `pages` were read into nothing.
fn stored(pages: &[ObservedEntry]) -> Vec<ObservedBusyTime> {
    applied(plan(&[], pages, &full())).upserts
}

fn numbered(count: i64) -> Vec<ObservedEntry> {
    (0..count).map(|number| entry(&format!("n{number:02}"), "1", hour(number))).collect()
}

#[test]
fn one_changed_event_is_one_row() {
    let mut calendar = numbered(40);
    let known = stored(&calendar);
    assert_eq!(applied(plan(&known, &calendar, &full())), BusyTimeChanges::default());
    calendar[7] = entry("n07", "2", hour(100));
    for (pages, kind) in [(&calendar[..], full()), (&calendar[7..8], read(ReadKind::Incremental))] {
        let changes = applied(plan(&known, pages, &kind));
        assert_eq!((changes.upserts.len(), changes.removals.len()), (1, 0));
        assert_eq!(changes.upserts[0].external_id, "n07");
    }
}

#[test]
fn each_way_to_go_has_its_reason() {
    let calendar = numbered(9);
    let known = stored(&calendar);
    let mut pages = calendar;
    pages[0].deleted = true;
    pages[0].time = None;
    pages[1].busy = false;
    pages[2] = entry("n02", "2", hour(10_000));
    pages[3].entry = Some(EntryId(uuid::Uuid::nil()));
    pages[4].time = None;
    let Some(EntryTime::Timed { starts_at, .. }) = pages[5].time.clone() else { unreachable!() };
    pages[5].time = Some(EntryTime::Timed { starts_at, ends_at: starts_at, zone: LISBON });
    let incremental = applied(plan(&known, &pages[..6], &read(ReadKind::Incremental)));
    let reasons: Vec<_> =
        incremental.removals.iter().map(|removal| (removal.external_id.as_str(), removal.reason)).collect();
    let expected = [
        ("n00", RemovalReason::Deleted),
        ("n01", RemovalReason::Free),
        ("n02", RemovalReason::ImportWindow),
        ("n03", RemovalReason::Ours),
        ("n05", RemovalReason::Free),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(incremental.upserts, []);

    let whole = applied(plan(&known, &pages[..6], &full()));
    let vanished = whole.removals.iter().filter(|removal| removal.reason == RemovalReason::Vanished);
    assert_eq!(
        vanished.map(|removal| removal.external_id.as_str()).collect::<Vec<_>>(),
        ["n06", "n07", "n08"]
    );
}

#[test]
fn whole_days_begin_in_the_calendars_zone() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let time = EntryTime::AllDay { from: day("2027-03-28"), until: day("2027-03-29") };
    let known = stored(&[entry("a", "1", time)]);
    // Summer time begins that night: the day has 23 hours.
    assert_eq!(known[0].interval.start, at("2027-03-28T00:00:00Z"));
    assert_eq!(known[0].interval.end, at("2027-03-28T23:00:00Z"));
}

#[test]
fn the_later_mention_holds() {
    let pages = [entry("a", "1", hour(0)), entry("b", "1", hour(1)), entry("a", "2", hour(5))];
    let known = stored(&pages);
    assert_eq!(known.len(), 2);
    assert_eq!(known[0].etag.as_deref(), Some("2"));
}

#[test]
fn an_event_that_only_touches_the_window_is_not_in_it() {
    let window = full().window;
    let until = |ends_at| EntryTime::Timed { starts_at: ends_at - Duration::hours(1), ends_at, zone: LISBON };
    assert_eq!(stored(&[entry("a", "1", until(window.start))]), []);
    let over_the_edge = stored(&[entry("a", "1", until(window.start + Duration::minutes(1)))]);
    assert_eq!(over_the_edge[0].interval.start, window.start - Duration::minutes(59));
}

#[test]
fn a_suspicious_read_waits_for_a_second_one() {
    let calendar = numbered(12);
    let known = stored(&calendar);
    for (pages, reason) in [
        (&calendar[..0], CalendarQuarantineReason::Empty { known: 12 }),
        (&calendar[..5], CalendarQuarantineReason::Shrunk { gone: 7, known: 12 }),
    ] {
        let first = plan(&known, pages, &full());
        let held = first.held.unwrap();
        assert_eq!((first.changes, held.reason), (BusyTimeChanges::default(), reason));
        let kept = QuarantinedIds::from_text(&held.quarantined.to_text());
        assert_eq!(kept, held.quarantined);
        let second = applied(plan_import(busy(&known), pages, &[], &full(), &kept));
        assert_eq!(second.removals.len(), 12 - pages.len());
        assert_eq!(applied(plan(&known, pages, &read(ReadKind::Incremental))), BusyTimeChanges::default());
    }
    assert_eq!(applied(plan(&known, &calendar[..6], &full())).removals.len(), 6);
    assert_eq!(applied(plan(&known[..9], &calendar[..1], &full())).removals.len(), 8);
    assert_eq!(
        plan(&known[..1], &[], &full()).held.unwrap().reason,
        CalendarQuarantineReason::Empty { known: 1 }
    );
    assert_eq!(applied(plan(&[], &[], &full())), BusyTimeChanges::default());
}

#[test]
fn new_busy_times_do_not_wait_for_a_quarantine() {
    let mut calendar = numbered(12);
    let known = stored(&calendar);
    calendar.drain(..8);
    calendar.push(entry("new", "1", hour(50)));
    calendar[0] = entry("n08", "2", hour(60));
    let first = plan(&known, &calendar, &full());
    let written: Vec<_> = first.changes.upserts.iter().map(|event| event.external_id.as_str()).collect();
    assert_eq!((written, first.changes.removals.len()), (vec!["n08", "new"], 0));
    let rows = after(&known, &first.changes);
    let quarantined = first.held.unwrap().quarantined;

    // Before the second sight the calendar has changed again: what is gone twice goes, what has come back stays.
    calendar.push(entry("newer", "1", hour(51)));
    calendar.push(entry("n00", "1", hour(0)));
    calendar.remove(1);
    let second = applied(plan_import(busy(&rows), &calendar, &[], &full(), &quarantined));
    let gone: Vec<_> = second.removals.iter().map(|removal| removal.external_id.as_str()).collect();
    assert_eq!(gone, ["n01", "n02", "n03", "n04", "n05", "n06", "n07", "n09"]);
    assert_eq!(second.upserts.len(), 1);
}

#[test]
fn further_removals_are_quarantined_by_themselves() {
    let calendar = numbered(30);
    let known = stored(&calendar);
    let first = plan(&known, &calendar[16..], &full()).held.unwrap();
    let second = plan_import(busy(&known), &[], &[], &full(), &first.quarantined);
    assert_eq!(second.changes.removals.len(), 16);
    let held = second.held.unwrap();
    assert_eq!(held.reason, CalendarQuarantineReason::Empty { known: 14 });
    let rows = after(&known, &second.changes);
    assert_eq!(applied(plan_import(busy(&rows), &[], &[], &full(), &held.quarantined)).removals.len(), 14);
}

#[test]
fn the_past_may_leave_at_once() {
    let known = stored(&numbered(12));
    let later = CalendarRead { now: at("2027-01-01T00:00:00Z"), ..full() };
    assert_eq!(applied(plan(&known, &[], &later)).removals.len(), 12);
}

#[test]
fn a_full_read_tells_of_entries_of_ours_that_it_does_not_name() {
    let id = |number: u128| EntryId(uuid::Uuid::from_u128(number));
    let ours = |number: u8, expected| EntryExpectation {
        id: id(number.into()),
        external_id: format!("n{number:02}"),
        etag: Some("1".into()),
        expected,
    };
    let rows = [
        ours(0, ExpectedState::Stands),
        ours(1, ExpectedState::Stands),
        ours(2, ExpectedState::Stands),
        ours(3, ExpectedState::Stands),
        ours(7, ExpectedState::Unsettled),
        ours(8, ExpectedState::Gone),
    ];
    let mut calendar = numbered(3);
    calendar[1].deleted = true;
    // Made to recur, it is still there; and a copy of one is not the one.
    calendar[2].series = Some("n02".into());
    calendar[2].external_id = "n02_1".into();
    calendar.push(ObservedEntry { entry: Some(id(3)), ..entry("copy", "1", hour(9)) });
    let stored = StoredCalendarState { busy: &[], ours: &rows };
    let plan = |read: CalendarRead| plan_import(stored, &calendar, &[], &read, &QuarantinedIds::default());
    assert_eq!(plan(full()).missing, [id(1), id(3)]);
    assert_eq!(plan(read(ReadKind::Incremental)).missing, []);

    // A read that is quarantined takes nothing away from anybody.
    let known = self::stored(&numbered(12));
    let first = plan_import(
        StoredCalendarState { busy: &known, ours: &rows },
        &[],
        &[],
        &full(),
        &QuarantinedIds::default(),
    );
    assert_eq!(first.missing, []);
    let quarantined = first.held.unwrap().quarantined;
    let second =
        plan_import(StoredCalendarState { busy: &known, ours: &rows }, &[], &[], &full(), &quarantined);
    assert_eq!(second.missing, [id(0), id(1), id(2), id(3)]);
}

#[test]
fn a_held_read_says_what_is_wrong() {
    assert_eq!(
        CalendarQuarantineReason::Shrunk { gone: 7, known: 12 }.to_string(),
        "7 of 12 known future busy times disappeared at once"
    );
}

/// The instances of a series that is one object.
fn series(name: &str, etag: &str, hours: &[i64]) -> Vec<ObservedEntry> {
    let instance = |number: &i64| ObservedEntry {
        series: Some(name.to_owned()),
        ..entry(&format!("{name}#{number}"), etag, hour(*number))
    };
    hours.iter().map(instance).collect()
}

fn told(known: &[ObservedBusyTime], pages: &[ObservedEntry], resources: &[&str]) -> BusyTimeChanges {
    let resources: Vec<String> = resources.iter().copied().map(str::to_owned).collect();
    applied(plan_import(
        busy(known),
        pages,
        &resources,
        &read(ReadKind::Incremental),
        &QuarantinedIds::default(),
    ))
}

#[test]
fn what_is_told_in_whole_loses_what_it_no_longer_has() {
    let calendar =
        [series("yoga", "1", &[0, 1, 2, 3]), series("choir", "1", &[10, 11]), numbered(3)].concat();
    let known = stored(&calendar);
    let changes = told(&known, &series("yoga", "2", &[1, 2, 7]), &["yoga"]);
    let gone: Vec<_> = changes.removals.iter().map(|one| (one.external_id.as_str(), one.reason)).collect();
    assert_eq!(gone, [("yoga#0", RemovalReason::Deleted), ("yoga#3", RemovalReason::Deleted)]);
    assert_eq!(changes.upserts.len(), 3);

    // Deleted as a whole, made a single event, and a single event made a series.
    let mut deleted = entry("choir", "9", hour(0));
    deleted.deleted = true;
    assert_eq!(told(&known, &[deleted], &["choir"]).removals.len(), 2);
    let single = told(&known, &[entry("choir", "2", hour(10))], &["choir"]);
    assert_eq!((single.upserts.len(), single.removals.len()), (1, 2));
    let split = told(&known, &series("n01", "2", &[1, 5]), &["n01"]);
    assert_eq!((split.upserts.len(), split.removals[0].external_id.as_str()), (2, "n01"));
}

#[test]
fn what_cannot_be_read_keeps_its_instances() {
    let known = stored(&[series("yoga", "1", &[0, 1, 2]), numbered(20)].concat());
    let mut unclear = entry("yoga", "2", hour(0));
    unclear.time = None;
    assert_eq!(told(&known, std::slice::from_ref(&unclear), &[]), BusyTimeChanges::default());
    let pages = [vec![unclear], numbered(20)].concat();
    assert_eq!(applied(plan(&known, &pages, &full())), BusyTimeChanges::default());
}

/// The busy times after `changes`, as a database would hold them.
fn after(known: &[ObservedBusyTime], changes: &BusyTimeChanges) -> Vec<ObservedBusyTime> {
    let mut rows: BTreeMap<String, ObservedBusyTime> =
        known.iter().map(|event| (event.external_id.clone(), event.clone())).collect();
    for removal in &changes.removals {
        assert!(rows.remove(&removal.external_id).is_some(), "removes what is not there: {removal:?}");
    }
    for event in &changes.upserts {
        let before = rows.insert(event.external_id.clone(), event.clone());
        assert_ne!(before.as_ref(), Some(event), "writes what is there already");
    }
    rows.into_values().collect()
}
