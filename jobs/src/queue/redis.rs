//! The queue between processes: apalis-redis, and what it takes to live with it.
//!
//! Nothing stays in Redis but what waits. apalis-redis keeps finished messages for ever and, with its own
//! acknowledgements off, all that a worker ever fetched; so a message is removed here as soon as a handler looks at
//! its job (`taken`), and what a worker leaves behind goes back when it ends (`release_worker`). A worker that died without a
//! word is buried by apalis: others take over its messages after a minute.
//!
//! Redis stand-alone or behind Sentinel's address; not Redis Cluster, for which the keys would need hash tags.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis::prelude::{BackendExt, PollWith, TaskBuilder};
use apalis_redis::{Config, RedisStorage, queries::push_tasks};
use concord_domain::job::QueueClass;
use concord_storage::jobs::JobRef;
use redis::{
    AsyncCommands, Client, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};

use super::{
    MemoryQueue, PerClass, QueueError,
    availability::RedisAvailability,
    wake::{NotifiedPoll, Notifier, listen},
};

/// For so long the same job, or the same key, is not pushed twice. A worker that was killed takes with it what it had fetched
/// and not yet begun, and only then can the sweep bring that again.
const WORKER_EXPIRY: Duration = Duration::from_secs(15);
/// The longest that whoever pushes or pings is kept waiting.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);
/// For so long a push goes by how many messages waited.
const DEPTH_TTL: Duration = Duration::from_millis(100);
/// How often a Redis that is away is asked whether it is back.
const PING_INTERVAL: Duration = Duration::from_millis(250);
/// Messages of one Lua call: Redis serves nobody else meanwhile.
const PUSH_BATCH: usize = 250;
/// How long Redis keeps what nobody deletes: the name of a worker that died, the remains of a queue that was cleared.
const REMAINS_TTL_SECONDS: i64 = 3_600;
/// How often a living worker says that its name is still needed.
const NAME_RENEWAL_INTERVAL: Duration = Duration::from_mins(10);

/// A message is done: with its key gone, another push of the same job, or key, is a new message. Its data goes only while it
/// is this worker's: an id without data, in a list, ends every worker that fetches it.
static ACKNOWLEDGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('del', KEYS[4])
         if redis.call('srem', KEYS[1], ARGV[1]) == 1 then
             redis.call('hdel', KEYS[2], ARGV[1])
             redis.call('del', KEYS[3])
         end",
    )
});

/// What a worker had fetched waits again, and nothing is left of the worker.
static RELEASE_WORKER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for _, id in ipairs(redis.call('smembers', KEYS[1])) do redis.call('rpush', KEYS[2], id) end
         redis.call('del', KEYS[1], KEYS[3])
         redis.call('zrem', KEYS[4], ARGV[1])",
    )
});

/// What a worker of apalis reads: JSON, of which a handler makes a job. A message of another version of this program
/// then costs a warning; a message that apalis itself cannot read ends the worker, again and again.
pub(crate) type Backend = PollWith<RedisStorage<serde_json::Value>, NotifiedPoll>;

/// Lists in Redis. Clones share the connection.
#[derive(Clone)]
pub struct RedisQueue(Arc<RedisQueueState>);

struct RedisQueueState {
    client: Client,
    /// Of all but the subscription; it connects again by itself.
    connection: ConnectionManager,
    channel: String,
    configs: PerClass<Config>,
    notifiers: PerClass<Arc<Notifier>>,
    backlog_limit: usize,
    reach: RedisAvailability,
    /// Where jobs go while Redis is away and this process has workers.
    here: MemoryQueue,
    workers_here: AtomicUsize,
    known_depth: Mutex<Option<CachedDepth>>,
}

/// How many messages of each class waited.
struct CachedDepth {
    at: Instant,
    depth: HashMap<QueueClass, usize>,
}

impl RedisQueue {
    pub(super) fn new(url: &SecretString, namespace: &str, backlog_limit: usize) -> Result<Self, QueueError> {
        let client = Client::open(url.expose_secret()).map_err(QueueError::Address)?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            // The default, 0.5 s, is passed under load, and each time a worker ends.
            .set_response_timeout(Some(Duration::from_secs(5)))
            .set_number_of_retries(3)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(500));
        let connection =
            ConnectionManager::new_lazy_with_config(client.clone(), settings).map_err(QueueError::Address)?;
        let configs = PerClass::new(|class| {
            Config::default()
                .queue(format!("{namespace}:{class}"))
                .heartbeat_interval(Duration::from_secs(10))
                .missed_heartbeats(6)
                .idempotency_ttl(Some(WORKER_EXPIRY))
                .lock_tasks(false)
                .persist_results(false)
                .emit_events(false)
        });
        Ok(Self(Arc::new(RedisQueueState {
            client,
            connection,
            channel: format!("{namespace}:wake"),
            configs,
            notifiers: PerClass::new(|_| Arc::default()),
            backlog_limit,
            reach: RedisAvailability::default(),
            here: MemoryQueue::new(backlog_limit),
            workers_here: AtomicUsize::new(0),
            known_depth: Mutex::new(None),
        })))
    }

    /// Returns how many found no room or nobody.
    pub(super) async fn push(&self, jobs: &[JobRef]) -> usize {
        let has_workers = self.0.workers_here.load(Ordering::Relaxed) > 0;
        // Workers here look after a Redis that is away; where there are none, a push now and then has to.
        if !self.is_away() || (!has_workers && self.0.reach.should_retry()) {
            match self.within(CALL_TIMEOUT, self.push_to_redis(jobs)).await {
                Ok(left_out) => {
                    self.0.reach.found();
                    return left_out;
                }
                Err(error) => self.0.reach.lost(&error),
            }
        }
        if has_workers { self.0.here.push(jobs) } else { jobs.len() }
    }

    async fn push_to_redis(&self, jobs: &[JobRef]) -> Result<usize, QueueError> {
        match self.try_push(jobs).await {
            // A connection that broke while it was idle is noticed by the first command only.
            Err(error) if error.is_connection_error() => self.try_push(jobs).await,
            result => result,
        }
    }

    async fn try_push(&self, jobs: &[JobRef]) -> Result<usize, QueueError> {
        let mut connection = self.0.connection.clone();
        let mut depth = self.recent_depth().await?;
        let mut left_out = 0;
        for class in QueueClass::ALL {
            // Of a key's jobs one message is enough.
            let mut known = HashSet::new();
            let is_wanted = |job: &&JobRef| job.queue == *class && known.insert(job.wake_up_key());
            let wanted: Vec<_> = jobs.iter().filter(is_wanted).collect();
            let waiting = depth.entry(*class).or_default();
            let fitting = &wanted[..wanted.len().min(self.0.backlog_limit.saturating_sub(*waiting))];
            *waiting += fitting.len();
            left_out += wanted.len() - fitting.len();
            for some in fitting.chunks(PUSH_BATCH) {
                let messages = some
                    .iter()
                    .map(|job| {
                        let (of, version) = job.wake_up_key();
                        let key = format!("{of}:{version}");
                        Ok(TaskBuilder::new(serde_json::to_vec(job)?).idempotency_key(key).build())
                    })
                    .collect::<Result<Vec<_>, serde_json::Error>>()?;
                push_tasks(&mut connection, self.0.configs.of(*class), &messages).await?;
            }
            if !fitting.is_empty() {
                let () = connection.publish(&self.0.channel, class.as_str()).await?;
            }
        }
        if let Some(known) = &mut *self.known_depth() {
            known.depth = depth;
        }
        Ok(left_out)
    }

    /// How many messages wait, as it was a moment ago, and what this process has pushed since: each push asking anew would be
    /// another round trip. Where there is little room left, it is asked.
    async fn recent_depth(&self) -> Result<HashMap<QueueClass, usize>, QueueError> {
        if let Some(known) = &*self.known_depth()
            && known.at.elapsed() < DEPTH_TTL
            && known.depth.values().all(|waiting| *waiting < self.0.backlog_limit / 2)
        {
            return Ok(known.depth.clone());
        }
        let depth = self.depth_now().await?;
        *self.known_depth() = Some(CachedDepth { at: Instant::now(), depth: depth.clone() });
        Ok(depth)
    }

    fn known_depth(&self) -> MutexGuard<'_, Option<CachedDepth>> {
        self.0.known_depth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn ping(&self) -> Result<(), QueueError> {
        let mut connection = self.0.connection.clone();
        self.within(CALL_TIMEOUT, async { Ok(redis::cmd("PING").query_async(&mut connection).await?) }).await
    }

    pub(super) async fn server_version(&self) -> Result<String, QueueError> {
        let mut connection = self.0.connection.clone();
        let mut asked = redis::cmd("INFO");
        asked.arg("server");
        let told: String =
            self.within(CALL_TIMEOUT, async { Ok(asked.query_async(&mut connection).await?) }).await?;
        let version = told.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// So that nobody else has to find out.
    pub(super) async fn first_ping(&self) {
        if let Err(error) = self.ping().await {
            self.0.reach.lost(&error);
        }
    }

    pub(super) async fn depth(&self) -> Result<HashMap<QueueClass, usize>, QueueError> {
        self.within(CALL_TIMEOUT, self.depth_now()).await
    }

    /// apalis puts every message among the scheduled ones first, and moves it when a worker asks.
    async fn depth_now(&self) -> Result<HashMap<QueueClass, usize>, QueueError> {
        let mut connection = self.0.connection.clone();
        let mut asked = redis::pipe();
        for class in QueueClass::ALL {
            let config = self.0.configs.of(*class);
            asked.zcard(config.scheduled_jobs_set()).llen(config.active_jobs_list());
        }
        let counts: Vec<usize> = asked.query_async(&mut connection).await?;
        Ok(QueueClass::ALL
            .iter()
            .zip(counts.chunks(2))
            .map(|(class, of)| (*class, of.iter().sum()))
            .collect())
    }

    async fn within<T>(
        &self,
        patience: Duration,
        asking: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        timeout(patience, asking).await.unwrap_or(Err(QueueError::Silent(patience)))
    }

    pub(super) fn is_away(&self) -> bool {
        self.0.reach.is_away()
    }

    pub(super) fn here(&self) -> &MemoryQueue {
        &self.0.here
    }
}

/// What the worker of this process needs.
impl RedisQueue {
    /// From now on, and until what this returns is dropped, this process runs what cannot be pushed.
    pub(crate) fn with_workers(&self) -> LocalWorkersGuard {
        self.0.workers_here.fetch_add(1, Ordering::Relaxed);
        LocalWorkersGuard(Arc::clone(&self.0))
    }

    /// What an apalis worker of this class reads. `concurrency`: handlers that it feeds.
    pub(crate) fn backend(&self, class: QueueClass, concurrency: usize) -> Backend {
        // Fewer than a quarter of the handlers starves them; more than all of them hoards what others could do.
        let batch = 8.clamp(concurrency.div_ceil(4), concurrency.max(1));
        let config = self.0.configs.of(class).clone().batch_size(batch);
        RedisStorage::new(self.0.connection.clone())
            .with_config(config)
            .poll_with_strategy(NotifiedPoll::new(Arc::clone(self.0.notifiers.of(class))))
    }

    /// A handler is about to look at the job of this message, which `worker` fetched.
    pub(crate) async fn taken(&self, class: QueueClass, worker: &str, message: &str, key: &str) {
        let config = self.0.configs.of(class);
        let mut connection = self.0.connection.clone();
        let mut call = ACKNOWLEDGE.prepare_invoke();
        call.key(format!("{}:{worker}", config.inflight_jobs_set()))
            .key(config.job_data_hash())
            .key(format!("{}:{message}", config.job_meta_hash()))
            .key(format!("{}:{key}", config.idempotency_key_set()))
            .arg(message);
        let asking = async { Ok(call.invoke_async::<()>(&mut connection).await?) };
        if let Err(error) = self.within(CALL_TIMEOUT, asking).await {
            tracing::debug!(%error, "a message stays in Redis and will come again");
        }
    }

    /// Rings for what other processes push. Does not end.
    pub(crate) async fn listen(&self) {
        listen(self.0.client.clone(), self.0.channel.clone(), self.0.notifiers.clone()).await;
    }

    /// Waits until Redis answers.
    pub(crate) async fn answers(&self) {
        while let Err(error) = self.ping().await {
            self.0.reach.lost(&error);
            sleep(PING_INTERVAL).await;
        }
        if self.0.reach.found() {
            self.0.here.sweep().notify_one();
        }
    }

    /// Notices when a Redis that was away is back. Does not end.
    pub(crate) async fn watch(&self) {
        loop {
            if self.is_away() {
                self.answers().await;
            }
            sleep(PING_INTERVAL).await;
        }
    }

    /// Keeps the name of a living worker from staying for ever when it dies. Does not end.
    pub(crate) async fn renew_name_expiry(&self, class: QueueClass, worker: &str) {
        let key = self.name_key(class, worker);
        loop {
            sleep(Duration::from_secs(5)).await; // It is written when the worker has begun.
            let mut connection = self.0.connection.clone();
            if connection.expire::<_, ()>(&key, REMAINS_TTL_SECONDS).await.is_ok() {
                sleep(NAME_RENEWAL_INTERVAL).await;
            }
        }
    }

    /// Gives back what a worker that has ended had fetched, and forgets it.
    pub(crate) async fn release_worker(&self, class: QueueClass, worker: &str) {
        let config = self.0.configs.of(class);
        let mut connection = self.0.connection.clone();
        let mut call = RELEASE_WORKER.prepare_invoke();
        call.key(format!("{}:{worker}", config.inflight_jobs_set()))
            .key(config.active_jobs_list())
            .key(self.name_key(class, worker))
            .key(config.workers_set())
            .arg(worker);
        let asking = async { Ok(call.invoke_async::<()>(&mut connection).await?) };
        if let Err(error) = self.within(CALL_TIMEOUT, asking).await {
            tracing::debug!(%error, worker, "others take over what this worker had fetched in a minute");
        }
    }

    /// apalis keeps something about each worker under this.
    fn name_key(&self, class: QueueClass, worker: &str) -> String {
        format!("{}:workers:metadata:{worker}", self.0.configs.of(class).queue)
    }

    async fn keys(&self, pattern: String) -> Result<Vec<String>, QueueError> {
        let mut connection = self.0.connection.clone();
        let mut found = connection.scan_match::<_, String>(pattern).await?;
        let mut keys = Vec::new();
        while let Some(key) = found.next_item().await {
            keys.push(key?);
        }
        Ok(keys)
    }

    /// Empties the queue of this class: what is in it ends every worker. Nothing is lost, the sweep brings it again.
    pub(crate) async fn clear(&self, class: QueueClass) -> Result<(), QueueError> {
        let config = self.0.configs.of(class);
        let mut connection = self.0.connection.clone();
        // In one step, so that no list ever names a message that is not there.
        let messages = [
            config.active_jobs_list(),
            config.scheduled_jobs_set(),
            config.job_data_hash(),
            config.workers_set(),
        ];
        let () = connection.del(&messages[..]).await?;
        // Meanwhile others push again. A key too many that goes costs a second message ...
        for key in self.keys(format!("{}:*", config.idempotency_key_set())).await? {
            let () = connection.unlink(key).await?;
        }
        // ... but what apalis knows of a new message must outlive the message.
        for key in self.keys(format!("{}:*", config.job_meta_hash())).await? {
            let () = connection.expire(key, REMAINS_TTL_SECONDS).await?;
        }
        self.0.here.sweep().notify_one();
        Ok(())
    }
}

/// This process has workers for as long as this lives.
pub(crate) struct LocalWorkersGuard(Arc<RedisQueueState>);

impl Drop for LocalWorkersGuard {
    fn drop(&mut self) {
        self.0.workers_here.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisQueue").field("channel", &self.0.channel).finish_non_exhaustive()
    }
}
