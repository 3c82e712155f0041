//! What goes wrong outside, and what then happens: waits, tries, giving up, trying again.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, EntryState, ProviderKind},
    entry::EntryTime,
    ids::{EntryId, JobKey},
    job::{JobKind, JobState, QueueClass},
    sync::{synced_fields::SyncedFields, unknown_writes::UnknownWrite},
};
use concord_jobs::{
    CallLimits, ProviderLimits,
    dispatch::{JobRunner, release_former},
};
use concord_storage::{
    connections,
    entries::{self, PlannedWrite},
    jobs, on_both_databases,
    testing::{self, TestDb},
};
use serde_json::json;

use crate::{
    fixture::{ANA, RUI, SyncFixture, titled, unhurried, uniform_limits},
    provider_sandbox::GrantedTokens,
    shared::{DrainJobs, default_settings},
};

async fn a_rate_limit_is_a_wait_and_costs_no_try(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    // Said in both of Google's ways, five times: more than there are tries.
    fixture.outside.fault(json!({ "kind": "rate_limit", "count": 5, "value": 7 })).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.outside.forget_calls().await;
    fixture.drain().await;
    assert_eq!(fixture.outside.calls().await, ["POST 429"]);
    let due = testing::next_due(db).await.unwrap();
    assert_eq!(due - fixture.clock.now(), Duration::seconds(7));

    // The whole connection waits: another booking of the same calendar makes no call before.
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.clock.advance(Duration::seconds(6));
    fixture.drain().await;
    assert_eq!(fixture.outside.calls().await, ["POST 429"]);

    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert!(!fixture.log().await.iter().any(|line| line.ends_with("failed")), "{:?}", fixture.log().await);
    let calls = fixture.outside.calls().await;
    assert_eq!(calls.iter().filter(|call| call.ends_with("429") || call.ends_with("403")).count(), 5);
}

async fn after_three_tries_it_has_failed_and_is_tried_slowly(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    fixture.outside.forget_calls().await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    for _ in 0..2 {
        fixture.drain().await;
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Pending);
        assert_eq!(fixture.failed().await.len(), 0);
        fixture.clock.advance(Duration::seconds(3));
    }
    fixture.drain().await;
    assert_eq!(fixture.outside.calls().await, ["POST 500", "GET 503", "GET 500"]);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Failed);
    let failed = fixture.failed().await;
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].attempts, failed[0].state), (3, JobState::Failed));
    let reason = failed[0].last_error.as_deref().unwrap_or_default();
    assert!(reason.contains("Google answered 500"), "{reason}");
    let state = &fixture.sync(&booking).await[0];
    assert_eq!(state.last_error.as_deref(), Some(reason));
    assert_eq!(fixture.log().await, ["write retry", "write retry", "write failed"]);
    let slow = failed[0].due_at.unwrap() - fixture.clock.now();
    assert!(slow >= Duration::seconds(15) && slow <= Duration::seconds(23), "{slow}");

    // Nothing before its time, and then the slow try finds the outside well again.
    fixture.clock.advance(Duration::seconds(14));
    assert_eq!(fixture.drain().await, 0);
    fixture.outside.no_faults().await;
    fixture.clock.advance(Duration::seconds(10));
    fixture.drain().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.failed().await.len(), 0);
    assert_eq!(fixture.sync(&booking).await[0].last_error, None);
}

async fn a_person_can_have_it_tried_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error", "count": 3 })).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    for _ in 0..3 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(3));
    }
    let failed = fixture.failed().await;
    let mut tx = testing::begin(db).await;
    jobs::retry(&mut tx, fixture.business.id, failed[0].id, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.failed().await.len(), 0);
}

async fn a_change_of_the_booking_tries_at_once_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error", "count": 3 })).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    for _ in 0..3 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(3));
    }
    assert_eq!(fixture.failed().await.len(), 1);
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Changed)"]);
}

async fn lost_response_is_looked_up_and_not_written_twice(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    for (title, kind) in [("Create", "apply_then_drop"), ("Update", "apply_then_drop")] {
        fixture.outside.fault(json!({ "kind": kind, "count": 1 })).await;
        fixture.put("A-1", &titled(&draft, title)).await;
        fixture.settle().await;
        assert_eq!(fixture.outside.titles(ANA).await, [format!("Sea View — Maria ({title})")]);
    }
    fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    let booking = fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Removed);
    // And brought back over a lost answer.
    fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 3 })).await;
    fixture.put("A-1", &titled(&draft, "Again")).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Again)"]);
    // None of it was somebody else's doing.
    let told: Vec<_> =
        fixture.log_lines().await.into_iter().filter(|line| line.detail.starts_with("it had")).collect();
    assert!(told.is_empty(), "{told:?}");
}

async fn who_does_not_answer_is_not_waited_for_for_ever(db: &TestDb) {
    let fixture = SyncFixture::with(db, unhurried(), StdDuration::from_secs(2)).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "timeout", "count": 1 })).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.drain().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Pending);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
}

/// It does not say for how long, and does not stop saying it. For ten minutes it is asked every four seconds, since people
/// wait for it; then each minute.
async fn a_long_rate_limit_is_asked_about_less_and_less(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let calendar = fixture.calendars(id).await[0].id;
    fixture.outside.fault(json!({ "kind": "rate_limit", "value": 0 })).await;
    fixture.outside.forget_calls().await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let began = fixture.clock.now();
    while fixture.clock.now() - began < Duration::minutes(30) {
        fixture.drain().await;
        let due = testing::next_due(db).await.unwrap();
        fixture.clock.advance((due - fixture.clock.now()).max(Duration::milliseconds(50)));
    }
    let calls = fixture.outside.calls().await.len();
    assert!((150..=230).contains(&calls), "{calls} calls in half an hour");
    let log = fixture.log().await;
    assert_eq!(log.iter().filter(|line| *line == "write retry").count(), 1, "{log:?}");
    assert!(log.iter().filter(|line| *line == "import retry").count() <= 3, "{log:?}");
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Pending);

    fixture.outside.no_faults().await;
    fixture.clock.advance(Duration::minutes(6));
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    fixture.outside.person_adds(ANA, (testing::at(600), testing::at(660)), json!({})).await;
    fixture.poll().await;
    assert_eq!(fixture.known(calendar).await.len(), 1);
}

/// Consent to reading alone.
async fn may_only_read(fixture: &SyncFixture<'_>) -> GrantedTokens {
    let scope = "openid email https://www.googleapis.com/auth/calendar.readonly";
    let grant = json!({ "provider": "google", "account": ANA, "scope": scope });
    let grant = fixture.outside.control(http::Method::POST, "grants", Some(grant)).await;
    GrantedTokens {
        access: grant["access_token"].as_str().unwrap().to_owned(),
        refresh: grant["refresh_token"].as_str().unwrap().to_owned(),
    }
}

async fn what_was_refused_is_tried_again_only_slowly(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.connect_with(&fixture.ana, may_only_read(&fixture).await).await;
    fixture.settle().await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let failed = fixture.failed().await;
    assert_eq!((failed.len(), failed[0].attempts), (1, 1));
    let slow = failed[0].due_at.unwrap() - fixture.clock.now();
    assert!(slow > Duration::minutes(14) && slow < Duration::minutes(17), "{slow}");
    let reason = failed[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("connect again"), "{reason}");
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Failed);
    assert_eq!(fixture.connection(id).await.last_error, Some(reason));

    // Connected as it should be, it is written without anybody asking for it.
    fixture.connect(&fixture.ana, ANA).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.failed().await.len(), 0);
}

/// A worker dies in the middle; when its leases have run out another one takes over.
/// What a process leaves behind that is killed during its first call: its lease, and the mark of a call begun.
async fn die_while_writing(fixture: &SyncFixture<'_>) {
    let now = fixture.clock.now();
    let due = jobs::due(fixture.db, now, 10).await.unwrap();
    let until = now + fixture.context.settings.lease;
    let claimed = jobs::claim(fixture.db, due[0], "dead#1", until, now).await.unwrap().unwrap();
    let entry = EntryId(claimed.subject_id);
    let name = ProviderKind::Google.external_id(entry);
    let row = entries::find(fixture.db, fixture.business.id, entry).await.unwrap().unwrap();
    let time = EntryTime::Timed { starts_at: now, ends_at: now, zone: chrono_tz::UTC };
    let unknown = [UnknownWrite::Left(SyncedFields { title: "Sea View".to_owned(), time })];
    let (unknown, held) = (&unknown, &claimed);
    let write =
        PlannedWrite { external_id: &name, etag: None, desired: true, version: Some(1), unknown, held };
    assert!(entries::begin_write(fixture.db, (entry, row.revision), &write).await.unwrap());
}

async fn a_worker_that_dies_is_succeeded(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    die_while_writing(&fixture).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0, "one writer at a time");
    fixture.clock.advance(fixture.context.settings.lease);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);
    assert_eq!(fixture.open_jobs().await.len(), 0);
}

async fn killed_single_process_resumes_its_jobs_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let connection = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    die_while_writing(&fixture).await;
    let until = fixture.clock.now() + Duration::minutes(1);
    assert!(
        connections::acquire_refresh_lease(db, connection, "refresher#1", until, fixture.clock.now())
            .await
            .unwrap()
    );
    let born_at = fixture.clock.now();
    release_former(&fixture.context).await.unwrap();
    let again = JobRunner::new(fixture.elsewhere(), "again");
    again.drain().await.unwrap();
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert_eq!(fixture.open_jobs().await.len(), 0);
    assert_eq!(fixture.clock.now(), born_at, "nobody waited for a lease");
    assert!(connections::acquire_refresh_lease(db, connection, "refresher#1", until, born_at).await.unwrap());
}

/// The provider asks for a pause; the calls that keep to our own limit are not many either.
async fn many_bookings_at_once_keep_to_the_limit_and_do_not_crowd(db: &TestDb) {
    let settings = concord_jobs::SyncSettings {
        limits: uniform_limits(CallLimits {
            connection_interval: Duration::milliseconds(100),
            connection_burst: 20,
            ..ProviderLimits::default().of(ProviderKind::Google)
        }),
        ..default_settings()
    };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(5)).await;
    fixture.connected(&fixture.ana).await;
    fixture.clock.advance(Duration::minutes(1));
    for number in 0..120 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 30, number * 30 + 30))
            .await;
    }
    fixture.outside.forget_calls().await;
    fixture.drain().await;
    // Two take the next turns in advance.
    assert_eq!(fixture.outside.calls().await.len(), 22);
    let began = fixture.clock.now();
    let ran = fixture.settle().await;
    let took = fixture.clock.now() - began;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 120);
    assert!(took >= Duration::milliseconds(9_700), "{took}");
    assert!(took <= Duration::seconds(30), "{took}");
    // Each of the hundred that wait comes back a few times, not each time that one of them may go.
    assert!(ran <= 1_200, "{ran} runs");
}

/// What a person waits for has a part of the limit that no batch uses up, and comes first in what is left.
async fn a_batch_does_not_keep_a_person_waiting(db: &TestDb) {
    let settings = concord_jobs::SyncSettings {
        limits: uniform_limits(CallLimits {
            connection_interval: Duration::seconds(30),
            connection_burst: 20,
            ..ProviderLimits::default().of(ProviderKind::Google)
        }),
        ..default_settings()
    };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(5)).await;
    for number in 0..40 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 30, number * 30 + 30))
            .await;
    }
    let connection = fixture.connect(&fixture.ana, ANA).await;
    fixture.drain().await;
    assert_eq!(fixture.connection(connection).await.state, ConnectionState::Active);
    let batch = fixture.outside.seen_by(ANA).await.len();
    assert!((10..=15).contains(&batch), "{batch} of the batch are written");
    fixture.put("R-1", &titled(&fixture.draft(&[&fixture.ana], 5_000, 5_030), "Now")).await;
    let began = fixture.clock.now();
    fixture.drain().await;
    assert!(fixture.clock.now() - began < Duration::seconds(1));
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), batch + 1);
    assert!(fixture.outside.titles(ANA).await.contains(&"Sea View — Maria (Now)".to_owned()));
}

/// Whom the installation's limit makes wait has not used up what their own account may do.
async fn a_wait_for_the_shared_limit_costs_no_place_at_the_own_one(db: &TestDb) {
    let settings = concord_jobs::SyncSettings {
        limits: uniform_limits(CallLimits {
            connection_interval: Duration::minutes(2),
            connection_burst: 1,
            project_interval: Duration::seconds(5),
            project_burst: 1,
        }),
        poll_every: Duration::days(1),
        ..default_settings()
    };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(5)).await;
    fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    fixture.clock.advance(Duration::hours(1));
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.put("R-1", &fixture.draft(&[&fixture.rui], 120, 180)).await;
    fixture.drain().await;
    assert_eq!(fixture.open_jobs().await.iter().map(|jobs| jobs.count).sum::<i64>(), 1);
    let began = fixture.clock.now();
    fixture.settle().await;
    assert_eq!((fixture.outside.seen_by(ANA).await.len(), fixture.outside.seen_by(RUI).await.len()), (1, 1));
    let took = fixture.clock.now() - began;
    assert!(took < Duration::seconds(10), "{took}");
}

async fn a_job_that_panics_has_failed_and_says_so(db: &TestDb) {
    // Nobody has thought of a window beyond the end of time.
    let settings = concord_jobs::SyncSettings { window_future: Duration::MAX, ..unhurried() };
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(5)).await;
    fixture.connected(&fixture.ana).await;
    let failed = fixture.failed().await;
    assert_eq!((failed.len(), failed[0].kind), (1, JobKind::ImportAvailability));
    assert_eq!(failed[0].last_error.as_deref(), Some("internal error; see the log"));
}

async fn a_job_that_panics_gives_the_calendar_back(db: &TestDb) {
    // Nor of a wait before its beginning.
    let mut settings = unhurried();
    settings.retry.slow_cap = Duration::MIN;
    let fixture = SyncFixture::with(db, settings, StdDuration::from_secs(5)).await;
    let id = fixture.connected(&fixture.ana).await;
    // Consent to reading alone: the write is refused, and when to try it again cannot be told.
    fixture.connect_with(&fixture.ana, may_only_read(&fixture).await).await;
    fixture.settle().await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    assert_eq!(fixture.drain().await, 1);
    assert_eq!(fixture.failed().await.len(), 0, "it is tried again");
    let (key, now) = (JobKey(id.0), fixture.clock.now() + Duration::minutes(1));
    let next = jobs::claim_next(db, (key, QueueClass::Interactive), ("another#1", now), now).await.unwrap();
    assert!(next.is_some(), "others may write at once");
}

async fn repeated_refusal_is_logged_once_and_given_up(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.connect_with(&fixture.ana, may_only_read(&fixture).await).await;
    fixture.settle().await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let failures = async || fixture.log().await.iter().filter(|line| *line == "write failed").count();
    let mut waits = Vec::new();
    while let Some(due) = fixture.failed().await[0].due_at {
        waits.push((due - fixture.clock.now()).num_minutes());
        fixture.clock.advance(due - fixture.clock.now());
        fixture.drain().await;
        assert!(waits.len() < 60, "it never ends: {waits:?}");
    }
    assert!((14..18).contains(&waits[0]) && (28..36).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 24 * 60 * 11 / 10) && waits.len() > 30, "{waits:?}");
    assert_eq!(failures().await, 1, "it is no news");
    let said = fixture.failed().await[0].last_error.clone().unwrap_or_default();
    let expected = "Google refused it: a permission is missing: connect again and leave every box ticked";
    assert_eq!(said, expected);
    // Enqueued anew, it is tried and said again.
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    assert_eq!(failures().await, 2);
}

on_both_databases!(
    a_job_that_panics_has_failed_and_says_so,
    a_job_that_panics_gives_the_calendar_back,
    a_wait_for_the_shared_limit_costs_no_place_at_the_own_one,
    a_rate_limit_is_a_wait_and_costs_no_try,
    after_three_tries_it_has_failed_and_is_tried_slowly,
    a_person_can_have_it_tried_at_once,
    a_change_of_the_booking_tries_at_once_too,
    lost_response_is_looked_up_and_not_written_twice,
    who_does_not_answer_is_not_waited_for_for_ever,
    a_long_rate_limit_is_asked_about_less_and_less,
    what_was_refused_is_tried_again_only_slowly,
    a_worker_that_dies_is_succeeded,
    killed_single_process_resumes_its_jobs_at_once,
    many_bookings_at_once_keep_to_the_limit_and_do_not_crowd,
    a_batch_does_not_keep_a_person_waiting,
    repeated_refusal_is_logged_once_and_given_up,
);
