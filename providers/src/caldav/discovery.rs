//! From what a person knows to where their calendars are (RFC 6764, 5397, 4791).
//!
//! A person gives a server's address, its name, or an e-mail address. From there: the well-known place, the principal,
//! the calendar home. Redirects are followed by hand, and the password goes to nobody but the server that was named, and
//! to whom that one sends us over https. SRV records are not asked for: they need a resolver of their own, and who has
//! them has the well-known place too.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header::LOCATION};
use secrecy::SecretString;
use url::{Host, Url};

use super::{
    Caldav,
    address::{close, is_kindred},
    presets, requests,
    session::{about_one, basic},
    xml::{self, Properties},
};
use crate::{error::ProviderError, provider::Credentials};

/// Steps from one address to the next.
const MOST_HOPS: usize = 5;

/// What a person gives.
#[derive(Clone)]
pub struct Asked {
    /// A server's address or name, or an e-mail address.
    pub address: String,
    /// The name to sign in with.
    pub user: String,
    /// An app password, where the server has such.
    pub password: SecretString,
}

impl fmt::Debug for Asked {
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
    #[error("this is neither the address of a server nor an e-mail address")]
    Address,
    /// The name or the password is wrong, or it must be an app password.
    #[error("{host} does not accept this user name and password; many servers want an app password here")]
    WrongPassword {
        /// Who said so.
        host: String,
    },
    /// There is something, but no calendars.
    #[error("{host} answers, but there is no CalDAV there; the server's help tells its CalDAV address")]
    NoCaldav {
        /// Who was asked.
        host: String,
    },
    /// TLS.
    #[error("the certificate of {host} is not valid, so the password was not sent")]
    Certificate {
        /// Whose.
        host: String,
    },
    /// The guard.
    #[error("{0}")]
    Refused(String),
    /// It sends us where the password must not go.
    #[error("{from} sends us on to {to}, and the password must not go there; give that address instead")]
    Elsewhere {
        /// Who did.
        from: String,
        /// Where to.
        to: String,
    },
    /// Nobody answers.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Who.
        host: String,
        /// The network's words.
        why: String,
    },
}

impl DiscoveryError {
    /// Of several addresses that were tried, what is most worth telling.
    fn weight(&self) -> u8 {
        match self {
            Self::Address => 0,
            Self::Unreachable { .. } => 1,
            Self::NoCaldav { .. } => 2,
            Self::Elsewhere { .. } => 3,
            Self::Certificate { .. } => 4,
            Self::Refused(_) => 5,
            Self::WrongPassword { .. } => 6,
        }
    }
}

/// A place to begin at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    url: Url,
    /// Whether the person named this server, rather than their mail's domain: then the password may go there at once.
    named: bool,
}

/// Where to look, in this order.
fn candidates(address: &str) -> Result<Vec<Candidate>, DiscoveryError> {
    let address = address.trim();
    let (_, mail_domain) = address.rsplit_once('@').unwrap_or_default();
    if !address.contains("://") && !mail_domain.is_empty() && !mail_domain.contains('/') {
        let url = web(&format!("https://{mail_domain}/"))?;
        return Ok(preset(&url).unwrap_or_else(|| vec![well_known(&url, false)]));
    }
    let url = if address.contains("://") { web(address)? } else { web(&format!("https://{address}"))? };
    if let Some(preset) = preset(&url) {
        return Ok(preset);
    }
    let given = Candidate { url: url.clone(), named: true };
    // A bare name is rarely the place itself; an address with a path mostly is.
    Ok(if url.path() == "/" {
        vec![well_known(&url, true), given]
    } else {
        vec![given, well_known(&url, true)]
    })
}

fn web(text: &str) -> Result<Url, DiscoveryError> {
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

fn preset(url: &Url) -> Option<Vec<Candidate>> {
    let address = presets::of_domain(url.domain()?)?.address?;
    Some(vec![Candidate { url: address.parse().ok()?, named: true }])
}

fn well_known(url: &Url, named: bool) -> Candidate {
    let mut url = url.clone();
    url.set_path("/.well-known/caldav");
    Candidate { url, named }
}

impl Caldav {
    /// Finds the calendars of an account; what it returns opens them.
    pub async fn discover(&self, asked: &Asked) -> Result<Credentials, DiscoveryError> {
        let mut told: Option<DiscoveryError> = None;
        for candidate in candidates(&asked.address)? {
            match self.home_from(asked, candidate).await {
                Ok(home) => return Ok(credentials(asked, home)),
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

    async fn home_from(&self, asked: &Asked, candidate: Candidate) -> Result<Url, DiscoveryError> {
        let mut walk = Walk::new(self, asked, candidate)?;
        let found = walk.properties().await?;
        let found = match found.current_user_principal {
            // Without a password a server may tell that there is one, and not whose.
            None if !walk.signed_in && found.calendar_home.is_none() => {
                walk.signed_in = true;
                walk.properties().await?
            }
            _ => found,
        };
        if let Some(principal) = &found.current_user_principal {
            walk.go(principal)?;
            let found = walk.properties().await?;
            return match &found.calendar_home {
                Some(home) => walk.home(home),
                None => Err(walk.no_caldav()),
            };
        }
        match &found.calendar_home {
            Some(home) => walk.home(home),
            None => Err(walk.no_caldav()),
        }
    }
}

fn credentials(asked: &Asked, home: Url) -> Credentials {
    Credentials::Password { user: asked.user.clone(), password: asked.password.clone(), home }
}

/// On the way from one address to the next.
struct Walk<'a> {
    caldav: &'a Caldav,
    authorization: HeaderValue,
    at: Url,
    /// Whether the server that we are at gets the password.
    signed_in: bool,
}

impl<'a> Walk<'a> {
    fn new(caldav: &'a Caldav, asked: &Asked, from: Candidate) -> Result<Self, DiscoveryError> {
        let wrong = |_| DiscoveryError::WrongPassword { host: host(&from.url) };
        let authorization = basic(&credentials(asked, from.url.clone())).map_err(wrong)?;
        Ok(Self { caldav, authorization, at: from.url, signed_in: from.named })
    }

    /// What the resource says of itself, after its redirects.
    async fn properties(&mut self) -> Result<Properties, DiscoveryError> {
        let method = Method::from_bytes(b"PROPFIND").map_err(|_| DiscoveryError::Address)?;
        for _ in 0..=MOST_HOPS {
            let authorization = self.signed_in.then_some(&self.authorization);
            let body = Bytes::from(requests::principal());
            let answer = self.caldav.send(&method, &self.at, authorization, &about_one(), body).await;
            let answer = answer.map_err(|error| self.failed(error))?;
            match answer.status {
                StatusCode::MULTI_STATUS => {
                    let read = xml::multistatus(&answer.body).ok_or_else(|| self.no_caldav())?;
                    let first = read.responses.into_iter().next();
                    return Ok(first.map(|response| response.found).unwrap_or_default());
                }
                StatusCode::UNAUTHORIZED if self.signed_in => {
                    return Err(DiscoveryError::WrongPassword { host: host(&self.at) });
                }
                // A server that asks for a password at the well-known place is the one that has the calendars.
                StatusCode::UNAUTHORIZED => self.signed_in = true,
                status if status.is_redirection() => {
                    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
                    let next = location.and_then(|location| self.at.join(location).ok());
                    let next = next.ok_or_else(|| self.no_caldav())?;
                    self.follow(next)?;
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    return Err(self.unreachable("it asks to slow down".to_owned()));
                }
                status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                    return Err(self.unreachable(format!("it answered {status}")));
                }
                _ => return Err(self.no_caldav()),
            }
        }
        Err(self.unreachable("it sends us round in circles".to_owned()))
    }

    /// A redirect is the word of the server itself: over https it may name whom it likes. From plain http only the same
    /// host is followed, to https or to itself: anybody on the way could have written it.
    fn follow(&mut self, next: Url) -> Result<(), DiscoveryError> {
        let from_safe = self.at.scheme() == "https" && next.scheme() == "https";
        let same_host =
            self.at.host() == next.host() && !(self.at.scheme() == "https" && next.scheme() == "http");
        if !from_safe && !same_host {
            return Err(self.elsewhere(&next));
        }
        self.signed_in |= self.at.origin() != next.origin();
        self.at = next;
        Ok(())
    }

    /// On to what the server names in its answer.
    fn go(&mut self, href: &str) -> Result<(), DiscoveryError> {
        self.at = self.kindred(href)?;
        self.signed_in = true;
        Ok(())
    }

    fn home(&self, href: &str) -> Result<Url, DiscoveryError> {
        let mut home = self.kindred(href)?;
        close(&mut home);
        Ok(home)
    }

    fn kindred(&self, href: &str) -> Result<Url, DiscoveryError> {
        let url = self.at.join(href).map_err(|_| self.no_caldav())?;
        if is_kindred(&self.at, &url) { Ok(url) } else { Err(self.elsewhere(&url)) }
    }

    fn failed(&self, error: ProviderError) -> DiscoveryError {
        match error {
            ProviderError::Rejected(why) => DiscoveryError::Refused(why),
            ProviderError::Transient(why) if why.contains("certificate") => {
                DiscoveryError::Certificate { host: host(&self.at) }
            }
            ProviderError::Transient(why) => self.unreachable(why),
            _ => self.no_caldav(),
        }
    }

    fn no_caldav(&self) -> DiscoveryError {
        DiscoveryError::NoCaldav { host: host(&self.at) }
    }

    fn unreachable(&self, why: String) -> DiscoveryError {
        DiscoveryError::Unreachable { host: host(&self.at), why }
    }

    fn elsewhere(&self, to: &Url) -> DiscoveryError {
        DiscoveryError::Elsewhere { from: host(&self.at), to: to[..url::Position::BeforePath].to_owned() }
    }
}

fn host(url: &Url) -> String {
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
        assert!(!candidates("ana@example.org").unwrap()[0].named);
        assert!(candidates("example.org").unwrap().iter().all(|candidate| candidate.named));
    }
}
