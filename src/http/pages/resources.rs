//! What can be booked.

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::{
    booking::FieldError,
    ids::ResourceId,
    settings::{FieldErrors, MAX_BUFFER, MAX_CAPACITY},
};
use concord_services::{ServiceError, resources};
use concord_storage::{
    StorageError,
    resources::{self as store, Resource, ResourceSettings},
};
use serde::Deserialize;

use super::{
    Confirmation, CurrentUser, Faults, Flash, Form, Layout, Manager, NAME_RULE, NavItem, PageError, PageForm,
    PagePath, PageResult, all_resources, business::zones, confirm_page, error::STAYS_AHEAD, isolated,
    render_page, render_refused,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/settings/resources", get(list).post(create))
        .route("/settings/resources/new", get(new_form))
        .route("/settings/resources/{id}", get(edit).post(update))
        .route("/settings/resources/{id}/archive", get(confirm_archive).post(archive))
        .route("/settings/resources/{id}/restore", post(restore))
}

#[derive(Template)]
#[template(path = "resources.html")]
struct ResourcesPage {
    layout: Layout,
    rows: Vec<Resource>,
    archived: Vec<Resource>,
}

#[derive(Template)]
#[template(path = "resource_form.html")]
struct ResourceFormPage {
    layout: Layout,
    /// As it stands; `None`: a new one.
    before: Option<Resource>,
    archive: Option<Confirmation>,
    form: Form<ResourceFormFields>,
    zones: Vec<&'static str>,
    business_zone: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ResourceFormFields {
    name: String,
    capacity: String,
    zone: String,
    before: String,
    after: String,
}

async fn list(user: Manager) -> PageResult {
    let layout = Layout::load(&user, NavItem::Settings, "Resources").await?;
    let rows = all_resources(&user.app.context.db, user.business.id).await?;
    let archived = store::list_archived(&user.app.context.db, user.business.id).await?;
    render_page(&user, &ResourcesPage { layout, rows, archived })
}

async fn new_form(user: Manager) -> PageResult {
    let form = ResourceFormFields {
        capacity: "1".to_owned(),
        before: "0".to_owned(),
        after: "0".to_owned(),
        ..ResourceFormFields::default()
    };
    let shown = build_page(&user, None, form.into()).await?;
    render_page(&user, &shown)
}

async fn edit(user: Manager, PagePath(id): PagePath<ResourceId>) -> PageResult {
    let resource = find_resource(&user, id).await?;
    let form = ResourceFormFields {
        name: resource.name.clone(),
        capacity: resource.capacity.to_string(),
        zone: resource.zone.map(|zone| zone.name().to_owned()).unwrap_or_default(),
        before: resource.buffer_before_minutes.to_string(),
        after: resource.buffer_after_minutes.to_string(),
    };
    let shown = build_page(&user, Some(resource), form.into()).await?;
    render_page(&user, &shown)
}

async fn build_page(
    user: &CurrentUser,
    before: Option<Resource>,
    form: Form<ResourceFormFields>,
) -> PageResult<ResourceFormPage> {
    let title =
        before.as_ref().map_or_else(|| "New resource".to_owned(), |before| format!("Edit {}", before.name));
    let layout = Layout::load(user, NavItem::Settings, title).await?;
    let business_zone = user.business.zone.name().to_owned();
    let archive = before.as_ref().map(archive_confirmation);
    Ok(ResourceFormPage { layout, before, archive, form, zones: zones(), business_zone })
}

async fn refuse(
    user: &CurrentUser,
    before: Option<Resource>,
    form: ResourceFormFields,
    faults: impl Into<Faults>,
) -> PageResult {
    render_refused(user, &build_page(user, before, Form::refused(form, faults)).await?)
}

async fn find_resource(user: &Manager, id: ResourceId) -> PageResult<Resource> {
    store::find(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|resource| resource.archived_at.is_none())
        .ok_or(PageError::NotFound("resource"))
}

async fn create(user: Manager, PageForm(form): PageForm<ResourceFormFields>) -> PageResult {
    let settings = match parse_form(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&user, None, form, faults).await,
    };
    let made = resources::create(&user.app.context, &user.change(), &settings).await?;
    let flash = Flash::success(format!("“{}” was added.", made.name));
    Ok(user.redirect_with_flash("/settings/resources", &flash))
}

async fn update(
    user: Manager,
    PagePath(id): PagePath<ResourceId>,
    PageForm(form): PageForm<ResourceFormFields>,
) -> PageResult {
    let shown = find_resource(&user, id).await?;
    let settings = match parse_form(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&user, Some(shown), form, faults).await,
    };
    let by = user.change();
    let changed = match resources::change(&user.app.context, &by, id, |_| Ok(settings)).await {
        Ok(changed) => changed,
        Err(ServiceError::Storage(StorageError::UnitsTaken { highest })) => {
            let text =
                format!("Unit {highest} still has a current or upcoming booking. Move or cancel it first.");
            return refuse(&user, Some(shown), form, ("capacity", text)).await;
        }
        Err(ServiceError::Storage(StorageError::StaysAhead)) => {
            return refuse(&user, Some(shown), form, ("zone", STAYS_AHEAD)).await;
        }
        Err(error) => return Err(error.into()),
    };
    let flash = Flash::success(format!("“{}” was changed.", changed.name));
    Ok(user.redirect_with_flash("/settings/resources", &flash))
}

fn parse_form(form: &ResourceFormFields) -> Result<ResourceSettings, Faults> {
    // What is no number is beyond all bounds.
    let number = |text: &str| text.trim().parse().unwrap_or(u32::MAX);
    let mut faults = FieldErrors::default();
    let mut settings = ResourceSettings {
        name: form.name.clone(),
        zone: match form.zone.trim() {
            "" => None,
            name => faults.zone("zone", name),
        },
        capacity: number(&form.capacity),
        buffer_before_minutes: number(&form.before),
        buffer_after_minutes: number(&form.after),
    };
    settings.check(&mut faults);
    faults.into_result().map_err(|faults| faults.iter().map(field_message).collect::<Faults>())?;
    Ok(settings)
}

/// The field of the form, and what the page says about it.
fn field_message(fault: &FieldError) -> (&'static str, String) {
    let minutes = || format!("Minutes must be a whole number from 0 to {MAX_BUFFER}.");
    match fault.field {
        "name" => ("name", NAME_RULE.to_owned()),
        "capacity" => ("capacity", format!("Units must be a whole number from 1 to {MAX_CAPACITY}.")),
        "buffer_before_minutes" => ("before", minutes()),
        "buffer_after_minutes" => ("after", minutes()),
        field => (field, "Choose a time zone from the list, or leave it empty.".to_owned()),
    }
}

fn archive_confirmation(resource: &Resource) -> Confirmation {
    Confirmation::danger(
        ("archive", format!("/settings/resources/{}/archive", resource.id)),
        format!("Archive “{}”?", isolated(&resource.name)),
        "It can no longer be booked. Existing bookings and history are kept. You can restore it under Resources.",
        "Archive resource",
    )
}

async fn confirm_archive(user: Manager, PagePath(id): PagePath<ResourceId>) -> PageResult {
    let resource = find_resource(&user, id).await?;
    let place = (NavItem::Settings, format!("/settings/resources/{id}"));
    confirm_page(&user, place, archive_confirmation(&resource)).await
}

async fn archive(user: Manager, PagePath(id): PagePath<ResourceId>) -> PageResult {
    let resource = resources::archive(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("“{}” was archived. Existing bookings are kept.", resource.name))
        .with_undo(format!("/settings/resources/{id}/restore"), &[]);
    Ok(user.redirect_with_flash("/settings/resources", &flash))
}

async fn restore(user: Manager, PagePath(id): PagePath<ResourceId>) -> PageResult {
    let resource = resources::restore(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("“{}” was restored.", resource.name));
    Ok(user.redirect_with_flash("/settings/resources", &flash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_its_field() {
        let form = ResourceFormFields {
            name: " ".to_owned(),
            capacity: "0".to_owned(),
            zone: "Mars/Olympus".to_owned(),
            before: "an hour".to_owned(),
            after: "30".to_owned(),
        };
        let fields: Vec<_> = parse_form(&form).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["zone", "name", "capacity", "before"]);
        let good = ResourceFormFields {
            name: "Sea View".to_owned(),
            capacity: "2".to_owned(),
            zone: String::new(),
            before: "0".to_owned(),
            ..form
        };
        let settings = parse_form(&good).unwrap();
        assert_eq!((settings.capacity, settings.zone, settings.buffer_after_minutes), (2, None, 30));
    }
}
