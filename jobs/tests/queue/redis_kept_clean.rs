//! What is in Redis, and what is not.

use std::time::Duration;

use apalis::prelude::TaskSink;
use apalis_redis::{Config, RedisStorage};
use concord_domain::job::QueueClass::{Bulk, Interactive, Poll};
use concord_jobs::{
    queue::{Queue, QueueConfig, QueueError},
    worker::{Concurrency, WorkerSettings},
};
use secrecy::ExposeSecret;
use tokio::time::sleep;

use crate::{
    event_log::HandlerLog,
    harness::{RedisProcess, RunningWorker, at, connect, connection, eventually, in_redis, settings},
};

fn url(config: &QueueConfig) -> &str {
    config.redis_url.as_ref().expect("it is a Redis").expose_secret()
}

async fn keys(config: &QueueConfig) -> Vec<String> {
    let mut connection = connection(url(config)).await.expect("Redis answers");
    let pattern = format!("{}*", config.namespace);
    redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("Redis lists its keys")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_is_done_nothing_is_left() {
    let config = in_redis();
    let queue = connect(&config).await;
    // Without the sweep, which may push what has just been taken: then a second message waits, and finds nothing.
    let event_log = HandlerLog::new().unswept().shared();
    let worker = RunningWorker::start(&event_log, &queue, settings());
    for class in [Interactive, Bulk, Poll] {
        let jobs = event_log.enqueue(class, 100);
        queue.push(&jobs).await;
        event_log.until_done(&jobs).await;
    }
    worker.stop().await;
    assert_eq!(keys(&config).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_worker_had_fetched_waits_again() {
    let config = in_redis();
    let queue = connect(&config).await;
    let slow = HandlerLog::working(|_| Box::pin(std::future::pending())).unswept().shared();
    let jobs = slow.enqueue(Bulk, 20);
    queue.push(&jobs).await;
    let brief = WorkerSettings {
        concurrency: Concurrency::new(|_| 8),
        shutdown_timeout: Duration::from_secs(2),
        ..settings()
    };
    let worker = RunningWorker::start(&slow, &queue, brief);
    slow.until("all places are taken", |rows| rows.running == 8).await;
    worker.stop().await;
    let waits = queue.depth().await.expect("Redis answers")[&Bulk];
    assert!((11..=12).contains(&waits), "{waits} of the 12 that no handler had looked at wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_the_work() {
    let config = in_redis();
    let (first, second) = (connect(&config).await, connect(&config).await);
    let work = || HandlerLog::working(|_| Box::pin(sleep(Duration::from_millis(5)))).unswept().shared();
    let (one, two) = (work(), work());
    let workers =
        [RunningWorker::start(&one, &first, settings()), RunningWorker::start(&two, &second, settings())];
    // Each has the rows, and neither sweeps: what comes to one does not come to the other.
    let jobs = one.enqueue(Bulk, 400);
    for job in &jobs {
        two.adopt(*job);
    }
    first.push(&jobs).await;
    let done = |event_log: &HandlerLog| event_log.rows().done.len();
    eventually("all is done", || async { done(&one) + done(&two) >= 400 }).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(done(&one) + done(&two), 400);
    assert!(done(&one) > 40 && done(&two) > 40, "{} and {}", done(&one), done(&two));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_another_version_is_passed_over() {
    let config = in_redis();
    let queue = connect(&config).await;
    let event_log = HandlerLog::new().unswept().shared();
    let worker = RunningWorker::start(&event_log, &queue, settings());
    let foreign = serde_json::json!({ "id": "0", "kind": "not_yet_invented", "queue": "bulk", "version": 1 });
    let manager = redis::Client::open(url(&config)).expect("the address is right");
    let manager = manager.get_connection_manager().await.expect("Redis answers");
    let mut other = RedisStorage::<serde_json::Value>::new(manager)
        .with_config(Config::default().queue(format!("{}:bulk", config.namespace)));
    other.push(foreign).await.expect("it can be pushed");
    let jobs = event_log.enqueue(Bulk, 50);
    queue.push(&jobs).await;
    event_log.until_done(&jobs).await;
    worker.stop().await;
    assert_eq!(keys(&config).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_cannot_be_read_is_emptied_and_filled_again() {
    let config = in_redis();
    let queue = connect(&config).await;
    let event_log = HandlerLog::new().shared();
    let jobs = event_log.enqueue(Bulk, 100);
    queue.push(&jobs).await;
    // As a Redis with an eviction policy may do it: the list stays, the messages go.
    let mut redis = connection(url(&config)).await.expect("Redis answers");
    let data = format!("{}:bulk:data", config.namespace);
    let deleted: usize =
        redis::cmd("DEL").arg(&data).query_async(&mut redis).await.expect("a key can be deleted");
    assert_eq!(deleted, 1);
    let worker = RunningWorker::start(&event_log, &queue, settings());
    event_log.until_done(&jobs).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_that_share_a_redis_do_not_meet() {
    let server = RedisProcess::start().await;
    let (ours, theirs) = (at(&server.url()), at(&server.url()));
    let (queue, other) = (connect(&ours).await, connect(&theirs).await);
    let event_log = HandlerLog::new().unswept().shared();
    let jobs = event_log.enqueue(Interactive, 10);
    queue.push(&jobs).await;
    assert_eq!(other.depth().await.expect("Redis answers")[&Interactive], 0);
    assert_eq!(queue.depth().await.expect("Redis answers")[&Interactive], 10);
}

#[tokio::test]
async fn an_address_that_is_not_one_is_refused_without_being_shown() {
    let config =
        QueueConfig { redis_url: Some("redis//:secret-word@x".to_owned().into()), ..QueueConfig::default() };
    let error = Queue::connect(&config).await.expect_err("it is not an address");
    assert!(matches!(error, QueueError::Address(_)));
    assert!(!format!("{error} {error:?} {config:?}").contains("secret-word"));
}

#[tokio::test]
async fn an_address_with_tls_is_understood() {
    let nobody = RedisProcess::absent();
    let address = nobody.url().replace("redis://", "rediss://");
    let queue = Queue::connect(&at(&address)).await.expect("it is an address");
    assert!(matches!(queue.ping().await, Err(QueueError::Redis(_) | QueueError::Silent(_))));
}
