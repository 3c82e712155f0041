//! What may be called when a person, and not the configuration, says where a server stands.
//!
//! An address that somebody types in must not let them reach through us what only we can reach: this machine, its
//! network, the metadata of its cloud. The address that counts is the one that a connection is opened to, so names are
//! judged where they are resolved, at each connection: what a name meant a moment ago says nothing (DNS rebinding).

use std::{error::Error, fmt, io, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::net::is_public;

/// Which hosts may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrfGuard {
    /// The key of the configuration that allows more, for whoever reads that a host is refused.
    pub setting: &'static str,
    /// Whether private addresses are like any other: for an installation whose people are all trusted.
    pub allow_private: bool,
    /// Names and addresses that may be called although they are private.
    pub allowed: Vec<String>,
    /// Whether a name that means a private address is refused in the same words as one that means nothing: whoever may
    /// type addresses learns nothing of the network behind.
    pub hide_private_hosts: bool,
}

/// Why no name is called: it means nothing, or nothing that may be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no public address found for {host}; if it is in your own network, an administrator can allow \
     it ({setting})"
)]
struct NoPublicAddress {
    host: String,
    setting: &'static str,
}

/// Why a host is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} has a private address, which this installation does not allow; an administrator can allow it ({setting})"
)]
pub struct PrivateHost {
    host: String,
    setting: &'static str,
}

/// Why nothing is sent to a host over plain http.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the password would be sent unencrypted to {host} over http://; use its https:// address \
     (an administrator can allow http: {setting})"
)]
pub struct PlaintextHost {
    host: String,
    setting: &'static str,
}

impl SsrfGuard {
    /// One that lets nothing private be called; `setting` is the key of the configuration that would.
    pub fn of(setting: &'static str) -> Self {
        Self { setting, allow_private: false, allowed: Vec::new(), hide_private_hosts: false }
    }

    /// The same, and these names and addresses may be called too.
    #[must_use]
    pub fn allowing<'a>(mut self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        self.allowed.extend(hosts.into_iter().map(str::to_owned));
        self
    }

    /// Judges what an address says by itself. A name is left to the resolver, since only that knows what it means.
    pub(crate) fn check(&self, url: &Url) -> Result<(), PrivateHost> {
        match literal(url) {
            Some(address) if !self.allows(address) => Err(self.refusal(address.to_string())),
            _ => Ok(()),
        }
    }

    /// Judges, as `check` does, an address to which a password would go unprotected: within one's own network, or where the
    /// configuration allows it, and nowhere else.
    pub(crate) fn check_plain(&self, url: &Url) -> Result<(), PlaintextHost> {
        match literal(url) {
            Some(address) if !self.allows_plain(address) => Err(self.plain_refusal(&address.to_string())),
            _ => Ok(()),
        }
    }

    /// Whether what nobody else must read may go there over http: hosts that are named, and private ones where those are like
    /// any other. What is private by a name alone must be named.
    pub(crate) fn allows_plain_http(&self, url: &Url) -> bool {
        match literal(url) {
            Some(address) => self.names_address(address) || (self.allow_private && !is_public(address)),
            None => url.domain().is_some_and(|name| self.names(name)),
        }
    }

    fn plain_refusal(&self, host: &str) -> PlaintextHost {
        PlaintextHost { host: host.to_owned(), setting: self.setting }
    }

    fn allows_plain(&self, address: IpAddr) -> bool {
        !is_public(address) || self.names_address(address)
    }

    /// The addresses of `host` to which a password may go unprotected; whether they may be called at all is judged after.
    fn filter_plain(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, PlaintextHost> {
        if self.names(host) || found.is_empty() {
            return Ok(found);
        }
        let kept: Vec<IpAddr> = found.into_iter().filter(|address| self.allows_plain(*address)).collect();
        if kept.is_empty() { Err(self.plain_refusal(host)) } else { Ok(kept) }
    }

    fn refusal(&self, host: String) -> PrivateHost {
        PrivateHost { host, setting: self.setting }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow_private || is_public(address) || self.names_address(address)
    }

    fn names_address(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|allowed| allowed.parse() == Ok(address))
    }

    fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.allowed.iter().any(|allowed| allowed.trim_end_matches('.').eq_ignore_ascii_case(host))
    }

    /// The addresses of `host` that may be called.
    fn filter(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
        }
        let kept: Vec<IpAddr> = if self.names(host) {
            found
        } else {
            found.into_iter().filter(|address| self.allows(*address)).collect()
        };
        if kept.is_empty() { Err(self.refusal(host.to_owned()).into()) } else { Ok(kept) }
    }
}

/// The address that a URL names its host by; `None`: it has a name there, or no host.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Resolves the names of hosts to addresses.
#[async_trait]
pub trait DnsResolver: fmt::Debug + Send + Sync {
    /// The addresses of `host`, public and private; none, or an error, if there is no such name.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// What the system's resolver says.
#[derive(Clone, Copy, Debug)]
pub struct SystemDnsResolver;

#[async_trait]
impl DnsResolver for SystemDnsResolver {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|socket| socket.ip()).collect())
    }
}

/// Resolves names and leaves out what the guard refuses. The connection is opened to what it returns and to nothing
/// else.
#[derive(Clone, Debug)]
pub(crate) struct GuardedResolver {
    pub(crate) guard: Arc<SsrfGuard>,
    pub(crate) resolver: Arc<dyn DnsResolver>,
    /// Whether what is sent is a password that goes unprotected.
    pub(crate) plain: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { guard, resolver, plain } = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = match resolver.addresses(host).await {
                // The user may see this error: the host is public.
                Ok(found) if plain => Ok(guard.filter_plain(host, found)?),
                found => found,
            };
            let kept = match found.map_err(Into::into).and_then(|found| guard.filter(host, found)) {
                Err(reason) if guard.hide_private_hosts => {
                    tracing::info!(host, %reason, "a name that somebody has typed is not called");
                    return Err(NoPublicAddress { host: host.to_owned(), setting: guard.setting }.into());
                }
                kept => kept?,
            };
            // Port 0: the one that the address names.
            let addresses: Addrs = Box::new(kept.into_iter().map(|address| (address, 0).into()));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> SsrfGuard {
        SsrfGuard::of("channels.allowed_hosts")
    }

    fn check(guard: &SsrfGuard, url: &str) -> bool {
        guard.check(&url.parse().unwrap()).is_ok()
    }

    /// Every way to write a private address that a URL knows is that address.
    #[test]
    fn no_spelling_of_a_private_address_gets_through() {
        for url in [
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://0177.0.0.0x1:8080/",
            "http://017700000001/",
            "http://0/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "http://user@127.0.0.1/",
            "http://1.1.1.1@127.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0xa9fea9fe/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:a00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(!check(&strict(), url), "{url}");
        }
        for url in ["http://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://caldav.example.com/"] {
            assert!(check(&strict(), url), "{url}");
        }
    }

    #[test]
    fn what_the_configuration_allows_is_allowed() {
        let guard = strict().allowing(["10.0.0.5", "Nextcloud.lan", "fd00::5"]);
        assert!(check(&guard, "http://10.0.0.5/") && check(&guard, "http://[fd00::5]/"));
        assert!(!check(&guard, "http://10.0.0.6/"));
        let private: IpAddr = "10.0.0.9".parse().unwrap();
        assert!(guard.filter("nextcloud.lan.", vec![private]).is_ok());
        assert!(guard.filter("other.lan", vec![private]).is_err());
        assert!(guard.filter("other.lan", vec!["10.0.0.5".parse().unwrap()]).is_ok());
        assert!(check(&SsrfGuard { allow_private: true, ..strict() }, "http://127.0.0.1/"));
    }

    /// A name that means a public and a private address is called at the public one.
    #[test]
    fn a_name_is_judged_by_each_of_its_addresses() {
        let [public, private]: [IpAddr; 2] = ["1.1.1.1", "127.0.0.1"].map(|text| text.parse().unwrap());
        let guard = strict();
        assert_eq!(guard.filter("two.example", vec![private, public]).unwrap(), [public]);
        let refused = guard.filter("one.example", vec![private]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "one.example has a private address, which this installation does not allow; an administrator \
             can allow it (channels.allowed_hosts)"
        );
        assert!(refused.downcast_ref::<PrivateHost>().is_some(), "{refused}");
        assert!(guard.filter("none.example", Vec::new()).is_err());
    }

    #[test]
    fn plaintext_password_only_to_private_or_allowed_hosts() {
        let [public, private]: [IpAddr; 2] = ["1.1.1.1", "192.168.1.7"].map(|text| text.parse().unwrap());
        let guard = strict().allowing(["old.example", "8.8.8.8"]);
        let plain = |url: &str| guard.check_plain(&url.parse().unwrap()).is_ok();
        assert!(!plain("http://1.1.1.1/") && !plain("http://[2606:4700:4700::1111]/"));
        assert!(plain("http://192.168.1.7/") && plain("http://8.8.8.8/"));
        assert_eq!(guard.filter_plain("two.example", vec![public, private]), Ok(vec![private]));
        assert_eq!(guard.filter_plain("old.example", vec![public]), Ok(vec![public]));
        let refused = guard.filter_plain("one.example", vec![public]).unwrap_err().to_string();
        assert!(refused.contains("one.example") && refused.contains("https://"), "{refused}");
    }

    #[derive(Debug)]
    struct StaticNames;

    #[async_trait]
    impl DnsResolver for StaticNames {
        async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
            match host {
                "inside.example" => Ok(vec![IpAddr::from([10, 0, 0, 9])]),
                "empty.example" => Ok(Vec::new()),
                _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            }
        }
    }

    #[tokio::test]
    async fn private_name_is_refused_like_an_unknown_one() {
        let guard = Arc::new(SsrfGuard { hide_private_hosts: true, ..strict() });
        let resolver = GuardedResolver { guard, resolver: Arc::new(StaticNames), plain: false };
        for host in ["inside.example", "empty.example", "unknown.example"] {
            let Err(refused) = resolver.resolve(host.parse().unwrap()).await else { panic!("{host}") };
            assert_eq!(
                refused.to_string().replace(host, "HOST"),
                "no public address found for HOST; if it is in your own network, an administrator \
                 can allow it (channels.allowed_hosts)"
            );
            assert!(refused.downcast_ref::<PrivateHost>().is_none(), "{refused}");
        }
    }

    #[tokio::test]
    async fn the_resolver_refuses_this_machine_by_any_name() {
        for name in ["localhost", "LOCALHOST"] {
            let (guard, resolver) = (Arc::new(strict()), Arc::new(SystemDnsResolver));
            let resolver = GuardedResolver { guard, resolver, plain: false };
            let refused = resolver.resolve(name.parse().unwrap()).await.err().unwrap();
            assert!(refused.downcast_ref::<PrivateHost>().is_some(), "{name}: {refused}");
        }
    }
}
