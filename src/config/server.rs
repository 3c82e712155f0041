//! `[server]`: the pages and the API.

use std::{net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use super::{check::SectionFaults, listen::ListenAddress, units};

/// The pages and the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address or name, and port, to listen on.
    pub listen: ListenAddress,
    /// As set; [`super::Config::public_url`] is never absent.
    #[serde(deserialize_with = "units::optional_url")]
    pub public_url: Option<Url>,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// After this a request that is not answered yet is given up.
    #[serde(rename = "request_timeout_seconds", deserialize_with = "units::seconds")]
    pub request_timeout: Duration,
    /// Largest body of a request, in kilobytes (1,024 bytes).
    pub max_body_kilobytes: usize,
    /// Connections of callers at the same time.
    pub max_connections: usize,
    /// The same of one address (of IPv6: one /64), reverse proxies aside.
    pub max_connections_per_address: usize,
    /// Requests of an address that show nothing, or what opens nothing: of each sort so many.
    #[serde(rename = "unproven_requests_per_minute_per_address")]
    pub unproven_per_minute: u32,
    /// Requests of an API key.
    #[serde(rename = "requests_per_minute_per_key")]
    pub per_minute_per_key: u32,
}

impl ServerConfig {
    /// Whether this address is a reverse proxy of ours.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }

    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("request_timeout_seconds", self.request_timeout.as_secs(), 1..=600);
        // What is larger would not fit into the memory that is given to bodies.
        check.check_range("max_body_kilobytes", self.max_body_kilobytes, 1..=16_384);
        check.check_range("max_connections", self.max_connections, 10..=100_000);
        check.check_range("max_connections_per_address", self.max_connections_per_address, 10..=100_000);
        check.check_range(
            "unproven_requests_per_minute_per_address",
            self.unproven_per_minute,
            1..=1_000_000,
        );
        check.check_range("requests_per_minute_per_key", self.per_minute_per_key, 1..=10_000_000);
        let Some(url) = &self.public_url else { return };
        check.check_url("public_url", url);
        if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
            // Cookies, callbacks and feed addresses are all made below the root.
            check.add("public_url", format!("must end after the host and port, found \"{url}\""));
        }
    }
}

/// An address, or all addresses that begin alike (CIDR notation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in it. An IPv4 address that came over an IPv6 socket is the IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("expected an address such as \"10.0.0.7\" or a network such as \"172.16.0.0/12\", found \"{0}\"")]
pub struct ParseNetworkError(String);

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address()).map(Self).map_err(|_| ParseNetworkError(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = ParseNetworkError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_alike() {
        for (network, address, inside) in [
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.8", false),
            ("172.16.0.0/12", "172.31.255.255", true),
            ("172.16.0.0/12", "172.32.0.0", false),
            ("172.16.0.0/12", "::ffff:172.18.0.2", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::1", "::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
