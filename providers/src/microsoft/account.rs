//! Whose account a token opens, and its calendars.

use graph_rs_sdk::ODataQuery;
use serde::Deserialize;

use super::{MicrosoftCalendar, errors::json};
use crate::{
    access::AccountAccess,
    error::ProviderError,
    provider::{ProviderAccount, RemoteCalendar, is_colour},
};

/// Nobody has that many calendars.
const MAX_PAGES: usize = 40;

#[derive(Deserialize)]
struct GraphUser {
    /// Microsoft's unchanging id; address and sign-in name can change.
    id: String,
    mail: Option<String>,
    #[serde(default, rename = "userPrincipalName")]
    sign_in_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphCalendar {
    id: Option<String>,
    name: Option<String>,
    hex_color: Option<String>,
    can_edit: Option<bool>,
    owner: Option<GraphCalendarOwner>,
    #[serde(rename = "isDefaultCalendar")]
    is_primary: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct GraphCalendarOwner {
    address: Option<String>,
}

impl AccountAccess<'_, MicrosoftCalendar> {
    pub(super) async fn read_account(&self) -> Result<ProviderAccount, ProviderError> {
        let built =
            self.provider.graph.me().get_user().select(&["id", "mail", "userPrincipalName"]).build().await;
        let user: GraphUser = json(&self.call(built).await?)?;
        let mail = user.mail.filter(|mail| !mail.is_empty());
        Ok(ProviderAccount { subject: user.id, email: mail.unwrap_or(user.sign_in_name) })
    }

    pub(super) async fn list_calendars(&self) -> Result<Vec<RemoteCalendar>, ProviderError> {
        let built = self.provider.graph.me().calendars().list_calendars().top("100").build().await;
        let calendars: Vec<GraphCalendar> = self.all(built, MAX_PAGES).await?;
        Ok(calendars.into_iter().filter_map(to_remote_calendar).collect())
    }
}

/// Without a zone: Microsoft's calendars have none, and the mailbox's takes one permission more.
fn to_remote_calendar(calendar: GraphCalendar) -> Option<RemoteCalendar> {
    let external_id = calendar.id?;
    Some(RemoteCalendar {
        name: calendar.name.filter(|name| !name.is_empty()).unwrap_or_else(|| "Calendar".to_owned()),
        colour: calendar.hex_color.filter(|colour| is_colour(colour)),
        zone: None,
        owner: calendar.owner.and_then(|owner| owner.address).map(|address| address.to_lowercase()),
        writable: calendar.can_edit == Some(true),
        primary: calendar.is_primary == Some(true),
        external_id,
    })
}
