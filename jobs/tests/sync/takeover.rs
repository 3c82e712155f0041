//! What becomes of what a worker had in hand that was killed, or that lives on.

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use concord_domain::{connection::EntryState, ids::JobKey};
use concord_jobs::worker::{self, WorkerError, WorkerSettings};
use concord_storage::{
    jobs::{self, ClaimedJob},
    testing,
    workers::WorkerPresence,
};
use serde_json::json;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::fixture::SyncFixture;

/// A job of a key as a worker holds it that another process is, for an hour.
async fn held_by(fixture: &SyncFixture<'_>, lease: &str, key: JobKey) -> ClaimedJob {
    let now = fixture.clock.now();
    let job = jobs::next_due(&fixture.context.db, key, now).await.unwrap().expect("a job is due");
    let until = now + Duration::hours(1);
    jobs::claim(&fixture.context.db, job, lease, until, now).await.unwrap().expect("nobody else has it")
}

/// A worker that works until it is stopped.
struct RunningProcess {
    stop: CancellationToken,
    end: JoinHandle<Result<(), WorkerError>>,
}

impl RunningProcess {
    fn start(fixture: &SyncFixture<'_>) -> Self {
        let settings = WorkerSettings { name: "first".to_owned(), ..WorkerSettings::default() };
        let (jobs, stop) = (Arc::new(fixture.jobs.clone()), CancellationToken::new());
        let end = tokio::spawn(worker::run(jobs, fixture.context.queue.clone(), settings, stop.clone()));
        Self { stop, end }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.end.await.unwrap().unwrap();
    }
}

/// The clock stands still, so that no lease runs out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_worker_held_is_taken_over() {
    let db = testing::postgres().await;
    let fixture = SyncFixture::new(&db).await;
    let ana = JobKey::from(fixture.connected(&fixture.ana).await);
    let rui = JobKey::from(fixture.connected(&fixture.rui).await);
    let of_ana = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let of_rui = fixture.put("R-1", &fixture.draft(&[&fixture.rui], 60, 120)).await;
    let (dead, living) = (held_by(&fixture, "killed#1", ana).await, held_by(&fixture, "living#1", rui).await);
    let presence = WorkerPresence::announce(&db, "living").await.unwrap();

    let working = RunningProcess::start(&fixture);
    let written = async |booking| {
        while fixture.entry_state(booking).await != EntryState::Synced {
            tokio::time::sleep(StdDuration::from_millis(20)).await;
        }
    };
    timeout(StdDuration::from_mins(1), written(&of_ana)).await.expect("it is taken over");
    let (now, until) = (fixture.clock.now(), fixture.clock.now() + Duration::hours(1));
    assert!(!jobs::extend(&db, &dead, until, now).await.unwrap().is_held());
    assert!(jobs::extend(&db, &living, until, now).await.unwrap().is_held());
    assert_eq!(fixture.entry_state(&of_rui).await, EntryState::Pending);

    drop(presence);
    timeout(StdDuration::from_mins(1), written(&of_rui)).await.expect("it died, too");
    working.stop().await;
}

/// It is given up to `shutdown_timeout` for what it has in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_stops_lives_until_it_has_stopped() {
    let db = testing::postgres().await;
    let fixture = SyncFixture::new(&db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 3_000, "count": 1 })).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let mut other = WorkerPresence::announce(&db, "other").await.unwrap().expect("a lock");
    let working = RunningProcess::start(&fixture);
    while fixture.outside.hits().await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.absent().await.unwrap().len(), 0);
    working.stop.cancel();
    let mut looks = 0;
    while !working.end.is_finished() {
        assert_eq!(other.absent().await.unwrap().len(), 0, "it is at work");
        looks += 1;
    }
    assert!(looks > 1, "it was held up for too short a time to tell");
    working.stop().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
}

const HANG_UP: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The job that it is at is its own for longer than it takes to connect again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_whose_connection_breaks_shows_itself_anew() {
    let db = testing::postgres().await;
    let fixture = SyncFixture::new(&db).await;
    let ana = JobKey::from(fixture.connected(&fixture.ana).await);
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let held = held_by(&fixture, "first#1", ana).await;
    let working = RunningProcess::start(&fixture);
    let mut other = WorkerPresence::announce(&db, "other").await.unwrap().expect("a lock");
    for _ in 0..2 {
        let lives = async {
            while !other.absent().await.unwrap().is_empty() {
                tokio::time::sleep(StdDuration::from_millis(20)).await;
            }
        };
        timeout(StdDuration::from_mins(1), lives).await.expect("it shows that it lives");
        drop(other);
        assert!(testing::raw(&db, HANG_UP).await > 0);
        other = WorkerPresence::announce(&db, "other").await.unwrap().expect("a lock");
    }
    let (now, until) = (fixture.clock.now(), fixture.clock.now() + Duration::hours(1));
    assert!(jobs::extend(&db, &held, until, now).await.unwrap().is_held());
    working.stop().await;
}
