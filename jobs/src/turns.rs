//! Whose turn it is to write to a connection, within one process.
//!
//! Only an accelerator: the lease in the database decides. But those who queue here need not find it taken and come
//! back.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use concord_domain::{duty::QueueClass, ids::ConnectionId};
use concord_storage::duties::DutyRef;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

/// The queues of one process, one a connection; clones share them.
#[derive(Clone, Debug)]
pub struct Turns {
    lines: Arc<Mutex<HashMap<ConnectionId, Arc<Line>>>>,
    /// Those whose provider refuses, and of which a call of this process tries whether it still does.
    trials: Arc<Mutex<HashSet<ConnectionId>>>,
    process: Arc<str>,
}

impl Default for Turns {
    fn default() -> Self {
        let process = format!("process-{}", Uuid::new_v4().simple()).into();
        Self { lines: Arc::default(), trials: Arc::default(), process }
    }
}

/// Who writes, who is next, and who was sent away.
#[derive(Debug, Default)]
pub(crate) struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    next: tokio::sync::Mutex<()>,
    sent_away: Mutex<VecDeque<DutyRef>>,
}

/// Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _held: OwnedMutexGuard<()>,
    line: Arc<Line>,
}

impl Turns {
    /// Takes the turn, or waits for it as the only one who does, but no longer than that. Whoever waits holds a worker's
    /// place: with more of them, one slow calendar would soon hold all places. The others are sent away and come again.
    pub(crate) async fn wait(
        &self,
        connection: ConnectionId,
        duty: DutyRef,
        longest: Duration,
    ) -> Option<Turn> {
        let line = self.line(connection);
        let turn = Arc::clone(&line.turn);
        let held = match Arc::clone(&turn).try_lock_owned() {
            Ok(held) => Some(held),
            Err(_) => match line.next.try_lock() {
                Ok(_next) => tokio::time::timeout(longest, turn.lock_owned()).await.ok(),
                Err(_) => None,
            },
        };
        let mut sent_away = locked(&line.sent_away);
        sent_away.retain(|other| other.id != duty.id);
        if held.is_none() {
            sent_away.push_back(duty);
        }
        drop(sent_away);
        held.map(|held| Turn { _held: held, line })
    }

    /// What the leases begin with that this process takes for itself and not for a duty.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    /// The next answer to a call for the connection tells whether its provider still refuses.
    pub(crate) fn begin_trial(&self, connection: ConnectionId) {
        locked(&self.trials).insert(connection);
    }

    /// `true` for the first answer after a trial has begun.
    pub(crate) fn end_trial(&self, connection: ConnectionId) -> bool {
        locked(&self.trials).remove(&connection)
    }

    fn line(&self, connection: ConnectionId) -> Arc<Line> {
        let mut lines = locked(&self.lines);
        if let Some(line) = lines.get(&connection) {
            return Arc::clone(line);
        }
        lines.retain(|_, line| Arc::strong_count(line) > 1 || !locked(&line.sent_away).is_empty());
        Arc::clone(lines.entry(connection).or_default())
    }
}

impl Turn {
    /// The line in which it was taken.
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl Line {
    /// Whether there is anybody to call back.
    pub(crate) fn is_empty(&self) -> bool {
        locked(&self.sent_away).is_empty()
    }

    /// Whoever was sent away first, to be called back; what a person waits for comes before all the rest.
    pub(crate) fn call_back(&self) -> Option<DutyRef> {
        let mut sent_away = locked(&self.sent_away);
        let first = sent_away.iter().position(|duty| duty.queue == QueueClass::Interactive);
        sent_away.remove(first.unwrap_or(0))
    }
}

/// Nothing here can be left half done by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
