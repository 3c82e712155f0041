//! The places in which handlers run.
//!
//! A handler runs in a task of its own, not inside apalis' worker: that one drops everything in mid-await whenever
//! Redis fails it. So a handler outlives its worker, three workers and a panic disturb nobody, and the limit holds
//! across the workers that come and go.

use std::{
    any::Any,
    convert::Infallible,
    future::{Ready, ready},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready as or_pending},
    time::Duration,
};

use apalis::prelude::Task;
use concord_domain::job::QueueClass;
use concord_storage::{WriteCaller, jobs::JobRef, on_behalf_of};
use futures::FutureExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, sync::PollSemaphore, task::TaskTracker};
use tower::Service;

use super::{Concurrency, JobHandler};
use crate::queue::{MemoryQueue, PerClass, RedisQueue};

/// All places of this process, so many for each class.
pub(super) struct HandlerSlots<H> {
    handler: Arc<H>,
    free: PerClass<Arc<Semaphore>>,
    running: TaskTracker,
    /// Cancelled when no more may begin.
    closing: CancellationToken,
    /// Cancelled when those that still run have had their time.
    enough: CancellationToken,
}

impl<H: JobHandler> HandlerSlots<H> {
    pub(super) fn new(handler: Arc<H>, concurrency: Concurrency, closing: CancellationToken) -> Self {
        Self {
            handler,
            free: PerClass::new(|class| Arc::new(Semaphore::new(concurrency.places(class)))),
            running: TaskTracker::new(),
            closing,
            enough: CancellationToken::new(),
        }
    }

    /// Runs the handler as soon as there is room; `taken` first tells the queue.
    fn start(&self, job: JobRef, taken: impl Future<Output = ()> + Send + 'static) {
        let free = Arc::clone(self.free.of(job.queue));
        // Taken here and now when there is one, so that the next message sees one less.
        let slot = Arc::clone(&free).try_acquire_owned().ok();
        let handler = Arc::clone(&self.handler);
        let run = async move {
            let slot = match slot {
                Some(slot) => Some(slot),
                None => Arc::clone(&free).acquire_owned().await.ok(),
            };
            taken.await;
            let own = CurrentSlot { class: job.queue, permit: Mutex::new(slot), free };
            let run = on_behalf_of(write_caller(job.queue), handler.handle(job));
            if let Err(panic) = AssertUnwindSafe(CURRENT_SLOT.scope(own, run)).catch_unwind().await {
                let panic = panic_message(&*panic);
                tracing::error!(job = %job.id, kind = %job.kind, panic, "a handler panicked; the sweep brings its job again");
            }
        };
        let enough = self.enough.clone();
        self.running.spawn(async move { enough.run_until_cancelled(run).await });
    }

    /// Waits until nothing runs.
    pub(super) async fn finished(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Ends what still runs, in the middle of whatever it awaits.
    pub(super) async fn abandon(&self) {
        self.enough.cancel();
        self.finished().await;
    }
}

/// The slot of a handler that runs.
#[derive(Debug)]
struct CurrentSlot {
    class: QueueClass,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    free: Arc<Semaphore>,
}

impl CurrentSlot {
    fn replace(&self, permit: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
        std::mem::replace(&mut *self.permit.lock().unwrap_or_else(PoisonError::into_inner), permit)
    }
}

tokio::task_local! {
    static CURRENT_SLOT: CurrentSlot;
}

/// Longer than that nobody waits for a slot with a lease in hand: it would run out.
const SLOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Gives up the slot of the handler that runs for as long as `waiting` takes: who only waits is in nobody's way. Not that of
/// another class than the job's: those who have it may do so for long.
pub(crate) async fn without_slot<T>(class: QueueClass, waiting: impl Future<Output = T>) -> T {
    let give_up = |own: &CurrentSlot| (own.class == class).then(|| own.replace(None)).flatten();
    let Ok(Some(given_up)) = CURRENT_SLOT.try_with(give_up) else { return waiting.await };
    drop(given_up);
    let waited = waiting.await;
    if let Ok(free) = CURRENT_SLOT.try_with(|own| Arc::clone(&own.free)) {
        let taken = timeout(SLOT_TIMEOUT, free.acquire_owned()).await.ok().and_then(Result::ok);
        // It is ours until the handler ends or waits again.
        drop(CURRENT_SLOT.try_with(|own| own.replace(taken)));
    }
    waited
}

/// Who waits longer for a turn to write.
pub(crate) fn write_caller(class: QueueClass) -> WriteCaller {
    match class {
        QueueClass::Interactive => WriteCaller::InteractiveJob,
        QueueClass::Bulk | QueueClass::Poll => WriteCaller::BulkJob,
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// Where apalis hands over the messages of one class.
pub(super) struct SlotService<H, Q> {
    slots: Arc<HandlerSlots<H>>,
    free: PollSemaphore,
    queue: Q,
}

impl<H: JobHandler, Q> SlotService<H, Q> {
    pub(super) fn new(slots: Arc<HandlerSlots<H>>, class: QueueClass, queue: Q) -> Self {
        let free = PollSemaphore::new(Arc::clone(slots.free.of(class)));
        Self { slots, free, queue }
    }

    /// Whether there is room. The place is not kept: an idle worker would hold one that the other one of this process
    /// could use, so a race for the last place can let in one message too many, which then waits its turn.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.slots.closing.is_cancelled() {
            return Poll::Pending; // apalis is about to hear of it too, and wakes its workers then.
        }
        drop(or_pending!(self.free.poll_acquire(cx)));
        Poll::Ready(Ok(()))
    }
}

impl<H: JobHandler> Service<Task<JobRef>> for SlotService<H, MemoryQueue> {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_room(cx)
    }

    fn call(&mut self, message: Task<JobRef>) -> Self::Future {
        let (queue, job) = (self.queue.clone(), message.args);
        self.slots.start(job, async move { queue.taken(&job) });
        ready(Ok(()))
    }
}

/// A queue in Redis, as one worker reads it.
pub(super) struct RedisClassReader {
    pub(super) queue: RedisQueue,
    pub(super) class: QueueClass,
    pub(super) worker: Arc<str>,
}

impl<H: JobHandler> Service<Task<serde_json::Value>> for SlotService<H, RedisClassReader> {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_room(cx)
    }

    fn call(&mut self, message: Task<serde_json::Value>) -> Self::Future {
        let RedisClassReader { queue, class, worker } = &self.queue;
        let (queue, class, worker) = (queue.clone(), *class, Arc::clone(worker));
        let id = message.task_id().map(ToString::to_string).unwrap_or_default();
        let key = message.idempotency_key().unwrap_or_default().to_owned();
        let taken = async move { queue.taken(class, &worker, &id, &key).await };
        match serde_json::from_value(message.args) {
            Ok(job) => self.slots.start(job, taken),
            Err(error) => {
                tracing::warn!(%error, "a message of another version of Concord is left to its workers");
                self.slots.running.spawn(taken);
            }
        }
        ready(Ok(()))
    }
}
