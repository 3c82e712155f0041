//! From what a person knows to where their calendars are (RFC 6764, 5397, 4791).
//!
//! A person gives a server's address, its name, or an e-mail address. From there: the well-known place, the principal,
//! the calendar home. Redirects are followed by hand (`walk.rs`), and the password goes to nobody but the server that was named, and
//! to whom that one sends us over https. SRV records are not asked for: they need a resolver of their own, and who has
//! them has the well-known place too.

mod walk;

use std::fmt;

use chrono_tz::Tz;
use secrecy::SecretString;
use url::{Host, Url};

use self::walk::DiscoveryWalk;
use super::{
    Caldav,
    address::{calendar_id, close, is_kindred},
    presets,
};
use crate::provider::ProviderCredentials;

/// What a person gives.
#[derive(Clone)]
pub struct CaldavLogin {
    /// A server's address or name, or an e-mail address.
    pub address: String,
    /// The name to sign in with.
    pub user: String,
    /// An app password, where the server has such.
    pub password: SecretString,
}

/// Where an account's calendars are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaldavDiscovery {
    /// All of them are below it.
    pub home: Url,
    /// The id of a calendar, where that is what the person's address is the address of.
    pub calendar: Option<String>,
}

impl CaldavLogin {
    /// What opens the account, once it is found; its owner lives in `zone`.
    pub fn credentials(&self, home: Url, zone: Tz) -> ProviderCredentials {
        ProviderCredentials::Password { user: self.user.clone(), password: self.password.clone(), home, zone }
    }
}

impl fmt::Debug for CaldavLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People write passwords into addresses too.
        let (scheme, rest) = self.address.split_once("://").unwrap_or(("", &self.address));
        let place = rest.rsplit('@').next().unwrap_or_default();
        f.debug_struct("Asked")
            .field("scheme", &scheme)
            .field("place", &place)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why no calendars were found. Its text is for the person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// What was given is no address.
    #[error("this is neither a server address nor an email address")]
    Address,
    /// The name or the password is wrong, or it must be an app password.
    #[error("{host} does not accept this user name and password; many servers want an app password here")]
    WrongPassword { host: String },
    /// There is something, but no calendars.
    #[error("{host} responded, but it has no CalDAV; see the server's help for its CalDAV address")]
    NoCaldav { host: String },
    #[error("the certificate of {host} is not valid, so the password was not sent")]
    Certificate { host: String },
    #[error("{0}")]
    Refused(String),
    /// It sends us where the password must not go.
    #[error("{from} sends us on to {to}, and the password must not go there; give that address instead")]
    Elsewhere { from: String, to: String },
    /// https was spoken to it, and it speaks http.
    #[error(
        "{host} does not speak https at port {port}, so the password was not sent; give the port at which it does, or an \
         address with http:// if it stands in your own network"
    )]
    NoTls { host: String, port: u16 },
    /// The address is that of a calendar which the account does not list.
    #[error(
        "the account {user} has no calendar at {place}; give the address of the server and choose a calendar afterwards"
    )]
    NotListed {
        user: String,
        /// The calendar that was named.
        place: String,
    },
    /// The address is that of a calendar which the account may only read.
    #[error(
        "the account {user} may not write to {place}; give the address of the server and choose another calendar afterwards"
    )]
    NotWritable {
        user: String,
        /// The calendar that was named.
        place: String,
    },
    #[error("{host} cannot be reached: {why}")]
    Unreachable { host: String, why: String },
}

impl DiscoveryError {
    /// Of several addresses that were tried, what is most worth telling.
    fn weight(&self) -> u8 {
        match self {
            Self::Address => 0,
            Self::Unreachable { .. } => 1,
            Self::NoCaldav { .. } => 2,
            Self::Elsewhere { .. } => 3,
            Self::Certificate { .. } | Self::NoTls { .. } => 4,
            Self::Refused(_) => 5,
            Self::WrongPassword { .. } => 6,
            Self::NotListed { .. } | Self::NotWritable { .. } => 7,
        }
    }
}

/// A place to begin at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiscoveryCandidate {
    pub(super) url: Url,
    /// Whether the person named this server, rather than their mail's domain: then the password may go there at once.
    pub(super) user_supplied: bool,
}

/// Where to look, in this order.
fn candidates(address: &str) -> Result<Vec<DiscoveryCandidate>, DiscoveryError> {
    let address = address.trim();
    let (_, mail_domain) = address.rsplit_once('@').unwrap_or_default();
    if !address.contains("://") && !mail_domain.is_empty() && !mail_domain.contains('/') {
        let url = parse_web_address(&format!("https://{mail_domain}/"))?;
        return Ok(preset(&url).unwrap_or_else(|| vec![well_known(&url, false)]));
    }
    let url = if address.contains("://") {
        parse_web_address(address)?
    } else {
        parse_web_address(&format!("https://{address}"))?
    };
    if let Some(preset) = preset(&url) {
        return Ok(preset);
    }
    let given = DiscoveryCandidate { url: url.clone(), user_supplied: true };
    // A bare name is rarely the place itself; an address with a path mostly is.
    Ok(if url.path() == "/" {
        vec![well_known(&url, true), given]
    } else {
        vec![given, well_known(&url, true)]
    })
}

fn parse_web_address(text: &str) -> Result<Url, DiscoveryError> {
    let text = text.replacen("caldavs://", "https://", 1).replacen("caldav://", "http://", 1);
    let mut url: Url = text.parse().map_err(|_| DiscoveryError::Address)?;
    let nameable = match url.host() {
        Some(Host::Domain(name)) => {
            !name.is_empty() && !name.starts_with('.') && !name.contains(['%', '_', ' '])
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    if !nameable
        || !matches!(url.scheme(), "https" | "http")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(DiscoveryError::Address);
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn preset(url: &Url) -> Option<Vec<DiscoveryCandidate>> {
    let address = presets::preset_for_domain(url.domain()?)?.address?;
    Some(vec![DiscoveryCandidate { url: address.parse().ok()?, user_supplied: true }])
}

fn well_known(url: &Url, user_supplied: bool) -> DiscoveryCandidate {
    let mut url = url.clone();
    url.set_path("/.well-known/caldav");
    DiscoveryCandidate { url, user_supplied }
}

impl Caldav {
    /// Finds the calendars of an account.
    pub async fn discover(&self, asked: &CaldavLogin) -> Result<CaldavDiscovery, DiscoveryError> {
        let mut told: Option<DiscoveryError> = None;
        for candidate in candidates(&asked.address)? {
            match self.home_from(asked, candidate).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    tracing::debug!(%error, "no calendars were found there");
                    let last = told.take();
                    told = Some(last.filter(|last| last.weight() >= error.weight()).unwrap_or(error));
                }
            }
            if matches!(told, Some(DiscoveryError::WrongPassword { .. })) {
                // To ask again would only bring the account nearer to being locked.
                break;
            }
        }
        Err(told.unwrap_or(DiscoveryError::Address))
    }

    async fn home_from(
        &self,
        asked: &CaldavLogin,
        candidate: DiscoveryCandidate,
    ) -> Result<CaldavDiscovery, DiscoveryError> {
        let mut walk = DiscoveryWalk::new(self, asked, candidate)?;
        let mut found = walk.properties().await?;
        // Without a password a server may tell that there is a principal, and not whose.
        if found.current_user_principal.is_none() && found.calendar_home.is_none() && !walk.signed_in {
            walk.signed_in = true;
            found = walk.properties().await?;
        }
        let named = found.is_calendar.then(|| walk.at.clone());
        if let Some(principal) = &found.current_user_principal {
            walk.go(principal)?;
            found = walk.properties().await?;
        }
        let home = found.calendar_home.as_deref().ok_or_else(|| walk.no_caldav())?;
        let home = walk.home(home)?;
        let calendar = named.filter(|named| is_kindred(&home, named)).map(|mut named| {
            close(&mut named);
            calendar_id(&home, &named)
        });
        Ok(CaldavDiscovery { home, calendar })
    }
}

/// Of an address, for people.
pub(super) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(address: &str) -> Vec<String> {
        candidates(address).unwrap().into_iter().map(|candidate| candidate.url.into()).collect()
    }

    #[test]
    fn what_people_write_is_where_they_mean() {
        for (address, first) in [
            ("https://cloud.example.org/remote.php/dav", "https://cloud.example.org/remote.php/dav"),
            ("cloud.example.org/remote.php/dav", "https://cloud.example.org/remote.php/dav"),
            (" cloud.example.org ", "https://cloud.example.org/.well-known/caldav"),
            ("http://nextcloud.lan:8080", "http://nextcloud.lan:8080/.well-known/caldav"),
            ("caldavs://cloud.example.org/x/", "https://cloud.example.org/x/"),
            ("ana@example.org", "https://example.org/.well-known/caldav"),
            ("ana@icloud.com", "https://caldav.icloud.com/"),
            ("icloud.com", "https://caldav.icloud.com/"),
            ("ana@fastmail.com", "https://caldav.fastmail.com/"),
            (
                "https://cloud.example.org/dav/ana@example.org/",
                "https://cloud.example.org/dav/ana@example.org/",
            ),
        ] {
            assert_eq!(places(address)[0], first, "{address}");
        }
        for address in
            ["", "   ", "ftp://example.org", "https://", "https://ana:secret@example.org/", "not an address"]
        {
            assert_eq!(candidates(address), Err(DiscoveryError::Address), "{address}");
        }
    }

    /// The domain of somebody's mail is not the server that they gave their password for.
    #[test]
    fn a_mails_domain_is_asked_without_the_password_first() {
        assert!(!candidates("ana@example.org").unwrap()[0].user_supplied);
        assert!(candidates("example.org").unwrap().iter().all(|candidate| candidate.user_supplied));
    }
}
