//! A booking's way into a calendar, and out of it.

use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, BookingTime},
    connection::{Coverage, Direction, EntryState},
};
use concord_services::connections as manage;
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::{
    connection_choices,
    fixture::{ANA, RUI, SyncFixture, titled, with_status},
};

async fn it_arrives_with_the_least_that_is_needed(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = BookingDraft { notes: "Allergic to nuts".into(), ..fixture.draft(&[&fixture.ana], 60, 120) };
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;

    let seen = fixture.outside.one_seen_by(ANA).await;
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
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: synced"]);
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 0);
    assert!(fixture.log().await.contains(&"create ok".to_owned()), "{:?}", fixture.log().await);
}

async fn a_stay_is_whole_days(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let time = BookingTime::Stay {
        check_in: "2027-03-10".parse().unwrap(),
        check_out: "2027-03-12".parse().unwrap(),
    };
    fixture.put("A-1", &BookingDraft { time, ..fixture.draft(&[&fixture.ana], 0, 1) }).await;
    fixture.settle().await;
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert_eq!((seen.starts_at.as_str(), seen.ends_at.as_str()), ("2027-03-10", "2027-03-12"));
}

async fn it_changes_and_goes(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let first = fixture.outside.one_seen_by(ANA).await;

    let time = BookingTime::Timed { starts_at: at(180), ends_at: at(270) };
    fixture.put("A-1", &BookingDraft { time, ..titled(&draft, "Long massage") }).await;
    fixture.settle().await;
    let second = fixture.outside.one_seen_by(ANA).await;
    assert_eq!(second.id, first.id);
    assert_eq!(second.title, "Sea View — Maria (Long massage)");
    assert_eq!(
        (second.starts_at.as_str(), second.ends_at.as_str()),
        ("2027-03-01T11:00:00Z", "2027-03-01T12:30:00Z")
    );

    let booking = fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: removed"]);
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);

    // It takes place after all: the same entry comes back to life.
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.one_seen_by(ANA).await.id, first.id);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: synced"]);
}

async fn a_cancelled_one_is_marked_if_the_business_says_so(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.mark_cancelled().await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let booking = fixture.cancel("A-1").await;
    fixture.settle().await;
    let kept = fixture.outside.one_seen_by(ANA).await;
    assert_eq!(kept.title, "Cancelled: Sea View — Maria (Massage)");
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: synced"]);
    // Marked, it takes up nobody's time: neither here nor there.
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    assert_eq!(kept.raw["transparency"], "transparent");
    let again = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    assert_ne!(fixture.outside.one_seen_by(ANA).await.raw["transparency"], "transparent");
    let missed = with_status(&again.draft, BookingStatus::NoShow);
    fixture.put("A-1", &missed).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.one_seen_by(ANA).await.raw["transparency"], "transparent");
}

async fn a_booking_that_never_stood_leaves_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let booking = fixture.cancel("A-1").await;
    fixture.outside.forget_calls().await;
    fixture.settle().await;
    assert_eq!(fixture.outside.writes().await, [""; 0]);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: removed"]);
}

async fn another_person_gets_it_and_the_first_one_loses_it(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.rui], 60, 120)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 1);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: removed", "Rui: synced"]);

    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana, &fixture.rui], 60, 120)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 1);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: synced", "Rui: synced"]);
}

async fn ten_quick_changes_cost_one_or_two_runs(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    for change in 0..10 {
        fixture.put("A-1", &titled(&draft, &format!("Change {change}"))).await;
    }
    fixture.outside.forget_calls().await;
    let ran = fixture.drain().await;
    assert!(ran <= 2, "{ran} runs");
    assert_eq!(fixture.outside.calls().await, ["POST 200"]);
    assert_eq!(fixture.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Change 9)");

    // What nobody can see in the entry costs no call.
    fixture.outside.forget_calls().await;
    let hidden = BookingDraft { notes: "Only for us".into(), ..titled(&draft, "Change 9") };
    let booking = fixture.put("A-1", &hidden).await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Pending);
    fixture.settle().await;
    assert_eq!(fixture.outside.calls().await, [""; 0]);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
}

async fn a_change_while_it_is_written_is_written_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let (ran, booking) = tokio::join!(fixture.drain(), async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        let mut booking = fixture.put("A-1", &titled(&draft, "Meanwhile 1")).await;
        for change in 2..=5 {
            booking = fixture.put("A-1", &titled(&draft, &format!("Meanwhile {change}"))).await;
        }
        booking
    });
    let ran = ran + fixture.settle().await;
    assert!(ran <= 3, "{ran} runs");
    assert_eq!(fixture.outside.one_seen_by(ANA).await.title, "Sea View — Maria (Meanwhile 5)");
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
}

async fn an_entry_of_ours_that_comes_back_is_no_busy_time(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(fixture.known(fixture.calendars(id).await[0].id).await.len(), 0);
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120"]);
}

async fn another_default_takes_new_bookings_and_leaves_the_old_ones(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let first = fixture.connected(&fixture.ana).await;
    fixture.outside.account("ana.second@harbour.example").await;
    let second = fixture.connect(&fixture.ana, "ana.second@harbour.example").await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;

    connection_choices::set_default(&fixture.context, &fixture.change(), second).await.unwrap();
    fixture.settle().await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    // The old one is changed: still one entry, where it was.
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(fixture.outside.titles("ana.second@harbour.example").await, ["Sea View — Maria (Massage)"]);

    // Not even when everything is gone through again.
    for id in [first, second] {
        manage::resync(&fixture.context, fixture.business.id, id).await.unwrap();
    }
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await.len(), 1);
    assert_eq!(fixture.outside.titles("ana.second@harbour.example").await.len(), 1);

    // Without its calendar it goes to the new one.
    manage::disconnect(&fixture.context, &fixture.change(), first, true).await.unwrap();
    fixture.settle().await;
    let booking = fixture.put("A-1", &titled(&draft, "Changed again")).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0]);
    assert_eq!(
        fixture.outside.titles("ana.second@harbour.example").await,
        ["Sea View — Maria (Changed again)", "Sea View — Maria (Massage)"]
    );
    assert_eq!(fixture.sync(&booking).await.iter().filter(|one| one.state == EntryState::Synced).count(), 1);
}

async fn disconnected_default_is_replaced_by_other_calendar(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let first = fixture.connected(&fixture.ana).await;
    fixture.outside.account("ana.second@harbour.example").await;
    let second = fixture.connect(&fixture.ana, "ana.second@harbour.example").await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), first, true).await.unwrap();
    fixture.settle().await;
    assert!(fixture.connection(second).await.is_default);
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0]);
    assert_eq!(fixture.outside.titles("ana.second@harbour.example").await.len(), 1);
}

async fn who_wants_everything_gets_it(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let rui = fixture.connected(&fixture.rui).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 0);

    fixture.set(rui, Direction::Both, Coverage::Everything).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 1);
    // Of nobody, of somebody else, and a repair: all of them.
    fixture.put("A-2", &fixture.draft(&[], 120, 180)).await;
    let repair = BookingDraft { kind: BookingKind::Maintenance, ..fixture.draft(&[&fixture.ana], 180, 240) };
    fixture.put("A-3", &repair).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 3);

    fixture.set(rui, Direction::Both, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 0);
}

async fn a_paused_calendar_waits_and_catches_up(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;

    manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.outside.forget_calls().await;
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.cancel("A-2").await;
    let booking = fixture.put("A-3", &fixture.draft(&[&fixture.ana], 180, 240)).await;
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.calls().await, [""; 0]);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Pending);

    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    assert_eq!(
        fixture.outside.titles(ANA).await,
        ["Sea View — Maria (Changed)", "Sea View — Maria (Massage)"]
    );
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap_err();
}

async fn a_calendar_that_is_only_read_holds_no_bookings(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    fixture.set(id, Direction::In, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    fixture.set(id, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);
}

async fn connecting_writes_upcoming_bookings_only(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 30, 60)).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture
        .put("A-3", &with_status(&fixture.draft(&[&fixture.ana], 180, 240), BookingStatus::Cancelled))
        .await;
    fixture.put("A-4", &fixture.draft(&[&fixture.rui], 120, 180)).await;
    fixture.clock.advance(chrono::Duration::minutes(90));
    fixture.connected(&fixture.ana).await;
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert_eq!(seen.starts_at, "2027-03-01T10:00:00Z");
    assert_eq!(fixture.open_jobs().await.len(), 0);
}

/// Two changes at one time, from two processes, and the work on the booking in between: nobody waits for anybody in a
/// circle.
async fn changes_and_work_at_the_same_time_do_not_lock_each_other_out(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    let edit = async |who: &str| {
        for change in 0..40 {
            fixture.put("A-1", &titled(&draft, &format!("{who} {change}"))).await;
        }
    };
    let work = async {
        for _ in 0..60 {
            fixture.drain().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(edit("One"), edit("Two"), work);
    fixture.settle().await;
    let trouble: Vec<_> = fixture.log().await.into_iter().filter(|line| !line.ends_with("ok")).collect();
    assert!(trouble.iter().all(|line| line == "nothing nothing"), "{trouble:?}");
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.failed().await.len(), 0);
}

/// The whole way round: the default goes, another takes over, the old one comes back, and back again.
async fn reconnected_account_does_not_duplicate_entries(db: &TestDb) {
    const SECOND: &str = "ana.second@harbour.example";
    let fixture = SyncFixture::new(db).await;
    let first = fixture.connected(&fixture.ana).await;
    fixture.outside.account(SECOND).await;
    let second = fixture.connect(&fixture.ana, SECOND).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let stands =
        async || (fixture.outside.titles(ANA).await.len(), fixture.outside.titles(SECOND).await.len());
    assert_eq!(stands().await, (1, 0));

    // The entry stays where it is, in a calendar that is let alone; the other one gets its own.
    manage::disconnect(&fixture.context, &fixture.change(), first, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(stands().await, (1, 1));
    assert_eq!(fixture.connect(&fixture.ana, ANA).await, first);
    fixture.settle().await;
    assert_eq!(stands().await, (0, 1), "it stands where it was taken over");
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(SECOND).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(stands().await, (0, 1));

    // And the other way round, with the default changed meanwhile.
    manage::disconnect(&fixture.context, &fixture.change(), second, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(stands().await, (1, 1));
    assert_eq!(fixture.connect(&fixture.ana, SECOND).await, second);
    connection_choices::set_default(&fixture.context, &fixture.change(), second).await.unwrap();
    fixture.settle().await;
    let (old, new) = stands().await;
    assert_eq!(old + new, 1, "{old} and {new}");
    // Cancelled and brought back it stands once, too.
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(stands().await, (0, 0));
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let (old, new) = stands().await;
    assert_eq!(old + new, 1, "{old} and {new}");
}

on_both_databases!(
    reconnected_account_does_not_duplicate_entries,
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
    disconnected_default_is_replaced_by_other_calendar,
    who_wants_everything_gets_it,
    a_paused_calendar_waits_and_catches_up,
    a_calendar_that_is_only_read_holds_no_bookings,
    connecting_writes_upcoming_bookings_only,
    changes_and_work_at_the_same_time_do_not_lock_each_other_out,
);
