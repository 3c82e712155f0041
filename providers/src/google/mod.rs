//! Google Calendar (API version 3).
//!
//! Reading goes through the hub of `google-calendar3` (`hub.rs`), which itself calls through the shared client
//! (`pipe.rs`). Writing goes through the shared client with the crate's typed `Event` (`writes.rs`): the hub has no
//! `If-Match`, and its patch drops the nulls that would clear a field. What an entry looks like at Google is in
//! `entries.rs`, what its refusals mean in `errors.rs`.

mod account;
mod busy;
mod calendars;
mod changes;
mod entries;
mod errors;
mod hub_session;
mod ids;
mod pipe;
pub mod push;
mod writes;

use async_trait::async_trait;
use chrono::TimeDelta;
use concord_domain::{
    clock::Clock,
    entry::{EntryContent, ObservedEntry},
    ids::EntryId,
    interval::Interval,
};
use url::Url;

use crate::{
    address::{below, https},
    error::{ProviderError, SetupError},
    expiring_set::ExpiringSet,
    http::HttpClient,
    oauth::OAuthEndpoints,
    provider::{
        CalendarProvider, ChangesPage, ProviderAccount, ProviderCredentials, RemoteCalendar, RemoveOutcome,
        SyncPosition, WriteReceipt, is_unclear,
    },
};

/// What is asked of the person: who they are, to write entries, and to list calendars and read them.
pub const SCOPES: &[&str] = &[
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.readonly",
];

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
    /// Ends in `/calendar/v3/`, as the hub wants it.
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
        for (what, url) in [
            ("the address of Google's API", &config.api_base),
            ("the address of Google's consent page", &config.oauth.auth_url),
            ("the address of Google's token endpoint", &config.oauth.token_url),
        ] {
            if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
                return Err(SetupError::Address { what, url: url.clone() });
            }
        }
        Ok(Self {
            calendar_base: below(&config.api_base, "calendar/v3/"),
            userinfo: below(&config.api_base, "oauth2/v3/userinfo"),
            http,
            clock,
            slow: ExpiringSet::with_ttl(TimeDelta::hours(6)),
        })
    }
}

#[async_trait]
impl CalendarProvider for GoogleCalendar {
    async fn account(&self, credentials: &ProviderCredentials) -> Result<ProviderAccount, ProviderError> {
        self.read_account(credentials).await
    }

    async fn calendars(
        &self,
        credentials: &ProviderCredentials,
    ) -> Result<Vec<RemoteCalendar>, ProviderError> {
        self.list_calendars(credentials).await
    }

    async fn create(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError> {
        self.insert(credentials, calendar, external_id, content).await
    }

    async fn update(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        self.replace(credentials, calendar, external_id, content, etag).await
    }

    async fn remove(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<RemoveOutcome, ProviderError> {
        self.delete(credentials, calendar, external_id).await
    }

    async fn find(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        self.read_entry(credentials, calendar, external_id).await
    }

    async fn find_moved(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        // An event keeps its id when it is moved (Events: move), and copies have another.
        let found = self.read_entry(credentials, calendar, external_id).await?;
        if found.as_ref().is_some_and(is_unclear) {
            return Err(ProviderError::Transient("the event cannot be read".into()));
        }
        Ok(found.filter(|found| !found.deleted && found.entry == Some(entry)))
    }

    async fn changes(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        self.list_changes(credentials, calendar, window, from).await
    }

    async fn busy(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Vec<Interval>, ProviderError> {
        self.free_busy(credentials, calendar, window).await
    }
}

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
