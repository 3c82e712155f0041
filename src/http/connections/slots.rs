//! How many connections there are, in all and of one address. When there are too many, the one that has asked nothing for
//! the longest time makes room.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Network, ServerConfig},
    http::request_origin::network_of,
};

const IDLE_GRACE: Duration = Duration::from_secs(1);

/// The places for connections.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    most: usize,
    most_of_address: usize,
    /// Whose connections are many callers'.
    proxies: Vec<Network>,
    /// So long a connection may take to ask for something before others get its place.
    grace: Duration,
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    connections: HashMap<u64, OpenConnection>,
    /// How many there are of each; none of proxies.
    of_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct OpenConnection {
    network: Option<IpAddr>,
    /// Since when nothing has been asked; `None`: something is being answered.
    idle_since: Option<Instant>,
    wanted: CancellationToken,
}

/// Of one connection. Dropped, it is free.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    number: u64,
    places: Arc<ConnectionSlots>,
    wanted: CancellationToken,
}

/// While a request is answered, nobody takes its connection's place.
#[derive(Debug)]
pub(super) struct ActiveRequest {
    number: u64,
    places: Arc<ConnectionSlots>,
}

impl ConnectionSlots {
    pub(crate) fn of(config: &ServerConfig) -> Self {
        let proxies = config.trusted_proxies.clone();
        Self::new(config.max_connections, config.max_connections_per_address, proxies)
    }

    pub(super) fn new(most: usize, most_of_address: usize, proxies: Vec<Network>) -> Self {
        Self { most, most_of_address, proxies, grace: IDLE_GRACE, open: Mutex::default() }
    }

    /// A place for a connection; `None`: there is none, since all are being answered.
    pub(super) fn acquire(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionSlot> {
        let network = (!self.proxies.iter().any(|proxy| proxy.contains(peer))).then(|| network_of(peer));
        let mut open = self.lock();
        let of_address = network.and_then(|network| open.of_address.get(&network)).copied().unwrap_or(0);
        if of_address >= self.most_of_address {
            open.evict_idle(self.grace, |connection| connection.network == network)?;
        } else if open.connections.len() >= self.most {
            open.evict_idle(self.grace, |_| true)?;
        }
        let number = open.next;
        open.next += 1;
        let wanted = CancellationToken::new();
        let connection = OpenConnection { network, idle_since: Some(Instant::now()), wanted: wanted.clone() };
        open.connections.insert(number, connection);
        if let Some(network) = network {
            *open.of_address.entry(network).or_default() += 1;
        }
        Some(ConnectionSlot { number, places: Arc::clone(self), wanted })
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    /// Ends the connection that has asked nothing for the longest time. `None`: none may be ended.
    fn evict_idle(&mut self, grace: Duration, may_go: impl Fn(&OpenConnection) -> bool) -> Option<()> {
        let now = Instant::now();
        let idle = self.connections.iter().filter(|(_, connection)| may_go(connection));
        let idle = idle.filter_map(|(number, connection)| Some((connection.idle_since?, *number)));
        let (_, number) = idle.filter(|(since, _)| now.duration_since(*since) >= grace).min()?;
        self.remove(number);
        Some(())
    }

    fn remove(&mut self, number: u64) {
        let Some(connection) = self.connections.remove(&number) else { return };
        connection.wanted.cancel();
        let Some(network) = connection.network else { return };
        if let Some(count) = self.of_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&network);
            }
        }
    }
}

impl ConnectionSlot {
    /// Resolves when others get the place.
    pub(super) async fn evicted(&self) {
        self.wanted.cancelled().await;
    }

    /// Something is asked, until what is returned is dropped.
    pub(super) fn begin_request(&self) -> ActiveRequest {
        self.places.set_idle(self.number, None);
        ActiveRequest { number: self.number, places: Arc::clone(&self.places) }
    }
}

impl ConnectionSlots {
    fn set_idle(&self, number: u64, since: Option<Instant>) {
        if let Some(connection) = self.lock().connections.get_mut(&number) {
            connection.idle_since = since;
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.places.lock().remove(self.number);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.places.set_idle(self.number, Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    fn places(most: usize, most_of_address: usize, grace: Duration) -> Arc<ConnectionSlots> {
        let proxy = "10.0.0.0/8".parse().unwrap();
        Arc::new(ConnectionSlots { grace, ..ConnectionSlots::new(most, most_of_address, vec![proxy]) })
    }

    #[test]
    fn who_has_only_just_come_makes_no_room() {
        let places = places(10, 2, Duration::from_hours(1));
        let _both = [places.acquire(address(1)).unwrap(), places.acquire(address(1)).unwrap()];
        assert!(places.acquire(address(1)).is_none());
        assert!(places.acquire(address(2)).is_some(), "others have their own");
    }

    #[tokio::test]
    async fn who_asks_nothing_makes_room_for_others_of_the_address() {
        let places = places(10, 2, Duration::ZERO);
        let (first, second) = (places.acquire(address(1)).unwrap(), places.acquire(address(1)).unwrap());
        let asking = second.begin_request();
        let third = places.acquire(address(1)).unwrap();
        first.evicted().await;
        let asked = third.begin_request();
        assert!(places.acquire(address(1)).is_none(), "both are being answered");
        drop(asked);
        let fourth = places.acquire(address(1)).unwrap();
        third.evicted().await;
        drop((first, asking, second, third, fourth));
        assert!(places.lock().of_address.is_empty() && places.lock().connections.is_empty());
    }

    #[tokio::test]
    async fn all_addresses_share_what_there_is_and_proxies_are_many() {
        let places = places(3, 1, Duration::ZERO);
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let (first, second) = (places.acquire(proxy).unwrap(), places.acquire(proxy).unwrap());
        let _one = places.acquire(address(1)).unwrap();
        let _two = places.acquire(address(2)).unwrap();
        first.evicted().await;
        assert!(!second.wanted.is_cancelled());
        assert_eq!(places.lock().connections.len(), 3);
    }
}
