//! Microsoft 365 and Outlook.com by Microsoft Graph (version 1.0).
//!
//! `graph-rs-sdk` builds the requests, the shared client sends them (`requests.rs`): below the configured address,
//! with the token of the call, no more than four at once to a mailbox (`mailbox_limiter.rs`). Links to further pages are only
//! followed below that address (`links.rs`). What an entry looks like at Microsoft is in `entries.rs`, its zones in
//! `zones.rs`, what refusals mean in `errors.rs` for Graph and in `consent.rs` for the sign-in.

mod account;
mod busy;
mod changes;
mod consent;
mod entries;
mod errors;
mod extended_properties;
mod find;
mod links;
mod mailbox_limiter;
pub(crate) mod push;
mod requests;
mod writes;
mod zones;

use std::{fmt, sync::Arc};

use chrono::TimeDelta;
use concord_domain::{
    clock::Clock,
    provider::{ProviderKind, microsoft::OAUTH},
};
use graph_rs_sdk::GraphClient;
use url::Url;

use self::consent::explain;
use self::mailbox_limiter::MailboxLimiter;
use crate::{
    address::{below, check_callable, https},
    error::SetupError,
    expiring_set::ExpiringSet,
    http::HttpClient,
    oauth::{OAuthApp, OAuthEndpoints},
    provider::calendar_provider,
    settings::{OAuthProviderSettings, ProviderSettings, RegisteredProvider},
};

/// Where Microsoft stands. Another address is a sandbox, a proxy or a national cloud
/// (<https://learn.microsoft.com/graph/deployments>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrosoftEndpoints {
    pub api_base: Url,
    pub login_base: Url,
    /// Who may sign in: `common` (everybody), `organizations` (work and school accounts), `consumers` (private ones), or
    /// the id or a domain of one organisation.
    pub tenant: String,
}

impl MicrosoftEndpoints {
    /// Everything below one address, as in the sandbox: `{base}/v1.0/`, `{base}/common/oauth2/v2.0/`.
    pub fn below(base: &Url) -> Self {
        Self { api_base: base.clone(), login_base: base.clone(), tenant: "common".to_owned() }
    }

    /// The consent page and the token endpoint of the tenant. Microsoft has no place where a grant is ended: people do
    /// that at <https://myapps.microsoft.com> or at <https://account.live.com/consent/Manage>.
    pub fn oauth(&self) -> OAuthEndpoints {
        let at = |last: &str| below(&self.login_base, &format!("{}/oauth2/v2.0/{last}", self.tenant));
        OAuthEndpoints { auth_url: at("authorize"), token_url: at("token"), revoke_url: None }
    }
}

impl Default for MicrosoftEndpoints {
    /// The real Microsoft, for everybody.
    fn default() -> Self {
        Self {
            api_base: https("graph.microsoft.com", ""),
            login_base: https("login.microsoftonline.com", ""),
            tenant: "common".to_owned(),
        }
    }
}

/// Microsoft's calendars as a provider.
#[derive(Clone)]
pub struct MicrosoftCalendar {
    /// Builds requests, and never sends one; it holds no token.
    graph: GraphClient,
    base: Url,
    http: HttpClient,
    clock: Clock,
    mailboxes: MailboxLimiter,
    /// Where large pages took too long.
    slow: ExpiringSet,
    /// Where times are written in UTC alone.
    no_zones: ExpiringSet,
}

impl fmt::Debug for MicrosoftCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MicrosoftCalendar").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl MicrosoftCalendar {
    /// Microsoft at the addresses of `config`, called through `http`.
    pub fn new(config: &MicrosoftEndpoints, http: HttpClient, clock: Clock) -> Result<Self, SetupError> {
        check_callable(&[
            ("the address of Microsoft Graph", &config.api_base),
            ("the address of Microsoft's sign-in", &config.login_base),
        ])?;
        Ok(Self {
            graph: GraphClient::new(""),
            base: below(&config.api_base, "v1.0/"),
            http,
            clock,
            mailboxes: MailboxLimiter::default(),
            slow: ExpiringSet::with_ttl(TimeDelta::hours(6)),
            no_zones: ExpiringSet::with_ttl(TimeDelta::days(1)),
        })
    }
}

/// This installation at Microsoft. The callback is `{public url}/oauth/calendar/microsoft/callback`.
pub type MicrosoftSettings = OAuthProviderSettings<MicrosoftEndpoints>;

impl ProviderSettings for MicrosoftSettings {
    fn build(&self, http: &HttpClient, clock: &Clock) -> Result<RegisteredProvider, SetupError> {
        let kind = ProviderKind::Microsoft;
        let oauth = self.oauth_config(&OAUTH, self.addresses.oauth(), explain);
        let calendar = Arc::new(MicrosoftCalendar::new(&self.addresses, http.clone(), clock.clone())?);
        Ok(RegisteredProvider::with_push(kind, calendar, OAuthApp::new(oauth, http.clone(), clock.clone())))
    }
}

calendar_provider!(MicrosoftCalendar);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_below_a_base_keep_its_path() {
        for base in ["http://127.0.0.1:9/microsoft", "http://127.0.0.1:9/microsoft/"] {
            let config = MicrosoftEndpoints::below(&base.parse().unwrap());
            assert_eq!(
                config.oauth().token_url.as_str(),
                "http://127.0.0.1:9/microsoft/common/oauth2/v2.0/token"
            );
            let base = below(&config.api_base, "v1.0/");
            assert_eq!(base.as_str(), "http://127.0.0.1:9/microsoft/v1.0/");
        }
    }

    #[test]
    fn the_real_addresses_parse() {
        let config = MicrosoftEndpoints { tenant: "contoso.com".to_owned(), ..MicrosoftEndpoints::default() };
        assert_eq!(below(&config.api_base, "v1.0/").as_str(), "https://graph.microsoft.com/v1.0/");
        assert_eq!(
            config.oauth().auth_url.as_str(),
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/authorize"
        );
        assert_eq!(config.oauth().revoke_url, None);
    }
}
