//! Google Calendar (API version 3).
//!
//! The models are those of `google-calendar3`; the shared client makes the calls (`requests.rs`). Its hub is not used: it
//! wants a hyper client of its own, without limits, time-outs and proxy, has no `If-Match`, and its patch drops the nulls
//! that would clear a field. What an entry looks like at Google is in `entries.rs`, what its errors mean in `errors.rs`.

mod account;
mod busy;
mod changes;
mod entries;
mod errors;
pub(crate) mod push;
mod requests;
mod writes;

use std::sync::Arc;

use chrono::TimeDelta;
use concord_domain::{
    clock::Clock,
    provider::{ProviderKind, google::OAUTH},
};
use url::Url;

use crate::{
    address::{below, check_callable, https},
    error::SetupError,
    expiring_set::ExpiringSet,
    http::HttpClient,
    oauth::{OAuthApp, OAuthEndpoints, explain_nothing},
    provider::calendar_provider,
    settings::{OAuthProviderSettings, ProviderSettings, RegisteredProvider},
};

/// Where Google stands. Another address is a sandbox or a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleEndpoints {
    /// Above `/calendar/v3/` and `/oauth2/v3/userinfo`.
    pub api_base: Url,
    /// The consent page, tokens, revocation.
    pub oauth: OAuthEndpoints,
}

impl GoogleEndpoints {
    /// Everything below one address, as in the sandbox: `{base}/calendar/v3/`, `{base}/o/oauth2/v2/auth`, `{base}/token`,
    /// `{base}/revoke`, `{base}/oauth2/v3/userinfo`.
    pub fn below(base: &Url) -> Self {
        Self {
            api_base: base.clone(),
            oauth: OAuthEndpoints {
                auth_url: below(base, "o/oauth2/v2/auth"),
                token_url: below(base, "token"),
                revoke_url: Some(below(base, "revoke")),
            },
        }
    }
}

impl Default for GoogleEndpoints {
    /// The real Google, as its discovery document has it
    /// (<https://accounts.google.com/.well-known/openid-configuration>).
    fn default() -> Self {
        Self {
            api_base: https("www.googleapis.com", ""),
            oauth: OAuthEndpoints {
                auth_url: https("accounts.google.com", "o/oauth2/v2/auth"),
                token_url: https("oauth2.googleapis.com", "token"),
                revoke_url: Some(https("oauth2.googleapis.com", "revoke")),
            },
        }
    }
}

/// Google Calendar as a provider.
#[derive(Clone, Debug)]
pub struct GoogleCalendar {
    /// Ends in `/calendar/v3/`, so that paths are joined to it.
    calendar_base: Url,
    userinfo: Url,
    http: HttpClient,
    clock: Clock,
    /// Where large pages took too long.
    slow: ExpiringSet,
}

impl GoogleCalendar {
    /// Google at the addresses of `config`, called through `http`.
    pub fn new(config: &GoogleEndpoints, http: HttpClient, clock: Clock) -> Result<Self, SetupError> {
        check_callable(&[
            ("the address of Google's API", &config.api_base),
            ("the address of Google's consent page", &config.oauth.auth_url),
            ("the address of Google's token endpoint", &config.oauth.token_url),
        ])?;
        Ok(Self {
            calendar_base: below(&config.api_base, "calendar/v3/"),
            userinfo: below(&config.api_base, "oauth2/v3/userinfo"),
            http,
            clock,
            slow: ExpiringSet::with_ttl(TimeDelta::hours(6)),
        })
    }
}

/// This installation at Google. The callback is `{public url}/oauth/calendar/google/callback`.
pub type GoogleSettings = OAuthProviderSettings<GoogleEndpoints>;

impl ProviderSettings for GoogleSettings {
    fn build(&self, http: &HttpClient, clock: &Clock) -> Result<RegisteredProvider, SetupError> {
        let kind = ProviderKind::Google;
        let oauth = self.oauth_config(&OAUTH, self.addresses.oauth.clone(), explain_nothing);
        let calendar = Arc::new(GoogleCalendar::new(&self.addresses, http.clone(), clock.clone())?);
        Ok(RegisteredProvider::with_push(kind, calendar, OAuthApp::new(oauth, http.clone(), clock.clone())))
    }
}

calendar_provider!(GoogleCalendar);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_below_a_base_keep_its_path() {
        for base in ["http://127.0.0.1:9/google", "http://127.0.0.1:9/google/"] {
            let config = GoogleEndpoints::below(&base.parse().unwrap());
            assert_eq!(config.oauth.token_url.as_str(), "http://127.0.0.1:9/google/token");
            assert_eq!(
                below(&config.api_base, "calendar/v3/").as_str(),
                "http://127.0.0.1:9/google/calendar/v3/"
            );
        }
    }

    #[test]
    fn the_real_addresses_parse() {
        let config = GoogleEndpoints::default();
        assert_eq!(
            below(&config.api_base, "calendar/v3/").as_str(),
            "https://www.googleapis.com/calendar/v3/"
        );
        assert_eq!(config.oauth.auth_url.as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
        assert_eq!(config.oauth.token_url.as_str(), "https://oauth2.googleapis.com/token");
    }
}
