//! Signing in by OpenID Connect, with any issuer: its discovery document, the way to its sign-in page, and what it says of
//! whoever comes back.
//!
//! It stands on `oauth2`, as the calendars do. The crate openidconnect would bring the crate rsa, of which RUSTSEC-2023-0071
//! has no fix, for signatures that nobody needs to check here: an ID token that came from the token endpoint itself is known by TLS
//! (OpenID Connect Core 1.0, 3.1.3.7, point 6). So every address is https, but on this machine.

mod discovery;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use concord_domain::{
    clock::Clock,
    oidc::{ClaimedEmail, EmailClaims, ExpectedIdToken, IdTokenFault},
};
use http::{Request, header::AUTHORIZATION};
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use url::Url;

use self::discovery::DiscoveryCache;
pub use self::discovery::{Discovery, is_protected};
use crate::{credentials::ProviderCredentials, error::ProviderError, http::HttpClient};

/// What is known of this installation at an issuer.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Exactly as the issuer calls itself.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Our callback, exactly as registered.
    pub redirect_url: Url,
}

/// Why nobody is signed in. Its text is for the person; it holds no token.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The issuer is away, or answers what cannot be understood.
    #[error("it could not be reached or gave no usable response: {0}")]
    Unavailable(String),
    /// The issuer wants nothing of it; in its words.
    #[error("it refused the sign-in: {0}")]
    Refused(String),
    /// The answer is from somebody else than the issuer.
    #[error("the response is from another issuer")]
    MixedUp,
    /// What it says is not for this sign-in.
    #[error("its ID token cannot be used: {0}")]
    IdToken(#[from] IdTokenFault),
    /// The userinfo is about somebody else.
    #[error("its responses are about different accounts")]
    OtherSubject,
    /// It does not say that the address is theirs.
    #[error("it does not confirm the account's email address")]
    Unverified,
}

impl From<ProviderError> for OidcError {
    fn from(error: ProviderError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// One way to the issuer and back. All of it follows from one random word, which waits in the browser: nothing has to be
/// stored here, and nobody else can come back in its place.
#[derive(Clone, Debug)]
pub struct OidcAttempt {
    /// Comes back with the browser.
    pub state: String,
    nonce: String,
    verifier: SecretString,
}

impl OidcAttempt {
    /// `word`: of 256 random bits.
    pub fn from_word(word: &SecretString) -> Self {
        // 64 letters and digits: RFC 7636, section 4.1 asks for 43 at least. None of them tells the word or another one.
        let derived = |purpose: &str| {
            let digest =
                Sha256::new().chain_update(purpose).chain_update([0]).chain_update(word.expose_secret());
            concord_domain::hex(digest.finalize())
        };
        Self { state: derived("state"), nonce: derived("nonce"), verifier: derived("verifier").into() }
    }
}

/// This installation as a client of an issuer.
#[derive(Debug)]
pub struct OidcClient {
    settings: OidcSettings,
    http: HttpClient,
    clock: Clock,
    discovered: Mutex<DiscoveryCache>,
}

impl OidcClient {
    /// A client that calls through `http`. Nothing is called yet.
    pub fn new(settings: OidcSettings, http: HttpClient, clock: Clock) -> Self {
        Self { settings, http, clock, discovered: Mutex::default() }
    }

    /// As it calls itself.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Reads the issuer's discovery document, if that was not done within the hour.
    ///
    /// # Errors
    /// `Unavailable`: it cannot be read, is another issuer's, or leads where nothing may be sent.
    pub async fn discover(&self) -> Result<Arc<Discovery>, OidcError> {
        let mut cache = self.discovered.lock().await;
        let now = self.clock.now();
        if let Some(known) = cache.get(now) {
            return known;
        }
        let read = discovery::read(&self.http, &self.settings.issuer).await;
        cache.put(read, now)
    }

    /// The address of the issuer's sign-in page for this attempt.
    ///
    /// # Errors
    /// As `discover`.
    pub async fn authorize(&self, attempt: &OidcAttempt) -> Result<Url, OidcError> {
        let discovery = self.discover().await?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.expose_secret().to_owned());
        let state = attempt.state.clone();
        let client = token::client(&self.settings, &discovery);
        let scopes = ["openid", "email", "profile"].map(|scope| Scope::new(scope.to_owned()));
        // `openid` is among the scopes: `oauth2` adds none.
        let request = client
            .authorize_url(move || CsrfToken::new(state))
            .add_scopes(scopes)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("nonce", attempt.nonce.clone());
        Ok(request.url().0)
    }

    /// The verified address of whoever comes back with `code`. `issuer`: the `iss` of the callback, if it has one (RFC 9207).
    ///
    /// # Errors
    /// Why they are not signed in.
    pub async fn finish(
        &self,
        attempt: &OidcAttempt,
        code: &SecretString,
        issuer: Option<&str>,
    ) -> Result<String, OidcError> {
        let discovery = self.discover().await?;
        let is_theirs = match issuer {
            Some(issuer) => issuer == self.settings.issuer,
            None => !discovery.names_issuer_in_callback(),
        };
        if !is_theirs {
            return Err(OidcError::MixedUp);
        }
        let tokens =
            token::exchange(&self.settings, &discovery, (&self.http, &self.clock), attempt, code).await?;
        let claims = token::claims(&tokens.id_token)?;
        claims.verify(&ExpectedIdToken {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            now: self.clock.now(),
        })?;
        match claims.email.verified(&self.settings.issuer) {
            ClaimedEmail::Verified(email) => Ok(email),
            ClaimedEmail::Unverified => Err(OidcError::Unverified),
            ClaimedEmail::Unsaid => {
                let Some(url) = discovery.userinfo() else { return Err(OidcError::Unverified) };
                let info = self.userinfo(url, &tokens.access_token).await?;
                // 5.3.2: without this, one account's token could be given with another's identity.
                if info.sub != claims.sub {
                    return Err(OidcError::OtherSubject);
                }
                match info.email.verified(&self.settings.issuer) {
                    ClaimedEmail::Verified(email) => Ok(email),
                    ClaimedEmail::Unverified | ClaimedEmail::Unsaid => Err(OidcError::Unverified),
                }
            }
        }
    }

    async fn userinfo(&self, url: &Url, token: &SecretString) -> Result<Userinfo, OidcError> {
        let uncallable = || OidcError::Unavailable("the userinfo endpoint cannot be called".to_owned());
        let bearer = ProviderCredentials::Bearer(token.clone()).bearer().map_err(|_| uncallable())?;
        let request = Request::get(url.as_str())
            .header(AUTHORIZATION, bearer)
            .body(Bytes::new())
            .map_err(|_| uncallable())?;
        let response = self.http.send(request).await?;
        if !response.status.is_success() || !response.is_of_type("application/json") {
            let status = response.status;
            return Err(OidcError::Unavailable(format!(
                "the userinfo endpoint answered {status} without JSON"
            )));
        }
        serde_json::from_slice(&response.body)
            .map_err(|_| OidcError::Unavailable("the userinfo cannot be understood".to_owned()))
    }
}

#[derive(Deserialize)]
struct Userinfo {
    sub: String,
    #[serde(flatten)]
    email: EmailClaims,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_an_attempt_follows_from_its_word_and_tells_nothing() {
        let [one, again, other] =
            ["word", "word", "another"].map(|word| OidcAttempt::from_word(&word.into()));
        assert_eq!((&one.state, &one.nonce), (&again.state, &again.nonce));
        let all = [&one.state, &one.nonce, one.verifier.expose_secret(), &other.state, &other.nonce];
        assert!(all.iter().enumerate().all(|(place, text)| !all[..place].contains(text) && text.len() == 64));
        assert!(!format!("{one:?}").contains(one.verifier.expose_secret()));
    }
}
