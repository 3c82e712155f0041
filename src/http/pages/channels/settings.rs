//! What a person chooses for a channel, all in one form.

use axum::{extract::State, http::StatusCode, response::Response};
use concord_domain::ids::ChannelId;
use concord_services::channels::{
    self as manage, ChannelUpdate,
    address_check::{self, AddressCandidate},
    address_warnings::AddressWarning,
};
use concord_storage::{ChangeContext, channels::Channel, resources};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    super::{
        PageError,
        extract::{PageForm, PagePath},
        flash::Flash,
        layout::render_page,
        session::CurrentUser,
    },
    address_error_message,
    address_warnings::{AddressWarningCheckbox, AddressWarnings, address_fingerprint},
    channel_path,
    detail::build_page,
    find_channel,
    labels::parse_interval,
    live::ChannelPageQuery,
};
use crate::app::App;

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

pub(super) async fn save(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
    PageForm(form): PageForm<ChannelSettingsForm>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    let changes = match parse_form(&app, &channel, &form) {
        Ok(changes) => changes,
        Err(faults) => return refuse(&app, &user, &channel, (form, faults)).await,
    };
    let change = user.change(&app);
    if let Some(against) = address_warnings(&app, &change, &channel, (&form, &changes)).await?
        && let Some(text) = against.unconfirmed()
    {
        let form = ChannelSettingsForm {
            ticks: against.ticks,
            about: address_fingerprint(&channel.platform, &form.address),
            ..form
        };
        return refuse(&app, &user, &channel, (form, vec![("address", text)])).await;
    }
    match manage::update(&app.context, &change, id, &changes).await {
        Ok(_) => Ok(user.redirect_with_flash(&app, &channel_path(id), &Flash::success("Settings saved."))),
        Err(error) => {
            let faults = vec![("address", address_error_message(error)?)];
            refuse(&app, &user, &channel, (form, faults)).await
        }
    }
}

/// What speaks against a new address; `None`: there is none.
async fn address_warnings(
    app: &App,
    change: &ChangeContext,
    channel: &Channel,
    (form, changes): (&ChannelSettingsForm, &ChannelUpdate),
) -> Result<Option<AddressWarnings>, PageError> {
    let platform = app.context.platforms.find(&channel.platform);
    let (Some(Some(address)), Some(platform)) = (&changes.import_url, platform) else { return Ok(None) };
    let resource = resources::find(&app.context.db, channel.business_id, channel.resource_id).await?;
    let resource = resource.ok_or(PageError::NotFound("resource"))?;
    let asked = AddressCandidate { resource: resource.id, platform, channel: Some(channel.id), address };
    let mut warnings = address_check::warnings(&app.context, change, &asked).await?;
    // It may be a new one that is not there yet: what cannot be read is said when its time comes.
    warnings.retain(|warning| !matches!(warning, AddressWarning::Unread(_)));
    let ticked = if form.about == address_fingerprint(&channel.platform, &form.address) {
        form.anyway.as_slice()
    } else {
        &[]
    };
    Ok(Some(AddressWarnings::from_warnings(&warnings, ticked, &resource.name)))
}

fn parse_form(
    app: &App,
    channel: &Channel,
    form: &ChannelSettingsForm,
) -> Result<ChannelUpdate, Vec<(&'static str, String)>> {
    let platform = app.context.platforms.find(&channel.platform);
    let mut faults = Vec::new();
    let interval_minutes =
        parse_interval(&form.interval, platform).map_err(|text| faults.push(("interval", text)));
    let address = form.address.trim();
    if !address.is_empty() && form.forget.is_some() {
        faults.push(("address", "Enter a link, or select “Stop importing”, not both.".to_owned()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(ChannelUpdate {
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

async fn refuse(
    app: &App,
    user: &CurrentUser,
    channel: &Channel,
    sent: (ChannelSettingsForm, Vec<(&'static str, String)>),
) -> Result<Response, PageError> {
    let shown = build_page(app, user, channel, ChannelPageQuery::default(), sent).await?;
    let mut response = render_page(app, user, &shown)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
