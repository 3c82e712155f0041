//! What a person chooses for a channel, all in one form.

use axum::{extract::State, http::StatusCode, response::Response};
use concord_domain::ids::ChannelId;
use concord_jobs::channels::{
    doubts::{self, Asked, Doubt},
    manage::{self, Changes},
};
use concord_storage::{bookings::Change, channels::Channel, resources};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    super::{
        PageError,
        asked::{Named, Sent},
        flash::Flash,
        frame::page,
        session::CurrentUser,
    },
    address_fault,
    against::{Against, Tick, about},
    detail::describe,
    found,
    live::Place,
    path_of,
    words::typed_interval,
};
use crate::app::App;

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Form {
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
    pub ticks: Vec<Tick>,
}

impl Form {
    /// As the channel has it. The address is a secret, of which only the host is shown.
    pub(super) fn of(channel: &Channel) -> Self {
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
    Named(id): Named<ChannelId>,
    Sent(form): Sent<Form>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let changes = match read(&app, &channel, &form) {
        Ok(changes) => changes,
        Err(faults) => return refuse(&app, &user, &channel, (form, faults)).await,
    };
    let change = user.change(&app);
    if let Some(against) = against(&app, &change, &channel, (&form, &changes)).await?
        && let Some(text) = against.unanswered()
    {
        let form = Form { ticks: against.ticks, about: about(&channel.platform, &form.address), ..form };
        return refuse(&app, &user, &channel, (form, vec![("address", text)])).await;
    }
    match manage::update(&app.context, &change, id, &changes).await {
        Ok(_) => Ok(user.go(&app, &path_of(id), &Flash::good("The settings were saved."))),
        Err(error) => {
            let faults = vec![("address", address_fault(error)?)];
            refuse(&app, &user, &channel, (form, faults)).await
        }
    }
}

/// What speaks against a new address; `None`: there is none.
async fn against(
    app: &App,
    change: &Change,
    channel: &Channel,
    (form, changes): (&Form, &Changes),
) -> Result<Option<Against>, PageError> {
    let platform = app.context.platforms.find(&channel.platform);
    let (Some(Some(address)), Some(platform)) = (&changes.import_url, platform) else { return Ok(None) };
    let resource = resources::find(&app.context.db, channel.business_id, channel.resource_id).await?;
    let resource = resource.ok_or(PageError::NotFound("resource"))?;
    let asked = Asked { resource: resource.id, platform, channel: Some(channel.id), address };
    let mut doubts = doubts::doubts(&app.context, change, &asked).await?;
    // It may be a new one that is not there yet: what cannot be read is said when its time comes.
    doubts.retain(|doubt| !matches!(doubt, Doubt::Unread(_)));
    let ticked =
        if form.about == about(&channel.platform, &form.address) { form.anyway.as_slice() } else { &[] };
    Ok(Some(Against::of(&doubts, ticked, &resource.name)))
}

fn read(app: &App, channel: &Channel, form: &Form) -> Result<Changes, Vec<(&'static str, String)>> {
    let platform = app.context.platforms.find(&channel.platform);
    let mut faults = Vec::new();
    let interval_minutes =
        typed_interval(&form.interval, platform).map_err(|text| faults.push(("interval", text)));
    let address = form.address.trim();
    if !address.is_empty() && form.forget.is_some() {
        faults.push(("address", "Either give an address or say that nothing is read.".to_owned()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Changes {
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
    sent: (Form, Vec<(&'static str, String)>),
) -> Result<Response, PageError> {
    let shown = describe(app, user, channel, Place::default(), sent).await?;
    let mut response = page(app, user, &shown)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
