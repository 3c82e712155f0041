//! From one address to the next, with a password that must not go astray.

use chrono_tz::Tz;
use http::{HeaderValue, StatusCode, header::LOCATION};
use url::Url;

use super::{
    super::{
        Caldav,
        address::{close, is_kindred},
        requests,
        session::basic,
        xml::{self, DavProperties},
    },
    CaldavLogin, DiscoveryCandidate, DiscoveryError, host,
};
use crate::{error::ProviderError, http::NO_TLS};

/// Steps from one address to the next.
const MAX_HOPS: usize = 5;

/// On the way from one address to the next.
pub(super) struct DiscoveryWalk<'a> {
    caldav: &'a Caldav,
    authorization: HeaderValue,
    pub(super) at: Url,
    /// Whether the server that we are at gets the password.
    pub(super) signed_in: bool,
}

impl<'a> DiscoveryWalk<'a> {
    pub(super) fn new(
        caldav: &'a Caldav,
        asked: &CaldavLogin,
        from: DiscoveryCandidate,
    ) -> Result<Self, DiscoveryError> {
        let wrong = |_| DiscoveryError::WrongPassword { host: host(&from.url) };
        let authorization = basic(&asked.credentials(from.url.clone(), Tz::UTC)).map_err(wrong)?;
        Ok(Self { caldav, authorization, at: from.url, signed_in: from.user_supplied })
    }

    /// What the resource says of itself, after its redirects.
    pub(super) async fn properties(&mut self) -> Result<DavProperties, DiscoveryError> {
        for _ in 0..=MAX_HOPS {
            let authorization = self.signed_in.then_some(&self.authorization);
            let request = requests::principal();
            let (headers, body) = (request.headers(), request.body.into());
            let response = self.caldav.send(request.method, &self.at, authorization, &headers, body).await;
            let response = response.map_err(|error| self.failed(error))?;
            match response.status {
                StatusCode::MULTI_STATUS => {
                    let read = xml::multistatus(&response.body).ok_or_else(|| self.no_caldav())?;
                    let first = read.responses.into_iter().next();
                    return Ok(first.map(|response| response.found).unwrap_or_default());
                }
                StatusCode::UNAUTHORIZED if self.signed_in => {
                    return Err(DiscoveryError::WrongPassword { host: host(&self.at) });
                }
                // A server that asks for a password at the well-known place is the one that has the calendars.
                StatusCode::UNAUTHORIZED => self.signed_in = true,
                status if status.is_redirection() => {
                    let location = response.header(&LOCATION);
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

    /// A redirect is the word of the server itself: over https it may name whom it likes. From plain http, where anybody on
    /// the way could have written it, only the same host is followed: to https, or to the very same port, since behind
    /// another one may stand somebody else's server.
    fn follow(&mut self, next: Url) -> Result<(), DiscoveryError> {
        let from_safe = self.at.scheme() == "https" && next.scheme() == "https";
        let to_itself =
            self.at.origin() == next.origin() || (self.at.host() == next.host() && next.scheme() == "https");
        if !from_safe && !to_itself {
            return Err(self.elsewhere(&next));
        }
        self.signed_in |= self.at.origin() != next.origin();
        self.at = next;
        Ok(())
    }

    /// On to what the server names in its answer.
    pub(super) fn go(&mut self, href: &str) -> Result<(), DiscoveryError> {
        self.at = self.kindred(href)?;
        self.signed_in = true;
        Ok(())
    }

    pub(super) fn home(&self, href: &str) -> Result<Url, DiscoveryError> {
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
            ProviderError::Transient(why) if why == NO_TLS => DiscoveryError::NoTls {
                host: host(&self.at),
                port: self.at.port_or_known_default().unwrap_or_default(),
            },
            ProviderError::Transient(why) => self.unreachable(why),
            _ => self.no_caldav(),
        }
    }

    pub(super) fn no_caldav(&self) -> DiscoveryError {
        DiscoveryError::NoCaldav { host: host(&self.at) }
    }

    fn unreachable(&self, why: String) -> DiscoveryError {
        DiscoveryError::Unreachable { host: host(&self.at), why }
    }

    fn elsewhere(&self, to: &Url) -> DiscoveryError {
        DiscoveryError::Elsewhere { from: host(&self.at), to: to[..url::Position::BeforePath].to_owned() }
    }
}
