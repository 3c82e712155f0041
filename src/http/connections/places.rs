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
    http::limits::network_of,
};

/// What is usual.
const GRACE: Duration = Duration::from_secs(1);

/// The places for connections.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    most_of_address: usize,
    /// Whose connections are many callers'.
    proxies: Vec<Network>,
    /// So long a connection may take to ask for something before others get its place.
    grace: Duration,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
    /// How many there are of each; none of proxies.
    of_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    network: Option<IpAddr>,
    /// Since when nothing has been asked; `None`: something is being answered.
    idle_since: Option<Instant>,
    wanted: CancellationToken,
}

/// Of one connection. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    wanted: CancellationToken,
}

/// While a request is answered, nobody takes its connection's place.
#[derive(Debug)]
pub(super) struct Asking {
    number: u64,
    places: Arc<Places>,
}

impl Places {
    /// As configured.
    pub(crate) fn of(config: &ServerConfig) -> Self {
        let proxies = config.trusted_proxies.clone();
        Self::new(config.max_connections, config.max_connections_per_address, proxies)
    }

    pub(super) fn new(most: usize, most_of_address: usize, proxies: Vec<Network>) -> Self {
        Self { most, most_of_address, proxies, grace: GRACE, open: Mutex::default() }
    }

    /// A place for a connection; `None`: there is none, since all are being answered.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let network = (!self.proxies.iter().any(|proxy| proxy.contains(peer))).then(|| network_of(peer));
        let mut open = self.open();
        let of_address = network.and_then(|network| open.of_address.get(&network)).copied().unwrap_or(0);
        if of_address >= self.most_of_address {
            open.make_room(self.grace, |connection| connection.network == network)?;
        } else if open.connections.len() >= self.most {
            open.make_room(self.grace, |_| true)?;
        }
        let number = open.next;
        open.next += 1;
        let wanted = CancellationToken::new();
        let connection = Connection { network, idle_since: Some(Instant::now()), wanted: wanted.clone() };
        open.connections.insert(number, connection);
        if let Some(network) = network {
            *open.of_address.entry(network).or_default() += 1;
        }
        Some(Place { number, places: Arc::clone(self), wanted })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends the connection that has asked nothing for the longest time. `None`: none may be ended.
    fn make_room(&mut self, grace: Duration, may_go: impl Fn(&Connection) -> bool) -> Option<()> {
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

impl Place {
    /// Resolves when others get the place.
    pub(super) async fn wanted(&self) {
        self.wanted.cancelled().await;
    }

    /// Something is asked, until what is returned is dropped.
    pub(super) fn asking(&self) -> Asking {
        self.places.set_idle(self.number, None);
        Asking { number: self.number, places: Arc::clone(&self.places) }
    }
}

impl Places {
    fn set_idle(&self, number: u64, since: Option<Instant>) {
        if let Some(connection) = self.open().connections.get_mut(&number) {
            connection.idle_since = since;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().remove(self.number);
    }
}

impl Drop for Asking {
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

    fn places(most: usize, most_of_address: usize, grace: Duration) -> Arc<Places> {
        let proxy = "10.0.0.0/8".parse().unwrap();
        Arc::new(Places { grace, ..Places::new(most, most_of_address, vec![proxy]) })
    }

    #[test]
    fn who_has_only_just_come_makes_no_room() {
        let places = places(10, 2, Duration::from_hours(1));
        let _both = [places.take(address(1)).unwrap(), places.take(address(1)).unwrap()];
        assert!(places.take(address(1)).is_none());
        assert!(places.take(address(2)).is_some(), "others have their own");
    }

    #[tokio::test]
    async fn who_asks_nothing_makes_room_for_others_of_the_address() {
        let places = places(10, 2, Duration::ZERO);
        let (first, second) = (places.take(address(1)).unwrap(), places.take(address(1)).unwrap());
        let asking = second.asking();
        let third = places.take(address(1)).unwrap();
        first.wanted().await;
        let asked = third.asking();
        assert!(places.take(address(1)).is_none(), "both are being answered");
        drop(asked);
        let fourth = places.take(address(1)).unwrap();
        third.wanted().await;
        drop((first, asking, second, third, fourth));
        assert!(places.open().of_address.is_empty() && places.open().connections.is_empty());
    }

    #[tokio::test]
    async fn all_addresses_share_what_there_is_and_proxies_are_many() {
        let places = places(3, 1, Duration::ZERO);
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let (first, second) = (places.take(proxy).unwrap(), places.take(proxy).unwrap());
        let _one = places.take(address(1)).unwrap();
        let _two = places.take(address(2)).unwrap();
        first.wanted().await;
        assert!(!second.wanted.is_cancelled());
        assert_eq!(places.open().connections.len(), 3);
    }
}
