//! Lets other processes know that this worker lives, and takes over from those that do not: a worker that was killed must not
//! keep its calendars silent until its leases have run out.

use std::{collections::HashMap, time::Duration};

use concord_storage::{StorageError, workers::WorkerPresence};
use tokio::time::{Instant, sleep, timeout};

use crate::Context;

/// How often a worker looks for the others.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Who is absent for so long is dead. One that lives all the same, and has only lost its connection for longer, finds its lease
/// lost: it begins no other call, and what it writes down of the one that ran is refused.
const DEAD_AFTER: Duration = Duration::from_millis(1_500);
/// A connection that takes longer than this to answer is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a worker takes nobody for dead whose own connection was lost: the others may have lost theirs for the same reason,
/// and may need so long to have another one.
const GRACE_AFTER_RECONNECT: Duration = Duration::from_secs(6);

/// For as long as it is polled. `worker`: what its leases begin with. With SQLite there is nobody else.
pub(crate) async fn keep(context: &Context, worker: &str) {
    let mut watch = PresenceWatch { context, absences: AbsenceTracker::default(), is_lost: false };
    loop {
        let error = match with_timeout(WorkerPresence::announce(&context.db, worker)).await {
            Ok(Some(presence)) => watch.watch_until_lost(presence).await,
            Ok(None) => return std::future::pending().await,
            Err(error) => error,
        };
        watch.lost(&error);
        sleep(CHECK_INTERVAL).await;
    }
}

async fn with_timeout<T>(answer: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(StorageError::Busy))
}

/// Looks for the others, on one connection after the other.
struct PresenceWatch<'a> {
    context: &'a Context,
    absences: AbsenceTracker,
    /// Whether there is no connection, which has been said.
    is_lost: bool,
}

impl PresenceWatch<'_> {
    async fn watch_until_lost(&mut self, mut presence: WorkerPresence) -> StorageError {
        loop {
            if let Err(error) = self.look(&mut presence).await {
                return error;
            }
            self.is_lost = false;
            sleep(CHECK_INTERVAL).await;
        }
    }

    async fn look(&mut self, presence: &mut WorkerPresence) -> Result<(), StorageError> {
        let absent = with_timeout(presence.absent()).await?;
        for worker in self.absences.dead(absent, Instant::now()) {
            let count = with_timeout(presence.release(&worker)).await?;
            if count > 0 {
                tracing::info!(count, worker, "taking over what a dead worker held");
                self.context.queue.sweep_soon();
            }
        }
        Ok(())
    }

    fn lost(&mut self, error: &StorageError) {
        self.absences.none_before(Instant::now() + GRACE_AFTER_RECONNECT);
        if !self.is_lost {
            tracing::warn!(%error, "cannot show other workers that this one lives; they may take over its work");
        }
        self.is_lost = true;
    }
}

/// Since when workers are absent.
#[derive(Debug, Default)]
struct AbsenceTracker {
    since: HashMap<String, Instant>,
    none_before: Option<Instant>,
}

impl AbsenceTracker {
    /// Of those that are absent now, those that are dead: absent whenever somebody looked, for long enough.
    fn dead(&mut self, absent: Vec<String>, now: Instant) -> Vec<String> {
        let mut before = std::mem::take(&mut self.since);
        for worker in absent {
            let since = before.remove(&worker).unwrap_or(now);
            self.since.insert(worker, since);
        }
        if self.none_before.is_some_and(|none_before| now < none_before) {
            return Vec::new();
        }
        let dead = self.since.iter().filter(|(_, since)| now.duration_since(**since) >= DEAD_AFTER);
        dead.map(|(worker, _)| worker.clone()).collect()
    }

    /// Nobody is taken for dead before `until`, nor for what was seen until now.
    fn none_before(&mut self, until: Instant) {
        self.since.clear();
        self.none_before = Some(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_is_absent_for_long_enough_is_dead() {
        let (mut absences, start) = (AbsenceTracker::default(), Instant::now());
        assert_eq!(absences.dead(named(&["a", "b"]), start), named(&[]));
        assert_eq!(absences.dead(named(&["a", "b"]), start + DEAD_AFTER / 2), named(&[]));
        let mut dead = absences.dead(named(&["a", "b", "c"]), start + DEAD_AFTER);
        dead.sort();
        assert_eq!(dead, named(&["a", "b"]));
    }

    #[test]
    fn who_came_back_in_between_is_absent_anew() {
        let (mut absences, start) = (AbsenceTracker::default(), Instant::now());
        absences.dead(named(&["a"]), start);
        absences.dead(named(&[]), start + DEAD_AFTER / 2);
        assert_eq!(absences.dead(named(&["a"]), start + DEAD_AFTER), named(&[]));
        assert_eq!(absences.dead(named(&["a"]), start + DEAD_AFTER * 2), named(&["a"]));
    }

    #[test]
    fn nobody_is_dead_until_all_have_had_the_time_to_come_back() {
        let (mut absences, start) = (AbsenceTracker::default(), Instant::now());
        absences.dead(named(&["a"]), start);
        absences.none_before(start + GRACE_AFTER_RECONNECT);
        assert_eq!(absences.dead(named(&["a"]), start + DEAD_AFTER), named(&[]));
        assert_eq!(absences.dead(named(&["a"]), start + DEAD_AFTER * 2), named(&[]));
        assert_eq!(absences.dead(named(&["a"]), start + GRACE_AFTER_RECONNECT), named(&["a"]));
    }
}
