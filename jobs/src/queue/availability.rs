//! Whether Redis answered when it was last asked, so that not everybody finds out by waiting.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::QueueError;

/// The pause between two tries where nothing else looks whether Redis is back.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// A Redis that answers, but cannot take messages (it is full, or a replica), is left alone for so long.
const OUTAGE_TTL: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct RedisAvailability(Mutex<Option<RedisOutage>>);

#[derive(Debug)]
struct RedisOutage {
    tried_at: Instant,
    /// Before this it does not count as back, whatever it answers.
    until: Instant,
}

impl RedisAvailability {
    pub(super) fn is_away(&self) -> bool {
        self.away().is_some()
    }

    /// One caller at a time is told so.
    pub(super) fn should_retry(&self) -> bool {
        let now = Instant::now();
        match &mut *self.away() {
            Some(away) if now < away.until || now < away.tried_at + RETRY_INTERVAL => false,
            Some(away) => {
                away.tried_at = now;
                true
            }
            None => true,
        }
    }

    pub(super) fn lost(&self, error: &QueueError) {
        let now = Instant::now();
        let until = if error.is_connection_error() { now } else { now + OUTAGE_TTL };
        let mut away = self.away();
        if away.is_none() {
            tracing::warn!(%error, "Redis is away: jobs are run without it until it is back");
        }
        let until = away.as_ref().map_or(until, |away| away.until.max(until));
        *away = Some(RedisOutage { tried_at: now, until });
    }

    /// It answered. Returns whether it was away and is back now.
    pub(super) fn found(&self) -> bool {
        let mut away = self.away();
        let is_back = away.as_ref().is_some_and(|away| away.until <= Instant::now());
        if is_back {
            *away = None;
            tracing::info!("Redis is back");
        }
        is_back
    }

    fn away(&self) -> MutexGuard<'_, Option<RedisOutage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
