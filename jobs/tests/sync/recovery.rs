//! How soon work flows again: after a provider has refused, after a worker was stopped, and beside a machine whose clock is
//! wrong.

use chrono::Duration;
use concord_domain::{
    clock::Clock,
    connection::{EntryState, ProviderKind},
    job::{JobKind, QueueClass},
};
use concord_jobs::{clock, dispatch::JobRunner, worker::JobHandler};
use concord_storage::{
    Db,
    jobs::{self, KeyWait, NewJob},
    limits::{self, BucketRate, RateDecision},
    on_both_databases,
    testing::{self, TestDb, begin, commit},
};
use concord_testing::ProxyFault;
use serde_json::json;

use crate::{
    fixture::{ANA, PATIENCE, SyncFixture, unhurried},
    shared::DrainJobs,
};

/// Lets the work be done for as long as that, whenever some of it is due.
async fn work_for(fixture: &SyncFixture<'_>, time: Duration) {
    let until = fixture.clock.now() + time;
    loop {
        fixture.drain().await;
        let now = fixture.clock.now();
        let Some(due) = testing::next_due(fixture.db).await.filter(|due| *due < until) else {
            fixture.clock.advance((until - now).max(Duration::zero()));
            return;
        };
        fixture.clock.advance((due - now).max(Duration::milliseconds(20)));
    }
}

async fn five_seconds_after_google_answers_again_work_flows(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    for minutes in [1, 7] {
        // It refuses without saying for how long; what waits grows old.
        fixture.outside.fault(json!({ "kind": "rate_limit", "value": 0 })).await;
        let mut waiting = Vec::new();
        for number in 0..6 {
            let from = minutes * 1_000 + number * 60;
            let reference = format!("OLD-{minutes}-{number}");
            waiting.push(fixture.put(&reference, &fixture.draft(&[&fixture.ana], from, from + 60)).await);
        }
        work_for(&fixture, Duration::minutes(minutes)).await;
        for booking in &waiting {
            assert_eq!(fixture.entry_state(booking).await, EntryState::Pending);
        }
        fixture.outside.no_faults().await;
        let from = minutes * 1_000 + 600;
        waiting.push(
            fixture.put(&format!("NEW-{minutes}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await,
        );
        work_for(&fixture, Duration::seconds(5)).await;
        for booking in &waiting {
            assert_eq!(fixture.entry_state(booking).await, EntryState::Synced, "{}", booking.reference);
        }
    }
}

/// After an outage too: what waits for its next try by then waits as long as the settings let it.
async fn google_outage_backlog_flows_after_first_success(db: &TestDb) {
    let mut settings = unhurried();
    settings.retry.slow_cap = Duration::hours(1);
    let fixture = SyncFixture::with(db, settings, PATIENCE).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    let mut waiting = Vec::new();
    for number in 0..6 {
        let from = 600 + number * 60;
        let draft = fixture.draft(&[&fixture.ana], from, from + 60);
        waiting.push(fixture.put(&format!("OLD-{number}"), &draft).await);
    }
    work_for(&fixture, Duration::hours(4)).await;
    for booking in &waiting {
        assert_eq!(fixture.entry_state(booking).await, EntryState::Failed);
    }
    fixture.outside.no_faults().await;
    waiting.push(fixture.put("NEW", &fixture.draft(&[&fixture.ana], 960, 1_020)).await);
    work_for(&fixture, Duration::seconds(5)).await;
    for booking in &waiting {
        assert_eq!(fixture.entry_state(booking).await, EntryState::Synced, "{}", booking.reference);
    }
}

/// Whoever finds out that a provider answers again finds out for everybody.
async fn with_the_first_answer_after_an_outage_everybodys_work_flows(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let mut connections = Vec::new();
    for staff in [&fixture.ana, &fixture.rui] {
        connections.push(fixture.connected(staff).await);
    }
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    let mut waiting = Vec::new();
    for number in 0..6 {
        let from = 600 + number * 60;
        for staff in [&fixture.ana, &fixture.rui] {
            let draft = fixture.draft(&[staff], from, from + 60);
            waiting.push(fixture.put(&format!("OLD-{number}-{}", staff.name), &draft).await);
        }
    }
    work_for(&fixture, Duration::minutes(1)).await;
    let now = fixture.clock.now();
    for connection in &connections {
        let wait = jobs::find_wait(db, (*connection).into(), now).await.unwrap().expect("it waits");
        assert!(wait.is_outage, "{wait:?}");
    }
    // Rui's calendar would not be tried for long.
    let late = KeyWait {
        wait_until: now + Duration::hours(1),
        batches_wait_until: now + Duration::hours(1),
        reason: String::new(),
        is_outage: true,
    };
    let mut tx = begin(db).await;
    jobs::wait(&mut tx, connections[1].into(), &late).await.unwrap();
    commit(tx).await;
    fixture.outside.no_faults().await;
    // The longest time between two tries, and what an entry waits by itself after the failures of a minute.
    work_for(&fixture, Duration::minutes(2)).await;
    for booking in &waiting {
        assert_eq!(fixture.entry_state(booking).await, EntryState::Synced, "{}", booking.reference);
    }
}

/// After hours too, when everything waits by itself for a quarter of an hour, and nothing is new in the other calendar.
async fn after_a_long_outage_everybodys_work_flows_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    all_is_written_after_hours(&fixture).await;
}

/// Each account's calendars have an address of their own; the server is the same.
async fn after_a_long_outage_of_a_server_all_its_accounts_flow(db: &TestDb) {
    let fixture = SyncFixture::of(db, ProviderKind::Caldav, unhurried(), PATIENCE, testing::monday()).await;
    all_is_written_after_hours(&fixture).await;
}

async fn all_is_written_after_hours(fixture: &SyncFixture<'_>) {
    for staff in [&fixture.ana, &fixture.rui] {
        fixture.connected(staff).await;
    }
    let is_caldav = fixture.outside.kind() == ProviderKind::Caldav;
    if is_caldav {
        let (status, nothing) = ("503 Service Unavailable".to_owned(), String::new());
        let refused = ProxyFault::Answer { status, headers: nothing.clone(), body: nothing };
        fixture.outside.radicale().proxy.fail_randomly(1, vec![(1.0, refused)]);
    } else {
        fixture.outside.fault(json!({ "kind": "server_error" })).await;
    }
    let mut waiting = Vec::new();
    for number in 0..3 {
        let from = 600 + number * 60;
        for staff in [&fixture.ana, &fixture.rui] {
            let draft = fixture.draft(&[staff], from, from + 60);
            waiting.push(fixture.put(&format!("OLD-{number}-{}", staff.name), &draft).await);
        }
    }
    work_for(fixture, Duration::hours(3)).await;
    for booking in &waiting {
        assert_eq!(fixture.entry_state(booking).await, EntryState::Failed, "{}", booking.reference);
    }
    if is_caldav {
        fixture.outside.radicale().proxy.is_well();
    } else {
        fixture.outside.no_faults().await;
    }
    waiting.push(fixture.put("NEW", &fixture.draft(&[&fixture.ana], 960, 1_020)).await);
    work_for(fixture, Duration::seconds(10)).await;
    for booking in &waiting {
        assert_eq!(fixture.entry_state(booking).await, EntryState::Synced, "{}", booking.reference);
    }
}

async fn while_google_refuses_one_call_at_a_time_asks(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    for number in 0..20 {
        let from = number * 60;
        fixture.put(&format!("B-{number}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await;
    }
    fixture.outside.fault(json!({ "kind": "rate_limit", "value": 0 })).await;
    fixture.outside.forget_calls().await;
    work_for(&fixture, Duration::minutes(1)).await;
    // 1, 2, 4, 4 ... seconds, each up to a fifth shorter.
    let calls = fixture.outside.calls().await.len();
    assert!((12..=25).contains(&calls), "{calls} calls in a minute, for twenty bookings");
    fixture.outside.no_faults().await;
    work_for(&fixture, Duration::seconds(5)).await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 20);
}

async fn a_worker_that_is_stopped_hard_gives_back_its_leases(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let now = fixture.clock.now();
    let until = now + fixture.context.settings.lease;
    let due = jobs::due(db, now, 10).await.unwrap();
    jobs::claim(db, due[0], "first#1", until, now).await.unwrap().unwrap();

    fixture.jobs.release("first").await;
    JobRunner::new(fixture.elsewhere(), "second").drain().await.unwrap();
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.clock.now(), now, "nobody waited for a lease");
}

/// Processes on three machines with one database: one's clock is right, one's ahead, one's behind.
async fn a_clock_that_is_wrong_stops_nobody_and_steals_nothing(db: &TestDb) {
    let Db::Postgres(_) = **db else {
        // Beside a file all go by one machine's clock.
        let ahead = Clock::system_ahead(Duration::seconds(90));
        assert_eq!(clock::correct(db, &ahead).await.unwrap(), Duration::zero());
        return;
    };
    let right = Clock::system();
    let wrong = [90, -90].map(|seconds| Clock::system_ahead(Duration::seconds(seconds)));
    for clock in [&right, &wrong[0], &wrong[1]] {
        clock::correct(db, clock).await.unwrap();
        assert!((clock.now() - right.now()).abs() < Duration::seconds(5), "{clock:?}");
    }
    let set = Clock::set_to(testing::monday());
    clock::correct(db, &set).await.unwrap();
    assert_eq!(set.now(), testing::monday(), "whoever sets a clock means it");

    let rate = BucketRate { interval: Duration::seconds(1), burst: 1 };
    for clock in &wrong {
        let mut tx = begin(db).await;
        limits::take(&mut tx, "google", clock.now(), rate, Duration::seconds(10)).await.unwrap();
        commit(tx).await;
    }
    let mut tx = begin(db).await;
    let taken = limits::take(&mut tx, "google", right.now(), rate, Duration::zero()).await.unwrap();
    commit(tx).await;
    let (RateDecision::At(until) | RateDecision::Wait(until)) = taken;
    assert!(until - right.now() < Duration::seconds(10), "{taken:?}");

    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    let now = right.now();
    let until = now + Duration::seconds(30);
    let mut tx = begin(db).await;
    let compare = NewJob {
        business: Some(business.id),
        kind: JobKind::CompareDrift,
        subject: connection.0,
        queue: QueueClass::Poll,
        due_at: now,
    };
    let enqueued = jobs::enqueue(&mut tx, compare, now).await.unwrap();
    commit(tx).await;
    jobs::claim(db, enqueued, "right#1", until, now).await.unwrap().unwrap();
    for clock in &wrong {
        assert_eq!(jobs::release_expired(db, clock.now()).await.unwrap(), 0);
        let until = clock.now() + Duration::seconds(30);
        assert!(jobs::claim(db, enqueued, "wrong#1", until, clock.now()).await.unwrap().is_none());
    }
}

on_both_databases!(
    five_seconds_after_google_answers_again_work_flows,
    google_outage_backlog_flows_after_first_success,
    with_the_first_answer_after_an_outage_everybodys_work_flows,
    after_a_long_outage_everybodys_work_flows_at_once,
    after_a_long_outage_of_a_server_all_its_accounts_flow,
    while_google_refuses_one_call_at_a_time_asks,
    a_worker_that_is_stopped_hard_gives_back_its_leases,
    a_clock_that_is_wrong_stops_nobody_and_steals_nothing,
);
