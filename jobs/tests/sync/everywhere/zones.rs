//! Times in other people's zones: what is written there and read there stays the instant that it is, where the clocks
//! change and where they do not.

use chrono::Duration;
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft},
    connection::{EntryState, ProviderKind},
};
use concord_jobs::SyncSettings;
use concord_storage::{
    bookings,
    people::Staff,
    resources::{self, Resource, ResourceSettings},
    testing::{self, TestDb},
};

use super::{
    everywhere,
    zone_cases::{ZoneCase, zone_labels},
};
use crate::{
    fixture::{PATIENCE, SyncFixture, titled, unhurried},
    provider_sandbox::SeenEvent,
};

/// A business whose room stands in that zone, and a world that looks two years ahead.
async fn zone_fixture(db: &TestDb, kind: ProviderKind, zone: Tz) -> (SyncFixture<'_>, Resource) {
    let settings = SyncSettings { window_future: Duration::days(700), ..unhurried() };
    let fixture =
        SyncFixture::of(db, kind, settings, PATIENCE, "2026-02-20T08:00:00Z".parse().unwrap()).await;
    let room = ResourceSettings {
        name: "Sea View".to_owned(),
        zone: Some(zone),
        capacity: 100,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
    };
    let mut tx = testing::begin(db).await;
    let room = resources::create(&mut tx, fixture.business.id, &room, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    if kind == ProviderKind::Microsoft {
        // Its calendars tell no zone, so days are days of the business there; elsewhere the business is in Lisbon.
        fixture.change_business(|settings| settings.zone = zone).await;
    }
    (fixture, room)
}

/// Somebody who lives in the zone, and the address of their account.
async fn add_person(fixture: &SyncFixture<'_>, name: &str, zone: Tz) -> (Staff, String) {
    let staff = testing::staff(fixture.db, &fixture.business, name).await;
    let email = format!("{}@there.example", name.to_lowercase());
    fixture.outside.account_in(&email, zone).await;
    fixture.connect(&staff, &email).await;
    fixture.settle().await;
    (staff, email)
}

/// Its owner reads it by the clocks of the zone.
fn shows_the_zone(kind: ProviderKind, zone: Tz, case: &ZoneCase, seen: &SeenEvent) {
    let text = |member: &serde_json::Value| member.as_str().unwrap_or_default().to_owned();
    let shown = match kind {
        ProviderKind::Google => text(&seen.raw["start"]["timeZone"]),
        ProviderKind::Microsoft => text(&seen.raw["originalStartTimeZone"]),
        ProviderKind::Caldav => {
            let object = text(&seen.raw).replace("\r\n ", "");
            let clock = case.local.0.replace(['-', ':'], "");
            let expected = if case.part == "again" {
                format!("DTSTART:{}\r\n", case.from.format("%Y%m%dT%H%M%SZ"))
            } else {
                format!("DTSTART;TZID={zone}:{clock}00\r\n")
            };
            assert!(object.contains(&expected), "{expected}: {object}");
            let told = format!("TZID:{zone}\r\n");
            let told = if case.part == "again" { format!("X-CONCORD-ZONE:{zone}\r\n") } else { told };
            return assert!(object.contains(&told), "{told}: {object}");
        }
    };
    let known = zone_labels(kind, zone).iter().any(|name| name.name == shown);
    // It cannot be told to Microsoft which of the two hours is meant, but in UTC.
    let untold = kind == ProviderKind::Microsoft && matches!(case.part, "once" | "again") && shown == "UTC";
    assert!(known || untold, "{}: {shown:?}", case.title());
}

/// The same time of two people cannot be booked twice: each part of a night has somebody of its own.
fn whose(part: &str) -> usize {
    match part {
        "across" => 1,
        "nights" => 2,
        _ => 0,
    }
}

/// An event's id with the whole of it.
fn raw_of(seen: SeenEvent) -> (String, String) {
    (seen.id, seen.raw.to_string())
}

/// All that stands in the calendars of these people, in order.
async fn raw_events(fixture: &SyncFixture<'_>, people: &[(Staff, String)]) -> Vec<(String, String)> {
    let mut events = Vec::new();
    for (_, email) in people {
        events.extend(fixture.outside.seen_by(email).await.into_iter().map(raw_of));
    }
    events.sort();
    events
}

/// Each person sees the bookings of theirs at the right instants.
fn assert_events(kind: ProviderKind, zone: Tz, cases: &[&ZoneCase], seen: &[SeenEvent]) {
    let mut found: Vec<_> =
        seen.iter().map(|one| (one.title.clone(), one.starts_at.clone(), one.ends_at.clone())).collect();
    let mut expected: Vec<_> = cases.iter().map(|case| case.seen(kind)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for case in cases.iter().filter(|case| !case.is_nights()) {
        let one = seen.iter().find(|one| one.title.contains(&case.title())).unwrap();
        shows_the_zone(kind, zone, case, one);
    }
}

async fn assert_bookings_unchanged(fixture: &SyncFixture<'_>, cases: &[ZoneCase]) {
    for case in cases {
        let booking = booking(fixture, &case.reference()).await;
        assert_eq!((booking.version, booking.draft.time), (1, case.time()));
        assert_eq!(
            (booking.interval.start, booking.interval.end),
            (case.from, case.until),
            "{}",
            case.title()
        );
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    }
}

async fn assert_no_busy_times(fixture: &SyncFixture<'_>, people: &[(Staff, String)]) {
    for (staff, _) in people {
        let connections = concord_storage::connections::list(fixture.db, fixture.business.id).await.unwrap();
        for connection in connections.iter().filter(|one| one.staff_id == staff.id) {
            for calendar in fixture.calendars(connection.id).await {
                assert_eq!(fixture.known(calendar.id).await.len(), 0, "taken for a busy time");
            }
        }
    }
}

/// Entries were created once, and every full compare found them in sync.
async fn assert_log_in_sync(fixture: &SyncFixture<'_>) {
    let log = fixture.log_lines().await;
    assert!(log.iter().any(|line| line.operation == "compare"), "{log:#?}");
    for line in log {
        match line.operation.as_str() {
            "create" => assert_eq!(line.detail, ""),
            "compare" => assert!(line.detail.ends_with("in sync"), "{line:?}"),
            _ => panic!("{line:?}"),
        }
    }
}

/// Bookings of ours are seen by their owners at the right instants, and are nobody's change afterwards.
async fn bookings_are_seen_in(db: &TestDb, kind: ProviderKind, zone: Tz) {
    let (fixture, room) = zone_fixture(db, kind, zone).await;
    let mut people = Vec::new();
    for name in ["Eva", "Noa", "Ugo"] {
        people.push(add_person(&fixture, name, zone).await);
    }
    let cases = ZoneCase::all(zone);
    for case in &cases {
        let draft = BookingDraft {
            resource: room.id,
            time: case.time(),
            ..fixture.draft(&[&people[whose(case.part)].0], 0, 1)
        };
        fixture.put(&case.reference(), &titled(&draft, &case.title())).await;
    }
    fixture.settle().await;

    let mut before = Vec::new();
    for (number, (_, email)) in people.iter().enumerate() {
        let seen = fixture.outside.seen_by(email).await;
        let theirs: Vec<_> = cases.iter().filter(|case| whose(case.part) == number).collect();
        assert_events(kind, zone, &theirs, &seen);
        before.extend(seen.into_iter().map(raw_of));
    }
    before.sort();

    // Read again, and compared at night.
    fixture.poll().await;
    fixture.clock.advance(Duration::days(1));
    fixture.settle().await;
    assert_eq!(raw_events(&fixture, &people).await, before, "something was written again");
    assert_bookings_unchanged(&fixture, &cases).await;
    assert_no_busy_times(&fixture, &people).await;
    assert_log_in_sync(&fixture).await;
}

async fn booking(fixture: &SyncFixture<'_>, reference: &str) -> Booking {
    bookings::find(fixture.db, fixture.business.id, reference).await.unwrap().expect("it is there")
}

/// What people write into their own calendars keeps them busy at the right instants.
async fn appointments_are_read_in(db: &TestDb, kind: ProviderKind, zone: Tz) {
    let (fixture, _) = zone_fixture(db, kind, zone).await;
    let (staff, email) = add_person(&fixture, "Eva", zone).await;
    let mut expected = Vec::new();
    for case in ZoneCase::all(zone) {
        for name in zone_labels(kind, zone) {
            let Some(own) = case.own(name) else { continue };
            fixture.outside.person_writes(&email, &format!("{} ({})", case.title(), name.name), own).await;
            expected.push(("busy".to_owned(), case.from, case.until));
        }
    }
    fixture.poll().await;
    let within = concord_domain::interval::Interval {
        start: "2026-01-01T00:00:00Z".parse().unwrap(),
        end: "2028-01-01T00:00:00Z".parse().unwrap(),
    };
    let standing =
        concord_storage::occupancy::list_occupied(db, fixture.business.id, staff.id.0, within).await.unwrap();
    let mut found: Vec<_> =
        standing.iter().map(|row| (row.source.to_string(), row.starts_at, row.ends_at)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

async fn bookings_are_seen_in_new_york(db: &TestDb, kind: ProviderKind) {
    bookings_are_seen_in(db, kind, Tz::America__New_York).await;
}

async fn bookings_are_seen_in_london(db: &TestDb, kind: ProviderKind) {
    bookings_are_seen_in(db, kind, Tz::Europe__London).await;
}

async fn bookings_are_seen_in_sydney(db: &TestDb, kind: ProviderKind) {
    bookings_are_seen_in(db, kind, Tz::Australia__Sydney).await;
}

async fn bookings_are_seen_in_kolkata(db: &TestDb, kind: ProviderKind) {
    bookings_are_seen_in(db, kind, Tz::Asia__Kolkata).await;
}

async fn appointments_are_read_in_new_york(db: &TestDb, kind: ProviderKind) {
    appointments_are_read_in(db, kind, Tz::America__New_York).await;
}

async fn appointments_are_read_in_london(db: &TestDb, kind: ProviderKind) {
    appointments_are_read_in(db, kind, Tz::Europe__London).await;
}

async fn appointments_are_read_in_sydney(db: &TestDb, kind: ProviderKind) {
    appointments_are_read_in(db, kind, Tz::Australia__Sydney).await;
}

async fn appointments_are_read_in_kolkata(db: &TestDb, kind: ProviderKind) {
    appointments_are_read_in(db, kind, Tz::Asia__Kolkata).await;
}

everywhere!(
    bookings_are_seen_in_new_york,
    bookings_are_seen_in_london,
    bookings_are_seen_in_sydney,
    bookings_are_seen_in_kolkata,
    appointments_are_read_in_new_york,
    appointments_are_read_in_london,
    appointments_are_read_in_sydney,
    appointments_are_read_in_kolkata,
);
