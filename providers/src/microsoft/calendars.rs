//! The calendars of an account.

use graph_rs_sdk::ODataQuery;
use serde::Deserialize;

use super::MicrosoftCalendar;
use crate::{
    error::ProviderError,
    provider::{Credentials, RemoteCalendar, is_colour},
};

/// Nobody has that many calendars.
const MOST_PAGES: usize = 40;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Calendar {
    id: Option<String>,
    name: Option<String>,
    hex_color: Option<String>,
    can_edit: Option<bool>,
    owner: Option<Owner>,
    #[serde(rename = "isDefaultCalendar")]
    is_primary: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Owner {
    address: Option<String>,
}

impl MicrosoftCalendar {
    pub(super) async fn list_calendars(
        &self,
        credentials: &Credentials,
    ) -> Result<Vec<RemoteCalendar>, ProviderError> {
        let built = self.graph.me().calendars().list_calendars().top("100").build().await;
        let calendars: Vec<Calendar> = self.all(credentials, built, MOST_PAGES).await?;
        Ok(calendars.into_iter().filter_map(remote).collect())
    }
}

/// Without a zone: Microsoft's calendars have none, and the mailbox's takes one permission more.
fn remote(calendar: Calendar) -> Option<RemoteCalendar> {
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
