//! The queue inside this process: a channel for each class of work.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use apalis::prelude::{MemorySink, MemoryStorage, Task, TaskBuilder};
use concord_domain::job::QueueClass;
use concord_storage::jobs::JobRef;
use futures::{SinkExt, Stream, sink};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use uuid::Uuid;

use super::PerClass;

/// Channels in this process. Clones share them. Each class is served by one worker at a time.
#[derive(Clone, Debug)]
pub struct MemoryQueue(Arc<MemoryQueueState>);

#[derive(Debug)]
struct MemoryQueueState {
    lines: PerClass<ClassChannel>,
    backlog_limit: usize,
    /// Rung when the sweep should not wait for its turn.
    sweep: Notify,
}

#[derive(Debug)]
struct ClassChannel {
    sender: UnboundedSender<Task<JobRef>>,
    /// Outlives the worker that reads it, so that the next one finds what this one left.
    receiver: Arc<Mutex<UnboundedReceiver<Task<JobRef>>>>,
    /// What is in the channel, so that the sweep does not push it again and again.
    waiting: Mutex<HashSet<(Uuid, i64)>>,
}

impl MemoryQueue {
    pub(super) fn new(backlog_limit: usize) -> Self {
        let lines = PerClass::new(|_| {
            let (sender, receiver) = unbounded_channel();
            ClassChannel { sender, receiver: Arc::new(Mutex::new(receiver)), waiting: Mutex::default() }
        });
        Self(Arc::new(MemoryQueueState { lines, backlog_limit, sweep: Notify::new() }))
    }

    /// Returns how many found no room. The channel is written directly: apalis' own sink panics when two push at once,
    /// and never forgets an idempotency key.
    pub(super) fn push(&self, jobs: &[JobRef]) -> usize {
        let mut left_out = 0;
        for job in jobs {
            let line = self.0.lines.of(job.queue);
            let mut waiting = locked(&line.waiting);
            if waiting.contains(&job.wake_up_key()) {
                continue;
            }
            if waiting.len() >= self.0.backlog_limit {
                left_out += 1;
                continue;
            }
            if line.sender.send(TaskBuilder::new(*job).build()).is_ok() {
                waiting.insert(job.wake_up_key());
            }
        }
        left_out
    }

    /// A handler is about to look at it: from now on another push is another message.
    pub(crate) fn taken(&self, job: &JobRef) {
        locked(&self.0.lines.of(job.queue).waiting).remove(&job.wake_up_key());
    }

    pub(super) fn depth(&self) -> HashMap<QueueClass, usize> {
        QueueClass::ALL.iter().map(|class| (*class, locked(&self.0.lines.of(*class).waiting).len())).collect()
    }

    /// Rung when the sweep should not wait for its turn.
    pub(super) fn sweep(&self) -> &Notify {
        &self.0.sweep
    }

    pub(super) fn backlog_limit(&self) -> usize {
        self.0.backlog_limit
    }

    /// What an apalis worker of this class reads.
    pub(crate) fn backend(&self, class: QueueClass) -> MemoryStorage<JobRef> {
        let receiver = Arc::clone(&self.0.lines.of(class).receiver);
        // A worker closes its sink when it stops. This one leads nowhere, so that pushing goes on meanwhile.
        let nowhere = sink::drain().sink_map_err(|never| match never {});
        let sink = MemorySink::new(Arc::new(futures::lock::Mutex::new(Box::new(nowhere))));
        MemoryStorage::new_with(sink, Box::pin(SharedReceiver(receiver)))
    }
}

/// What comes out of a channel that outlives its reader.
struct SharedReceiver(Arc<Mutex<UnboundedReceiver<Task<JobRef>>>>);

impl Stream for SharedReceiver {
    type Item = Task<JobRef>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        locked(&self.0).poll_recv(cx)
    }
}

/// Nothing here can be left half done by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
