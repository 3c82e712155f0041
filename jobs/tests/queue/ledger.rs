//! A small table of duties in memory, with the rules of the real one: version, lease, due or done.

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
    duty::{DutyKind, QueueClass},
    ids::DutyId,
};
use concord_jobs::worker::DutyHandler;
use concord_storage::duties::DutyRef;
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use uuid::Uuid;

/// Longer than any of these tests may take.
const PATIENCE: Duration = Duration::from_secs(40);

type Work = Box<dyn Fn(DutyRef) -> BoxFuture<'static, ()> + Send + Sync>;

pub(crate) struct Ledger {
    rows: Mutex<Rows>,
    changed: watch::Sender<()>,
    lease: Duration,
    /// Whether the sweep sees it; otherwise only the queue can bring a duty.
    swept: AtomicBool,
    work: Work,
}

#[derive(Default)]
pub(crate) struct Rows {
    waiting: HashMap<DutyId, Row>,
    pub(crate) done: HashSet<DutyId>,
    /// How often a handler was started for a duty.
    pub(crate) looks: HashMap<DutyId, usize>,
    /// How often it could be claimed.
    pub(crate) runs: HashMap<DutyId, usize>,
    pub(crate) running: usize,
    pub(crate) most_at_once: usize,
    pub(crate) released: Vec<String>,
}

struct Row {
    duty: DutyRef,
    leased_until: Option<Instant>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self::working(|_| Box::pin(async {}))
    }

    /// `work` is what a claimed duty does.
    pub(crate) fn working(work: impl Fn(DutyRef) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
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

    /// Raises so many duties; nobody is told.
    pub(crate) fn raise(&self, class: QueueClass, count: usize) -> Vec<DutyRef> {
        let duties: Vec<_> = (0..count)
            .map(|_| DutyRef {
                id: DutyId(Uuid::now_v7()),
                kind: DutyKind::SyncBooking,
                queue: class,
                version: 1,
                key: None,
            })
            .collect();
        for duty in &duties {
            self.adopt(*duty);
        }
        duties
    }

    /// Has this duty too, which another one raised.
    pub(crate) fn adopt(&self, duty: DutyRef) {
        self.rows().waiting.insert(duty.id, Row { duty, leased_until: None });
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Rows) -> T) -> T {
        let result = change(&mut self.rows());
        self.changed.send_replace(());
        result
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Rows) -> bool) {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !is_so(&self.rows()) {
                changes.changed().await.expect("the ledger is there");
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

    pub(crate) async fn until_done(&self, duties: &[DutyRef]) {
        self.until("all is done", |rows| duties.iter().all(|duty| rows.done.contains(&duty.id))).await;
    }

    pub(crate) fn is_done(&self, duty: &DutyRef) -> bool {
        self.rows().done.contains(&duty.id)
    }

    pub(crate) fn looks(&self, duty: &DutyRef) -> usize {
        self.rows().looks.get(&duty.id).copied().unwrap_or_default()
    }

    fn claim(&self, duty: DutyRef) -> bool {
        let now = Instant::now();
        self.change(|rows| {
            *rows.looks.entry(duty.id).or_default() += 1;
            let Some(row) = rows.waiting.get_mut(&duty.id) else { return false };
            if row.duty.version != duty.version || row.leased_until.is_some_and(|until| until > now) {
                return false;
            }
            row.leased_until = Some(now + self.lease);
            *rows.runs.entry(duty.id).or_default() += 1;
            rows.running += 1;
            rows.most_at_once = rows.most_at_once.max(rows.running);
            true
        })
    }
}

/// However the work ends, it no longer runs.
struct Running<'a>(&'a Ledger);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(|rows| rows.running -= 1);
    }
}

#[async_trait]
impl DutyHandler for Ledger {
    async fn handle(&self, duty: DutyRef) {
        if !self.claim(duty) {
            return;
        }
        let running = Running(self);
        (self.work)(duty).await;
        drop(running);
        self.change(|rows| {
            rows.waiting.remove(&duty.id);
            rows.done.insert(duty.id);
        });
    }

    async fn due(&self, limit: u32) -> Vec<DutyRef> {
        if !self.swept.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let now = Instant::now();
        let rows = self.rows();
        let mut due: Vec<_> = rows
            .waiting
            .values()
            .filter(|row| row.leased_until.is_none_or(|until| until <= now))
            .map(|row| row.duty)
            .collect();
        due.sort_by_key(|duty| duty.id);
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
