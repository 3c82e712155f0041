//! How a calendar is read: cursors, windows, and reads that are not believed at first sight.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::connection::{EntryState, ProviderKind};
use concord_jobs::{CallLimits, ProviderLimits, SyncSettings};
use concord_storage::{
    calendars, on_both_databases,
    testing::{TestDb, at},
};
use serde_json::{Value, json};

use crate::{
    fixture::{ANA, SyncFixture, unhurried, uniform_limits},
    shared::default_settings,
};

async fn events(fixture: &SyncFixture<'_>, count: i64) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let time = (at(10_000 + number * 60), at(10_030 + number * 60));
        ids.push(fixture.outside.person_adds(ANA, time, json!({})).await);
    }
    ids
}

async fn one_changed_event_is_one_row(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 20).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    assert_eq!(
        fixture.log_lines().await.last().unwrap().detail,
        format!("{ANA}: full read: 20 updated, 0 removed")
    );
    let before = fixture.known(calendar).await;
    assert_eq!(before.len(), 20);

    fixture.outside.person_changes(ANA, &ids[7], json!({ "title": "Another dentist" })).await;
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.calls().await, ["GET 200"]);
    assert_eq!(
        fixture.log_lines().await.last().unwrap().detail,
        format!("{ANA}: changes: 1 updated, 0 removed")
    );
    let after = fixture.known(calendar).await;
    let touched = before.iter().zip(&after).filter(|(old, new)| old.seen_at != new.seen_at).count();
    assert_eq!((after.len(), touched), (20, 1));

    // Nothing new: not even a line in the log.
    let lines = fixture.log().await.len();
    fixture.poll().await;
    assert_eq!(fixture.log().await.len(), lines);
}

async fn an_expired_cursor_is_dropped_and_everything_compared(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 5).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    fixture.outside.person_deletes(ANA, &ids[0]).await;
    fixture
        .outside
        .person_changes(ANA, &ids[1], json!({ "starts_at": at(20_000), "ends_at": at(20_030) }))
        .await;
    fixture.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.calls().await, ["GET 410", "GET 200"]);
    assert_eq!(
        fixture.log_lines().await.last().unwrap().detail,
        format!("{ANA}: full read: 1 updated, 1 removed")
    );
    assert_eq!(fixture.known(calendar).await.len(), 4);
    assert!(fixture.taken(&fixture.ana).await.contains(&"busy: 20000 - 20030".to_owned()));
}

/// Whoever began again at each wait for the limit would never come to the end.
async fn a_long_list_waits_for_the_limit_where_it_is(db: &TestDb) {
    let limits = CallLimits {
        connection_interval: Duration::milliseconds(400),
        connection_burst: 1,
        ..ProviderLimits::default().of(ProviderKind::Google)
    };
    let settings = SyncSettings { limits: uniform_limits(limits), ..default_settings() };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(30)).await;
    // Google gives 2,500 a page.
    for number in 0..15 {
        let time = (at(number * 60), at(number * 60 + 30));
        fixture.outside.person_adds(ANA, time, json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=175" })).await;
    }
    let id = fixture.connect(&fixture.ana, ANA).await;
    fixture.outside.forget_calls().await;
    let time_passes = async {
        loop {
            tokio::time::sleep(StdDuration::from_millis(10)).await;
            fixture.clock.advance(Duration::milliseconds(20));
        }
    };
    tokio::select! {
        _ = fixture.settle() => {}
        () = time_passes => unreachable!("it passes for ever"),
    }
    let calendar = fixture.calendars(id).await[0].id;
    assert_eq!(fixture.known(calendar).await.len(), 15 * 175);
    assert_eq!(fixture.outside.calls().await, ["GET 200", "GET 200"]);
}

/// All that are due at once.
async fn bookings_come_between_the_slices_of_a_long_import(db: &TestDb) {
    bookings_come_between(db, default_settings().slice).await;
}

/// Where a slice is over with the first of them.
async fn long_import_yields_to_bookings_between_slices(db: &TestDb) {
    bookings_come_between(db, StdDuration::ZERO).await;
}

async fn bookings_come_between(db: &TestDb, slice: StdDuration) {
    let fixture =
        SyncFixture::with(db, SyncSettings { slice, ..unhurried() }, StdDuration::from_secs(30)).await;
    let calendar = fixture.calendars(fixture.connected(&fixture.ana).await).await[0].id;
    for number in 0..8 {
        let time = (at(number * 60), at(number * 60 + 30));
        fixture.outside.person_adds(ANA, time, json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=175" })).await;
    }
    fixture.clock.advance(fixture.context.settings.poll_every);
    let people = async {
        while fixture.known(calendar).await.is_empty() {
            tokio::time::sleep(StdDuration::from_millis(5)).await;
        }
        let mut bookings = Vec::new();
        for number in 0..5 {
            let from = 600 + number * 60;
            bookings.push(
                fixture.put(&format!("B-{number}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await,
            );
        }
        for booking in &bookings {
            while fixture.entry_state(booking).await != EntryState::Synced {
                tokio::time::sleep(StdDuration::from_millis(5)).await;
            }
        }
        let known = fixture.known(calendar).await.len();
        assert!(known < 8 * 175, "with a slice of {slice:?} they waited until all was read");
    };
    tokio::join!(fixture.settle(), people);
    assert_eq!(fixture.known(calendar).await.len(), 8 * 175, "and it went on");
}

async fn the_window_moves_on_by_a_day(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let day = 24 * 60;
    // Yesterday's, and one that is just beyond the window's end.
    fixture.outside.person_adds(ANA, (at(-60), at(-30)), json!({})).await;
    fixture.outside.person_adds(ANA, (at(181 * day), at(181 * day + 60)), json!({})).await;
    fixture.connected(&fixture.ana).await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: -60 - -30"]);

    fixture.clock.advance(Duration::hours(12));
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    let asked = fixture.outside.exchanges().await;
    assert!(asked[0]["query"]["syncToken"].is_string(), "{asked:?}");

    fixture.clock.advance(Duration::hours(36));
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    let asked = fixture.outside.exchanges().await;
    assert_eq!(asked[0]["query"]["syncToken"], Value::Null, "{asked:?}");
    assert_eq!(fixture.taken(&fixture.ana).await, [format!("busy: {} - {}", 181 * day, 181 * day + 60)]);
}

/// What a provider in trouble may say: that there is nothing at all.
async fn an_empty_calendar_is_believed_at_second_sight(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 3).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    for gone in &ids {
        fixture.outside.person_deletes(ANA, gone).await;
    }
    fixture.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    fixture.clock.advance(Duration::minutes(16));
    fixture.drain().await;
    assert_eq!(fixture.known(calendar).await.len(), 3, "held back");
    assert_eq!(fixture.log().await.last().unwrap(), "import held");
    let reason = fixture.calendars(id).await[0].quarantine_reason.clone().unwrap_or_default();
    assert!(reason.contains("was returned empty, though 3"), "{reason}");

    // Two minutes later it says the same.
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    assert_eq!(fixture.known(calendar).await.len(), 0);
    assert_eq!(fixture.calendars(id).await[0].quarantine_reason, None);
    // And then goes on by changes.
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert_eq!(fixture.known(calendar).await.len(), 1);
    let asked = fixture.outside.exchanges().await;
    assert!(asked[0]["query"]["syncToken"].is_string(), "{asked:?}");
}

async fn what_comes_back_meanwhile_was_never_gone(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 12).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    for gone in &ids[..8] {
        fixture.outside.person_deletes(ANA, gone).await;
    }
    fixture.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    fixture.clock.advance(Duration::minutes(16));
    fixture.drain().await;
    assert_eq!(fixture.known(calendar).await.len(), 12);
    let reason = fixture.calendars(id).await[0].quarantine_reason.clone().unwrap_or_default();
    assert!(reason.contains("8 of 12"), "{reason}");
    for back in &ids[..8] {
        fixture.outside.person_changes(ANA, back, json!({ "status": "confirmed" })).await;
    }
    fixture.settle().await;
    assert_eq!(fixture.known(calendar).await.len(), 12);
    assert_eq!(fixture.calendars(id).await[0].quarantine_reason, None);
}

/// Half of it seems to be gone, and its owner goes on working in it.
async fn new_busy_times_count_while_the_rest_is_quarantined(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 12).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    for gone in &ids[..8] {
        fixture.outside.person_deletes(ANA, gone).await;
    }
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    fixture.clock.advance(Duration::minutes(16));
    fixture.drain().await;
    assert_eq!(fixture.known(calendar).await.len(), 13, "none has gone, and one has come");
    assert!(fixture.taken(&fixture.ana).await.contains(&"busy: 600 - 660".to_owned()));

    // Changed again before the second sight: what was missing twice goes all the same.
    fixture.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.drain().await;
    assert_eq!(fixture.known(calendar).await.len(), 6);
    assert_eq!(fixture.calendars(id).await[0].quarantine_reason, None);
}

/// Deleted one by one, by changes, they go at once: that is no sign of damage.
async fn what_is_deleted_by_name_goes_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let ids = events(&fixture, 12).await;
    let id = fixture.connected(&fixture.ana).await;
    for gone in &ids {
        fixture.outside.person_deletes(ANA, gone).await;
    }
    fixture.poll().await;
    assert_eq!(fixture.known(fixture.calendars(id).await[0].id).await.len(), 0);
}

async fn a_large_calendar_is_read_page_by_page(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    for hour in 0..15 {
        let daily = json!({ "recurrence": "RRULE:FREQ=DAILY;COUNT=180" });
        fixture.outside.person_adds(ANA, (at(hour * 60), at(hour * 60 + 15)), daily).await;
    }
    fixture.outside.forget_calls().await;
    let id = fixture.connected(&fixture.ana).await;
    assert_eq!(fixture.known(fixture.calendars(id).await[0].id).await.len(), 2_700);
    let lists = fixture.outside.exchanges().await;
    let pages =
        lists.iter().filter(|one| one["path"].as_str().unwrap_or_default().ends_with("/events")).count();
    assert_eq!(pages, 2);
}

async fn a_read_that_fails_is_tried_again_and_does_not_stop_for_ever(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    for kind in ["server_error", "rate_limit", "apply_then_drop"] {
        fixture.outside.fault(json!({ "kind": kind, "count": 2 })).await;
    }
    fixture.poll().await;
    assert_eq!(fixture.known(calendar).await.len(), 1);

    // Refused for good, as when somebody has switched the API off: looked at again later.
    let scope = json!({ "provider": "google", "account": ANA, "scope": "openid email" });
    let grant = fixture.outside.control(http::Method::POST, "grants", Some(scope)).await;
    let tokens = concord_storage::connections::ConnectionTokens {
        access: grant["access_token"].as_str().unwrap().into(),
        access_expires_at: at(100_000),
        refresh: None,
    };
    fixture.store_tokens(id, &tokens).await;
    fixture.poll().await;
    let reason = fixture.connection(id).await.last_error.unwrap_or_default();
    assert!(reason.contains("connect again"), "{reason}");
    assert_eq!(fixture.log().await.last().unwrap(), "import failed");
    // It goes on being refused, which is no news, and is tried less and less.
    let log = fixture.log().await;
    fixture.outside.forget_calls().await;
    for _ in 0..4 {
        fixture.poll().await;
    }
    assert_eq!(fixture.log().await, log);
    let tries = fixture.outside.calls().await.len();
    assert!((1..=2).contains(&tries), "{tries}");
    let given = fixture.outside.consent(ANA).await;
    let tokens = concord_storage::connections::ConnectionTokens { access: given.access.into(), ..tokens };
    fixture.store_tokens(id, &tokens).await;
    fixture.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    fixture.clock.advance(Duration::hours(2));
    fixture.settle().await;
    assert_eq!(fixture.known(calendar).await.len(), 2);
    assert_eq!(fixture.connection(id).await.last_error, None);
}

/// A person who edits while a page is read sees the change at the next read, and nothing twice.
async fn a_cursor_survives_a_worker_that_dies(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    events(&fixture, 3).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    let progress = calendars::progress(db, fixture.business.id, calendar).await.unwrap();
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.poll().await;
    // The rows were written, but not the cursor: what a kill between the two leaves.
    let window = concord_domain::interval::Interval {
        start: progress.window_start.unwrap(),
        end: progress.window_end.unwrap(),
    };
    let mut tx = concord_storage::testing::begin(db).await;
    let cursor = progress.cursor.unwrap();
    calendars::advance(&mut tx, (calendar, progress.last_reading), &cursor, window, fixture.clock.now())
        .await
        .unwrap();
    concord_storage::testing::commit(tx).await;
    let before = fixture.known(calendar).await;
    fixture.poll().await;
    let after = fixture.known(calendar).await;
    assert_eq!(after.len(), 4);
    assert!(
        before.iter().zip(&after).all(|(old, new)| old.seen_at == new.seen_at),
        "nothing was written again"
    );
}

/// A list that has no end keeps nobody for ever, and what is known stays.
async fn a_list_without_an_end_is_given_up(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    fixture.outside.fault(json!({ "kind": "endless_list" })).await;
    fixture.clock.advance(Duration::minutes(16));
    fixture.drain().await;
    let last = fixture.log_lines().await.pop().unwrap();
    assert!(last.operation == "import" && last.detail.contains("does not end"), "{last:?}");
    assert_eq!(fixture.known(calendar).await.len(), 1);
    fixture.outside.no_faults().await;
    fixture.settle().await;
    assert_eq!(fixture.known(calendar).await.len(), 1);
}

on_both_databases!(
    one_changed_event_is_one_row,
    a_long_list_waits_for_the_limit_where_it_is,
    bookings_come_between_the_slices_of_a_long_import,
    long_import_yields_to_bookings_between_slices,
    an_expired_cursor_is_dropped_and_everything_compared,
    the_window_moves_on_by_a_day,
    an_empty_calendar_is_believed_at_second_sight,
    what_comes_back_meanwhile_was_never_gone,
    new_busy_times_count_while_the_rest_is_quarantined,
    what_is_deleted_by_name_goes_at_once,
    a_large_calendar_is_read_page_by_page,
    a_read_that_fails_is_tried_again_and_does_not_stop_for_ever,
    a_cursor_survives_a_worker_that_dies,
    a_list_without_an_end_is_given_up,
);
