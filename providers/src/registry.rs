//! Which providers are set up on this installation.

use std::{collections::BTreeMap, fmt, sync::Arc};

use concord_domain::{clock::Clock, provider::ProviderKind};

use crate::{
    caldav::Caldav,
    error::SetupError,
    google,
    guard::SsrfGuard,
    http::{HttpClient, HttpConfig},
    microsoft,
    oauth::OAuthApp,
    provider::CalendarProvider,
    push::{PushProvider, ReadWebhook},
    settings::{ProviderSettings, RegisteredProvider},
};

/// What the providers are built from. One that is not there is not set up.
#[derive(Clone, Debug, Default)]
pub struct ProviderRegistryConfig {
    /// Limits of the shared client.
    pub http: HttpConfig,
    /// Those for which the installation has credentials.
    pub providers: Vec<Arc<dyn ProviderSettings>>,
    /// CalDAV, and which servers people may name. It needs no credentials of the installation.
    pub caldav: Option<SsrfGuard>,
}

/// The providers that are set up; one that is absent has no credentials, and pages say so.
#[derive(Default)]
pub struct ProviderRegistry {
    entries: BTreeMap<ProviderKind, RegisteredProvider>,
    caldav: Option<Arc<Caldav>>,
}

impl ProviderRegistry {
    /// Builds every provider that has its settings, all over one HTTP client.
    pub fn new(config: ProviderRegistryConfig, clock: &Clock) -> Result<Self, SetupError> {
        let http = HttpClient::new(config.http)?;
        let mut registry = Self::default();
        for settings in config.providers {
            registry.insert(settings.build(&http, clock)?);
        }
        if let Some(guard) = config.caldav {
            let caldav = Arc::new(Caldav::new(http.guarded_for_passwords(guard)?, clock.clone()));
            let (kind, calendar) = (ProviderKind::Caldav, caldav.clone());
            registry.insert(RegisteredProvider { kind, calendar, oauth: None, push: None });
            registry.caldav = Some(caldav);
        }
        Ok(registry)
    }

    /// CalDAV, for what no other provider does: to find the calendars of an account by its name and password.
    pub fn caldav(&self) -> Option<&Arc<Caldav>> {
        self.caldav.as_ref()
    }

    fn insert(&mut self, provider: RegisteredProvider) {
        self.entries.insert(provider.kind, provider);
    }

    /// The provider, if it is set up.
    pub fn get(&self, kind: ProviderKind) -> Option<&Arc<dyn CalendarProvider>> {
        self.entries.get(&kind).map(|entry| &entry.calendar)
    }

    /// Its OAuth, if it is set up and uses OAuth.
    pub fn oauth(&self, kind: ProviderKind) -> Option<&OAuthApp> {
        self.entries.get(&kind).and_then(|entry| entry.oauth.as_ref())
    }

    /// How it tells of changes, if it is set up and does.
    pub fn push(&self, kind: ProviderKind) -> Option<&Arc<dyn PushProvider>> {
        self.entries.get(&kind).and_then(|entry| entry.push.as_ref())
    }

    /// What is set up.
    pub fn kinds(&self) -> impl Iterator<Item = ProviderKind> {
        self.entries.keys().copied()
    }
}

/// Those that notify of changes. What is sent to us is read whether a provider is set up or not.
const WEBHOOKS: [(ProviderKind, ReadWebhook); 2] = [
    (ProviderKind::Google, google::push::read_webhook),
    (ProviderKind::Microsoft, microsoft::push::read_webhook),
];

/// How to read what is sent to a provider's webhook; `None`: it notifies of nothing.
pub fn webhook_reader(kind: ProviderKind) -> Option<ReadWebhook> {
    WEBHOOKS.iter().find(|(known, _)| *known == kind).map(|(_, read)| *read)
}

impl fmt::Debug for ProviderRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GoogleEndpoints, GoogleSettings, MicrosoftEndpoints, MicrosoftSettings};

    fn settings() -> GoogleSettings {
        GoogleSettings {
            client_id: "id".to_owned(),
            client_secret: "very-secret".into(),
            redirect_url: "https://book.example/oauth/calendar/google/callback".parse().unwrap(),
            addresses: GoogleEndpoints::default(),
        }
    }

    fn config_of(settings: impl ProviderSettings + 'static) -> ProviderRegistryConfig {
        ProviderRegistryConfig { providers: vec![Arc::new(settings)], ..ProviderRegistryConfig::default() }
    }

    #[test]
    fn what_has_no_credentials_is_absent() {
        let registry = ProviderRegistry::new(ProviderRegistryConfig::default(), &Clock::system()).unwrap();
        assert!(registry.get(ProviderKind::Google).is_none());
        assert!(registry.oauth(ProviderKind::Google).is_none());
        assert_eq!(registry.kinds().count(), 0);
    }

    #[test]
    fn what_has_them_is_there_and_asks_for_a_refresh_token() {
        let config = config_of(settings());
        let registry = ProviderRegistry::new(config, &Clock::system()).unwrap();
        assert!(registry.get(ProviderKind::Google).is_some());
        let request =
            registry.oauth(ProviderKind::Google).unwrap().authorize("the-state", Some("ana@example.com"));
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        assert_eq!(request.url.host_str(), Some("accounts.google.com"));
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "id"),
            ("state", "the-state"),
            ("code_challenge_method", "S256"),
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("login_hint", "ana@example.com"),
            ("redirect_uri", "https://book.example/oauth/calendar/google/callback"),
        ] {
            assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(query["scope"].contains("https://www.googleapis.com/auth/calendar.events"));
        assert_eq!(query["code_challenge"].len(), 43);
    }

    fn microsoft_settings() -> MicrosoftSettings {
        MicrosoftSettings {
            client_id: "id".to_owned(),
            client_secret: "very-secret".into(),
            redirect_url: "https://book.example/oauth/calendar/microsoft/callback".parse().unwrap(),
            addresses: MicrosoftEndpoints {
                tenant: "organizations".to_owned(),
                ..MicrosoftEndpoints::default()
            },
        }
    }

    #[tokio::test]
    async fn microsoft_requests_offline_access_and_has_no_revocation() {
        let config = config_of(microsoft_settings());
        let registry = ProviderRegistry::new(config, &Clock::system()).unwrap();
        assert!(registry.get(ProviderKind::Microsoft).is_some());
        let oauth = registry.oauth(ProviderKind::Microsoft).unwrap();
        let url = oauth.authorize("the-state", None).url;
        assert!(
            url.as_str()
                .starts_with("https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?")
        );
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["scope"], "offline_access User.Read Calendars.ReadWrite");
        assert_eq!(query["prompt"], "select_account");
        assert_eq!(query["code_challenge_method"], "S256");
        // There is no such place; disconnecting goes on all the same.
        oauth.revoke(&"a-refresh-token".into()).await.unwrap();
    }

    #[test]
    fn no_secret_shows() {
        let config = config_of(settings());
        let registry = ProviderRegistry::new(config.clone(), &Clock::system()).unwrap();
        let shown = format!("{config:?} {:?}", registry.oauth(ProviderKind::Google));
        assert!(!shown.contains("very-secret"), "{shown}");
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        let mut settings = settings();
        settings.addresses.api_base = "mailto:google".parse().unwrap();
        let config = config_of(settings);
        let error = ProviderRegistry::new(config, &Clock::system()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the address of Google's API must be an http or https address: mailto:google"
        );
    }
}
