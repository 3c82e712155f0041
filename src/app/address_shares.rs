//! How much of a budget one address may hold.
//!
//! A budget alone does not do where whoever sends need not have proven anything: one machine that announces much and sends
//! it slowly would hold all of it, for as long as it is waited for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longer than a place is waited for and then held, so that no address has two shares.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Whoever has more addresses than this has more than the whole budget.
const MOST_NETWORKS: u64 = 10_000;

/// A share of a budget for each address.
#[derive(Debug)]
pub(super) struct AddressShares {
    networks: Cache<IpAddr, Arc<Semaphore>>,
    each: u32,
}

impl AddressShares {
    /// So many places for each.
    pub(super) fn new(each: u32) -> Self {
        let networks = Cache::builder().max_capacity(MOST_NETWORKS).time_to_idle(IDLE_TIMEOUT).build();
        Self { networks, each }
    }

    /// Waits for so many places of an address's own; nobody waits for more than it has. `None`: it has no share to be
    /// counted by.
    pub(super) async fn acquire(&self, network: Option<IpAddr>, places: u32) -> Option<OwnedSemaphorePermit> {
        let each = usize::try_from(self.each).unwrap_or(Semaphore::MAX_PERMITS);
        let share = self.networks.get_with(network?, async move { Arc::new(Semaphore::new(each)) }).await;
        share.acquire_many_owned(places.min(self.each)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_address_holds_its_own_share_alone() {
        let shares = AddressShares::new(8);
        let [one, other] = [1, 2].map(|last| Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last))));
        let held = (shares.acquire(one, 5).await, shares.acquire(one, 3).await);
        assert!(shares.acquire(one, 1).now_or_never().is_none(), "it waits");
        assert!(shares.acquire(other, 100).await.is_some(), "whoever wants more than there is gets all");
        assert!(shares.acquire(None, 1).await.is_none());
        drop(held);
        assert!(shares.acquire(one, 8).await.is_some());
    }
}
