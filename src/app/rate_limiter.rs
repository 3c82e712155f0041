//! How often something may be asked for.
//!
//! Each process counts for itself, in memory: it keeps a caller that has run wild from everybody else's, and need not
//! be exact. It is GCRA: of each key one instant is kept, the time by which all that was taken so far would have been
//! allowed at an even pace.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Duration, Utc};
use concord_domain::clock::Clock;

/// As much may be taken at once as this brings.
const BURST: Duration = Duration::minutes(1);

/// After so many were taken those keys are forgotten that have rested for long enough, and so are as good as new.
const EVICT_EVERY: u32 = 4_096;

/// So many a minute for each key.
pub(crate) struct KeyedRateLimiter<K> {
    interval: Duration,
    clock: Clock,
    state: Mutex<RateLimiterState<K>>,
}

struct RateLimiterState<K> {
    used_until: HashMap<K, DateTime<Utc>>,
    acquired: u32,
}

impl<K> fmt::Debug for KeyedRateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimiter").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl<K: Clone + Hash + Eq> KeyedRateLimiter<K> {
    /// A whole minute's share may be taken at once.
    pub(crate) fn new(per_minute: u32, clock: &Clock) -> Self {
        Self {
            interval: BURST / i32::try_from(per_minute.max(1)).unwrap_or(i32::MAX),
            clock: clock.clone(),
            state: Mutex::new(RateLimiterState { used_until: HashMap::new(), acquired: 0 }),
        }
    }

    /// Takes one. `Err`: too often; try again after so many seconds.
    pub(crate) fn try_acquire(&self, key: &K) -> Result<(), u64> {
        let now = self.clock.now();
        let mut state = self.lock();
        let used_until = self.next(&state, key, now)?;
        state.acquired = state.acquired.wrapping_add(1);
        if state.acquired.is_multiple_of(EVICT_EVERY) {
            state.used_until.retain(|_, used_until| *used_until > now);
            state.used_until.shrink_to_fit();
        }
        state.used_until.insert(key.clone(), used_until);
        Ok(())
    }

    /// Whether one could be taken; none is. `Err`: not before so many seconds have passed.
    pub(crate) fn check(&self, key: &K) -> Result<(), u64> {
        self.next(&self.lock(), key, self.clock.now()).map(drop)
    }

    /// The instant to keep of a key once one more is taken.
    fn next(&self, state: &RateLimiterState<K>, key: &K, now: DateTime<Utc>) -> Result<DateTime<Utc>, u64> {
        let used_until = state.used_until.get(key).map_or(now, |used_until| now.max(*used_until));
        let next = used_until + self.interval;
        match (next - now - BURST).to_std() {
            Ok(wait) if !wait.is_zero() => Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            _ => Ok(next),
        }
    }

    fn lock(&self) -> MutexGuard<'_, RateLimiterState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_share_then_one_at_a_time() {
        let clock = Clock::set_to(chrono::DateTime::UNIX_EPOCH);
        let buckets = KeyedRateLimiter::<u8>::new(60, &clock);
        for _ in 0..60 {
            assert_eq!(buckets.try_acquire(&1), Ok(()));
        }
        assert_eq!(buckets.try_acquire(&1), Err(1));
        assert_eq!((buckets.check(&1), buckets.check(&3)), (Err(1), Ok(())));
        assert_eq!(buckets.try_acquire(&2), Ok(()));
        clock.advance(chrono::Duration::seconds(1));
        assert_eq!((buckets.check(&1), buckets.check(&1)), (Ok(()), Ok(())), "a look takes nothing");
        assert_eq!(buckets.try_acquire(&1), Ok(()));
        assert_eq!(buckets.try_acquire(&1), Err(1));
    }

    #[test]
    fn who_has_rested_is_forgotten() {
        let clock = Clock::set_to(chrono::DateTime::UNIX_EPOCH);
        let buckets = KeyedRateLimiter::<u32>::new(60, &clock);
        for key in 0..EVICT_EVERY - 1 {
            assert_eq!(buckets.try_acquire(&key), Ok(()));
        }
        clock.advance(chrono::Duration::seconds(61));
        assert_eq!(buckets.try_acquire(&0), Ok(()));
        assert_eq!(buckets.lock().used_until.len(), 1);
    }
}
