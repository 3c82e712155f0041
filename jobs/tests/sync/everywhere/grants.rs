//! Consent that is taken back, and passwords that are changed: everything waits, and is there once when it is given again.

use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::ConnectionId,
};
use concord_services::connections as manage;
use concord_storage::testing::{TestDb, at};

use super::{
    everywhere,
    own_events::{OwnEventTime, ZoneLabel},
};
use crate::{
    fixture::{ANA, SyncFixture, titled},
    notices::{BOSS, manager, told},
};

/// A person's own hour, these hours after Monday, 8 o'clock.
pub(super) async fn own_hour(fixture: &SyncFixture<'_>, hour: i64) {
    let rules = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD";
    // In winter, clocks there show what clocks in UTC show.
    let zone = ZoneLabel { name: "Europe/Lisbon", rules };
    let clock = |hour: i64| at(hour * 60).naive_utc();
    let own = OwnEventTime::Clock { zone, from: clock(hour), until: clock(hour + 1) };
    fixture.outside.person_writes(ANA, "Dentist", own).await;
}

/// Ana's bookings, an hour each, these hours after Monday, 8 o'clock.
pub(super) async fn book(
    fixture: &SyncFixture<'_>,
    title: &str,
    hour: i64,
) -> concord_domain::booking::Booking {
    let draft = fixture.draft(&[&fixture.ana], hour * 60, hour * 60 + 60);
    fixture.put(&format!("A-{hour}"), &titled(&draft, title)).await
}

/// `hour: title` of what stands in Ana's calendar, in order.
pub(super) async fn standing(fixture: &SyncFixture<'_>) -> Vec<String> {
    let seen = fixture.outside.seen_by(ANA).await;
    let mut standing: Vec<(i64, String)> = seen
        .into_iter()
        .map(|one| {
            let starts_at: chrono::DateTime<chrono::Utc> = one.starts_at.parse().unwrap();
            ((starts_at - at(0)).num_hours(), one.title.replace("Sea View — Maria ", ""))
        })
        .collect();
    standing.sort();
    standing.into_iter().map(|(hour, title)| format!("{hour}: {title}")).collect()
}

/// Ana takes back what she gave, and a booking finds out.
async fn is_shut_out(fixture: &SyncFixture<'_>, id: ConnectionId) {
    fixture.outside.shut_out(ANA).await;
    book(fixture, "finds out", 10).await;
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
}

async fn nothing_is_asked_while_nobody_is_let_in(db: &TestDb, kind: ProviderKind) {
    let mut fixture = SyncFixture::with_provider(db, kind).await;
    fixture.open_mailbox(crate::fixture::PATIENCE);
    manager(&fixture, BOSS, None).await;
    let id = fixture.connected(&fixture.ana).await;
    book(&fixture, "before", 1).await;
    fixture.settle().await;
    is_shut_out(&fixture, id).await;
    let subject = format!("Ana's {} calendar needs to be reconnected", kind.name());
    let once = [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")];
    assert_eq!(told(&fixture).await, once);
    let words = fixture.connection(id).await.last_error.unwrap();
    assert_eq!(words, format!("{} ended the connection; it needs to be reconnected", kind.name()));

    let count = fixture.outside.begin_to_count().await;
    let waiting = book(&fixture, "meanwhile", 11).await;
    book(&fixture, "before, changed", 1).await;
    fixture.poll().await;
    fixture.clock.advance(chrono::Duration::hours(25));
    fixture.settle().await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("connect"), "{report:?}");
    manage::resync(&fixture.context, fixture.business.id, id).await.unwrap_err();
    assert_eq!(fixture.outside.counted(&count).await, 0);
    assert_eq!(told(&fixture).await, once);
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    assert_eq!(fixture.entry_state(&waiting).await, EntryState::Pending);
    assert_eq!(fixture.failed().await.len(), 0);
    let said = fixture.log_lines().await.into_iter().filter(|line| line.operation == "refresh").count();
    assert_eq!(said, 1, "{:#?}", fixture.log_lines().await);
}

async fn what_waited_is_there_once_when_it_is_connected_again(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    let id = fixture.connected(&fixture.ana).await;
    book(&fixture, "stays", 1).await;
    book(&fixture, "is changed", 2).await;
    book(&fixture, "is cancelled", 3).await;
    own_hour(&fixture, 4).await;
    fixture.poll().await;
    let stays =
        fixture.outside.seen_by(ANA).await.into_iter().find(|one| one.title.contains("stays")).unwrap();
    let changed =
        fixture.outside.seen_by(ANA).await.into_iter().find(|one| one.title.contains("is changed")).unwrap();

    is_shut_out(&fixture, id).await;
    let new = book(&fixture, "is new", 11).await;
    book(&fixture, "was changed", 2).await;
    fixture.cancel("A-3").await;
    own_hour(&fixture, 12).await;
    fixture.poll().await;
    let before = ["1: (stays)", "2: (is changed)", "3: (is cancelled)", "4: Dentist", "12: Dentist"];
    assert_eq!(standing(&fixture).await, before);

    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id, "it is the same account");
    fixture.settle().await;
    let after =
        ["1: (stays)", "2: (was changed)", "4: Dentist", "10: (finds out)", "11: (is new)", "12: Dentist"];
    assert_eq!(standing(&fixture).await, after);
    let seen = fixture.outside.seen_by(ANA).await;
    let untouched = seen.iter().find(|one| one.id == stays.id).expect("it was written again");
    assert_eq!(untouched.raw, stays.raw, "it was written again");
    assert!(seen.iter().any(|one| one.id == changed.id), "it was written again");
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    assert_eq!(fixture.entry_state(&new).await, EntryState::Synced);
    assert_eq!(fixture.connection(id).await.last_error, None);
    let taken = fixture.taken(&fixture.ana).await;
    let busy: Vec<&String> = taken.iter().filter(|one| one.starts_with("busy")).collect();
    assert_eq!(busy, ["busy: 240 - 300", "busy: 720 - 780"], "{taken:?}");

    // Connected once more, nothing is written at all.
    let raw = |seen: &[crate::provider_sandbox::SeenEvent]| {
        let mut raw: Vec<String> = seen.iter().map(|one| one.raw.to_string()).collect();
        raw.sort();
        raw
    };
    let before = raw(&seen);
    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    fixture.poll().await;
    assert_eq!(raw(&fixture.outside.seen_by(ANA).await), before);
}

everywhere!(nothing_is_asked_while_nobody_is_let_in, what_waited_is_there_once_when_it_is_connected_again,);
