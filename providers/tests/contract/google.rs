//! Google keeps the contract.

use std::sync::Arc;

use concord_domain::{clock::Clock, connection::ProviderKind};
use concord_providers::{
    CalendarProvider, GoogleCalendar, GoogleEndpoints, GoogleSettings, HttpClient, ProviderRegistry,
    ProviderRegistryConfig,
};
use concord_sandbox::OAuthClient;

use crate::{
    sandbox::{SandboxFixture, hasty},
    suite::contract,
};

/// Google as the sandbox plays it.
pub(crate) async fn google() -> SandboxFixture {
    SandboxFixture::start(ProviderKind::Google, |url| {
        let client = OAuthClient::default();
        let addresses = GoogleEndpoints::below(&format!("{url}/google").parse().unwrap());
        let hasty: Arc<dyn CalendarProvider> = Arc::new(
            GoogleCalendar::new(&addresses, HttpClient::new(hasty()).unwrap(), Clock::system()).unwrap(),
        );
        let google = GoogleSettings {
            client_id: client.client_id,
            client_secret: client.client_secret.into(),
            redirect_url: "http://127.0.0.1:9/oauth/calendar/google/callback".parse().unwrap(),
            addresses,
        };
        let config =
            ProviderRegistryConfig { providers: vec![Arc::new(google)], ..ProviderRegistryConfig::default() };
        (ProviderRegistry::new(config, &Clock::system()).unwrap(), hasty)
    })
    .await
}

contract!(google(), oauth);
