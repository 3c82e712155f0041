//! Microsoft keeps the contract.

use std::sync::Arc;

use concord_domain::{clock::Clock, connection::ProviderKind};
use concord_providers::{
    CalendarProvider, HttpClient, MicrosoftCalendar, MicrosoftEndpoints, MicrosoftSettings, ProviderRegistry,
    ProviderRegistryConfig,
};
use concord_sandbox::OAuthClient;

use crate::{
    sandbox::{SandboxFixture, hasty},
    suite::contract,
};

/// Microsoft as the sandbox plays it.
pub(crate) async fn microsoft() -> SandboxFixture {
    SandboxFixture::start(ProviderKind::Microsoft, |url| {
        let client = OAuthClient::microsoft();
        let addresses = MicrosoftEndpoints::below(&format!("{url}/microsoft").parse().unwrap());
        let hasty: Arc<dyn CalendarProvider> = Arc::new(
            MicrosoftCalendar::new(&addresses, HttpClient::new(hasty()).unwrap(), Clock::system()).unwrap(),
        );
        let microsoft = MicrosoftSettings {
            client_id: client.client_id,
            client_secret: client.client_secret.into(),
            redirect_url: "http://127.0.0.1:9/oauth/calendar/microsoft/callback".parse().unwrap(),
            addresses,
        };
        let config = ProviderRegistryConfig {
            providers: vec![Arc::new(microsoft)],
            ..ProviderRegistryConfig::default()
        };
        (ProviderRegistry::new(config, &Clock::system()).unwrap(), hasty)
    })
    .await
}

contract!(microsoft(), oauth);
