//! Whose account a token opens.

use graph_rs_sdk::ODataQuery;
use serde::Deserialize;

use super::{MicrosoftCalendar, errors::json};
use crate::{access::AccountAccess, error::ProviderError, provider::ProviderAccount};

#[derive(Deserialize)]
struct GraphUser {
    /// Microsoft's unchanging id; address and sign-in name can change.
    id: String,
    mail: Option<String>,
    #[serde(default, rename = "userPrincipalName")]
    sign_in_name: String,
}

impl AccountAccess<'_, MicrosoftCalendar> {
    pub(super) async fn read_account(&self) -> Result<ProviderAccount, ProviderError> {
        let built =
            self.provider.graph.me().get_user().select(&["id", "mail", "userPrincipalName"]).build().await;
        let user: GraphUser = json(&self.call(built).await?)?;
        let mail = user.mail.filter(|mail| !mail.is_empty());
        Ok(ProviderAccount { subject: user.id, email: mail.unwrap_or(user.sign_in_name) })
    }
}
