//! A small table of jobs in memory, with the rules of the real one: version, lease, due or done.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use concord_domain::{
    ids::JobId,
    job::{JobKind, QueueClass},
};
use concord_jobs::worker::JobHandler;
use concord_storage::jobs::JobRef;
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use uuid::Uuid;

/// Longer than any of these tests may take.
const PATIENCE: Duration = Duration::from_secs(40);

type LoggedWork = Box<dyn Fn(JobRef) -> BoxFuture<'static, ()> + Send + Sync>;

pub(crate) struct HandlerLog {
    rows: Mutex<HandlerLogState>,
    changed: watch::Sender<()>,
    lease: Duration,
    /// Whether the sweep sees it; otherwise only the queue can bring a job.
    swept: AtomicBool,
    work: LoggedWork,
}

#[derive(Default)]
pub(crate) struct HandlerLogState {
    waiting: HashMap<JobId, WaitingJob>,
    pub(crate) done: HashSet<JobId>,
    /// How often a handler was started for a job.
    pub(crate) looks: HashMap<JobId, usize>,
    /// How often it could be claimed.
    pub(crate) runs: HashMap<JobId, usize>,
    pub(crate) running: usize,
    pub(crate) most_at_once: usize,
    pub(crate) released: Vec<String>,
}

struct WaitingJob {
    job: JobRef,
    leased_until: Option<Instant>,
}

impl HandlerLog {
    pub(crate) fn new() -> Self {
        Self::working(|_| Box::pin(async {}))
    }

    /// `work` is what a claimed job does.
    pub(crate) fn working(work: impl Fn(JobRef) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self {
            rows: Mutex::default(),
            changed: watch::Sender::new(()),
            lease: Duration::from_mins(1),
            swept: AtomicBool::new(true),
            work: Box::new(work),
        }
    }

    pub(crate) fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    pub(crate) fn unswept(self) -> Self {
        self.swept.store(false, Ordering::Relaxed);
        self
    }

    pub(crate) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// Enqueues so many jobs; nobody is told.
    pub(crate) fn enqueue(&self, class: QueueClass, count: usize) -> Vec<JobRef> {
        let jobs: Vec<_> = (0..count)
            .map(|_| JobRef {
                id: JobId(Uuid::now_v7()),
                kind: JobKind::SyncBooking,
                queue: class,
                version: 1,
                key: None,
            })
            .collect();
        for job in &jobs {
            self.adopt(*job);
        }
        jobs
    }

    /// Has this job too, which another one enqueued.
    pub(crate) fn adopt(&self, job: JobRef) {
        self.rows().waiting.insert(job.id, WaitingJob { job, leased_until: None });
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, HandlerLogState> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut HandlerLogState) -> T) -> T {
        let result = change(&mut self.rows());
        self.changed.send_replace(());
        result
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&HandlerLogState) -> bool) {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !is_so(&self.rows()) {
                changes.changed().await.expect("the event_log is there");
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let rows = self.rows();
            panic!(
                "waited in vain until {what}: {} waiting, {} running, {} done, {} looks",
                rows.waiting.len(),
                rows.running,
                rows.done.len(),
                rows.looks.values().sum::<usize>()
            );
        }
    }

    pub(crate) async fn until_done(&self, jobs: &[JobRef]) {
        self.until("all is done", |rows| jobs.iter().all(|job| rows.done.contains(&job.id))).await;
    }

    pub(crate) fn is_done(&self, job: &JobRef) -> bool {
        self.rows().done.contains(&job.id)
    }

    pub(crate) fn looks(&self, job: &JobRef) -> usize {
        self.rows().looks.get(&job.id).copied().unwrap_or_default()
    }

    fn claim(&self, job: JobRef) -> bool {
        let now = Instant::now();
        self.change(|rows| {
            *rows.looks.entry(job.id).or_default() += 1;
            let Some(row) = rows.waiting.get_mut(&job.id) else { return false };
            if row.job.version != job.version || row.leased_until.is_some_and(|until| until > now) {
                return false;
            }
            row.leased_until = Some(now + self.lease);
            *rows.runs.entry(job.id).or_default() += 1;
            rows.running += 1;
            rows.most_at_once = rows.most_at_once.max(rows.running);
            true
        })
    }
}

/// However the work ends, it no longer runs.
struct RunningGuard<'a>(&'a HandlerLog);

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        self.0.change(|rows| rows.running -= 1);
    }
}

#[async_trait]
impl JobHandler for HandlerLog {
    async fn handle(&self, job: JobRef) {
        if !self.claim(job) {
            return;
        }
        let running = RunningGuard(self);
        (self.work)(job).await;
        drop(running);
        self.change(|rows| {
            rows.waiting.remove(&job.id);
            rows.done.insert(job.id);
        });
    }

    async fn due(&self, limit: u32) -> Vec<JobRef> {
        if !self.swept.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let now = Instant::now();
        let rows = self.rows();
        let mut due: Vec<_> = rows
            .waiting
            .values()
            .filter(|row| row.leased_until.is_none_or(|until| until <= now))
            .map(|row| row.job)
            .collect();
        due.sort_by_key(|job| job.id);
        due.truncate(limit as usize);
        due
    }

    async fn release(&self, worker: &str) {
        self.change(|rows| {
            for row in rows.waiting.values_mut() {
                row.leased_until = None;
            }
            rows.released.push(worker.to_owned());
        });
    }
}
