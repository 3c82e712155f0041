//! `[providers]`: calls to calendar providers, and where each stands.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{check::Check, units};

/// Calls to calendar providers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvidersConfig {
    /// For opening a connection.
    #[serde(rename = "connect_timeout_seconds", deserialize_with = "units::seconds")]
    pub connect_timeout: Duration,
    /// For a whole call.
    #[serde(rename = "request_timeout_seconds", deserialize_with = "units::seconds")]
    pub request_timeout: Duration,
    /// Largest answer that is read, in megabytes.
    #[serde(deserialize_with = "units::number")]
    pub max_answer_megabytes: usize,
    /// Google Calendar.
    pub google: GoogleConfig,
    /// CalDAV.
    pub caldav: CaldavConfig,
}

/// CalDAV: which servers people may name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaldavConfig {
    /// Whether servers with private addresses are called like any others.
    pub allow_private_hosts: bool,
    /// Names and addresses that may be called although they are private.
    pub allowed_hosts: Vec<String>,
}

impl CaldavConfig {
    fn validate(&self, check: &mut Check) {
        let plain = |host: &String| !host.is_empty() && !host.contains(['/', '@', ' ', '*', '[']);
        if !self.allowed_hosts.iter().all(plain) {
            check.wrong(
                "caldav.allowed_hosts",
                "must be names or addresses without a scheme, a port or a path, like \"nextcloud.lan\"",
            );
        }
    }
}

/// Google Calendar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleConfig {
    /// Of the OAuth client, type "Web application"; empty if Google is not set up.
    pub client_id: String,
    /// Of the same client.
    #[serde(deserialize_with = "units::secret")]
    pub client_secret: Option<SecretString>,
    /// Above `/calendar/v3/` and `/oauth2/v3/userinfo`.
    #[serde(deserialize_with = "units::url")]
    pub api_base: Url,
    /// The consent page.
    #[serde(deserialize_with = "units::url")]
    pub auth_url: Url,
    /// Where codes and refresh tokens become access tokens.
    #[serde(deserialize_with = "units::url")]
    pub token_url: Url,
    /// Where a grant is ended.
    #[serde(deserialize_with = "units::url")]
    pub revoke_url: Url,
    /// The quota of the project, in calls a minute.
    #[serde(deserialize_with = "units::number")]
    pub requests_per_minute: u32,
    /// The quota of one user of the project, in calls a minute.
    #[serde(deserialize_with = "units::number")]
    pub requests_per_minute_per_connection: u32,
}

impl GoogleConfig {
    /// The credentials, if Google is set up.
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        let secret = self.client_secret.as_ref()?;
        (!self.client_id.is_empty()).then_some((self.client_id.as_str(), secret))
    }

    fn validate(&self, check: &mut Check) {
        match (self.client_id.is_empty(), self.client_secret.is_none()) {
            (false, true) => check.wrong("google.client_secret", "is missing, though there is a client_id"),
            (true, false) => check.wrong("google.client_id", "is missing, though there is a client_secret"),
            _ => {}
        }
        check.web_address("google.api_base", &self.api_base);
        check.web_address("google.auth_url", &self.auth_url);
        check.web_address("google.token_url", &self.token_url);
        check.web_address("google.revoke_url", &self.revoke_url);
        check.within("google.requests_per_minute", self.requests_per_minute, 1..=10_000_000);
        check.within(
            "google.requests_per_minute_per_connection",
            self.requests_per_minute_per_connection,
            1..=10_000_000,
        );
    }
}

impl ProvidersConfig {
    pub(super) fn validate(&self, check: &mut Check) {
        check.within("connect_timeout_seconds", self.connect_timeout.as_secs(), 1..=60);
        check.within("request_timeout_seconds", self.request_timeout.as_secs(), 1..=300);
        check.within("max_answer_megabytes", self.max_answer_megabytes, 1..=512);
        self.google.validate(check);
        self.caldav.validate(check);
    }
}
