//! Redis emptied, killed, restarted, absent or silent: work goes on.

use std::{sync::Arc, time::Duration};

use concord_domain::job::QueueClass::{Bulk, Interactive};
use concord_jobs::worker::{Concurrency, WorkerSettings};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::{
    event_log::HandlerLog,
    harness::{RedisProcess, RunningWorker, at, connect, eventually, settings},
};

/// As the interface says, and a little for a busy machine.
const A_MOMENT: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emptied_in_mid_run_it_loses_nothing() {
    let server = RedisProcess::start().await;
    let queue = connect(&at(&server.url())).await;
    let door = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&door);
    let event_log = HandlerLog::working(move |_| {
        let door = Arc::clone(&behind);
        Box::pin(async move { door.acquire().await.expect("the door stays").forget() })
    })
    .shared();
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let mut jobs = event_log.enqueue(Bulk, 300);
    queue.push(&jobs).await;
    for _ in 0..3 {
        event_log.until("handlers run", |rows| rows.running > 0).await;
        server.flush().await;
        let more = event_log.enqueue(Interactive, 50);
        queue.push(&more).await;
        jobs.extend(more);
        door.add_permits(60);
    }
    door.add_permits(1_000);
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert!(event_log.rows().runs.values().all(|runs| *runs == 1), "handlers outlive their reader");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_it_is_done_without_and_then_used_again() {
    let mut server = RedisProcess::start().await;
    let config = at(&server.url());
    let queue = connect(&config).await;
    let event_log = HandlerLog::working(|_| Box::pin(sleep(Duration::from_millis(2)))).shared();
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let with = event_log.enqueue(Bulk, 300);
    queue.push(&with).await;
    event_log.until("work has begun", |rows| !rows.done.is_empty()).await;
    server.kill();

    let without = event_log.enqueue(Interactive, 100);
    queue.push(&without).await;
    event_log.until_done(&without).await;
    event_log.until_done(&with).await;
    assert!(queue.ping().await.is_err(), "Redis is still away");

    server.revive().await;
    eventually("Redis is used again", || async { queue.depth().await.is_ok() }).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_others_reach_the_worker_again() {
    let mut server = RedisProcess::start().await;
    let config = at(&server.url());
    // Two connections stand for two processes; no sweep helps.
    let (front, back) = (connect(&config).await, connect(&config).await);
    let event_log = HandlerLog::new().unswept().shared();
    let worker = RunningWorker::start(&event_log, &back, settings());
    let before = event_log.enqueue(Interactive, 10);
    front.push(&before).await;
    event_log.until_done(&before).await;
    server.kill();
    server.revive().await;
    let after = event_log.enqueue(Interactive, 10);
    eventually("the front's pushes arrive", || async {
        front.push(&after).await;
        after.iter().all(|job| event_log.is_done(job))
    })
    .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_absent_at_start_is_used_once_it_answers() {
    let mut server = RedisProcess::absent();
    let config = at(&server.url());
    let queue = connect(&config).await;
    let event_log = HandlerLog::new().shared();
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let jobs = event_log.enqueue(Interactive, 50);
    queue.push(&jobs).await;
    event_log.until_done(&jobs).await;

    server.revive().await;
    let front = connect(&config).await;
    let more = event_log.enqueue(Interactive, 50);
    front.push(&more).await;
    event_log.until_done(&more).await;
    eventually("Redis is read", || async { front.depth().await.is_ok_and(|depth| depth[&Interactive] == 0) })
        .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_pushes_waits_long_for_a_redis_that_is_away() {
    let server = RedisProcess::absent();
    pushes_return_soon(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_pushes_waits_long_for_a_redis_that_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let url = format!("redis://{}", listener.local_addr().expect("it has an address"));
    let silent = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            taken.push(connection);
        }
    });
    pushes_return_soon(&url).await;
    silent.abort();
}

async fn pushes_return_soon(url: &str) {
    let event_log = HandlerLog::new().shared();
    let jobs = event_log.enqueue(Interactive, 10);
    let front = connect(&at(url)).await;
    let mut slow = 0;
    let began = Instant::now();
    for _ in 0..50 {
        let began = Instant::now();
        front.push(&jobs).await;
        assert!(began.elapsed() < A_MOMENT, "{:?}", began.elapsed());
        slow += usize::from(began.elapsed() > Duration::from_millis(100));
    }
    assert!(
        slow <= 1 + usize::try_from(began.elapsed().as_secs()).expect("a small number"),
        "{slow} were slow"
    );

    let queue = connect(&at(url)).await;
    let worker = RunningWorker::start(
        &event_log,
        &queue,
        WorkerSettings { concurrency: Concurrency::new(|_| 1), ..settings() },
    );
    event_log.until_done(&jobs).await;
    let began = Instant::now();
    worker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "a stop needs no Redis: {:?}", began.elapsed());
}
