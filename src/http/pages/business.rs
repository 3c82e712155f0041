//! The business's own settings.

use askama::Template;
use axum::{Router, routing::get};
use chrono_tz::{TZ_VARIANTS, Tz};
use concord_domain::{privacy::EntryPrivacy, sync::remote_change::RemoteChangeRules};
use concord_services::business;
use concord_storage::{
    StorageError,
    businesses::{Business, BusinessSettings},
};
use serde::Deserialize;

use super::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NAME_RULE, NavItem, PageForm, PageResult,
    error::STAYS_AHEAD, is_name, render_page, render_refused,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings/business", get(show).post(save))
}

#[derive(Template)]
#[template(path = "business.html")]
struct BusinessPage {
    layout: Layout,
    form: Form<BusinessForm>,
    zones: Vec<&'static str>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct BusinessForm {
    name: String,
    zone: String,
    privacy: String,
    cancelled: String,
    /// What becomes of entries that people move, and of those that they delete.
    moves: String,
    deletions: String,
}

/// Every zone that a person would choose: none of the old short names.
pub(super) fn zones() -> Vec<&'static str> {
    TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .filter(|name| name.contains('/') && !name.starts_with("Etc/"))
        .collect()
}

async fn show(user: Manager) -> PageResult {
    let business = &user.business;
    let form = BusinessForm {
        name: business.name.clone(),
        zone: business.zone.name().to_owned(),
        privacy: business.entry_privacy.as_str().to_owned(),
        cancelled: if business.mark_cancelled { "mark" } else { "remove" }.to_owned(),
        moves: business.outside.moves.to_string(),
        deletions: business.outside.deletions.to_string(),
    };
    let shown = build_page(&user, form.into()).await?;
    render_page(&user, &shown)
}

async fn build_page(user: &CurrentUser, form: Form<BusinessForm>) -> PageResult<BusinessPage> {
    let layout = Layout::load(user, NavItem::Settings, "Business").await?;
    Ok(BusinessPage { layout, form, zones: zones() })
}

async fn save(user: Manager, PageForm(form): PageForm<BusinessForm>) -> PageResult {
    let settings = match parse_form(&form, user.business.settings()) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&user, form, faults).await,
    };
    // How customers are written to has a page of its own, which may be saved meanwhile.
    let apply = |before: &Business| {
        Ok(BusinessSettings {
            invitations: before.invitations.clone(),
            customers: before.customers,
            ..settings
        })
    };
    match business::change(&user.app.context, &user.change(), apply).await {
        Ok(_) => {}
        Err(StorageError::StaysAhead) => return refuse(&user, form, ("zone", STAYS_AHEAD)).await,
        Err(error) => return Err(error.into()),
    }
    Ok(user.redirect_with_flash("/settings/business", &Flash::success("Settings saved.")))
}

async fn refuse(user: &CurrentUser, form: BusinessForm, faults: impl Into<Faults>) -> PageResult {
    render_refused(user, &build_page(user, Form::refused(form, faults)).await?)
}

/// What is not in the form stays as it was `before`.
fn parse_form(form: &BusinessForm, before: BusinessSettings) -> Result<BusinessSettings, Faults> {
    let name = form.name.trim();
    let mut faults = Faults::default();
    if !is_name(name) {
        faults.add("name", NAME_RULE);
    }
    let zone: Option<Tz> = form.zone.trim().parse().ok();
    if zone.is_none() {
        faults.add("zone", "Choose a time zone from the list.");
    }
    let entry_privacy = parse_choice(form.privacy.parse::<EntryPrivacy>(), "privacy", &mut faults);
    let mark_cancelled = match form.cancelled.as_str() {
        "mark" => Ok(true),
        "remove" => Ok(false),
        unknown => Err(unknown),
    };
    let mark_cancelled = parse_choice(mark_cancelled, "cancelled", &mut faults);
    let moves = parse_choice(form.moves.parse(), "moves", &mut faults);
    let deletions = parse_choice(form.deletions.parse(), "deletions", &mut faults);
    match (zone, entry_privacy, mark_cancelled, moves, deletions) {
        (Some(zone), Some(entry_privacy), Some(mark_cancelled), Some(moves), Some(deletions))
            if faults.is_empty() =>
        {
            let outside = RemoteChangeRules { moves, deletions };
            Ok(BusinessSettings {
                name: name.to_owned(),
                zone,
                entry_privacy,
                mark_cancelled,
                outside,
                ..before
            })
        }
        _ => Err(faults),
    }
}

/// What was chosen; a choice that is none of those offered is a fault, and nothing is chosen in its place.
fn parse_choice<T, E>(choice: Result<T, E>, field: &'static str, faults: &mut Faults) -> Option<T> {
    if choice.is_err() {
        faults.add(field, "Choose an option.");
    }
    choice.ok()
}
