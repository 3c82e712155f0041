//! Whose account a token opens.

use http::Method;
use serde::Deserialize;

use super::GoogleCalendar;
use crate::{
    error::ProviderError,
    error_response::parse_json,
    provider::{ProviderAccount, ProviderCredentials},
};

/// OpenID Connect Core 1.0, section 5.3.2.
#[derive(Deserialize)]
struct GoogleUserInfo {
    /// Google's unchanging number of the account; the e-mail address can change.
    sub: String,
    #[serde(default)]
    email: String,
}

impl GoogleCalendar {
    pub(super) async fn read_account(
        &self,
        credentials: &ProviderCredentials,
    ) -> Result<ProviderAccount, ProviderError> {
        let response = self.call(credentials, Method::GET, self.userinfo.clone(), None, None).await?;
        let user: GoogleUserInfo = parse_json(&response, "Google")?;
        Ok(ProviderAccount { subject: user.sub, email: user.email })
    }
}
