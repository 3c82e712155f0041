//! Connecting a platform: which resource and where, then what is sold there comes here.

use askama::Template;
use concord_domain::{ids::ResourceId, platform::Platform};
use concord_services::channels::{
    self as manage, NewChannelRequest,
    address_check::{self, AddressCandidate as AskedFor},
};
use concord_storage::{platform_settings, resources::Resource};
use secrecy::SecretString;
use serde::Deserialize;

use super::address_warnings::{AddressWarningCheckbox, AddressWarnings, address_fingerprint};
use super::labels::{abilities_label, fill_steps, hue_class, manual_steps};
use super::{address_error_message, channel_path};
use crate::app::App;
use crate::http::pages::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageError, PageForm, PageQuery, PageResult,
    SelectOption, all_resources, render_page, render_refused,
};

/// First: for what, and where?
#[derive(Template)]
#[template(path = "channel_choose.html")]
struct ChooseChannelPage {
    layout: Layout,
    resources: Vec<SelectOption>,
    platforms: Vec<PlatformOption>,
    form: Form<()>,
}

struct PlatformOption {
    id: String,
    name: String,
    hue: String,
    abilities: &'static str,
    notes: Vec<String>,
    chosen: bool,
}

/// Then both directions, in their order.
#[derive(Template)]
#[template(path = "channel_new.html")]
struct NewChannelPage {
    layout: Layout,
    resource_id: String,
    resource: String,
    platform_id: String,
    platform: String,
    hue: String,
    offers_feed: bool,
    reads_ours: bool,
    notes: Vec<String>,
    export_steps: Vec<String>,
    import_steps: Vec<String>,
    /// What is done there by hand, where there is no feed.
    by_hand: Vec<String>,
    form: Form<NewChannelForm>,
    /// The platform that it seems to be of, if that is another one.
    told: Option<SelectOption>,
    /// What to tick if the address is meant all the same.
    ticks: Vec<AddressWarningCheckbox>,
}

impl NewChannelPage {
    fn about(&self) -> String {
        address_fingerprint(&self.platform_id, &self.form.address)
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewChannelForm {
    resource: Option<String>,
    platform: Option<String>,
    address: String,
    /// What was ticked, of what speaks against the address.
    anyway: Vec<String>,
    /// What was ticked for.
    about: String,
    /// The platform that it seems to be of, for whoever takes that one.
    instead: Option<String>,
}

pub(super) async fn show(user: Manager, PageQuery(form): PageQuery<NewChannelForm>) -> PageResult {
    let resources = all_resources(&user.app.context.db, user.business.id).await?;
    if form.resource.is_none() || form.platform.is_none() {
        return choose_page(&user, &resources, &form, Faults::default()).await;
    }
    match parse_choice(&user.app, &resources, &form) {
        Ok((resource, platform)) => {
            let shown = build_page(&user, resource, platform, &form).await?;
            render_page(&user, &shown)
        }
        Err(faults) => choose_page(&user, &resources, &form, faults).await,
    }
}

/// What was chosen, or what is wrong with it.
fn parse_choice<'a>(
    app: &'a App,
    resources: &'a [Resource],
    form: &NewChannelForm,
) -> Result<(&'a Resource, &'a Platform), Faults> {
    let id = form.resource.as_deref().and_then(|id| id.parse::<ResourceId>().ok());
    let resource = resources.iter().find(|resource| Some(resource.id) == id);
    let name = form.instead.as_deref().or(form.platform.as_deref()).unwrap_or_default();
    let platform = app.context.platforms.find(name);
    match (resource, platform) {
        (Some(resource), Some(platform)) => Ok((resource, platform)),
        (resource, platform) => {
            let mut faults = Faults::default();
            if resource.is_none() {
                faults.add("resource", "Choose a listing.");
            }
            if platform.is_none() {
                faults.add("platform", "Choose a platform.");
            }
            Err(faults)
        }
    }
}

async fn choose_page(
    user: &CurrentUser,
    resources: &[Resource],
    form: &NewChannelForm,
    faults: Faults,
) -> PageResult {
    let (resource, platform) =
        (form.resource.as_deref().unwrap_or_default(), form.platform.as_deref().unwrap_or_default());
    let is_refused = !faults.is_empty();
    let offer = |one: &Platform| PlatformOption {
        id: one.id.to_string(),
        name: one.name.clone(),
        hue: hue_class(Some(one)),
        abilities: abilities_label(one),
        notes: one.notes.clone(),
        chosen: one.id.as_str() == platform,
    };
    let shown = ChooseChannelPage {
        layout: Layout::load(user, NavItem::Channels, "Connect a platform").await?,
        resources: resources
            .iter()
            .map(|one| SelectOption::new(one.id.to_string(), &one.name, resource))
            .collect(),
        platforms: user.app.context.platforms.iter().map(offer).collect(),
        form: Form::refused((), faults),
    };
    if is_refused { render_refused(user, &shown) } else { render_page(user, &shown) }
}

async fn build_page(
    user: &CurrentUser,
    resource: &Resource,
    platform: &Platform,
    form: &NewChannelForm,
) -> PageResult<NewChannelPage> {
    let business = user.business.name.as_str();
    let to_come = "(the link shown in the next step)";
    let values = [("resource", resource.name.as_str()), ("business", business), ("feed_url", to_come)];
    let checklist = platform.checklist.as_ref();
    Ok(NewChannelPage {
        layout: Layout::load(user, NavItem::Channels, format!("Connect {}", platform.name)).await?,
        resource_id: resource.id.to_string(),
        resource: resource.name.clone(),
        platform_id: platform.id.to_string(),
        platform: platform.name.clone(),
        hue: hue_class(Some(platform)),
        offers_feed: platform.exports,
        reads_ours: platform.imports,
        notes: platform.notes.clone(),
        export_steps: fill_steps(&platform.export_steps, &values),
        import_steps: fill_steps(&platform.import_steps, &values),
        by_hand: checklist.map(|list| manual_steps(list, &resource.name, business)).unwrap_or_default(),
        form: NewChannelForm { address: form.address.trim().to_owned(), ..form.clone() }.into(),
        told: None,
        ticks: Vec::new(),
    })
}

pub(super) async fn create(user: Manager, PageForm(form): PageForm<NewChannelForm>) -> PageResult {
    let resources = all_resources(&user.app.context.db, user.business.id).await?;
    let (resource, platform) = match parse_choice(&user.app, &resources, &form) {
        Ok(chosen) => chosen,
        Err(faults) => return choose_page(&user, &resources, &form, faults).await,
    };
    let mut shown = build_page(&user, resource, platform, &form).await?;
    if !platform.exports && !platform.imports {
        return Err(PageError::NotPossible(format!("{} has no calendar to connect.", platform.name)));
    }
    let change = user.change();
    let typed =
        Some(SecretString::from(shown.form.address.as_str())).filter(|_| !shown.form.address.is_empty());
    if let Some(address) = &typed {
        let asked = AskedFor { resource: resource.id, platform, channel: None, address };
        let ticked = if form.about == shown.about() { form.anyway.as_slice() } else { &[] };
        let warnings = address_check::warnings(&user.app.context, &change, &asked).await?;
        let against = AddressWarnings::from_warnings(&warnings, ticked, &resource.name);
        if let Some(text) = against.unconfirmed() {
            shown.told = against.platform;
            shown.ticks = against.ticks;
            return refuse(&user, shown, text);
        }
    }
    let said = platform_settings::find(&user.app.context.db, user.business.id, platform.id.as_str()).await?;
    let wanted = NewChannelRequest {
        resource: resource.id,
        platform,
        import_url: typed,
        preference: said.preference,
        blocks: said.blocks,
        interval_minutes: None,
    };
    let channel = match manage::create(&user.app.context, &change, &wanted).await {
        Ok(channel) => channel,
        Err(error) => return refuse(&user, shown, address_error_message(error)?),
    };
    let text = if channel.polled {
        format!(
            "{} connected: its reservations are being imported. Next, export your availability.",
            platform.name
        )
    } else {
        format!("{} connected. Next, export your availability.", platform.name)
    };
    Ok(user.redirect_with_flash(&channel_path(channel.id), &Flash::success(text)))
}

fn refuse(user: &CurrentUser, mut shown: NewChannelPage, text: String) -> PageResult {
    shown.form = Form::refused(shown.form.clone(), ("address", text));
    render_refused(user, &shown)
}
