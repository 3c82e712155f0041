//! Tells workers, at once, which jobs to look at.
//!
//! The table of jobs is the truth; this is only an accelerator, and it may lose or repeat anything at any time: what
//! is lost the sweep brings again, and what comes twice finds nothing to claim. A message carries id, kind, queue,
//! version and key of a job, and it has done its work as soon as a handler looks at the job, not when the job is done. Of
//! a key one message is enough: whoever comes for it takes its most urgent job.
//!
//! There are two, behind one enum: channels in this process, and Redis between processes. Both run on apalis. To add a
//! third, write its file beside `memory`, a variant here, and its line in `worker::run`; the suite in `tests/queue`
//! says what it must do.

mod availability;
mod memory;
mod redis;
mod wake;

use std::{collections::HashMap, fmt};

use concord_domain::job::QueueClass;
use concord_storage::jobs::JobRef;
use secrecy::SecretString;

pub(crate) use self::redis::LocalWorkersGuard;
pub use self::{memory::MemoryQueue, redis::RedisQueue};

/// Past this many waiting messages of one class nothing is pushed; the sweep brings the rest.
///
/// apalis-redis moves all waiting messages in one Lua call, which fails for good above about 8,000 of them.
pub const BACKLOG_LIMIT: usize = 2_000;

/// Where the queue is.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// Redis, with its password; `None`: the queue is inside this process.
    pub redis_url: Option<SecretString>,
    /// What all keys in Redis begin with, so that installations and tests can share a server.
    pub namespace: String,
    /// Waiting messages of one class; see [`BACKLOG_LIMIT`].
    pub backlog_limit: usize,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { redis_url: None, namespace: "concord".to_owned(), backlog_limit: BACKLOG_LIMIT }
    }
}

/// Why the queue could not be asked. Nobody needs to act on it but whoever looks after Redis.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The address is wrong; nothing was tried.
    #[error("the address of Redis cannot be used: {0}")]
    Address(::redis::RedisError),
    /// It answered with an error, or the connection to it broke.
    #[error("Redis: {0}")]
    Redis(#[from] ::redis::RedisError),
    /// It did not answer in time.
    #[error("Redis did not answer within {0:?}")]
    Silent(std::time::Duration),
    /// apalis could not write the messages.
    #[error("Redis: {0}")]
    Push(#[from] apalis_redis::Error),
    /// A job could not be written as JSON.
    #[error("a message could not be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

impl QueueError {
    /// Whether it is the way to Redis that fails, and not Redis that refuses.
    fn is_connection_error(&self) -> bool {
        match self {
            Self::Redis(error) | Self::Push(apalis_redis::Error::Database(error)) => {
                error.is_unrecoverable_error() || error.is_io_error()
            }
            Self::Silent(_) => true,
            Self::Address(_) | Self::Push(_) | Self::Encode(_) => false,
        }
    }
}

/// The queue. Clones share it.
#[derive(Clone)]
pub enum Queue {
    Redis(RedisQueue),
    Memory(MemoryQueue),
}

impl Queue {
    /// Makes the queue. A Redis that is away is no error, only a warning: work goes on without it, and it is used as
    /// soon as it is there; `ping` tells.
    ///
    /// # Errors
    /// `Address` when the URL is not one of Redis.
    pub async fn connect(config: &QueueConfig) -> Result<Self, QueueError> {
        let Some(url) = &config.redis_url else {
            return Ok(Self::Memory(MemoryQueue::new(config.backlog_limit)));
        };
        let queue = RedisQueue::new(url, &config.namespace, config.backlog_limit)?;
        queue.first_ping().await;
        Ok(Self::Redis(queue))
    }

    /// Tells the workers of jobs that are due now. It never fails and never takes much longer than a second: what
    /// cannot be pushed the sweep brings.
    pub async fn push(&self, jobs: &[JobRef]) {
        if self.offer(jobs).await > 0 {
            self.sweep_soon();
        }
    }

    /// `push`, but says how many are left to the sweep.
    pub(crate) async fn offer(&self, jobs: &[JobRef]) -> usize {
        if jobs.is_empty() {
            return 0;
        }
        let left_out = match self {
            Self::Redis(queue) => queue.push(jobs).await,
            Self::Memory(queue) => queue.push(jobs),
        };
        if left_out > 0 {
            tracing::debug!(left_out, "the sweep will bring what was not pushed");
        }
        left_out
    }

    /// Whether the queue answers, within a second.
    ///
    /// # Errors
    /// Why Redis does not.
    pub async fn ping(&self) -> Result<(), QueueError> {
        match self {
            Self::Redis(queue) => queue.ping().await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// What Redis says of its version; `None` for the queue in this process.
    ///
    /// # Errors
    /// Why Redis does not answer.
    pub async fn server_version(&self) -> Result<Option<String>, QueueError> {
        match self {
            Self::Redis(queue) => queue.server_version().await.map(Some),
            Self::Memory(_) => Ok(None),
        }
    }

    /// How many messages of each class wait for a handler.
    ///
    /// # Errors
    /// Why Redis does not say.
    pub async fn depth(&self) -> Result<HashMap<QueueClass, usize>, QueueError> {
        match self {
            Self::Redis(queue) => queue.depth().await,
            Self::Memory(queue) => Ok(queue.depth()),
        }
    }

    /// `redis` or `memory`, as `/health` says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Redis(_) => "redis",
            Self::Memory(_) => "memory",
        }
    }

    /// Asks the sweep of this process to look at once: for whoever enqueued more than is worth pushing.
    pub fn sweep_soon(&self) {
        self.here().sweep().notify_one();
    }

    /// Until somebody asks for a sweep.
    pub(crate) async fn sweep_requested(&self) {
        self.here().sweep().notified().await;
    }

    /// All that waits, wherever pushes of this process go at the moment.
    pub(crate) async fn waiting(&self) -> usize {
        let here = self.here().depth().values().sum();
        match self {
            Self::Redis(queue) if !queue.is_away() => {
                queue.depth().await.map_or(here, |depth| here + depth.values().sum::<usize>())
            }
            _ => here,
        }
    }

    pub(crate) fn backlog_limit(&self) -> usize {
        self.here().backlog_limit()
    }

    /// The part of the queue that is in this process.
    pub(crate) fn here(&self) -> &MemoryQueue {
        match self {
            Self::Redis(queue) => queue.here(),
            Self::Memory(queue) => queue,
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.kind()).finish()
    }
}

/// One of something for each class of work.
#[derive(Clone, Copy, Debug)]
pub struct PerClass<T> {
    /// What a person waits for.
    pub interactive: T,
    /// Batches and first imports.
    pub bulk: T,
    pub poll: T,
}

impl<T> PerClass<T> {
    /// What is made for each class.
    pub fn new(make: impl Fn(QueueClass) -> T) -> Self {
        Self {
            interactive: make(QueueClass::Interactive),
            bulk: make(QueueClass::Bulk),
            poll: make(QueueClass::Poll),
        }
    }

    pub(crate) fn of(&self, class: QueueClass) -> &T {
        match class {
            QueueClass::Interactive => &self.interactive,
            QueueClass::Bulk => &self.bulk,
            QueueClass::Poll => &self.poll,
        }
    }
}
