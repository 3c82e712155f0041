//! How often something may be asked for.
//!
//! Each process counts for itself, in memory: it keeps a caller that has run wild from everybody else's, and need not
//! be exact. `governor` counts (GCRA: one instant a bucket, the time by which all that was taken so far would have been
//! allowed), by our clock.

use std::{
    fmt,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use concord_domain::clock::Clock;
use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{
        StateStore,
        keyed::{HashMapStateStore, ShrinkableKeyedStateStore},
    },
};

/// After so many questions those buckets are forgotten that are full again, and so as good as none.
const EVICT_EVERY: u32 = 4_096;

/// So many a minute for each key.
pub(crate) struct KeyedRateLimiter<K: Clone + Hash + Eq> {
    takers: RateLimiter<K, SharedStateStore<K>, GovernorClock, NoOpMiddleware<Nanos>>,
    lookers: RateLimiter<K, PeekStateStore<K>, GovernorClock, NoOpMiddleware<Nanos>>,
    asked: AtomicU32,
}

impl<K: Clone + Hash + Eq> fmt::Debug for KeyedRateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl<K: Clone + Hash + Eq> KeyedRateLimiter<K> {
    /// A whole minute's share may be taken at once.
    pub(crate) fn new(per_minute: u32, clock: &Clock) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let shared = SharedStateStore(Arc::default());
        let clock = GovernorClock(clock.clone());
        Self {
            lookers: RateLimiter::new(quota, PeekStateStore(shared.clone()), clock.clone()),
            takers: RateLimiter::new(quota, shared, clock),
            asked: AtomicU32::new(0),
        }
    }

    /// Takes one. `Err`: too often; try again after so many seconds.
    pub(crate) fn try_acquire(&self, key: &K) -> Result<(), u64> {
        self.evict_idle();
        let now = governor::clock::Clock::now(self.takers.clock());
        self.takers.check_key(key).map_err(|until| whole_seconds(until.wait_time_from(now)))
    }

    /// Whether one could be taken; none is. `Err`: not before so many seconds have passed.
    pub(crate) fn check(&self, key: &K) -> Result<(), u64> {
        self.evict_idle();
        let now = governor::clock::Clock::now(self.lookers.clock());
        self.lookers.check_key(key).map_err(|until| whole_seconds(until.wait_time_from(now)))
    }

    fn evict_idle(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) % EVICT_EVERY == EVICT_EVERY - 1 {
            self.takers.retain_recent();
            self.takers.shrink_to_fit();
        }
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The house's clock, as governor reads it.
#[derive(Clone, Debug)]
struct GovernorClock(Clock);

impl governor::clock::Clock for GovernorClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        // Until the year 2262.
        let nanoseconds = self.0.now().timestamp_nanos_opt().unwrap_or(i64::MAX);
        Nanos::from(u64::try_from(nanoseconds).unwrap_or_default())
    }
}

/// The buckets, for those who take and those who only look.
struct SharedStateStore<K>(Arc<HashMapStateStore<K>>);

impl<K> Clone for SharedStateStore<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Hash + Eq> StateStore for SharedStateStore<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl<K: Clone + Hash + Eq> ShrinkableKeyedStateStore<K> for SharedStateStore<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The same buckets, in which nothing changes by being looked at.
struct PeekStateStore<K>(SharedStateStore<K>);

impl<K: Clone + Hash + Eq> StateStore for PeekStateStore<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // What is refused replaces nothing, and takes what it had to say out with it.
        let seen = self.0.measure_and_replace(key, |state| Err::<((), Nanos), _>(f(state)));
        match seen {
            Err(measured) => measured.map(|(value, _)| value),
            Ok(()) => f(None).map(|(value, _)| value),
        }
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
        assert_eq!(buckets.takers.len(), 1);
    }
}
