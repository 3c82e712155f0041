//! Which browser asked for a link: it has a cookie with a random word, and the link's row the digest of that.

use axum::http::{HeaderMap, HeaderValue};
use concord_storage::secret;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    app::App,
    http::pages::cookies::{cookie, read_cookie},
};

const COOKIE: &str = "concord_browser";

/// The word of a browser that wants to sign in.
pub(super) struct BrowserNonce(SecretString);

impl BrowserNonce {
    /// That of the browser, or a new one. It keeps its own: two links that were asked for one after the other both know it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::read(headers).unwrap_or_else(|| Self(secret::new_token("")))
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        // Whatever else is in the cookie is no word of ours, and may not be fit for a header.
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let kept = read_cookie(headers, COOKIE).filter(|kept| kept.len() == 43 && kept.chars().all(fits));
        kept.map(|kept| Self(kept.into()))
    }

    /// As the row of a link has it.
    pub(super) fn digest(&self) -> String {
        secret::digest(&self.0)
    }

    /// The cookie that keeps it, for as long as a link works.
    pub(super) fn cookie(&self, app: &App) -> HeaderValue {
        cookie(app, COOKIE, self.0.expose_secret(), app.config.security.sign_in_link.as_secs())
    }
}

/// Whether these headers come from the browser whose word has this digest.
pub(super) fn is_same(headers: &HeaderMap, digest: &str) -> bool {
    let sent = BrowserNonce::read(headers).map(|nonce| nonce.digest());
    sent.is_some_and(|sent| sent.as_bytes().ct_eq(digest.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn browser_keeps_its_word_and_no_other() {
        let with = |word: &str| {
            let cookie = HeaderValue::from_str(&format!("{COOKIE}={word}")).unwrap();
            HeaderMap::from_iter([(header::COOKIE, cookie)])
        };
        let nonce = BrowserNonce::of(&HeaderMap::new());
        let own = with(nonce.0.expose_secret());
        assert_eq!(BrowserNonce::of(&own).digest(), nonce.digest());
        assert!(is_same(&own, &nonce.digest()));
        let other = BrowserNonce::of(&HeaderMap::new());
        assert!(!is_same(&with(other.0.expose_secret()), &nonce.digest()));
        for made_up in ["", "short", &"ä".repeat(43), &"a;b".repeat(20)] {
            assert!(!is_same(&with(made_up), &nonce.digest()), "{made_up}");
            assert_eq!(BrowserNonce::of(&with(made_up)).0.expose_secret().len(), 43);
        }
        assert!(!is_same(&HeaderMap::new(), ""));
    }
}
