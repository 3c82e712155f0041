//! The form of what a person chooses for a channel: as it was typed, and what it means.

use concord_services::channels::ChannelUpdate;
use concord_storage::channels::Channel;
use secrecy::SecretString;
use serde::Deserialize;

use super::{address_warnings::AddressWarningCheckbox, labels::parse_interval};
use crate::app::App;
use crate::http::pages::Faults;

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelSettingsForm {
    pub state: String,
    /// Minutes; empty: as the business or the platform has it.
    pub interval: String,
    pub preference: String,
    pub blocks: String,
    /// Another address to read; empty: the one that is there stays.
    pub address: String,
    /// A tick: nothing is read any more.
    pub forget: Option<String>,
    /// What was ticked, of what speaks against the address.
    pub anyway: Vec<String>,
    /// What was ticked for.
    pub about: String,
    /// What there is to tick.
    #[serde(skip)]
    pub ticks: Vec<AddressWarningCheckbox>,
}

impl ChannelSettingsForm {
    /// As the channel has it. The address is a secret, of which only the host is shown.
    pub(super) fn from_channel(channel: &Channel) -> Self {
        Self {
            state: channel.state.to_string(),
            interval: channel.interval_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            preference: channel.preference.to_string(),
            blocks: channel.blocks.to_string(),
            ..Self::default()
        }
    }
}

pub(super) fn parse_form(
    app: &App,
    channel: &Channel,
    form: &ChannelSettingsForm,
) -> Result<ChannelUpdate, Faults> {
    let platform = app.context.platforms.find(&channel.platform);
    let mut faults = Faults::default();
    let interval_minutes =
        parse_interval(&form.interval, platform).map_err(|text| faults.add("interval", text));
    let address = form.address.trim();
    if !address.is_empty() && form.forget.is_some() {
        faults.add("address", "Enter a link, or select “Stop importing”, not both.");
    }
    faults.or(ChannelUpdate {
        // What no form of ours sends changes nothing.
        state: form.state.parse().ok(),
        preference: form.preference.parse().ok(),
        blocks: form.blocks.parse().ok(),
        interval_minutes: interval_minutes.ok(),
        import_url: match (address, &form.forget) {
            ("", None) => None,
            ("", Some(_)) => Some(None),
            (address, _) => Some(Some(SecretString::from(address))),
        },
    })
}
