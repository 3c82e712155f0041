//! Where an address leads. Each step is checked as the first one was; whom it calls, the guard decides at each connection.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{address::with_web_scheme, error::FeedError};

/// Platforms lead on once or twice; a browser gives up after twenty.
const MAX_REDIRECTS: usize = 5;

/// The addresses that were called, and what follows from how one led to the next.
pub(super) struct RedirectChain {
    /// In order; the last one is where we are. Without credentials.
    been: Vec<Url>,
    credentials: Option<FeedCredentials>,
    /// Whether all redirects so far were permanent.
    permanent: bool,
}

struct FeedCredentials {
    given: Url,
    header: HeaderValue,
}

/// Whether the status leads on to another address (RFC 9110, section 15.4).
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl RedirectChain {
    /// Begins at the address that was given.
    pub(super) fn from(given: &Url) -> Result<Self, FeedError> {
        check_redirect_target(given).map_err(FeedError::BadAddress)?;
        let credentials =
            basic_auth_header(given).map(|header| FeedCredentials { given: given.clone(), header });
        Ok(Self { been: vec![without_credentials(given.clone())], credentials, permanent: true })
    }

    /// The address to call.
    #[expect(clippy::indexing_slicing, reason = "it begins with one and never loses any")]
    pub(super) fn here(&self) -> &Url {
        &self.been[self.been.len() - 1]
    }

    /// What goes to the origin that it was given for, and to no other (RFC 9110, section 15.4).
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let credentials = self.credentials.as_ref()?;
        (credentials.given.origin() == self.here().origin()).then(|| credentials.header.clone())
    }

    /// Goes where an answer leads.
    pub(super) fn follow(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), FeedError> {
        let next = self.target(headers).map_err(FeedError::BadRedirect)?;
        if self.been.contains(&next) || self.been.len() > MAX_REDIRECTS {
            return Err(FeedError::TooManyRedirects);
        }
        self.permanent &= matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
        self.been.push(next);
        Ok(())
    }

    fn target(&self, headers: &HeaderMap) -> Result<Url, &'static str> {
        let location = headers.get(LOCATION).ok_or("it does not say which")?;
        let location = location.to_str().map_err(|_| "it is no web address")?;
        let target = self.here().join(location).map_err(|_| "it is no web address")?;
        // Credentials that a server makes up are not ours to send.
        let target = without_credentials(with_web_scheme(target));
        check_redirect_target(&target)?;
        if self.here().scheme() == "https" && target.scheme() == "http" {
            return Err("it is not encrypted (http), though the first one is");
        }
        Ok(target)
    }

    /// The address that is to be used from now on, if there is such.
    pub(super) fn moved_to(&self) -> Option<Url> {
        if self.been.len() < 2 || !self.permanent {
            return None;
        }
        let mut moved = self.here().clone();
        if let Some(FeedCredentials { given, .. }) = &self.credentials
            && given.origin() == moved.origin()
        {
            // These can be set on every address that has a host.
            let _ = moved.set_username(given.username());
            let _ = moved.set_password(given.password());
        }
        Some(moved)
    }
}

fn check_redirect_target(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Err("it does not begin with https://")
    } else if url.host_str().is_none_or(str::is_empty) {
        Err("it has no host name")
    } else if url.port() == Some(0) {
        Err("nothing can be reached at port 0")
    } else {
        Ok(())
    }
}

/// As it is called: no credentials, which would be logged; no fragment, which means nothing to a server.
fn without_credentials(mut url: Url) -> Url {
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

fn basic_auth_header(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let [user, password] = [url.username(), url.password().unwrap_or_default()]
        .map(|text| percent_decode_str(text).collect::<Vec<u8>>());
    let pair = [user, password].join(&b':');
    let mut header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(url: &str) -> RedirectChain {
        RedirectChain::from(&url.parse().unwrap()).unwrap()
    }

    fn led(trail: &mut RedirectChain, location: &str) -> Result<String, FeedError> {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        trail.follow(StatusCode::MOVED_PERMANENTLY, &headers)?;
        Ok(trail.here().to_string())
    }

    #[test]
    fn what_was_encrypted_stays_so() {
        for (from, to, expected) in [
            ("https://a.example/1", "https://b.example/2", Some("https://b.example/2")),
            ("https://a.example/1", "webcal://b.example/2", Some("https://b.example/2")),
            ("https://a.example/1", "//b.example/2#x", Some("https://b.example/2")),
            ("https://a.example/1", "http://a.example/1", None),
            ("https://a.example/1", "http://b.example/2", None),
            ("http://a.example/1", "https://a.example/1", Some("https://a.example/1")),
            ("http://a.example/1", "http://b.example/2", Some("http://b.example/2")),
        ] {
            assert_eq!(led(&mut trail(from), to).ok().as_deref(), expected, "{from} {to}");
        }
        // Not in two steps either.
        let mut trail = trail("http://a.example/1");
        led(&mut trail, "https://a.example/2").unwrap();
        assert!(matches!(led(&mut trail, "http://a.example/3"), Err(FeedError::BadRedirect(_))));
    }

    /// Scheme, host and port make an origin (RFC 6454, section 4).
    #[test]
    fn credentials_stay_at_their_origin() {
        let given = "https://ana:p%40ss@a.example/1";
        for (to, sent) in [
            ("/2", true),
            ("https://a.example:443/2", true),
            ("https://A.EXAMPLE/2", true),
            ("https://a.example:8443/2", false),
            ("https://b.example/2", false),
            ("https://a.example.b.example/2", false),
            ("https://ana:other@b.example/2", false),
        ] {
            let mut trail = trail(given);
            assert!(trail.authorization().is_some());
            led(&mut trail, to).unwrap();
            assert_eq!(trail.authorization().is_some(), sent, "{to}");
            assert_eq!(trail.moved_to().unwrap().password(), sent.then_some("p%40ss"), "{to}");
        }
        // Back at home they are sent again.
        let mut trail = trail(given);
        led(&mut trail, "https://b.example/2").unwrap();
        led(&mut trail, "https://a.example/3").unwrap();
        let header = trail.authorization().unwrap();
        assert_eq!((header.to_str().unwrap(), header.is_sensitive()), ("Basic YW5hOnBAc3M=", true));
    }
}
