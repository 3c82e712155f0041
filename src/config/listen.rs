//! An address and a port to listen on; the address may be a name.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use serde::Deserialize;
use url::Url;

/// Where to listen. A name is looked up when that begins, and the first of its addresses that can be had is taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress {
    host: ListenHost,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ListenHost {
    Address(IpAddr),
    Name(String),
}

impl ListenAddress {
    /// The same place with the port that was given, where 0 asked for any.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// `http://` and a place on this machine that can be opened: "every address" is opened as the loopback one.
    #[expect(clippy::expect_used, reason = "a host and a port always make a URL")]
    pub fn url(&self) -> Url {
        let host = match &self.host {
            ListenHost::Address(IpAddr::V4(address)) if address.is_unspecified() => {
                ListenHost::Address(Ipv4Addr::LOCALHOST.into())
            }
            ListenHost::Address(IpAddr::V6(address)) if address.is_unspecified() => {
                ListenHost::Address(Ipv6Addr::LOCALHOST.into())
            }
            host => host.clone(),
        };
        format!("http://{}/", Self { host, port: self.port }).parse().expect("a host and a port")
    }
}

/// As it is written, and as it can be looked up.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ListenHost::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            ListenHost::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// A text that names no place to listen on.
#[derive(Debug, thiserror::Error)]
#[error("expected an address and a port such as \"127.0.0.1:8080\", found \"{0}\"")]
pub struct ParseListenAddressError(String);

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: ListenHost::Address(address.ip()), port: address.port() });
        }
        let bad = || ParseListenAddressError(text.to_owned());
        let (name, port) = text.split_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        if !is_host_name(name) {
            return Err(bad());
        }
        Ok(Self { host: ListenHost::Name(name.to_owned()), port })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ParseListenAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Letters, digits, hyphens and dots. What ends in a number is an address with a slip in it, not a name.
fn is_host_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    name.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    }) && !last.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_name() {
        for (text, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:1", "http://127.0.0.1:1/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("[::]:8080", "http://[::1]:8080/"),
            ("localhost:8080", "http://localhost:8080/"),
            ("front-1.internal:0", "http://front-1.internal:0/"),
        ] {
            let listen: ListenAddress = text.parse().unwrap();
            assert_eq!((listen.to_string().as_str(), listen.url().as_str()), (text, url));
        }
        assert_eq!("localhost:0".parse::<ListenAddress>().unwrap().with_port(7).to_string(), "localhost:7");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "everywhere",
            ":8080",
            "localhost",
            "localhost:",
            "localhost:http",
            "localhost:65536",
            "a b:1",
            "http://localhost:8080",
            "10.0.0.256:1",
            "::1:8080",
            "a..b:1",
            "user@host:1",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
