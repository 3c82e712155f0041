//! Queues, workers and Redis servers for the tests.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use concord_jobs::{
    queue::{BACKLOG_LIMIT, Queue, QueueConfig},
    worker::{JobHandler, WorkerError, WorkerSettings, run},
};
use concord_testing::free_port;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Names the Redis that tests share.
const REDIS_URL: &str = "CONCORD_TEST_REDIS_URL";

/// Runs test functions `async fn(QueueConfig)` on both queues, as `memory::name` and `redis::name`.
macro_rules! on_both_queues {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::harness::in_memory()).await;
                }
            )+
        }

        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::harness::in_redis()).await;
                }
            )+
        }
    };
}
pub(crate) use on_both_queues;

pub(crate) fn in_memory() -> QueueConfig {
    QueueConfig { redis_url: None, namespace: "unused".to_owned(), backlog_limit: BACKLOG_LIMIT }
}

/// The shared Redis, under a namespace of its own.
pub(crate) fn in_redis() -> QueueConfig {
    let Ok(url) = env::var(REDIS_URL) else {
        panic!(
            "{REDIS_URL} is not set, and this test needs a Redis: run `eval \"$(scripts/services.sh up)\"`, which \
             starts one and sets it, or start one and set {REDIS_URL}=redis://127.0.0.1:6379"
        );
    };
    at(&url)
}

pub(crate) fn at(url: &str) -> QueueConfig {
    QueueConfig {
        redis_url: Some(url.to_owned().into()),
        namespace: format!("concord-test-{}", Uuid::new_v4().simple()),
        backlog_limit: BACKLOG_LIMIT,
    }
}

pub(crate) async fn connect(config: &QueueConfig) -> Queue {
    Queue::connect(config).await.expect("the queue's address is right")
}

/// A worker that runs until it is stopped.
pub(crate) struct RunningWorker {
    running: JoinHandle<Result<(), WorkerError>>,
    shutdown: CancellationToken,
}

pub(crate) fn settings() -> WorkerSettings {
    WorkerSettings { sweep_every: Duration::from_millis(200), ..WorkerSettings::default() }
}

impl RunningWorker {
    pub(crate) fn start<H: JobHandler>(handler: &Arc<H>, queue: &Queue, settings: WorkerSettings) -> Self {
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(Arc::clone(handler), queue.clone(), settings, shutdown.clone()));
        Self { running, shutdown }
    }

    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(30), self.running)
            .await
            .expect("the worker stops in time")
            .expect("the worker does not panic")
            .expect("the worker ends because it was asked to");
    }
}

/// Awaits a condition that nobody announces.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A Redis of its own, which can be killed and started again.
pub(crate) struct RedisProcess {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl RedisProcess {
    pub(crate) async fn start() -> Self {
        let mut server = Self::absent();
        server.revive().await;
        server
    }

    /// A port on which nobody answers, until it is revived.
    pub(crate) fn absent() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { process: None, port: free_port(), folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, empty, on the same port as before.
    pub(crate) async fn revive(&mut self) {
        let process = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(process);
        eventually("redis-server answers", || async { self.connection().await.is_some() }).await;
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("our own process can be killed");
            process.wait().expect("it ends");
        }
    }

    pub(crate) async fn connection(&self) -> Option<MultiplexedConnection> {
        connection(&self.url()).await
    }

    pub(crate) async fn flush(&self) {
        let mut connection = self.connection().await.expect("redis-server answers");
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("it can be emptied");
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) async fn connection(url: &str) -> Option<MultiplexedConnection> {
    let client = redis::Client::open(url).expect("the address is right");
    client.get_multiplexed_async_connection().await.ok()
}
