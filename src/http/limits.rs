//! How often something may be asked for, and by whom.
//!
//! Each process counts for itself, in memory: it keeps a caller that has run wild from everybody else's, and need not
//! be exact. GCRA: one instant a bucket, the time by which all that was taken so far would have been allowed.

use std::{hash::Hash, net::IpAddr, sync::Arc, time::Duration as StdDuration};

use axum::http::HeaderMap;
use chrono::{DateTime, Duration, Utc};
use moka::future::Cache;
use tokio::sync::Mutex;

use crate::config::ServerConfig;

/// More than this are forgotten, the least used first.
const MOST_BUCKETS: u64 = 100_000;

/// So many a minute for each key.
pub(super) struct Buckets<K> {
    buckets: Cache<K, Arc<Mutex<DateTime<Utc>>>>,
    interval: Duration,
}

impl<K: Copy + Hash + Eq + Send + Sync + 'static> Buckets<K> {
    pub(super) fn new(per_minute: u32) -> Self {
        // After a minute of rest a bucket is full, and as good as none.
        let buckets =
            Cache::builder().max_capacity(MOST_BUCKETS).time_to_idle(StdDuration::from_mins(2)).build();
        Self { buckets, interval: Duration::microseconds(60_000_000 / i64::from(per_minute.max(1))) }
    }

    /// A whole minute's share may be taken at once. `Err`: too often; try again after so many seconds.
    pub(super) async fn take(&self, key: K, now: DateTime<Utc>) -> Result<(), u64> {
        let bucket = self.buckets.get_with(key, async { Arc::new(Mutex::new(now)) }).await;
        let mut taken_until = bucket.lock().await;
        *taken_until = self.next(*taken_until, now)?;
        Ok(())
    }

    /// Whether something can be taken; nothing is. `Err`: not before so many seconds have passed.
    pub(super) async fn look(&self, key: K, now: DateTime<Utc>) -> Result<(), u64> {
        let Some(bucket) = self.buckets.get(&key).await else { return Ok(()) };
        let taken_until = *bucket.lock().await;
        self.next(taken_until, now).map(drop)
    }

    fn next(&self, taken_until: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, u64> {
        let next = taken_until.max(now) + self.interval;
        let over = next - now - Duration::minutes(1);
        if over > Duration::zero() {
            return Err(u64::try_from(over.num_seconds()).unwrap_or(0) + 1);
        }
        Ok(next)
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

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;
    use crate::config::{Argument, Config, Sources};

    #[test]
    fn only_our_own_proxies_say_who_asks() {
        let trusted =
            Argument { flag: "--test", key: "server.trusted_proxies", value: "10.0.0.0/8".to_owned() };
        let config =
            Config::load(&Sources { arguments: vec![trusted], ..Sources::default() }).unwrap().server;
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

    #[tokio::test]
    async fn a_minutes_share_then_one_at_a_time() {
        let now = DateTime::UNIX_EPOCH;
        let buckets = Buckets::<u8>::new(60);
        for _ in 0..60 {
            assert_eq!(buckets.take(1, now).await, Ok(()));
        }
        assert_eq!(buckets.take(1, now).await, Err(2));
        assert_eq!((buckets.look(1, now).await, buckets.look(3, now).await), (Err(2), Ok(())));
        assert_eq!(buckets.take(2, now).await, Ok(()));
        let later = now + Duration::seconds(1);
        assert_eq!(buckets.take(1, later).await, Ok(()));
        assert!(buckets.take(1, later).await.is_err());
    }
}
