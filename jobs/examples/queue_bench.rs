//! How soon and how fast the queue brings jobs to handlers, in the process and over Redis.
//!
//! ```sh
//! cargo run --release --example queue_bench -- [redis://127.0.0.1:6379]
//! ```
//!
//! Prints the time from just before a push to the first line of the handler (p50, p99, one job at a time, 5 ms apart),
//! and how many jobs that do nothing are done in a second, pushed in batches of 100 as the queue takes them.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    collections::{HashMap, HashSet},
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use concord_domain::{
    ids::JobId,
    job::{JobKind, QueueClass},
};
use concord_jobs::{
    queue::{Queue, QueueConfig},
    worker::{Concurrency, JobHandler, WorkerSettings, run},
};
use concord_storage::jobs::JobRef;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SINGLE: usize = 1_000;
const TOTAL: usize = 20_000;

/// Notes when it was called for which job.
struct QueueStopwatch {
    started: Mutex<HashMap<JobId, Instant>>,
    count: watch::Sender<usize>,
}

#[async_trait]
impl JobHandler for QueueStopwatch {
    async fn handle(&self, job: JobRef) {
        let now = Instant::now();
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.entry(job.id).or_insert(now);
        self.count.send_replace(started.len());
    }

    async fn due(&self, _: u32) -> Vec<JobRef> {
        Vec::new() // The queue alone is measured.
    }

    async fn release(&self, _: &str) {}
}

fn jobs(count: usize) -> Vec<JobRef> {
    let job = || JobRef {
        id: JobId(Uuid::now_v7()),
        kind: JobKind::SyncBooking,
        queue: QueueClass::Interactive,
        version: 1,
        key: None,
    };
    (0..count).map(|_| job()).collect()
}

async fn measure(config: &QueueConfig) -> Result<(), Box<dyn Error>> {
    let front = Queue::connect(config).await?;
    // Over Redis the two stand for two processes; inside one process there is only one queue.
    let back = if config.redis_url.is_some() { Queue::connect(config).await? } else { front.clone() };
    front.ping().await?;
    let handler = Arc::new(QueueStopwatch { started: Mutex::default(), count: watch::Sender::new(0) });
    let shutdown = CancellationToken::new();
    let settings = WorkerSettings { concurrency: Concurrency::new(|_| 32), ..WorkerSettings::default() };
    let worker = tokio::spawn(run(Arc::clone(&handler), back, settings, shutdown.clone()));
    let mut count = handler.count.subscribe();
    front.push(&jobs(1)).await;
    count.wait_for(|count| *count == 1).await?;

    let mut pushed = Vec::with_capacity(SINGLE);
    for job in jobs(SINGLE) {
        pushed.push((job.id, Instant::now()));
        front.push(&[job]).await;
        sleep(Duration::from_millis(5)).await;
    }
    count.wait_for(|count| *count > SINGLE).await?;
    let mut waits: Vec<_> = {
        let started = handler.started.lock().unwrap_or_else(PoisonError::into_inner);
        pushed.iter().map(|(id, at)| started[id].duration_since(*at)).collect()
    };
    waits.sort_unstable();

    let began = Instant::now();
    let all = jobs(TOTAL);
    let ids: HashSet<_> = all.iter().map(|job| job.id).collect();
    for some in all.chunks(100) {
        while front.depth().await?[&QueueClass::Interactive] + some.len() > config.backlog_limit {
            sleep(Duration::from_millis(1)).await;
        }
        front.push(some).await;
    }
    count.wait_for(|count| *count > SINGLE + ids.len()).await?;
    let took = began.elapsed();
    shutdown.cancel();
    worker.await??;

    println!(
        "{:<7} push to handler: p50 {:?}, p99 {:?}, worst {:?}; {:.0} jobs/s",
        front.kind(),
        waits[SINGLE / 2],
        waits[SINGLE * 99 / 100],
        waits[SINGLE - 1],
        f64::from(u32::try_from(TOTAL)?) / took.as_secs_f64(),
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let namespace = format!("concord-bench-{}", Uuid::new_v4().simple());
    measure(&QueueConfig { namespace: namespace.clone(), ..QueueConfig::default() }).await?;
    let url = env::args().nth(1).or_else(|| env::var("CONCORD_TEST_REDIS_URL").ok());
    match url {
        Some(url) => {
            let redis = QueueConfig { redis_url: Some(url.into()), namespace, ..QueueConfig::default() };
            measure(&redis).await
        }
        None => Err("name a Redis: queue_bench redis://127.0.0.1:6379, or set CONCORD_TEST_REDIS_URL".into()),
    }
}
