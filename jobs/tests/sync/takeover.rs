//! What becomes of what a worker had in hand that was killed, or that lives on.

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use concord_domain::{connection::EntryState, ids::JobKey};
use concord_jobs::worker::{self, WorkerError, WorkerSettings};
use concord_storage::{
    jobs::{self, ClaimedJob},
    testing,
    workers::Presence,
};
use serde_json::json;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// A job of a key as a worker holds it that another process is, for an hour.
async fn held_by(world: &World<'_>, lease: &str, key: JobKey) -> ClaimedJob {
    let now = world.clock.now();
    let job = jobs::next_due(&world.context.db, key, now).await.unwrap().expect("a job is due");
    let until = now + Duration::hours(1);
    jobs::claim(&world.context.db, job, lease, until, now).await.unwrap().expect("nobody else has it")
}

/// A worker that works until it is stopped.
struct Working {
    stop: CancellationToken,
    end: JoinHandle<Result<(), WorkerError>>,
}

impl Working {
    fn start(world: &World<'_>) -> Self {
        let settings = WorkerSettings { name: "first".to_owned(), ..WorkerSettings::default() };
        let (jobs, stop) = (Arc::new(world.jobs.clone()), CancellationToken::new());
        let end = tokio::spawn(worker::run(jobs, world.context.queue.clone(), settings, stop.clone()));
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
    let world = World::new(&db).await;
    let ana = JobKey::from(world.connected(&world.ana).await);
    let rui = JobKey::from(world.connected(&world.rui).await);
    let of_ana = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let of_rui = world.put("R-1", &world.draft(&[&world.rui], 60, 120)).await;
    let (dead, living) = (held_by(&world, "killed#1", ana).await, held_by(&world, "living#1", rui).await);
    let presence = Presence::announce(&db, "living").await.unwrap();

    let working = Working::start(&world);
    let written = async |booking| {
        while world.entry_state(booking).await != EntryState::Synced {
            tokio::time::sleep(StdDuration::from_millis(20)).await;
        }
    };
    timeout(StdDuration::from_mins(1), written(&of_ana)).await.expect("it is taken over");
    let (now, until) = (world.clock.now(), world.clock.now() + Duration::hours(1));
    assert!(!jobs::extend(&db, &dead, until, now).await.unwrap().is_held());
    assert!(jobs::extend(&db, &living, until, now).await.unwrap().is_held());
    assert_eq!(world.entry_state(&of_rui).await, EntryState::Pending);

    drop(presence);
    timeout(StdDuration::from_mins(1), written(&of_rui)).await.expect("it died, too");
    working.stop().await;
}

/// It is given up to `shutdown_timeout` for what it has in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_stops_lives_until_it_has_stopped() {
    let db = testing::postgres().await;
    let world = World::new(&db).await;
    world.connected(&world.ana).await;
    world.outside.fault(json!({ "kind": "latency_ms", "value": 3_000, "count": 1 })).await;
    let booking = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let mut other = Presence::announce(&db, "other").await.unwrap().expect("a lock");
    let working = Working::start(&world);
    while world.outside.hits().await == 0 {
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
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
}

const HANG_UP: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The job that it is at is its own for longer than it takes to connect again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_whose_connection_breaks_shows_itself_anew() {
    let db = testing::postgres().await;
    let world = World::new(&db).await;
    let ana = JobKey::from(world.connected(&world.ana).await);
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let held = held_by(&world, "first#1", ana).await;
    let working = Working::start(&world);
    let mut other = Presence::announce(&db, "other").await.unwrap().expect("a lock");
    for _ in 0..2 {
        let lives = async {
            while !other.absent().await.unwrap().is_empty() {
                tokio::time::sleep(StdDuration::from_millis(20)).await;
            }
        };
        timeout(StdDuration::from_mins(1), lives).await.expect("it shows that it lives");
        drop(other);
        assert!(testing::raw(&db, HANG_UP).await > 0);
        other = Presence::announce(&db, "other").await.unwrap().expect("a lock");
    }
    let (now, until) = (world.clock.now(), world.clock.now() + Duration::hours(1));
    assert!(jobs::extend(&db, &held, until, now).await.unwrap().is_held());
    working.stop().await;
}
