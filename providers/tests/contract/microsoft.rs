//! Microsoft keeps the contract.

use std::sync::Arc;

use concord_domain::{clock::Clock, connection::ProviderKind};
use concord_providers::{
    CalendarProvider, Http, MicrosoftCalendar, MicrosoftConfig, MicrosoftSettings, ProvidersConfig, Registry,
};
use concord_sandbox::OAuthClient;

use crate::{
    sandbox::{SandboxWorld, hasty},
    suite::contract,
};

/// Microsoft as the sandbox plays it.
pub(crate) async fn microsoft() -> SandboxWorld {
    SandboxWorld::start(ProviderKind::Microsoft, |url| {
        let client = OAuthClient::microsoft();
        let addresses = MicrosoftConfig::below(&format!("{url}/microsoft").parse().unwrap());
        let hasty: Arc<dyn CalendarProvider> = Arc::new(
            MicrosoftCalendar::new(&addresses, Http::new(hasty()).unwrap(), Clock::system()).unwrap(),
        );
        let microsoft = MicrosoftSettings {
            client_id: client.client_id,
            client_secret: client.client_secret.into(),
            redirect_url: "http://127.0.0.1:9/oauth/calendar/microsoft/callback".parse().unwrap(),
            addresses,
        };
        let config = ProvidersConfig { microsoft: Some(microsoft), ..ProvidersConfig::default() };
        (Registry::new(config, &Clock::system()).unwrap(), hasty)
    })
    .await
}

contract!(microsoft(), oauth);
