//! What a provider is built from, and what is built.

use std::{fmt, sync::Arc};

use concord_domain::{
    clock::Clock,
    provider::{OAuthDescription, ProviderKind},
};
use secrecy::SecretString;
use url::Url;

use crate::{
    error::SetupError,
    http::HttpClient,
    oauth::{ExplainOAuthError, OAuthApp, OAuthConfig, OAuthEndpoints},
    provider::CalendarProvider,
    push::PushProvider,
};

/// The settings of a provider, from which it can be built.
pub trait ProviderSettings: fmt::Debug + Send + Sync {
    /// The provider, over the shared client.
    fn build(&self, http: &HttpClient, clock: &Clock) -> Result<RegisteredProvider, SetupError>;
}

/// A provider that is set up on this installation, with all that it can do.
pub struct RegisteredProvider {
    pub(crate) kind: ProviderKind,
    pub(crate) calendar: Arc<dyn CalendarProvider>,
    pub(crate) oauth: Option<OAuthApp>,
    pub(crate) push: Option<Arc<dyn PushProvider>>,
}

impl RegisteredProvider {
    /// One whose accounts are opened by OAuth, and that notifies of changes.
    pub(crate) fn with_push<P: CalendarProvider + PushProvider + 'static>(
        kind: ProviderKind,
        calendar: Arc<P>,
        oauth: OAuthApp,
    ) -> Self {
        Self { kind, calendar: calendar.clone(), oauth: Some(oauth), push: Some(calendar) }
    }
}

/// This installation as an OAuth client of a provider that stands at `E`.
#[derive(Clone, Debug)]
pub struct OAuthProviderSettings<E> {
    /// As registered with the provider.
    pub client_id: String,
    /// As registered with the provider.
    pub client_secret: SecretString,
    /// Our callback, exactly as registered with the provider.
    pub redirect_url: Url,
    /// Where the provider stands.
    pub addresses: E,
}

impl<E> OAuthProviderSettings<E> {
    pub(crate) fn oauth_config(
        &self,
        description: &'static OAuthDescription,
        endpoints: OAuthEndpoints,
        explain: ExplainOAuthError,
    ) -> OAuthConfig {
        OAuthConfig {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            redirect_url: self.redirect_url.clone(),
            description,
            endpoints,
            explain,
        }
    }
}
