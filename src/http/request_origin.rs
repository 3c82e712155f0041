//! What is known of a request before anybody has answered it: where it comes from, and who is signed in.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName},
};
use concord_storage::{businesses::Business, people::User};
use tokio::sync::OnceCell;

use crate::config::ServerConfig;

/// The header that carries the id under which a request is logged.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In the extensions of every request of the front but those for feeds.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct RequestOrigin {
    address: Option<IpAddr>,
    signed_in: Arc<OnceCell<Option<SessionUser>>>,
}

/// Whom a session belongs to.
#[derive(Clone, Debug)]
pub(in crate::http) struct SessionUser {
    pub user: User,
    pub business: Business,
}

impl RequestOrigin {
    /// Of a request as it came in.
    pub(in crate::http) fn from_request(request: &Request, config: &ServerConfig) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| client_address(request.headers(), peer.ip(), config));
        Self { address, signed_in: Arc::default() }
    }

    /// Who asks, as far as our own proxies say.
    pub(in crate::http) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What is counted by.
    pub(in crate::http) fn network(&self) -> Option<IpAddr> {
        self.address.map(network_of)
    }

    /// Who is signed in; looked up once a request, however many ask.
    pub(in crate::http) fn signed_in(&self) -> &OnceCell<Option<SessionUser>> {
        &self.signed_in
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
}
