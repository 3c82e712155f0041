//! Whose account a token opens.

use http::Method;
use serde::Deserialize;

use super::GoogleCalendar;
use crate::{
    access::AccountAccess, error::ProviderError, error_response::parse_json, provider::ProviderAccount,
};

/// OpenID Connect Core 1.0, section 5.3.2.
#[derive(Deserialize)]
struct GoogleUserInfo {
    /// Google's unchanging number of the account; the e-mail address can change.
    sub: String,
    #[serde(default)]
    email: String,
}

impl AccountAccess<'_, GoogleCalendar> {
    pub(super) async fn read_account(&self) -> Result<ProviderAccount, ProviderError> {
        let response = self.call(Method::GET, self.provider.userinfo.clone(), None, None).await?;
        let user: GoogleUserInfo = parse_json(&response, "Google")?;
        Ok(ProviderAccount { subject: user.sub, email: user.email })
    }
}
