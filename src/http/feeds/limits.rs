//! How often feeds may be read: so many times a minute a feed, and an address over all feeds.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use concord_domain::ids::FeedId;

use crate::http::limits::Buckets;

/// The limits of this process.
pub(super) struct Limits {
    feeds: Buckets<FeedId>,
    addresses: Buckets<IpAddr>,
}

impl Limits {
    pub(super) fn new(per_feed: u32, per_address: u32) -> Self {
        Self { feeds: Buckets::new(per_feed), addresses: Buckets::new(per_address) }
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) async fn take_feed(&self, feed: FeedId, now: DateTime<Utc>) -> Result<(), u64> {
        self.feeds.take(feed, now).await
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) async fn take_address(&self, address: IpAddr, now: DateTime<Utc>) -> Result<(), u64> {
        self.addresses.take(address, now).await
    }
}
