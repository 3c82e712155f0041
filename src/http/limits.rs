//! How often something may be asked for, and by whom.
//!
//! Each process counts for itself, in memory: it keeps a caller that has run wild from everybody else's, and need not
//! be exact. `governor` counts (GCRA: one instant a bucket, the time by which all that was taken so far would have been
//! allowed), by our clock.

use std::{
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::http::HeaderMap;
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

use crate::config::ServerConfig;

/// After so many questions those buckets are forgotten that are full again, and so as good as none.
const EVICT_EVERY: u32 = 4_096;

/// So many a minute for each key.
pub(super) struct KeyedRateLimiter<K: Clone + Hash + Eq> {
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
    pub(super) fn new(per_minute: u32, clock: &Clock) -> Self {
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
    pub(super) fn try_acquire(&self, key: &K) -> Result<(), u64> {
        self.evict_idle();
        let now = governor::clock::Clock::now(self.takers.clock());
        self.takers.check_key(key).map_err(|until| whole_seconds(until.wait_time_from(now)))
    }

    /// Whether one could be taken; none is. `Err`: not before so many seconds have passed.
    pub(super) fn check(&self, key: &K) -> Result<(), u64> {
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

/// Who asks: the nearest address that is not a reverse proxy of ours. What stands further left in `X-Forwarded-For`
/// anybody could have written.
pub(super) fn client_address(headers: &HeaderMap, peer: IpAddr, config: &ServerConfig) -> IpAddr {
    let mut address = peer.to_canonical();
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    while config.is_trusted_proxy(address) {
        match hops.pop().and_then(|hop| hop.parse::<IpAddr>().ok()) {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    address
}

/// What addresses are counted by: whoever has one of IPv6 has 2⁶⁴ of them.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;
    use crate::config::{Config, ConfigArgument, ConfigSources};

    #[test]
    fn only_our_own_proxies_say_who_asks() {
        let trusted =
            ConfigArgument { flag: "--test", key: "server.trusted_proxies", value: "10.0.0.0/8".to_owned() };
        let config = Config::load(&ConfigSources { arguments: vec![trusted], ..ConfigSources::default() })
            .unwrap()
            .server;
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (peer, forwarded, client) in [
            ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "made-up, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "192.0.2.9, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let headers = HeaderMap::from_iter([(
                header::HeaderName::from_static("x-forwarded-for"),
                forwarded.parse().unwrap(),
            )]);
            assert_eq!(
                client_address(&headers, address(peer), &config),
                address(client),
                "{peer} {forwarded}"
            );
        }
    }

    #[test]
    fn who_has_many_addresses_counts_as_one() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(network_of(address), network.parse::<IpAddr>().unwrap());
        }
    }

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
