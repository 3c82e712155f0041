//! The booking platforms that this installation knows, and how the business wants each to be treated.

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::platform::{Platform, PlatformKind};
use concord_jobs::channels::intervals;
use concord_services::channels as manage;
use concord_storage::platform_settings::{self, PlatformSettings};
use serde::Deserialize;

use super::channels::labels::{
    abilities_label, block_rule_options, fill_steps, hue_class, manual_steps, parse_interval,
    preference_options,
};
use super::{
    CurrentUser, Flash, Layout, Manager, NavItem, PageError, PageForm, PagePath, PageResult, SelectOption,
    render_page, render_refused,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings/platforms", get(show)).route("/settings/platforms/{platform}", post(save))
}

#[derive(Template)]
#[template(path = "platforms.html")]
struct PlatformsPage {
    layout: Layout,
    platforms: Vec<PlatformRow>,
}

struct PlatformRow {
    id: String,
    name: String,
    hue: String,
    kind: &'static str,
    abilities: &'static str,
    /// Whether there is a feed to read, so that it can be said how often.
    is_read: bool,
    /// "every 120 to 180 minutes"; empty: nobody knows.
    reads_ours: String,
    usual_minutes: u32,
    fewest_minutes: i64,
    most_minutes: i64,
    interval: String,
    preferences: Vec<SelectOption>,
    blocks: Vec<SelectOption>,
    notes: Vec<String>,
    import_steps: Vec<String>,
    export_steps: Vec<String>,
    by_hand: Vec<String>,
    /// What is wrong with the minutes.
    fault: Option<String>,
    /// Whether its form is open.
    is_open: bool,
}

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct PlatformForm {
    interval: String,
    preference: String,
    blocks: String,
}

impl PlatformForm {
    fn from_settings(said: &PlatformSettings) -> Self {
        Self {
            interval: said.interval_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            preference: said.preference.to_string(),
            blocks: said.blocks.to_string(),
        }
    }
}

async fn show(user: Manager) -> PageResult {
    let shown = build_page(&user, None).await?;
    render_page(&user, &shown)
}

/// A form that was refused: of which platform, what was typed, and what is wrong with it.
type RejectedPlatformForm<'a> = (&'a Platform, PlatformForm, String);

async fn build_page(
    user: &CurrentUser,
    refused: Option<RejectedPlatformForm<'_>>,
) -> PageResult<PlatformsPage> {
    let all = platform_settings::of_business(&user.app.context.db, user.business.id).await?;
    let row = |platform: &Platform| {
        if let Some((wrong, form, fault)) = &refused
            && wrong.id == platform.id
        {
            return PlatformRow { is_open: true, ..platform_row(platform, user, form, Some(fault.clone())) };
        }
        let said = all.iter().find(|said| said.platform == platform.id.as_str()).cloned();
        let said = said.unwrap_or_else(|| PlatformSettings::unsaid(platform.id.as_str()));
        platform_row(platform, user, &PlatformForm::from_settings(&said), None)
    };
    Ok(PlatformsPage {
        layout: Layout::load(user, NavItem::Settings, "Platforms").await?,
        platforms: user.app.context.platforms.iter().map(row).collect(),
    })
}

fn platform_row(
    platform: &Platform,
    user: &CurrentUser,
    form: &PlatformForm,
    fault: Option<String>,
) -> PlatformRow {
    let allowed = intervals(Some(platform));
    let business = user.business.name.as_str();
    let resource = "the room's name";
    let values =
        [("resource", resource), ("business", business), ("feed_url", "(the channel's calendar link)")];
    let checklist = platform.checklist.as_ref();
    PlatformRow {
        id: platform.id.to_string(),
        name: platform.name.clone(),
        hue: hue_class(Some(platform)),
        kind: kind_label(platform.kind),
        abilities: abilities_label(platform),
        is_read: platform.exports,
        reads_ours: platform
            .reads_every
            .map(|(shortest, longest)| format!("every {shortest} to {longest} minutes"))
            .unwrap_or_default(),
        usual_minutes: platform.interval_minutes,
        fewest_minutes: *allowed.start(),
        most_minutes: *allowed.end(),
        interval: form.interval.clone(),
        preferences: preference_options(&form.preference),
        blocks: block_rule_options(&form.blocks),
        notes: platform.notes.clone(),
        import_steps: fill_steps(&platform.import_steps, &values),
        export_steps: fill_steps(&platform.export_steps, &values),
        by_hand: checklist.map(|list| manual_steps(list, resource, business)).unwrap_or_default(),
        fault,
        is_open: false,
    }
}

fn kind_label(kind: PlatformKind) -> &'static str {
    match kind {
        PlatformKind::Ical => "Calendar sync",
        PlatformKind::Manual => "Manual",
        PlatformKind::Both => "Calendar sync or manual",
    }
}

async fn save(
    user: Manager,
    PagePath(name): PagePath<String>,
    PageForm(form): PageForm<PlatformForm>,
) -> PageResult {
    let platform = user.app.context.platforms.find(&name).ok_or(PageError::NotFound("platform"))?;
    let interval_minutes = match parse_interval(&form.interval, Some(platform)) {
        Ok(minutes) => minutes,
        Err(fault) => {
            let shown = build_page(&user, Some((platform, form, fault))).await?;
            return render_refused(&user, &shown);
        }
    };
    let before =
        platform_settings::find(&user.app.context.db, user.business.id, platform.id.as_str()).await?;
    let said = PlatformSettings {
        interval_minutes,
        preference: form.preference.parse().unwrap_or(before.preference),
        blocks: form.blocks.parse().unwrap_or(before.blocks),
        platform: before.platform,
    };
    manage::save_platform(&user.app.context, &user.change(), &said).await?;
    let text = format!("Settings of {} saved.", platform.name);
    Ok(user.redirect_with_flash("/settings/platforms", &Flash::success(text)))
}
