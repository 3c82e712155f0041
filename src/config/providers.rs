//! `[providers]`: calls to calendar providers, and where each stands.

use std::{sync::Arc, time::Duration};

use concord_domain::provider::ProviderKind;
use concord_providers::{
    GoogleEndpoints, GoogleSettings, MicrosoftEndpoints, MicrosoftSettings, OAuthEndpoints, ProviderSettings,
};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{check::SectionFaults, units};

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
    pub max_answer_megabytes: usize,
    pub google: GoogleConfig,
    /// Microsoft 365 and Outlook.com.
    pub microsoft: MicrosoftConfig,
    pub caldav: CaldavConfig,
}

/// What is asked of each provider's section.
pub trait ProviderSection {
    /// Calls a minute for one connection, and for the whole installation.
    fn calls_per_minute(&self) -> (u32, u32);

    /// What it is built from, with our callback at it; `None`: it has no credentials here, or needs none.
    fn settings(&self, _redirect_url: Url) -> Option<Arc<dyn ProviderSettings>> {
        None
    }

    /// What must answer for its calendars to be connected and kept in step.
    fn addresses(&self) -> Vec<Url> {
        Vec::new()
    }
}

/// CalDAV: which servers people may name, and how fast they are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaldavConfig {
    /// Whether servers with private addresses are called like any others.
    pub allow_private_hosts: bool,
    /// Names and addresses that may be called although they are private, or although passwords go there over http.
    pub allowed_hosts: Vec<String>,
    /// Calls of this installation to all servers together, a minute.
    pub requests_per_minute: u32,
    /// Calls for one account, a minute.
    pub requests_per_minute_per_connection: u32,
}

impl ProviderSection for CaldavConfig {
    fn calls_per_minute(&self) -> (u32, u32) {
        (self.requests_per_minute_per_connection, self.requests_per_minute)
    }
}

impl CaldavConfig {
    fn validate(&self, check: &mut SectionFaults) {
        check.check_hosts("allowed_hosts", &self.allowed_hosts);
        validate_quotas(check, self.calls_per_minute());
    }
}

/// Access to Google Calendar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleConfig {
    /// Of the OAuth client, type "Web application"; empty if Google is not set up.
    pub client_id: String,
    /// Of the same client.
    #[serde(deserialize_with = "units::optional")]
    pub client_secret: Option<SecretString>,
    /// Above `/calendar/v3/` and `/oauth2/v3/userinfo`.
    #[serde(deserialize_with = "units::url")]
    pub api_base: Url,
    #[serde(deserialize_with = "units::url")]
    pub auth_url: Url,
    /// Where codes and refresh tokens become access tokens.
    #[serde(deserialize_with = "units::url")]
    pub token_url: Url,
    /// Where a grant is ended.
    #[serde(deserialize_with = "units::url")]
    pub revoke_url: Url,
    /// The quota of the project, in calls a minute.
    pub requests_per_minute: u32,
    /// The quota of one user of the project, in calls a minute.
    pub requests_per_minute_per_connection: u32,
}

/// Microsoft 365 and Outlook.com.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MicrosoftConfig {
    /// The application's (client) id; empty if Microsoft is not set up.
    pub client_id: String,
    /// The value of one of its client secrets.
    #[serde(deserialize_with = "units::optional")]
    pub client_secret: Option<SecretString>,
    /// Who may connect: `common`, `organizations`, `consumers`, or one organisation's id or domain.
    pub tenant: String,
    #[serde(deserialize_with = "units::url")]
    pub api_base: Url,
    #[serde(deserialize_with = "units::url")]
    pub login_base: Url,
    /// Calls of this installation, a minute.
    pub requests_per_minute: u32,
    /// Calls for one mailbox, a minute.
    pub requests_per_minute_per_connection: u32,
}

/// Id and secret, if there are both.
fn credentials<'a>(id: &'a str, secret: Option<&'a SecretString>) -> Option<(&'a str, &'a SecretString)> {
    let secret = secret?;
    (!id.is_empty()).then_some((id, secret))
}

fn validate_credentials(check: &mut SectionFaults, id: &str, secret: Option<&SecretString>) {
    match (id.is_empty(), secret.is_none()) {
        (false, true) => check.add("client_secret", "is missing, though there is a client_id"),
        (true, false) => check.add("client_id", "is missing, though there is a client_secret"),
        _ => {}
    }
}

fn validate_quotas(check: &mut SectionFaults, (connection, project): (u32, u32)) {
    check.check_range("requests_per_minute", project, 1..=10_000_000);
    check.check_range("requests_per_minute_per_connection", connection, 1..=10_000_000);
}

impl ProviderSection for MicrosoftConfig {
    fn calls_per_minute(&self) -> (u32, u32) {
        (self.requests_per_minute_per_connection, self.requests_per_minute)
    }

    fn settings(&self, redirect_url: Url) -> Option<Arc<dyn ProviderSettings>> {
        let (client_id, client_secret) = self.credentials()?;
        Some(Arc::new(MicrosoftSettings {
            client_id: client_id.to_owned(),
            client_secret: client_secret.clone(),
            redirect_url,
            addresses: MicrosoftEndpoints {
                api_base: self.api_base.clone(),
                login_base: self.login_base.clone(),
                tenant: self.tenant.clone(),
            },
        }))
    }

    fn addresses(&self) -> Vec<Url> {
        let mut discovery = self.login_base.clone();
        let base = discovery.path().trim_end_matches('/').to_owned();
        discovery.set_path(&format!("{base}/{}/v2.0/.well-known/openid-configuration", self.tenant));
        vec![discovery, self.api_base.clone()]
    }
}

impl MicrosoftConfig {
    /// The credentials, if Microsoft is set up.
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        credentials(&self.client_id, self.client_secret.as_ref())
    }

    fn validate(&self, check: &mut SectionFaults) {
        validate_credentials(check, &self.client_id, self.client_secret.as_ref());
        // It becomes part of an address.
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if self.tenant.is_empty() || self.tenant.starts_with('.') || !self.tenant.chars().all(fits) {
            let problem = "must be common, organizations, consumers, or an organisation's id or domain";
            check.add("tenant", problem);
        }
        check.check_url("api_base", &self.api_base);
        check.check_url("login_base", &self.login_base);
        validate_quotas(check, self.calls_per_minute());
    }
}

impl ProviderSection for GoogleConfig {
    fn calls_per_minute(&self) -> (u32, u32) {
        (self.requests_per_minute_per_connection, self.requests_per_minute)
    }

    fn settings(&self, redirect_url: Url) -> Option<Arc<dyn ProviderSettings>> {
        let (client_id, client_secret) = self.credentials()?;
        Some(Arc::new(GoogleSettings {
            client_id: client_id.to_owned(),
            client_secret: client_secret.clone(),
            redirect_url,
            addresses: GoogleEndpoints {
                api_base: self.api_base.clone(),
                oauth: OAuthEndpoints {
                    auth_url: self.auth_url.clone(),
                    token_url: self.token_url.clone(),
                    revoke_url: Some(self.revoke_url.clone()),
                },
            },
        }))
    }

    fn addresses(&self) -> Vec<Url> {
        vec![self.auth_url.clone(), self.api_base.clone()]
    }
}

impl GoogleConfig {
    /// The credentials, if Google is set up.
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        credentials(&self.client_id, self.client_secret.as_ref())
    }

    fn validate(&self, check: &mut SectionFaults) {
        validate_credentials(check, &self.client_id, self.client_secret.as_ref());
        check.check_url("api_base", &self.api_base);
        check.check_url("auth_url", &self.auth_url);
        check.check_url("token_url", &self.token_url);
        check.check_url("revoke_url", &self.revoke_url);
        validate_quotas(check, self.calls_per_minute());
    }
}

impl ProvidersConfig {
    /// The section of each provider.
    pub fn sections(&self) -> [(ProviderKind, &dyn ProviderSection); 3] {
        [
            (ProviderKind::Google, &self.google),
            (ProviderKind::Microsoft, &self.microsoft),
            (ProviderKind::Caldav, &self.caldav),
        ]
    }

    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("connect_timeout_seconds", self.connect_timeout.as_secs(), 1..=60);
        check.check_range("request_timeout_seconds", self.request_timeout.as_secs(), 1..=300);
        check.check_range("max_answer_megabytes", self.max_answer_megabytes, 1..=512);
        self.google.validate(check.of("providers.google"));
        self.microsoft.validate(check.of("providers.microsoft"));
        self.caldav.validate(check.of("providers.caldav"));
    }
}
