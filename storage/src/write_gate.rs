//! Who writes next in a SQLite file, which has one writer at a time.
//!
//! Those who answer somebody come before batches, each in the order in which they came; a batch gets a turn now and then
//! whatever comes. Nobody waits longer than is of use: who answers a request gives up after a few seconds with nothing
//! done, so that an overload makes few requests fail soon instead of all of them late.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::{Result, StorageError};

/// For whom something is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteCaller {
    /// Somebody who waits for the answer to a request.
    Request,
    /// A job that a person waits for.
    InteractiveJob,
    /// A job that nobody waits for.
    BulkJob,
    /// A command, a start, whatever else.
    #[default]
    Other,
}

impl WriteCaller {
    /// How long a turn is waited for. A job that gives up is only done again, with all its calls.
    fn patience(self) -> Duration {
        match self {
            Self::Request => Duration::from_secs(4),
            Self::InteractiveJob | Self::BulkJob => Duration::from_secs(15),
            Self::Other => Duration::from_secs(30),
        }
    }
}

tokio::task_local! {
    static CURRENT_CALLER: WriteCaller;
}

/// Does something for that caller. A task that is spawned inside of it begins anew.
pub async fn on_behalf_of<T>(caller: WriteCaller, work: impl Future<Output = T>) -> T {
    CURRENT_CALLER.scope(caller, work).await
}

/// So many in a row of those who are answered, before a batch that waits has a turn.
const MAX_IN_A_ROW: u32 = 8;

/// Where those who want to write line up.
#[derive(Clone, Debug, Default)]
pub struct WriteGate(Arc<Mutex<WriteQueue>>);

#[derive(Debug, Default)]
struct WriteQueue {
    is_taken: bool,
    first: VecDeque<oneshot::Sender<WritePermit>>,
    later: VecDeque<oneshot::Sender<WritePermit>>,
    in_a_row: u32,
}

impl WriteQueue {
    fn next(&mut self) -> Option<oneshot::Sender<WritePermit>> {
        let is_batch = self.first.is_empty() || (self.in_a_row >= MAX_IN_A_ROW && !self.later.is_empty());
        if is_batch {
            self.in_a_row = 0;
            return self.later.pop_front();
        }
        self.in_a_row += 1;
        self.first.pop_front()
    }
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct WritePermit(Option<WriteGate>);

impl WriteGate {
    fn line(&self) -> MutexGuard<'_, WriteQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. `Overloaded`: there was none in time.
    pub(crate) async fn turn(&self) -> Result<WritePermit> {
        let caller = CURRENT_CALLER.try_get().unwrap_or_default();
        let waiting = {
            let mut line = self.line();
            if !line.is_taken {
                line.is_taken = true;
                return Ok(WritePermit(Some(self.clone())));
            }
            let (sender, waiting) = oneshot::channel();
            match caller {
                WriteCaller::BulkJob => line.later.push_back(sender),
                WriteCaller::Request | WriteCaller::InteractiveJob | WriteCaller::Other => {
                    line.first.push_back(sender);
                }
            }
            waiting
        };
        match timeout(caller.patience(), waiting).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(StorageError::Overloaded),
        }
    }
}

impl Drop for WritePermit {
    fn drop(&mut self) {
        let Some(gate) = self.0.take() else { return };
        loop {
            let mut line = gate.line();
            let Some(next) = line.next() else {
                line.is_taken = false;
                return;
            };
            drop(line);
            // Whoever has given up meanwhile hands it back here; a turn that is received and not used is dropped there.
            match next.send(WritePermit(Some(gate.clone()))) {
                Ok(()) => return,
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    fn waiting(gate: &WriteGate) -> usize {
        let line = gate.line();
        line.first.len() + line.later.len()
    }

    async fn waits(gate: &WriteGate, caller: WriteCaller) -> tokio::task::JoinHandle<WritePermit> {
        let before = waiting(gate);
        let theirs = gate.clone();
        let task = tokio::spawn(on_behalf_of(caller, async move { theirs.turn().await.unwrap() }));
        while waiting(gate) == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn who_is_answered_comes_before_batches() {
        let gate = WriteGate::default();
        let turn = gate.turn().await.unwrap();
        let batch = waits(&gate, WriteCaller::BulkJob).await;
        let first = waits(&gate, WriteCaller::Request).await;
        let second = waits(&gate, WriteCaller::InteractiveJob).await;
        drop(turn);
        let turn = first.await.unwrap();
        assert!(!second.is_finished() && !batch.is_finished());
        drop(turn);
        drop(second.await.unwrap());
        drop(batch.await.unwrap());
        assert!(!gate.line().is_taken);
    }

    #[tokio::test]
    async fn batches_do_not_starve() {
        let gate = WriteGate::default();
        let mut turn = gate.turn().await.unwrap();
        let batch = waits(&gate, WriteCaller::BulkJob).await;
        let mut others = VecDeque::new();
        for _ in 0..=MAX_IN_A_ROW {
            others.push_back(waits(&gate, WriteCaller::Request).await);
        }
        for _ in 0..MAX_IN_A_ROW {
            drop(turn);
            turn = others.pop_front().unwrap().await.unwrap();
            assert!(!batch.is_finished());
        }
        drop(turn);
        drop(batch.await.unwrap());
        drop(others.pop_front().unwrap().await.unwrap());
    }

    #[tokio::test]
    async fn a_request_gives_up_before_a_job() {
        let gate = WriteGate::default();
        let turn = gate.turn().await.unwrap();
        let job = waits(&gate, WriteCaller::BulkJob).await;
        let gave_up = on_behalf_of(WriteCaller::Request, gate.turn()).await;
        assert!(matches!(gave_up, Err(StorageError::Overloaded)), "{gave_up:?}");
        assert!(!job.is_finished());
        drop(turn);
        drop(job.await.unwrap());
        assert!(!gate.line().is_taken, "who gave up is passed over");
    }

    #[tokio::test]
    async fn a_turn_that_came_too_late_is_passed_on() {
        let gate = WriteGate::default();
        let turn = gate.turn().await.unwrap();
        {
            let mut waiting = Box::pin(gate.turn());
            assert!(futures_poll(&mut waiting).await.is_pending());
            drop(turn);
            // It has its turn by now, and never learns of it.
        }
        assert!(!gate.line().is_taken);
        drop(gate.turn().await.unwrap());
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }
}
