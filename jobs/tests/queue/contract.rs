//! What holds on every queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use concord_domain::job::QueueClass::{self, Bulk, Interactive, Poll};
use concord_jobs::{
    queue::{Queue, QueueConfig},
    worker::{Concurrency, WorkerSettings},
};
use concord_storage::jobs::JobRef;
use futures::future::join_all;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::{
    event_log::HandlerLog,
    harness::{RunningWorker, connect, on_both_queues, settings},
};

on_both_queues!(
    every_pushed_job_is_handled,
    all_may_push_at_once,
    ten_pushes_of_one_version_are_one_message,
    a_newer_version_is_another_message,
    what_a_handler_has_looked_at_can_be_pushed_again,
    what_was_never_pushed_the_sweep_brings,
    a_sweep_can_be_asked_for,
    a_large_backlog_does_not_wait_for_the_next_sweep,
    past_the_limit_nothing_is_pushed,
    a_stop_lets_handlers_finish_and_starts_no_more,
    a_stop_drops_what_does_not_finish_in_time,
    the_next_worker_finds_what_the_last_one_left,
    a_panic_harms_nobody_else,
    slow_bulk_work_does_not_delay_what_people_wait_for,
    no_more_handlers_than_allowed_run_at_once,
);

/// Sweeps once, at its start.
fn sweeping_once() -> WorkerSettings {
    WorkerSettings { sweep_every: Duration::from_hours(1), ..WorkerSettings::default() }
}

async fn waiting(queue: &Queue, class: QueueClass) -> usize {
    queue.depth().await.expect("the queue answers")[&class]
}

async fn every_pushed_job_is_handled(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    let mut jobs = Vec::new();
    for class in [Interactive, Bulk, Poll] {
        jobs.extend(event_log.enqueue(class, 100));
    }
    queue.push(&jobs).await; // Before there is a worker ...
    let worker = RunningWorker::start(&event_log, &queue, settings());
    for class in [Interactive, Bulk, Poll] {
        let later = event_log.enqueue(class, 100);
        queue.push(&later).await; // ... and while there is one.
        jobs.extend(later);
    }
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert!(event_log.rows().runs.values().all(|runs| *runs == 1));
}

async fn all_may_push_at_once(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let jobs = event_log.enqueue(Interactive, 1_000);
    let pushing = jobs.chunks(20).map(|some| {
        let (queue, some) = (queue.clone(), some.to_vec());
        tokio::spawn(async move {
            for job in some {
                queue.push(&[job]).await;
            }
        })
    });
    for pushed in join_all(pushing).await {
        pushed.expect("a push never panics");
    }
    event_log.until_done(&jobs).await;
    worker.stop().await;
}

async fn ten_pushes_of_one_version_are_one_message(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    let jobs = event_log.enqueue(Bulk, 5);
    for _ in 0..10 {
        queue.push(&jobs).await;
    }
    assert_eq!(waiting(&queue, Bulk).await, 5);
    let worker = RunningWorker::start(&event_log, &queue, settings());
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert_eq!(waiting(&queue, Bulk).await, 0);
    assert!(jobs.iter().all(|job| event_log.looks(job) == 1), "{:?}", event_log.rows().looks);
}

async fn a_newer_version_is_another_message(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    let job = event_log.enqueue(Interactive, 1)[0];
    queue.push(&[job]).await;
    queue.push(&[JobRef { version: 2, ..job }]).await;
    assert_eq!(waiting(&queue, Interactive).await, 2);
}

async fn what_a_handler_has_looked_at_can_be_pushed_again(config: QueueConfig) {
    // The first run of a job pushes it again itself, as a retry does: same id, same version.
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let job = event_log.enqueue(Interactive, 1)[0];
    for pushes in 1..=3 {
        queue.push(&[job]).await;
        event_log.until("it was looked at", |rows| rows.looks.get(&job.id) == Some(&pushes)).await;
    }
    worker.stop().await;
}

async fn what_was_never_pushed_the_sweep_brings(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().shared(), connect(&config).await);
    let before = event_log.enqueue(Poll, 20);
    let worker = RunningWorker::start(&event_log, &queue, settings());
    event_log.until_done(&before).await;
    let later = event_log.enqueue(Interactive, 20);
    event_log.until_done(&later).await;
    worker.stop().await;
}

async fn a_sweep_can_be_asked_for(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().shared(), connect(&config).await);
    let first = event_log.enqueue(Bulk, 1);
    let worker = RunningWorker::start(&event_log, &queue, sweeping_once());
    event_log.until_done(&first).await;
    let later = event_log.enqueue(Bulk, 20);
    queue.sweep_soon();
    event_log.until_done(&later).await;
    worker.stop().await;
}

async fn a_large_backlog_does_not_wait_for_the_next_sweep(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().shared(), connect(&config).await);
    let jobs = event_log.enqueue(Bulk, 6_000);
    let worker = RunningWorker::start(&event_log, &queue, sweeping_once());
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert!(event_log.rows().runs.values().all(|runs| *runs == 1));
}

async fn past_the_limit_nothing_is_pushed(config: QueueConfig) {
    let config = QueueConfig { backlog_limit: 50, ..config };
    let (event_log, queue) = (HandlerLog::new().shared(), connect(&config).await);
    let mut jobs = event_log.enqueue(Bulk, 200);
    queue.push(&jobs).await;
    assert_eq!(waiting(&queue, Bulk).await, 50);
    jobs.extend(event_log.enqueue(Interactive, 1));
    queue.push(&jobs[200..]).await;
    assert_eq!(waiting(&queue, Interactive).await, 1, "a full class leaves room in another");
    let worker = RunningWorker::start(&event_log, &queue, sweeping_once());
    event_log.until_done(&jobs).await;
    worker.stop().await;
}

async fn a_stop_lets_handlers_finish_and_starts_no_more(config: QueueConfig) {
    let door = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&door);
    let event_log = HandlerLog::working(move |_| {
        let door = Arc::clone(&behind);
        Box::pin(async move { door.acquire().await.expect("the door stays").forget() })
    })
    .shared();
    let queue = connect(&config).await;
    let jobs = event_log.enqueue(Bulk, 20);
    let worker = RunningWorker::start(
        &event_log,
        &queue,
        WorkerSettings { concurrency: Concurrency::new(|_| 4), ..settings() },
    );
    event_log.until("four run", |rows| rows.running == 4).await;
    worker.ask_to_stop();
    door.add_permits(jobs.len());
    worker.stop().await;
    let rows = event_log.rows();
    // A race for the last place can let one more in before the stop is seen.
    assert!((4..=5).contains(&rows.done.len()), "{} were done", rows.done.len());
    assert_eq!(rows.runs.len(), rows.done.len(), "what had begun was finished");
    assert_eq!(rows.released.len(), 1);
}

async fn a_stop_drops_what_does_not_finish_in_time(config: QueueConfig) {
    let event_log = HandlerLog::working(|_| Box::pin(std::future::pending())).shared();
    let queue = connect(&config).await;
    event_log.enqueue(Bulk, 2);
    let settings = WorkerSettings {
        shutdown_timeout: Duration::from_millis(300),
        name: "this-worker".to_owned(),
        ..settings()
    };
    let worker = RunningWorker::start(&event_log, &queue, settings);
    event_log.until("two run", |rows| rows.running == 2).await;
    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() >= Duration::from_millis(300), "they had their time");
    let rows = event_log.rows();
    assert_eq!((rows.running, rows.done.len()), (0, 0), "they were dropped");
    assert_eq!(rows.released, ["this-worker"]);
}

async fn the_next_worker_finds_what_the_last_one_left(config: QueueConfig) {
    let (event_log, queue) = (HandlerLog::new().unswept().shared(), connect(&config).await);
    for _ in 0..3 {
        let before = event_log.enqueue(Interactive, 50);
        queue.push(&before).await;
        let worker = RunningWorker::start(&event_log, &queue, settings());
        event_log.until("work has begun", |rows| before.iter().any(|job| rows.done.contains(&job.id))).await;
        worker.stop().await;
    }
    let worker = RunningWorker::start(&event_log, &queue, settings());
    event_log.until("all is done", |rows| rows.done.len() == 150).await;
    worker.stop().await;
}

async fn a_panic_harms_nobody_else(config: QueueConfig) {
    let has_panicked = Arc::new(AtomicBool::new(false));
    let panicked = Arc::clone(&has_panicked);
    let event_log = HandlerLog::working(move |_| {
        let panicked = Arc::clone(&panicked);
        Box::pin(async move {
            assert!(panicked.swap(true, Ordering::SeqCst), "this one panics, as the test wants it");
        })
    })
    .with_lease(Duration::from_millis(500))
    .shared();
    let queue = connect(&config).await;
    let jobs = event_log.enqueue(Interactive, 40);
    let worker = RunningWorker::start(
        &event_log,
        &queue,
        WorkerSettings { concurrency: Concurrency::new(|_| 1), ..settings() },
    );
    queue.push(&jobs).await;
    // All of them: the one that panicked comes again when its lease has run out.
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert!(has_panicked.load(Ordering::SeqCst));
    assert_eq!(event_log.rows().runs.values().sum::<usize>(), 41);
}

async fn slow_bulk_work_does_not_delay_what_people_wait_for(config: QueueConfig) {
    let door = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&door);
    let event_log = HandlerLog::working(move |job| {
        let door = Arc::clone(&behind);
        Box::pin(async move {
            if job.queue == Bulk {
                door.acquire().await.expect("the door stays").forget();
            }
        })
    })
    .shared();
    let queue = connect(&config).await;
    let slow = event_log.enqueue(Bulk, 100);
    let worker = RunningWorker::start(
        &event_log,
        &queue,
        WorkerSettings { concurrency: Concurrency::new(|_| 2), ..settings() },
    );
    queue.push(&slow).await;
    event_log.until("the bulk places are taken", |rows| rows.running == 2).await;
    let quick = event_log.enqueue(Interactive, 20);
    queue.push(&quick).await;
    event_log.until_done(&quick).await;
    assert!(slow.iter().all(|job| !event_log.is_done(job)));
    door.add_permits(slow.len());
    event_log.until_done(&slow).await;
    worker.stop().await;
}

async fn no_more_handlers_than_allowed_run_at_once(config: QueueConfig) {
    let event_log = HandlerLog::working(|_| Box::pin(sleep(Duration::from_millis(5)))).shared();
    let queue = connect(&config).await;
    let jobs = event_log.enqueue(Bulk, 60);
    let worker = RunningWorker::start(
        &event_log,
        &queue,
        WorkerSettings { concurrency: Concurrency::new(|_| 3), ..settings() },
    );
    queue.push(&jobs).await;
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert_eq!(event_log.rows().most_at_once, 3);
}
