//! Which providers are set up on this installation.

use std::{collections::BTreeMap, fmt, sync::Arc};

use concord_domain::{clock::Clock, connection::ProviderKind};
use secrecy::SecretString;
use url::Url;

use crate::{
    caldav::Caldav,
    error::SetupError,
    google::{self, GoogleCalendar, GoogleEndpoints},
    guard::SsrfGuard,
    http::{HttpClient, HttpConfig},
    microsoft::{self, MicrosoftCalendar, MicrosoftEndpoints},
    oauth::{OAuthApp, OAuthConfig, explain_nothing},
    provider::CalendarProvider,
    push::PushProvider,
};

/// What the providers are built from. One that is `None` is not set up.
#[derive(Clone, Debug, Default)]
pub struct ProviderRegistryConfig {
    /// Limits of the shared client.
    pub http: HttpConfig,
    /// Google Calendar.
    pub google: Option<GoogleSettings>,
    /// Microsoft 365 and Outlook.com.
    pub microsoft: Option<MicrosoftSettings>,
    /// CalDAV, and which servers people may name. It needs no credentials of the installation.
    pub caldav: Option<SsrfGuard>,
}

/// This installation at Google.
#[derive(Clone)]
pub struct GoogleSettings {
    /// Of the OAuth client, type "web application".
    pub client_id: String,
    /// Of the same client.
    pub client_secret: SecretString,
    /// Our callback, `{public url}/oauth/calendar/google/callback`.
    pub redirect_url: Url,
    /// Where Google stands.
    pub addresses: GoogleEndpoints,
}

impl fmt::Debug for GoogleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleSettings")
            .field("client_id", &self.client_id)
            .field("client_secret", &"hidden")
            .field("redirect_url", &self.redirect_url.as_str())
            .field("addresses", &self.addresses)
            .finish()
    }
}

/// This installation at Microsoft.
#[derive(Clone)]
pub struct MicrosoftSettings {
    /// The application's (client) id.
    pub client_id: String,
    /// The value of one of its secrets.
    pub client_secret: SecretString,
    /// Our callback, `{public url}/oauth/calendar/microsoft/callback`.
    pub redirect_url: Url,
    /// Where Microsoft stands, and for whom.
    pub addresses: MicrosoftEndpoints,
}

impl fmt::Debug for MicrosoftSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MicrosoftSettings")
            .field("client_id", &self.client_id)
            .field("client_secret", &"hidden")
            .field("redirect_url", &self.redirect_url.as_str())
            .field("addresses", &self.addresses)
            .finish()
    }
}

struct RegisteredProvider {
    calendar: Arc<dyn CalendarProvider>,
    oauth: Option<OAuthApp>,
    push: Option<Arc<dyn PushProvider>>,
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
        if let Some(settings) = config.google {
            let calendar = GoogleCalendar::new(&settings.addresses, http.clone(), clock.clone())?;
            let oauth = OAuthApp::new(google_oauth(settings), http.clone(), clock.clone());
            registry.insert(ProviderKind::Google, Arc::new(calendar.clone()), Some(oauth));
            registry.insert_push(ProviderKind::Google, Arc::new(calendar));
        }
        if let Some(settings) = config.microsoft {
            let calendar = MicrosoftCalendar::new(&settings.addresses, http.clone(), clock.clone())?;
            let oauth = OAuthApp::new(microsoft_oauth(settings), http.clone(), clock.clone());
            registry.insert(ProviderKind::Microsoft, Arc::new(calendar.clone()), Some(oauth));
            registry.insert_push(ProviderKind::Microsoft, Arc::new(calendar));
        }
        if let Some(guard) = config.caldav {
            let caldav = Arc::new(Caldav::new(http.guarded_for_passwords(guard)?, clock.clone()));
            registry.insert(ProviderKind::Caldav, caldav.clone(), None);
            registry.caldav = Some(caldav);
        }
        Ok(registry)
    }

    /// CalDAV, for what no other provider does: to find the calendars of an account by its name and password.
    pub fn caldav(&self) -> Option<&Arc<Caldav>> {
        self.caldav.as_ref()
    }

    /// Adds a provider, or replaces it.
    pub fn insert(
        &mut self,
        kind: ProviderKind,
        calendar: Arc<dyn CalendarProvider>,
        oauth: Option<OAuthApp>,
    ) {
        self.entries.insert(kind, RegisteredProvider { calendar, oauth, push: None });
    }

    /// The provider, which was added, tells of changes.
    pub fn insert_push(&mut self, kind: ProviderKind, push: Arc<dyn PushProvider>) {
        if let Some(entry) = self.entries.get_mut(&kind) {
            entry.push = Some(push);
        }
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

impl fmt::Debug for ProviderRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

fn google_oauth(settings: GoogleSettings) -> OAuthConfig {
    OAuthConfig {
        client_id: settings.client_id,
        client_secret: settings.client_secret,
        redirect_url: settings.redirect_url,
        scopes: strings(google::SCOPES),
        endpoints: settings.addresses.oauth,
        // Without both, Google gives no refresh token when the same account is connected again.
        authorize_params: [("access_type", "offline"), ("prompt", "consent")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        explain: explain_nothing,
    }
}

fn microsoft_oauth(settings: MicrosoftSettings) -> OAuthConfig {
    OAuthConfig {
        client_id: settings.client_id,
        client_secret: settings.client_secret,
        redirect_url: settings.redirect_url,
        scopes: strings(microsoft::SCOPES),
        endpoints: settings.addresses.oauth(),
        // A person who is signed in with one account may want to connect another.
        authorize_params: vec![("prompt".to_owned(), "select_account".to_owned())],
        explain: microsoft::explain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> GoogleSettings {
        GoogleSettings {
            client_id: "id".to_owned(),
            client_secret: "very-secret".into(),
            redirect_url: "https://book.example/oauth/calendar/google/callback".parse().unwrap(),
            addresses: GoogleEndpoints::default(),
        }
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
        let config = ProviderRegistryConfig { google: Some(settings()), ..ProviderRegistryConfig::default() };
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
        let config = ProviderRegistryConfig {
            microsoft: Some(microsoft_settings()),
            ..ProviderRegistryConfig::default()
        };
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
        let settings = settings();
        let oauth = google_oauth(settings.clone());
        let microsoft = microsoft_settings();
        let shown = format!("{settings:?} {oauth:?} {microsoft:?} {:?}", microsoft_oauth(microsoft.clone()));
        assert!(!shown.contains("very-secret"), "{shown}");
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        let mut settings = settings();
        settings.addresses.api_base = "mailto:google".parse().unwrap();
        let config = ProviderRegistryConfig { google: Some(settings), ..ProviderRegistryConfig::default() };
        let error = ProviderRegistry::new(config, &Clock::system()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the address of Google's API must be an http or https address: mailto:google"
        );
    }
}
