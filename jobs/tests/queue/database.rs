//! The whole chain over a real database: enqueued in a transaction, pushed, claimed, finished.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use chrono::Duration;
use concord_domain::{
    clock::Clock,
    job::{JobKind, JobState, QueueClass},
};
use concord_jobs::{
    queue::{Queue, QueueConfig},
    worker::JobHandler,
};
use concord_storage::{
    Db,
    jobs::{self, JobOutcome, JobRef, NewJob},
    testing,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::harness::{RunningWorker, connect, on_both_queues, settings};

on_both_queues!(
    every_raised_job_is_done,
    what_was_committed_by_the_dead_is_done,
    ten_raises_during_a_run_cost_few_runs,
);

const WORKER: &str = "test-worker";

/// Claims and finishes as the real one does; its work is to count, and to wait at `door`.
struct DatabaseHandler {
    db: Db,
    clock: Clock,
    queue: Queue,
    runs: watch::Sender<usize>,
    door: tokio::sync::Semaphore,
    lost_leases: AtomicUsize,
}

impl DatabaseHandler {
    async fn new(db: &Db, config: &QueueConfig, open: bool) -> Arc<Self> {
        let door = tokio::sync::Semaphore::new(if open { tokio::sync::Semaphore::MAX_PERMITS } else { 0 });
        Arc::new(Self {
            db: db.clone(),
            clock: Clock::system(),
            queue: connect(config).await,
            runs: watch::Sender::new(0),
            door,
            lost_leases: AtomicUsize::new(0),
        })
    }

    async fn enqueue(&self, subjects: &[Uuid]) {
        let enqueued = self.commit(subjects).await;
        self.queue.push(&enqueued).await;
    }

    /// As far as a process comes that is killed before it can push.
    async fn commit(&self, subjects: &[Uuid]) -> Vec<JobRef> {
        let now = self.clock.now();
        let mut tx = testing::begin(&self.db).await;
        let mut enqueued = Vec::new();
        for subject in subjects {
            let job = NewJob {
                business: None,
                kind: JobKind::SyncBooking,
                subject: *subject,
                queue: QueueClass::Interactive,
                due_at: now,
            };
            enqueued.push(jobs::enqueue(&mut tx, job, now).await.expect("a job can be enqueued"));
        }
        testing::commit(tx).await;
        enqueued
    }

    async fn count(&self, state: JobState) -> i64 {
        let counts = jobs::counts(&self.db).await.expect("jobs can be counted");
        counts.iter().filter(|of| of.state == state).map(|of| of.count).sum()
    }

    async fn until_done(&self, count: i64) {
        crate::harness::eventually("all is done", || async {
            self.count(JobState::Done).await == count && self.count(JobState::Waiting).await == 0
        })
        .await;
    }
}

#[async_trait]
impl JobHandler for DatabaseHandler {
    async fn handle(&self, job: JobRef) {
        let now = self.clock.now();
        let lease = format!("{WORKER}#{}", Uuid::new_v4());
        let claimed = jobs::claim(&self.db, job, &lease, now + Duration::seconds(60), now).await;
        let Some(claimed) = claimed.expect("the database answers") else { return };
        self.runs.send_modify(|runs| *runs += 1);
        let _through = self.door.acquire().await.expect("the door stays");
        let mut tx = testing::begin(&self.db).await;
        let again = jobs::finish(&mut tx, &claimed, &JobOutcome::Done, self.clock.now()).await;
        testing::commit(tx).await;
        if let Some(again) = again.expect("the database answers").again {
            self.queue.push(&[again]).await;
        }
    }

    async fn due(&self, limit: u32) -> Vec<JobRef> {
        jobs::due(&self.db, self.clock.now(), limit).await.expect("the database answers")
    }

    async fn release(&self, worker: &str) {
        let released = jobs::release_leases_of_worker(&self.db, worker).await.expect("the database answers");
        self.lost_leases.fetch_add(usize::try_from(released).expect("a small number"), Ordering::SeqCst);
    }
}

async fn every_raised_job_is_done(config: QueueConfig) {
    let db = testing::sqlite().await;
    let over_db = DatabaseHandler::new(&db, &config, true).await;
    let worker = RunningWorker::start(&over_db, &over_db.queue, settings());
    let subjects: Vec<_> = (0..100).map(|_| Uuid::new_v4()).collect();
    for some in subjects.chunks(10) {
        over_db.enqueue(some).await;
    }
    over_db.until_done(100).await;
    worker.stop().await;
    assert_eq!(*over_db.runs.borrow(), 100);
    assert_eq!(over_db.lost_leases.load(Ordering::SeqCst), 0, "nothing was held at the end");
}

async fn what_was_committed_by_the_dead_is_done(config: QueueConfig) {
    let db = testing::sqlite().await;
    let over_db = DatabaseHandler::new(&db, &config, true).await;
    let subjects: Vec<_> = (0..20).map(|_| Uuid::new_v4()).collect();
    over_db.commit(&subjects[..10]).await;
    let worker = RunningWorker::start(&over_db, &over_db.queue, settings());
    over_db.until_done(10).await;
    over_db.commit(&subjects[10..]).await;
    over_db.until_done(20).await;
    worker.stop().await;
    assert_eq!(*over_db.runs.borrow(), 20);
}

async fn ten_raises_during_a_run_cost_few_runs(config: QueueConfig) {
    let db = testing::sqlite().await;
    let over_db = DatabaseHandler::new(&db, &config, false).await;
    let worker = RunningWorker::start(&over_db, &over_db.queue, settings());
    let subject = Uuid::new_v4();
    over_db.enqueue(&[subject]).await;
    let mut runs = over_db.runs.subscribe();
    runs.wait_for(|runs| *runs == 1).await.expect("it runs");
    for _ in 0..10 {
        over_db.enqueue(&[subject]).await;
    }
    over_db.door.add_permits(100);
    over_db.until_done(1).await;
    worker.stop().await;
    assert_eq!(*over_db.runs.borrow(), 2, "once before the ten, once after");
}
