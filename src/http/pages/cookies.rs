//! What the browser keeps for us: cookies, and the token of a session in one of them, of which the database holds the digest.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use axum_extra::extract::cookie::CookieJar;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use concord_storage::{secret, sign_in};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::app::App;

/// The cookie that holds the token.
const COOKIE: &str = "concord_session";

/// The token of a browser's session. Its digest names the session; what is derived from it proves that a form or a
/// flash came from us for this very session.
pub(crate) struct SessionToken(SecretString);

impl SessionToken {
    /// A token for a session about to begin.
    pub(super) fn new() -> Self {
        Self(secret::new_token("cs_"))
    }

    /// The token that a browser sent, true or not.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let token = read_cookie(headers, COOKIE)?;
        (!token.is_empty()).then(|| Self(SecretString::from(token)))
    }

    /// As the database knows it.
    pub(crate) fn digest(&self) -> String {
        secret::digest(&self.0)
    }

    /// What every form of the session carries.
    pub(super) fn form_token(&self) -> String {
        self.sign("form", b"")
    }

    /// Whether a form carries what it should.
    pub(super) fn is_form_token(&self, sent: &str) -> bool {
        self.verify("form", b"", sent)
    }

    /// A mark on something that the browser keeps for us.
    pub(super) fn sign(&self, purpose: &str, bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(purpose, bytes).finalize().into_bytes())
    }

    /// Whether the mark is ours.
    pub(super) fn verify(&self, purpose: &str, bytes: &[u8], mark: &str) -> bool {
        self.sign(purpose, bytes).as_bytes().ct_eq(mark.as_bytes()).into()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()).expect("a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac
    }

    /// The cookie that begins the session in the browser. It stays there for as long as a session can hold: when one is
    /// over is for the database to say.
    pub(super) fn cookie(&self, app: &App) -> HeaderValue {
        let longest = sign_in::max_session_age(app.config.security.session);
        cookie(app, COOKIE, self.0.expose_secret(), longest.as_secs())
    }

    /// The cookie that ends it.
    pub(super) fn removal_cookie(app: &App) -> HeaderValue {
        cookie(app, COOKIE, "", 0)
    }
}

/// A cookie of ours: out of scripts' reach, and not sent with what other sites embed or post. `Lax`, since the
/// provider's consent page leads back here from elsewhere. `value` is of letters, digits, `.`, `-` and `_`.
#[expect(clippy::expect_used, reason = "visible ASCII")]
pub(super) fn cookie(app: &App, name: &str, value: &str, seconds: u64) -> HeaderValue {
    let secure = if app.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("visible ASCII")
}

/// What a cookie of ours holds.
pub(super) fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_one_session_one_purpose_and_one_text() {
        let (ours, other) = (SessionToken::new(), SessionToken::new());
        let mark = ours.sign("flash", b"Saved");
        assert!(ours.verify("flash", b"Saved", &mark));
        assert!(!ours.verify("flash", b"Lost", &mark));
        assert!(!ours.verify("form", b"Saved", &mark));
        assert!(!other.verify("flash", b"Saved", &mark));
        assert!(!ours.verify("flash", b"Saved", ""));
    }

    #[test]
    fn a_cookie_that_is_not_there_is_no_session() {
        assert!(SessionToken::from_headers(&HeaderMap::new()).is_none());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("concord_session="));
        assert!(SessionToken::from_headers(&headers).is_none());
    }
}
