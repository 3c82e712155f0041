//! How often feeds may be read: so many times a minute a feed, and an address over all feeds.

use std::net::IpAddr;

use concord_domain::{clock::Clock, ids::FeedId};

use crate::{app::rate_limiter::KeyedRateLimiter, config::FeedsConfig, http::request_origin::network_of};

/// The limits of this process.
pub(super) struct FeedRateLimits {
    feeds: KeyedRateLimiter<FeedId>,
    addresses: KeyedRateLimiter<IpAddr>,
}

impl FeedRateLimits {
    pub(super) fn new(config: &FeedsConfig, clock: &Clock) -> Self {
        Self {
            feeds: KeyedRateLimiter::new(config.requests_per_minute_per_token, clock),
            addresses: KeyedRateLimiter::new(config.requests_per_minute_per_address, clock),
        }
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) fn acquire_feed(&self, feed: FeedId) -> Result<(), u64> {
        self.feeds.try_acquire(&feed)
    }

    /// `Err`: too often; try again after so many seconds.
    pub(super) fn acquire_address(&self, address: IpAddr) -> Result<(), u64> {
        self.addresses.try_acquire(&network_of(address))
    }
}
