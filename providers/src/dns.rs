//! TXT records by DNS, for what mail servers look up of a sender. Addresses of hosts are resolved by `guard`.

use std::net::{IpAddr, SocketAddr};

use concord_domain::sender_domain::{LookupFailed, TxtAnswer};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};

/// Asks for TXT records.
pub struct TxtResolver(TokioResolver);

impl TxtResolver {
    /// Asks those whom the system asks (`/etc/resolv.conf`), or only `server`.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, LookupFailed> {
        let builder = match server {
            Some(server) => Resolver::builder_with_config(only(server), TokioRuntimeProvider::default()),
            None => Resolver::builder_tokio().map_err(|error| failed(&error))?,
        };
        Ok(Self(builder.build().map_err(|error| failed(&error))?))
    }

    /// The TXT records of a name, each put together from its parts (RFC 7208, 3.3). A name that does not exist has none.
    pub async fn txt(&self, name: &str) -> TxtAnswer {
        // With a dot at its end, so that the system's search list is not tried.
        match self.0.txt_lookup(format!("{}.", name.trim_end_matches('.'))).await {
            Ok(found) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                    _ => None,
                })
                .collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn only(server: SocketAddr) -> ResolverConfig {
    let address: IpAddr = server.ip();
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    ResolverConfig::from_name_servers(vec![NameServerConfig::new(address, true, connections.into())])
}

fn failed(error: &NetError) -> LookupFailed {
    LookupFailed(error.to_string())
}
