//! How a calendar is read: cursors, windows, and reads that are not believed at first sight.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::connection::EntryState;
use concord_jobs::{CallLimits, Limits, SyncSettings};
use concord_storage::{
    calendars, on_both_databases,
    testing::{TestDb, at},
};
use serde_json::{Value, json};

use crate::world::{ANA, World, unhurried};

async fn events(world: &World<'_>, count: i64) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let time = (at(10_000 + number * 60), at(10_030 + number * 60));
        ids.push(world.outside.person_adds(ANA, time, json!({})).await);
    }
    ids
}

async fn one_changed_event_is_one_row(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 20).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    assert_eq!(
        world.log_lines().await.last().unwrap().detail,
        format!("{ANA}: full read: 20 written, 0 removed")
    );
    let before = world.known(calendar).await;
    assert_eq!(before.len(), 20);

    world.outside.person_changes(ANA, &ids[7], json!({ "title": "Another dentist" })).await;
    world.outside.forget_calls().await;
    world.poll().await;
    assert_eq!(world.outside.calls().await, ["GET 200"]);
    assert_eq!(
        world.log_lines().await.last().unwrap().detail,
        format!("{ANA}: changes: 1 written, 0 removed")
    );
    let after = world.known(calendar).await;
    let touched = before.iter().zip(&after).filter(|(old, new)| old.seen_at != new.seen_at).count();
    assert_eq!((after.len(), touched), (20, 1));

    // Nothing new: not even a line in the log.
    let lines = world.log().await.len();
    world.poll().await;
    assert_eq!(world.log().await.len(), lines);
}

async fn an_expired_cursor_is_dropped_and_everything_compared(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 5).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    world.outside.person_deletes(ANA, &ids[0]).await;
    world
        .outside
        .person_changes(ANA, &ids[1], json!({ "starts_at": at(20_000), "ends_at": at(20_030) }))
        .await;
    world.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    world.outside.forget_calls().await;
    world.poll().await;
    assert_eq!(world.outside.calls().await, ["GET 410", "GET 200"]);
    assert_eq!(
        world.log_lines().await.last().unwrap().detail,
        format!("{ANA}: full read: 1 written, 1 removed")
    );
    assert_eq!(world.known(calendar).await.len(), 4);
    assert!(world.taken(&world.ana).await.contains(&"busy: 20000 - 20030".to_owned()));
}

/// Whoever began again at each wait for the limit would never come to the end.
async fn a_long_list_waits_for_the_limit_where_it_is(db: &TestDb) {
    let limits = CallLimits {
        connection_interval: Duration::milliseconds(400),
        connection_burst: 1,
        ..Limits::default().google
    };
    let settings = SyncSettings { limits: Limits::alike(limits), ..SyncSettings::default() };
    let world = World::with(db, settings, StdDuration::from_secs(30)).await;
    // Google gives 2,500 a page.
    for number in 0..15 {
        let time = (at(number * 60), at(number * 60 + 30));
        world.outside.person_adds(ANA, time, json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=175" })).await;
    }
    let id = world.connect(&world.ana, ANA).await;
    world.outside.forget_calls().await;
    let time_passes = async {
        loop {
            tokio::time::sleep(StdDuration::from_millis(10)).await;
            world.clock.advance(Duration::milliseconds(20));
        }
    };
    tokio::select! {
        _ = world.settle() => {}
        () = time_passes => unreachable!("it passes for ever"),
    }
    let calendar = world.calendars(id).await[0].id;
    assert_eq!(world.known(calendar).await.len(), 15 * 175);
    assert_eq!(world.outside.calls().await, ["GET 200", "GET 200"]);
}

/// All that are due at once.
async fn bookings_come_between_the_slices_of_a_long_import(db: &TestDb) {
    bookings_come_between(db, SyncSettings::default().slice).await;
}

/// Where a slice is over with the first of them.
async fn bookings_come_between_the_slices_of_a_long_import_one_at_a_time(db: &TestDb) {
    bookings_come_between(db, StdDuration::ZERO).await;
}

async fn bookings_come_between(db: &TestDb, slice: StdDuration) {
    let world = World::with(db, SyncSettings { slice, ..unhurried() }, StdDuration::from_secs(30)).await;
    let calendar = world.calendars(world.connected(&world.ana).await).await[0].id;
    for number in 0..8 {
        let time = (at(number * 60), at(number * 60 + 30));
        world.outside.person_adds(ANA, time, json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=175" })).await;
    }
    world.clock.advance(world.context.settings.poll_every);
    let people = async {
        while world.known(calendar).await.is_empty() {
            tokio::time::sleep(StdDuration::from_millis(5)).await;
        }
        let mut bookings = Vec::new();
        for number in 0..5 {
            let from = 600 + number * 60;
            bookings
                .push(world.put(&format!("B-{number}"), &world.draft(&[&world.ana], from, from + 60)).await);
        }
        for booking in &bookings {
            while world.entry_state(booking).await != EntryState::Synced {
                tokio::time::sleep(StdDuration::from_millis(5)).await;
            }
        }
        let known = world.known(calendar).await.len();
        assert!(known < 8 * 175, "with a slice of {slice:?} they waited until all was read");
    };
    tokio::join!(world.settle(), people);
    assert_eq!(world.known(calendar).await.len(), 8 * 175, "and it went on");
}

async fn the_window_moves_on_by_a_day(db: &TestDb) {
    let world = World::new(db).await;
    let day = 24 * 60;
    // Yesterday's, and one that is just beyond the window's end.
    world.outside.person_adds(ANA, (at(-60), at(-30)), json!({})).await;
    world.outside.person_adds(ANA, (at(181 * day), at(181 * day + 60)), json!({})).await;
    world.connected(&world.ana).await;
    assert_eq!(world.taken(&world.ana).await, ["busy: -60 - -30"]);

    world.clock.advance(Duration::hours(12));
    world.outside.forget_calls().await;
    world.poll().await;
    let asked = world.outside.exchanges().await;
    assert!(asked[0]["query"]["syncToken"].is_string(), "{asked:?}");

    world.clock.advance(Duration::hours(36));
    world.outside.forget_calls().await;
    world.poll().await;
    let asked = world.outside.exchanges().await;
    assert_eq!(asked[0]["query"]["syncToken"], Value::Null, "{asked:?}");
    assert_eq!(world.taken(&world.ana).await, [format!("busy: {} - {}", 181 * day, 181 * day + 60)]);
}

/// What a provider in trouble may say: that there is nothing at all.
async fn an_empty_calendar_is_believed_at_second_sight(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 3).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    for gone in &ids {
        world.outside.person_deletes(ANA, gone).await;
    }
    world.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    world.clock.advance(Duration::minutes(16));
    world.drain().await;
    assert_eq!(world.known(calendar).await.len(), 3, "held back");
    assert_eq!(world.log().await.last().unwrap(), "import held");
    let reason = world.calendars(id).await[0].held_reason.clone().unwrap_or_default();
    assert!(reason.contains("came back empty, though 3"), "{reason}");

    // Two minutes later it says the same.
    world.clock.advance(Duration::minutes(2));
    world.drain().await;
    assert_eq!(world.known(calendar).await.len(), 0);
    assert_eq!(world.calendars(id).await[0].held_reason, None);
    // And then goes on by changes.
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    world.outside.forget_calls().await;
    world.poll().await;
    assert_eq!(world.known(calendar).await.len(), 1);
    let asked = world.outside.exchanges().await;
    assert!(asked[0]["query"]["syncToken"].is_string(), "{asked:?}");
}

async fn what_comes_back_meanwhile_was_never_gone(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 12).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    for gone in &ids[..8] {
        world.outside.person_deletes(ANA, gone).await;
    }
    world.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    world.clock.advance(Duration::minutes(16));
    world.drain().await;
    assert_eq!(world.known(calendar).await.len(), 12);
    let reason = world.calendars(id).await[0].held_reason.clone().unwrap_or_default();
    assert!(reason.contains("8 of 12"), "{reason}");
    for back in &ids[..8] {
        world.outside.person_changes(ANA, back, json!({ "status": "confirmed" })).await;
    }
    world.settle().await;
    assert_eq!(world.known(calendar).await.len(), 12);
    assert_eq!(world.calendars(id).await[0].held_reason, None);
}

/// Half of it seems to be gone, and its owner goes on working in it.
async fn what_is_new_keeps_its_owner_busy_while_the_rest_is_doubted(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 12).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    for gone in &ids[..8] {
        world.outside.person_deletes(ANA, gone).await;
    }
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    world.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    world.clock.advance(Duration::minutes(16));
    world.drain().await;
    assert_eq!(world.known(calendar).await.len(), 13, "none has gone, and one has come");
    assert!(world.taken(&world.ana).await.contains(&"busy: 600 - 660".to_owned()));

    // Changed again before the second sight: what was missing twice goes all the same.
    world.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    world.clock.advance(Duration::minutes(2));
    world.drain().await;
    assert_eq!(world.known(calendar).await.len(), 6);
    assert_eq!(world.calendars(id).await[0].held_reason, None);
}

/// Deleted one by one, by changes, they go at once: that is no sign of damage.
async fn what_is_deleted_by_name_goes_at_once(db: &TestDb) {
    let world = World::new(db).await;
    let ids = events(&world, 12).await;
    let id = world.connected(&world.ana).await;
    for gone in &ids {
        world.outside.person_deletes(ANA, gone).await;
    }
    world.poll().await;
    assert_eq!(world.known(world.calendars(id).await[0].id).await.len(), 0);
}

async fn a_large_calendar_is_read_page_by_page(db: &TestDb) {
    let world = World::new(db).await;
    for hour in 0..15 {
        let daily = json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=180" });
        world.outside.person_adds(ANA, (at(hour * 60), at(hour * 60 + 15)), daily).await;
    }
    world.outside.forget_calls().await;
    let id = world.connected(&world.ana).await;
    assert_eq!(world.known(world.calendars(id).await[0].id).await.len(), 2_700);
    let lists = world.outside.exchanges().await;
    let pages =
        lists.iter().filter(|one| one["path"].as_str().unwrap_or_default().ends_with("/events")).count();
    assert_eq!(pages, 2);
}

async fn a_read_that_fails_is_tried_again_and_does_not_stop_for_ever(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    for kind in ["server_error", "rate_limit", "apply_then_drop"] {
        world.outside.fault(json!({ "kind": kind, "count": 2 })).await;
    }
    world.poll().await;
    assert_eq!(world.known(calendar).await.len(), 1);

    // Refused for good, as when somebody has switched the API off: looked at again later.
    let scope = json!({ "provider": "google", "account": ANA, "scope": "openid email" });
    let grant = world.outside.control(http::Method::POST, "grants", Some(scope)).await;
    let tokens = concord_storage::connections::Tokens {
        access: grant["access_token"].as_str().unwrap().into(),
        access_expires_at: at(100_000),
        refresh: None,
    };
    world.store_tokens(id, &tokens).await;
    world.poll().await;
    let reason = world.connection(id).await.last_error.unwrap_or_default();
    assert!(reason.contains("connect again"), "{reason}");
    assert_eq!(world.log().await.last().unwrap(), "import failed");
    // It goes on being refused, which is no news, and is tried less and less.
    let log = world.log().await;
    world.outside.forget_calls().await;
    for _ in 0..4 {
        world.poll().await;
    }
    assert_eq!(world.log().await, log);
    let tries = world.outside.calls().await.len();
    assert!((1..=2).contains(&tries), "{tries}");
    let given = world.outside.consent(ANA).await;
    let tokens = concord_storage::connections::Tokens { access: given.access.into(), ..tokens };
    world.store_tokens(id, &tokens).await;
    world.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    world.clock.advance(Duration::hours(2));
    world.settle().await;
    assert_eq!(world.known(calendar).await.len(), 2);
    assert_eq!(world.connection(id).await.last_error, None);
}

/// A person who edits while a page is read sees the change at the next read, and nothing twice.
async fn a_cursor_survives_a_worker_that_dies(db: &TestDb) {
    let world = World::new(db).await;
    events(&world, 3).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    let progress = calendars::progress(db, world.business.id, calendar).await.unwrap();
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    world.poll().await;
    // The rows were written, but not the cursor: what a kill between the two leaves.
    let window = concord_domain::interval::Interval {
        start: progress.window_start.unwrap(),
        end: progress.window_end.unwrap(),
    };
    let mut tx = concord_storage::testing::begin(db).await;
    let cursor = progress.cursor.unwrap();
    calendars::advance(&mut tx, (calendar, progress.last_reading), &cursor, window, world.clock.now())
        .await
        .unwrap();
    concord_storage::testing::commit(tx).await;
    let before = world.known(calendar).await;
    world.poll().await;
    let after = world.known(calendar).await;
    assert_eq!(after.len(), 4);
    assert!(
        before.iter().zip(&after).all(|(old, new)| old.seen_at == new.seen_at),
        "nothing was written again"
    );
}

/// A list that has no end keeps nobody for ever, and what is known stays.
async fn a_list_without_an_end_is_given_up(db: &TestDb) {
    let world = World::new(db).await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = world.connected(&world.ana).await;
    let calendar = world.calendars(id).await[0].id;
    world.outside.fault(json!({ "kind": "endless_list" })).await;
    world.clock.advance(Duration::minutes(16));
    world.drain().await;
    let last = world.log_lines().await.pop().unwrap();
    assert!(last.operation == "import" && last.detail.contains("does not end"), "{last:?}");
    assert_eq!(world.known(calendar).await.len(), 1);
    world.outside.no_faults().await;
    world.settle().await;
    assert_eq!(world.known(calendar).await.len(), 1);
}

on_both_databases!(
    one_changed_event_is_one_row,
    a_long_list_waits_for_the_limit_where_it_is,
    bookings_come_between_the_slices_of_a_long_import,
    bookings_come_between_the_slices_of_a_long_import_one_at_a_time,
    an_expired_cursor_is_dropped_and_everything_compared,
    the_window_moves_on_by_a_day,
    an_empty_calendar_is_believed_at_second_sight,
    what_comes_back_meanwhile_was_never_gone,
    what_is_new_keeps_its_owner_busy_while_the_rest_is_doubted,
    what_is_deleted_by_name_goes_at_once,
    a_large_calendar_is_read_page_by_page,
    a_read_that_fails_is_tried_again_and_does_not_stop_for_ever,
    a_cursor_survives_a_worker_that_dies,
    a_list_without_an_end_is_given_up,
);
