//! Consent that is taken back, and passwords that are changed: everything waits, and is there once when it is given again.

use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::ConnectionId,
};
use concord_jobs::connections as manage;
use concord_storage::testing::{TestDb, at};

use super::{
    everywhere,
    own::{Own, ZoneName},
};
use crate::{
    notices::{BOSS, manager, told},
    world::{ANA, World, titled},
};

/// A person's own hour, these hours after Monday, 8 o'clock.
pub(super) async fn own_hour(world: &World<'_>, hour: i64) {
    let rules = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nEND:STANDARD";
    // In winter, clocks there show what clocks in UTC show.
    let zone = ZoneName { name: "Europe/Lisbon", rules };
    let clock = |hour: i64| at(hour * 60).naive_utc();
    let own = Own::Clock { zone, from: clock(hour), until: clock(hour + 1) };
    world.outside.person_writes(ANA, "Dentist", own).await;
}

/// Ana's bookings, an hour each, these hours after Monday, 8 o'clock.
pub(super) async fn book(world: &World<'_>, title: &str, hour: i64) -> concord_domain::booking::Booking {
    let draft = world.draft(&[&world.ana], hour * 60, hour * 60 + 60);
    world.put(&format!("A-{hour}"), &titled(&draft, title)).await
}

/// `hour: title` of what stands in Ana's calendar, in order.
pub(super) async fn standing(world: &World<'_>) -> Vec<String> {
    let seen = world.outside.seen_by(ANA).await;
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
async fn is_shut_out(world: &World<'_>, id: ConnectionId) {
    world.outside.shut_out(ANA).await;
    book(world, "finds out", 10).await;
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
}

async fn nothing_is_asked_while_nobody_is_let_in(db: &TestDb, kind: ProviderKind) {
    let mut world = World::with_provider(db, kind).await;
    world.open_mailbox(crate::world::PATIENCE);
    manager(&world, BOSS, None).await;
    let id = world.connected(&world.ana).await;
    book(&world, "before", 1).await;
    world.settle().await;
    is_shut_out(&world, id).await;
    let subject = format!("Ana's {} calendar needs to be reconnected", kind.name());
    let once = [format!("{ANA}: {subject}"), format!("{BOSS}: {subject}")];
    assert_eq!(told(&world).await, once);
    let words = world.connection(id).await.last_error.unwrap();
    assert_eq!(words, format!("{} ended the connection; it must be connected again", kind.name()));

    let count = world.outside.begin_to_count().await;
    let waiting = book(&world, "meanwhile", 11).await;
    book(&world, "before, changed", 1).await;
    world.poll().await;
    world.clock.advance(chrono::Duration::hours(25));
    world.settle().await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert!(!report.ok && report.message.contains("connect"), "{report:?}");
    manage::resync(&world.context, world.business.id, id).await.unwrap_err();
    assert_eq!(world.outside.counted(&count).await, 0);
    assert_eq!(told(&world).await, once);
    assert_eq!(world.state(id).await, ConnectionState::NeedsReconnect);
    assert_eq!(world.entry_state(&waiting).await, EntryState::Pending);
    assert_eq!(world.failed().await.len(), 0);
    let said = world.log_lines().await.into_iter().filter(|line| line.operation == "refresh").count();
    assert_eq!(said, 1, "{:#?}", world.log_lines().await);
}

async fn what_waited_is_there_once_when_it_is_connected_again(db: &TestDb, kind: ProviderKind) {
    let world = World::with_provider(db, kind).await;
    let id = world.connected(&world.ana).await;
    book(&world, "stays", 1).await;
    book(&world, "is changed", 2).await;
    book(&world, "is cancelled", 3).await;
    own_hour(&world, 4).await;
    world.poll().await;
    let stays = world.outside.seen_by(ANA).await.into_iter().find(|one| one.title.contains("stays")).unwrap();
    let changed =
        world.outside.seen_by(ANA).await.into_iter().find(|one| one.title.contains("is changed")).unwrap();

    is_shut_out(&world, id).await;
    let new = book(&world, "is new", 11).await;
    book(&world, "was changed", 2).await;
    world.cancel("A-3").await;
    own_hour(&world, 12).await;
    world.poll().await;
    let before = ["1: (stays)", "2: (is changed)", "3: (is cancelled)", "4: Dentist", "12: Dentist"];
    assert_eq!(standing(&world).await, before);

    assert_eq!(world.connect(&world.ana, ANA).await, id, "it is the same account");
    world.settle().await;
    let after =
        ["1: (stays)", "2: (was changed)", "4: Dentist", "10: (finds out)", "11: (is new)", "12: Dentist"];
    assert_eq!(standing(&world).await, after);
    let seen = world.outside.seen_by(ANA).await;
    let untouched = seen.iter().find(|one| one.id == stays.id).expect("it was written anew");
    assert_eq!(untouched.raw, stays.raw, "it was written again");
    assert!(seen.iter().any(|one| one.id == changed.id), "it was written anew");
    assert_eq!(world.state(id).await, ConnectionState::Active);
    assert_eq!(world.entry_state(&new).await, EntryState::Synced);
    assert_eq!(world.connection(id).await.last_error, None);
    let taken = world.taken(&world.ana).await;
    let busy: Vec<&String> = taken.iter().filter(|one| one.starts_with("busy")).collect();
    assert_eq!(busy, ["busy: 240 - 300", "busy: 720 - 780"], "{taken:?}");

    // Connected once more, nothing is written at all.
    let raw = |seen: &[crate::outside::Seen]| {
        let mut raw: Vec<String> = seen.iter().map(|one| one.raw.to_string()).collect();
        raw.sort();
        raw
    };
    let before = raw(&seen);
    assert_eq!(world.connect(&world.ana, ANA).await, id);
    world.poll().await;
    assert_eq!(raw(&world.outside.seen_by(ANA).await), before);
}

everywhere!(nothing_is_asked_while_nobody_is_let_in, what_waited_is_there_once_when_it_is_connected_again,);
