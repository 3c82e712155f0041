//! Saves what a person chooses for a channel, once nothing speaks against it.

use concord_domain::ids::ChannelId;
use concord_services::channels::{
    self as manage, ChannelUpdate,
    address_check::{self, AddressCandidate},
    address_warnings::AddressWarning,
};
use concord_storage::{ChangeContext, channels::Channel, resources};

use super::address_warnings::{AddressWarnings, address_fingerprint};
use super::form::{ChannelSettingsForm, parse_form};
use super::{address_error_message, channel_path, detail::build_page, find_channel, live::ChannelPageQuery};
use crate::app::App;
use crate::http::pages::{
    CurrentUser, Faults, Flash, Form, Manager, PageError, PageForm, PagePath, PageResult, render_refused,
};

pub(super) async fn save(
    user: Manager,
    PagePath(id): PagePath<ChannelId>,
    PageForm(form): PageForm<ChannelSettingsForm>,
) -> PageResult {
    let channel = find_channel(&user, id).await?;
    let changes = match parse_form(&user.app, &channel, &form) {
        Ok(changes) => changes,
        Err(faults) => return refuse(&user, &channel, form, faults).await,
    };
    let change = user.change();
    if let Some(against) = address_warnings(&user.app, &change, &channel, (&form, &changes)).await?
        && let Some(text) = against.unconfirmed()
    {
        let form = ChannelSettingsForm {
            ticks: against.ticks,
            about: address_fingerprint(&channel.platform, &form.address),
            ..form
        };
        return refuse(&user, &channel, form, ("address", text)).await;
    }
    match manage::update(&user.app.context, &change, id, &changes).await {
        Ok(_) => Ok(user.redirect_with_flash(&channel_path(id), &Flash::success("Settings saved."))),
        Err(error) => {
            let fault = ("address", address_error_message(error)?);
            refuse(&user, &channel, form, fault).await
        }
    }
}

/// What speaks against a new address; `None`: there is none.
async fn address_warnings(
    app: &App,
    change: &ChangeContext,
    channel: &Channel,
    (form, changes): (&ChannelSettingsForm, &ChannelUpdate),
) -> PageResult<Option<AddressWarnings>> {
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

async fn refuse(
    user: &CurrentUser,
    channel: &Channel,
    form: ChannelSettingsForm,
    faults: impl Into<Faults>,
) -> PageResult {
    let form = Form::refused(form, faults);
    let shown = build_page(user, channel, ChannelPageQuery::default(), form).await?;
    render_refused(user, &shown)
}
