//! How often feeds may be read: so many times a minute a feed, and an address over all feeds.

use std::net::IpAddr;

use concord_domain::{clock::Clock, ids::FeedId};

use crate::{
    config::FeedsConfig,
    http::limits::{Buckets, network_of},
};

/// The limits of this process.
pub(super) struct Limits {
    feeds: Buckets<FeedId>,
    addresses: Buckets<IpAddr>,
}

impl Limits {
    pub(super) fn new(config: &FeedsConfig, clock: &Clock) -> Self {
        Self {
            feeds: Buckets::new(config.requests_per_minute_per_token, clock),
            addresses: Buckets::new(config.requests_per_minute_per_address, clock),
        }
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) fn take_feed(&self, feed: FeedId) -> Result<(), u64> {
        self.feeds.take(&feed)
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) fn take_address(&self, address: IpAddr) -> Result<(), u64> {
        self.addresses.take(&network_of(address))
    }
}
