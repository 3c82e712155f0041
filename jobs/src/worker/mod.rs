//! The worker: runs handlers for what the queue brings, so many at once for each class of work.
//!
//! Each class has places of its own, so that what a person waits for is never behind a batch. One apalis worker a class
//! reads the queue; when it ends, as it does at every error of Redis, another one takes its place.

pub(crate) mod presence;
mod slots;
mod sweep;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use apalis::prelude::{Monitor, WorkerBuilder};
use async_trait::async_trait;
use concord_domain::job::QueueClass;
use concord_storage::jobs::JobRef;
use futures::FutureExt;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::slots::{HandlerSlots, RedisClassReader, SlotService};
pub(crate) use self::slots::{panic_message, without_slot, write_caller};
use crate::queue::{LocalWorkersGuard, MemoryQueue, PerClass, Queue, RedisQueue};

/// How many handlers run at once in each class of work; at least one in each.
pub type Concurrency = PerClass<usize>;

impl Concurrency {
    fn places(&self, class: QueueClass) -> usize {
        (*self.of(class)).max(1)
    }
}

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    pub concurrency: Concurrency,
    /// The pause between two sweeps.
    pub sweep_every: Duration,
    /// How long a stop waits for the handlers that run.
    pub shutdown_timeout: Duration,
    /// What the leases of this process begin with; no other process and no former start of this one has it.
    pub name: String,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::new(|_| 8),
            sweep_every: Duration::from_secs(2),
            shutdown_timeout: Duration::from_secs(20),
            name: format!("worker-{}", Uuid::new_v4().simple()),
        }
    }
}

/// Does the work of one claimed job.
#[async_trait]
pub trait JobHandler: Send + Sync + 'static {
    /// Claims the job, runs it and records how it ended; of one that has a key, jobs of that key one after the other. The same job may come twice, also at the same time: whoever
    /// claims it runs it. It cannot fail; when it panics, the lease runs out.
    async fn handle(&self, job: JobRef);

    /// What is due and unclaimed, at most `limit` of it; the most urgent first, because the rest has to wait until
    /// those have been run.
    async fn due(&self, limit: u32) -> Vec<JobRef>;

    /// Shows other processes that this one lives, and frees what those held that do not, as long as it is polled.
    async fn watch(&self) {
        std::future::pending::<()>().await;
    }

    /// Gives back all that `worker` (see [`WorkerSettings::name`]) still holds: it stops.
    async fn release(&self, worker: &str);
}

/// Why a worker stopped without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A part of it that never ends has ended.
    #[error("the worker's {part} ended by itself: {reason}")]
    Ended { part: &'static str, reason: String },
}

/// How long apalis may take to give back what it had fetched.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a release may take; after that the leases have to run out. It comes after `shutdown_timeout`.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);
/// An apalis worker that ends sooner than this after its start has not ended by chance.
const MIN_HEALTHY_RUN: Duration = Duration::from_secs(10);
/// Before the next one after a short life.
const RESTART_DELAY: Duration = Duration::from_millis(50);
/// So many short lives in a row, while Redis answers: the queue itself is broken.
const MAX_SHORT_RUNS: u32 = 5;

/// Runs until `shutdown` is cancelled, then takes nothing new, waits for the handlers that run, for at most
/// `shutdown_timeout`, drops those that still do, and releases what is held, within [`RELEASE_TIMEOUT`]. At most one of these runs on a queue
/// inside the process.
///
/// # Errors
/// `Ended` when a part of the worker ended by itself; it has then stopped in good order all the same.
pub async fn run<H: JobHandler>(
    handler: Arc<H>,
    queue: Queue,
    settings: WorkerSettings,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let slots = Arc::new(HandlerSlots::new(Arc::clone(&handler), settings.concurrency, shutdown.clone()));
    let stop = CancellationToken::new();
    let (_here, mut parts) = start(&handler, &queue, &settings, &slots, &stop);
    // It goes on until the leases are given back: whoever stops is alive for others, however long its handlers take.
    let mut watch = JoinSet::new();
    let alive = Arc::clone(&handler);
    watch.spawn(async move {
        alive.watch().await;
        "watch over workers"
    });

    let ended = tokio::select! {
        () = shutdown.cancelled() => None,
        ended = parts.join_next() => ended,
        ended = watch.join_next() => ended,
    };

    let deadline = Instant::now() + settings.shutdown_timeout;
    stop.cancel();
    let in_good_order = async {
        while parts.join_next().await.is_some() {}
        slots.finished().await;
    };
    if timeout_at(deadline, in_good_order).await.is_err() {
        tracing::warn!("handlers that have not finished in time are dropped; others take over their jobs");
    }
    parts.shutdown().await;
    slots.abandon().await;
    let release = AssertUnwindSafe(handler.release(&settings.name)).catch_unwind();
    if !matches!(timeout(RELEASE_TIMEOUT, release).await, Ok(Ok(()))) {
        tracing::warn!("what this worker held is free only when its leases have run out");
    }
    watch.shutdown().await;
    match ended {
        None => Ok(()),
        Some(Ok(part)) => Err(WorkerError::Ended { part, reason: "it had nothing more to do".to_owned() }),
        Some(Err(error)) => Err(WorkerError::Ended { part: "task", reason: error.to_string() }),
    }
}

/// Starts the parts: none of them ends before `stop` is cancelled.
fn start<H: JobHandler>(
    handler: &Arc<H>,
    queue: &Queue,
    settings: &WorkerSettings,
    slots: &Arc<HandlerSlots<H>>,
    stop: &CancellationToken,
) -> (Option<LocalWorkersGuard>, JoinSet<&'static str>) {
    let mut parts = JoinSet::new();
    for class in QueueClass::ALL {
        let (here, slots, stop) = (queue.here().clone(), Arc::clone(slots), stop.clone());
        parts.spawn(async move {
            serve_memory(here, *class, slots, stop).await;
            "queue in this process"
        });
    }
    let with_workers = match queue {
        Queue::Memory(_) => None,
        Queue::Redis(redis) => {
            for class in QueueClass::ALL {
                let serving = RedisClassWorker {
                    redis: redis.clone(),
                    class: *class,
                    slots: Arc::clone(slots),
                    concurrency: settings.concurrency.places(*class),
                    name: settings.name.clone(),
                };
                let stop = stop.clone();
                parts.spawn(async move {
                    serving.run(&stop).await;
                    "queue in Redis"
                });
            }
            let (redis_to_hear, until) = (redis.clone(), stop.clone());
            parts.spawn(async move {
                until.run_until_cancelled(redis_to_hear.listen()).await;
                "subscription"
            });
            let (redis_to_watch, until) = (redis.clone(), stop.clone());
            parts.spawn(async move {
                until.run_until_cancelled(redis_to_watch.watch()).await;
                "watch over Redis"
            });
            Some(redis.with_workers())
        }
    };
    let (handler, queue, every, until) =
        (Arc::clone(handler), queue.clone(), settings.sweep_every, stop.clone());
    parts.spawn(async move {
        until.run_until_cancelled(sweep::run(handler, queue, every)).await;
        "sweep"
    });
    (with_workers, parts)
}

async fn serve_memory<H: JobHandler>(
    queue: MemoryQueue,
    class: QueueClass,
    slots: Arc<HandlerSlots<H>>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let (queue, slots) = (queue.clone(), Arc::clone(&slots));
        let monitor = Monitor::new().register(move |_| {
            WorkerBuilder::new(format!("memory-{class}"))
                .backend(queue.backend(class))
                .build(SlotService::new(Arc::clone(&slots), class, queue.clone()))
        });
        live(monitor, &stop).await;
        stop.run_until_cancelled(sleep(RESTART_DELAY)).await;
    }
}

/// One class of a queue in Redis.
struct RedisClassWorker<H> {
    redis: RedisQueue,
    class: QueueClass,
    slots: Arc<HandlerSlots<H>>,
    concurrency: usize,
    name: String,
}

impl<H: JobHandler> RedisClassWorker<H> {
    /// One apalis worker after the other. apalis' own restart knows no pause: while Redis is away it would spin.
    async fn run(&self, stop: &CancellationToken) {
        let mut short_lives = 0;
        while stop.run_until_cancelled(self.redis.answers()).await.is_some() {
            let began = Instant::now();
            // A name of its own for each: apalis refuses one that it has seen within the last minute.
            let name: Arc<str> = format!("{}-{}-{}", self.name, self.class, Uuid::new_v4().simple()).into();
            tokio::select! {
                () = self.live(Arc::clone(&name), stop) => {}
                () = self.redis.renew_name_expiry(self.class, &name) => {}
            }
            self.redis.release_worker(self.class, &name).await;
            // Whatever ended it may have emptied Redis too.
            Queue::Redis(self.redis.clone()).sweep_soon();
            short_lives = if began.elapsed() < MIN_HEALTHY_RUN { short_lives + 1 } else { 0 };
            if short_lives >= MAX_SHORT_RUNS && !stop.is_cancelled() {
                self.start_anew().await;
                short_lives = 0;
            }
            if short_lives > 0 {
                stop.run_until_cancelled(sleep(RESTART_DELAY * short_lives)).await;
            }
        }
    }

    async fn live(&self, name: Arc<str>, stop: &CancellationToken) {
        let (redis, class, slots, concurrency) =
            (self.redis.clone(), self.class, Arc::clone(&self.slots), self.concurrency);
        let monitor = Monitor::new().register(move |_| {
            let reader = RedisClassReader { queue: redis.clone(), class, worker: Arc::clone(&name) };
            WorkerBuilder::new(name.to_string())
                .backend(redis.backend(class, concurrency))
                .build(SlotService::new(Arc::clone(&slots), class, reader))
        });
        live(monitor, stop).await;
    }

    async fn start_anew(&self) {
        tracing::warn!(class = %self.class, "the queue in Redis cannot be read: it is emptied and filled again");
        if let Err(error) = self.redis.clear(self.class).await {
            tracing::warn!(%error, "the queue in Redis could not be emptied");
        }
    }
}

/// Lets an apalis worker live until it fails or `stop` is cancelled.
async fn live(monitor: Monitor, stop: &CancellationToken) {
    let stopped = stop.clone().cancelled_owned().map(Ok);
    // Not `sleep(..)` itself: its time would begin now.
    let life = monitor.with_terminator(async { sleep(STOP_TIMEOUT).await }).run_with_signal(stopped);
    match AssertUnwindSafe(life).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a reader of the queue failed"),
        Err(panic) => tracing::error!(panic = panic_message(&*panic), "a reader of the queue panicked"),
    }
}
