//! A booking's way into a calendar, and out of it.

use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, BookingTime},
    connection::{Coverage, Direction, EntryState},
};
use concord_jobs::connections as manage;
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::world::{ANA, RUI, World, titled, with_status};

async fn it_arrives_with_the_least_that_is_needed(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let draft = BookingDraft { notes: "Allergic to nuts".into(), ..world.draft(&[&world.ana], 60, 120) };
    let booking = world.put("A-1", &draft).await;
    world.settle().await;

    let seen = world.outside.one_seen_by(ANA).await;
    assert_eq!(seen.title, "Sea View — Maria (Massage)");
    assert_eq!(
        (seen.starts_at.as_str(), seen.ends_at.as_str()),
        ("2027-03-01T09:00:00Z", "2027-03-01T10:00:00Z")
    );
    assert_eq!(seen.raw["start"]["timeZone"], "Europe/Lisbon");
    assert!(seen.description.contains("Reference: A-1"), "{}", seen.description);
    let told = seen.raw.to_string();
    for hidden in ["Silva", "maria@example.com", "900 000", "nuts"] {
        assert!(!told.contains(hidden), "{hidden} is in {told}");
    }
    assert_eq!(world.sync_states(&booking).await, ["Ana: synced"]);
    assert_eq!(world.outside.seen_by(RUI).await.len(), 0);
    assert!(world.log().await.contains(&"create ok".to_owned()), "{:?}", world.log().await);
}

async fn a_stay_is_whole_days(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let time = BookingTime::Stay {
        check_in: "2027-03-10".parse().unwrap(),
        check_out: "2027-03-12".parse().unwrap(),
    };
    world.put("A-1", &BookingDraft { time, ..world.draft(&[&world.ana], 0, 1) }).await;
    world.settle().await;
    let seen = world.outside.one_seen_by(ANA).await;
    assert_eq!((seen.starts_at.as_str(), seen.ends_at.as_str()), ("2027-03-10", "2027-03-12"));
}

async fn it_changes_and_goes(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.settle().await;
    let first = world.outside.one_seen_by(ANA).await;

    let time = BookingTime::Timed { starts_at: at(180), ends_at: at(270) };
    world.put("A-1", &BookingDraft { time, ..titled(&draft, "Long massage") }).await;
    world.settle().await;
    let second = world.outside.one_seen_by(ANA).await;
    assert_eq!(second.id, first.id);
    assert_eq!(second.title, "Sea View — Maria (Long massage)");
    assert_eq!(
        (second.starts_at.as_str(), second.ends_at.as_str()),
        ("2027-03-01T11:00:00Z", "2027-03-01T12:30:00Z")
    );

    let booking = world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(world.sync_states(&booking).await, ["Ana: removed"]);
    assert_eq!(world.taken(&world.ana).await, [""; 0]);

    // It takes place after all: the same entry comes back to life.
    let booking = world.put("A-1", &draft).await;
    world.settle().await;
    assert_eq!(world.outside.one_seen_by(ANA).await.id, first.id);
    assert_eq!(world.sync_states(&booking).await, ["Ana: synced"]);
}

async fn a_cancelled_one_is_marked_if_the_business_says_so(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    world.mark_cancelled().await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    let booking = world.cancel("A-1").await;
    world.settle().await;
    let kept = world.outside.one_seen_by(ANA).await;
    assert_eq!(kept.title, "Cancelled: Sea View — Maria (Massage)");
    assert_eq!(world.sync_states(&booking).await, ["Ana: synced"]);
    // Marked, it takes up nobody's time: neither here nor there.
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
    assert_eq!(kept.raw["transparency"], "transparent");
    let again = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    assert_ne!(world.outside.one_seen_by(ANA).await.raw["transparency"], "transparent");
    let missed = with_status(&again.draft, BookingStatus::NoShow);
    world.put("A-1", &missed).await;
    world.settle().await;
    assert_eq!(world.outside.one_seen_by(ANA).await.raw["transparency"], "transparent");
}

async fn a_booking_that_never_stood_leaves_nothing(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let booking = world.cancel("A-1").await;
    world.outside.forget_calls().await;
    world.settle().await;
    assert_eq!(world.outside.writes().await, [""; 0]);
    assert_eq!(world.sync_states(&booking).await, ["Ana: removed"]);
}

async fn another_person_gets_it_and_the_first_one_loses_it(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    world.connected(&world.rui).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    let booking = world.put("A-1", &world.draft(&[&world.rui], 60, 120)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(world.outside.seen_by(RUI).await.len(), 1);
    assert_eq!(world.sync_states(&booking).await, ["Ana: removed", "Rui: synced"]);

    let booking = world.put("A-1", &world.draft(&[&world.ana, &world.rui], 60, 120)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(world.outside.seen_by(RUI).await.len(), 1);
    assert_eq!(world.sync_states(&booking).await, ["Ana: synced", "Rui: synced"]);
}

async fn ten_quick_changes_cost_one_or_two_runs(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    for change in 0..10 {
        world.put("A-1", &titled(&draft, &format!("Change {change}"))).await;
    }
    world.outside.forget_calls().await;
    let ran = world.drain().await;
    assert!(ran <= 2, "{ran} runs");
    assert_eq!(world.outside.calls().await, ["POST 200"]);
    assert_eq!(world.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Change 9)");

    // What nobody can see in the entry costs no call.
    world.outside.forget_calls().await;
    let hidden = BookingDraft { notes: "Only for us".into(), ..titled(&draft, "Change 9") };
    let booking = world.put("A-1", &hidden).await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Pending);
    world.settle().await;
    assert_eq!(world.outside.calls().await, [""; 0]);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
}

async fn a_change_while_it_is_written_is_written_too(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let (ran, booking) = tokio::join!(world.drain(), async {
        while world.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        let mut booking = world.put("A-1", &titled(&draft, "Meanwhile 1")).await;
        for change in 2..=5 {
            booking = world.put("A-1", &titled(&draft, &format!("Meanwhile {change}"))).await;
        }
        booking
    });
    let ran = ran + world.settle().await;
    assert!(ran <= 3, "{ran} runs");
    assert_eq!(world.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Meanwhile 5)");
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
}

async fn an_entry_of_ours_that_comes_back_is_no_busy_time(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    world.poll().await;
    assert_eq!(world.known(world.calendars(id).await[0].id).await.len(), 0);
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120"]);
}

async fn another_default_takes_new_bookings_and_leaves_the_old_ones(db: &TestDb) {
    let world = World::new(db).await;
    let first = world.connected(&world.ana).await;
    world.outside.account("ana.second@harbour.example").await;
    let second = world.connect(&world.ana, "ana.second@harbour.example").await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.settle().await;

    manage::set_default(&world.context, &world.change(), second).await.unwrap();
    world.settle().await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    // The old one is changed: still one entry, where it was.
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(world.outside.titles("ana.second@harbour.example").await, ["Sea View — Maria (Massage)"]);

    // Not even when everything is gone through again.
    for id in [first, second] {
        manage::resync(&world.context, world.business.id, id).await.unwrap();
    }
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await.len(), 1);
    assert_eq!(world.outside.titles("ana.second@harbour.example").await.len(), 1);

    // Without its calendar it goes to the new one.
    manage::disconnect(&world.context, &world.change(), first, true).await.unwrap();
    world.settle().await;
    let booking = world.put("A-1", &titled(&draft, "Changed again")).await;
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, [""; 0]);
    assert_eq!(
        world.outside.titles("ana.second@harbour.example").await,
        ["Sea View — Maria (Changed again)", "Sea View — Maria (Massage)"]
    );
    assert_eq!(world.sync(&booking).await.iter().filter(|one| one.state == EntryState::Synced).count(), 1);
}

async fn when_the_default_is_disconnected_another_calendar_of_the_person_takes_over(db: &TestDb) {
    let world = World::new(db).await;
    let first = world.connected(&world.ana).await;
    world.outside.account("ana.second@harbour.example").await;
    let second = world.connect(&world.ana, "ana.second@harbour.example").await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    manage::disconnect(&world.context, &world.change(), first, true).await.unwrap();
    world.settle().await;
    assert!(world.connection(second).await.is_default);
    assert_eq!(world.outside.titles(ANA).await, [""; 0]);
    assert_eq!(world.outside.titles("ana.second@harbour.example").await.len(), 1);
}

async fn who_wants_everything_gets_it(db: &TestDb) {
    let world = World::new(db).await;
    let rui = world.connected(&world.rui).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(RUI).await.len(), 0);

    world.set(rui, Direction::Both, Coverage::Everything).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(RUI).await.len(), 1);
    // Of nobody, of somebody else, and a repair: all of them.
    world.put("A-2", &world.draft(&[], 120, 180)).await;
    let repair = BookingDraft { kind: BookingKind::Maintenance, ..world.draft(&[&world.ana], 180, 240) };
    world.put("A-3", &repair).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(RUI).await.len(), 3);

    world.set(rui, Direction::Both, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(RUI).await.len(), 0);
}

async fn a_paused_calendar_waits_and_catches_up(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;

    manage::pause(&world.context, &world.change(), id).await.unwrap();
    world.outside.forget_calls().await;
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.cancel("A-2").await;
    let booking = world.put("A-3", &world.draft(&[&world.ana], 180, 240)).await;
    world.settle().await;
    world.poll().await;
    assert_eq!(world.outside.calls().await, [""; 0]);
    assert_eq!(world.entry_state(&booking).await, EntryState::Pending);

    manage::resume(&world.context, &world.change(), id).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Changed)", "Sea View — Maria (Massage)"]);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    manage::resume(&world.context, &world.change(), id).await.unwrap_err();
}

async fn a_calendar_that_is_only_read_holds_no_bookings(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    world.set(id, Direction::In, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    world.set(id, Direction::Out, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 2);
}

async fn what_was_booked_before_is_written_on_connecting_and_what_is_over_is_not(db: &TestDb) {
    let world = World::new(db).await;
    world.put("A-1", &world.draft(&[&world.ana], 30, 60)).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.put("A-3", &with_status(&world.draft(&[&world.ana], 180, 240), BookingStatus::Cancelled)).await;
    world.put("A-4", &world.draft(&[&world.rui], 120, 180)).await;
    world.clock.advance(chrono::Duration::minutes(90));
    world.connected(&world.ana).await;
    let seen = world.outside.one_seen_by(ANA).await;
    assert_eq!(seen.starts_at, "2027-03-01T10:00:00Z");
    assert_eq!(world.open_jobs().await.len(), 0);
}

/// Two changes at one time, from two processes, and the work on the booking in between: nobody waits for anybody in a
/// circle.
async fn changes_and_work_at_the_same_time_do_not_lock_each_other_out(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    let edit = async |who: &str| {
        for change in 0..40 {
            world.put("A-1", &titled(&draft, &format!("{who} {change}"))).await;
        }
    };
    let work = async {
        for _ in 0..60 {
            world.drain().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(edit("One"), edit("Two"), work);
    world.settle().await;
    let trouble: Vec<_> = world.log().await.into_iter().filter(|line| !line.ends_with("ok")).collect();
    assert!(trouble.iter().all(|line| line == "nothing nothing"), "{trouble:?}");
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(world.failed().await.len(), 0);
}

/// The whole way round: the default goes, another takes over, the old one comes back, and back again.
async fn an_account_that_comes_back_does_not_double_what_another_has_taken_over(db: &TestDb) {
    const SECOND: &str = "ana.second@harbour.example";
    let world = World::new(db).await;
    let first = world.connected(&world.ana).await;
    world.outside.account(SECOND).await;
    let second = world.connect(&world.ana, SECOND).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.settle().await;
    let stands = async || (world.outside.titles(ANA).await.len(), world.outside.titles(SECOND).await.len());
    assert_eq!(stands().await, (1, 0));

    // The entry stays where it is, in a calendar that is let alone; the other one gets its own.
    manage::disconnect(&world.context, &world.change(), first, false).await.unwrap();
    world.settle().await;
    assert_eq!(stands().await, (1, 1));
    assert_eq!(world.connect(&world.ana, ANA).await, first);
    world.settle().await;
    assert_eq!(stands().await, (0, 1), "it stands where it was taken over");
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.settle().await;
    assert_eq!(world.outside.titles(SECOND).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(stands().await, (0, 1));

    // And the other way round, with the default changed meanwhile.
    manage::disconnect(&world.context, &world.change(), second, false).await.unwrap();
    world.settle().await;
    assert_eq!(stands().await, (1, 1));
    assert_eq!(world.connect(&world.ana, SECOND).await, second);
    manage::set_default(&world.context, &world.change(), second).await.unwrap();
    world.settle().await;
    let (old, new) = stands().await;
    assert_eq!(old + new, 1, "{old} and {new}");
    // Cancelled and brought back it stands once, too.
    world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(stands().await, (0, 0));
    world.put("A-1", &draft).await;
    world.settle().await;
    let (old, new) = stands().await;
    assert_eq!(old + new, 1, "{old} and {new}");
}

on_both_databases!(
    an_account_that_comes_back_does_not_double_what_another_has_taken_over,
    it_arrives_with_the_least_that_is_needed,
    a_stay_is_whole_days,
    it_changes_and_goes,
    a_cancelled_one_is_marked_if_the_business_says_so,
    a_booking_that_never_stood_leaves_nothing,
    another_person_gets_it_and_the_first_one_loses_it,
    ten_quick_changes_cost_one_or_two_runs,
    a_change_while_it_is_written_is_written_too,
    an_entry_of_ours_that_comes_back_is_no_busy_time,
    another_default_takes_new_bookings_and_leaves_the_old_ones,
    when_the_default_is_disconnected_another_calendar_of_the_person_takes_over,
    who_wants_everything_gets_it,
    a_paused_calendar_waits_and_catches_up,
    a_calendar_that_is_only_read_holds_no_bookings,
    what_was_booked_before_is_written_on_connecting_and_what_is_over_is_not,
    changes_and_work_at_the_same_time_do_not_lock_each_other_out,
);
