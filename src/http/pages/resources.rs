//! What can be booked.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use concord_domain::{
    booking::FieldError,
    ids::ResourceId,
    record::HistorySubject,
    settings::{Faults, MAX_BUFFER, MAX_CAPACITY},
};
use concord_jobs::batch_sync;
use concord_storage::{
    StorageError,
    resources::{self, Resource, ResourceSettings},
};
use serde::Deserialize;

use super::{
    PageError,
    asked::{Named, Sent},
    business::{STAYS_AHEAD, zones},
    flash::Flash,
    frame::{Frame, Place, page},
    names::{NAME_RULE, all_resources},
    session::CurrentUser,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/settings/resources", get(list).post(create))
        .route("/settings/resources/new", get(begin))
        .route("/settings/resources/{id}", get(edit).post(update))
        .route("/settings/resources/{id}/archive", get(ask_archive).post(archive))
        .route("/settings/resources/{id}/restore", post(restore))
}

#[derive(Template)]
#[template(path = "resources.html")]
struct ResourcesPage {
    frame: Frame,
    rows: Vec<Resource>,
    archived: Vec<Resource>,
}

#[derive(Template)]
#[template(path = "resource_form.html")]
struct ResourceForm {
    frame: Frame,
    /// As it stands; `None`: a new one.
    before: Option<Resource>,
    form: Form,
    zones: Vec<&'static str>,
    business_zone: String,
    faults: Vec<(&'static str, String)>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Form {
    name: String,
    capacity: String,
    zone: String,
    before: String,
    after: String,
}

impl ResourceForm {
    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }
}

async fn list(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let frame = Frame::around(&app, &user, Place::Settings, "Resources").await?;
    let rows = all_resources(&app.context.db, user.business.id).await?;
    let archived = resources::list_archived(&app.context.db, user.business.id).await?;
    page(&app, &user, &ResourcesPage { frame, rows, archived })
}

async fn begin(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let form =
        Form { capacity: "1".to_owned(), before: "0".to_owned(), after: "0".to_owned(), ..Form::default() };
    let shown = describe(&app, &user, None, form, Vec::new()).await?;
    page(&app, &user, &shown)
}

async fn edit(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ResourceId>,
) -> Result<Response, PageError> {
    let resource = found(&app, &user, id).await?;
    let form = Form {
        name: resource.name.clone(),
        capacity: resource.capacity.to_string(),
        zone: resource.zone.map(|zone| zone.name().to_owned()).unwrap_or_default(),
        before: resource.buffer_before_minutes.to_string(),
        after: resource.buffer_after_minutes.to_string(),
    };
    let shown = describe(&app, &user, Some(resource), form, Vec::new()).await?;
    page(&app, &user, &shown)
}

async fn describe(
    app: &App,
    user: &CurrentUser,
    before: Option<Resource>,
    form: Form,
    faults: Vec<(&'static str, String)>,
) -> Result<ResourceForm, PageError> {
    let title =
        before.as_ref().map_or_else(|| "New resource".to_owned(), |before| format!("Edit {}", before.name));
    let frame = Frame::around(app, user, Place::Settings, title).await?;
    let business_zone = user.business.zone.name().to_owned();
    Ok(ResourceForm { frame, before, form, zones: zones(), business_zone, faults })
}

async fn refuse(
    app: &App,
    user: &CurrentUser,
    before: Option<Resource>,
    form: Form,
    faults: Vec<(&'static str, String)>,
) -> Result<Response, PageError> {
    let mut response = page(app, user, &describe(app, user, before, form, faults).await?)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

async fn found(app: &App, user: &CurrentUser, id: ResourceId) -> Result<Resource, PageError> {
    user.must_be_manager()?;
    resources::find(&app.context.db, user.business.id, id)
        .await?
        .filter(|resource| resource.archived_at.is_none())
        .ok_or(PageError::NotFound("resource"))
}

async fn create(
    State(app): State<App>,
    user: CurrentUser,
    Sent(form): Sent<Form>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let settings = match read(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&app, &user, None, form, faults).await,
    };
    let mut tx = app.context.db.begin().await?;
    let made = resources::create(&mut tx, user.business.id, &settings, app.now()).await?;
    user.note(&mut tx, &app, "created", (HistorySubject::Resource, made.id.0), &made.for_history()).await?;
    tx.commit().await?;
    let flash = Flash::good(format!("“{}” can be booked now.", made.name));
    Ok(user.go(&app, "/settings/resources", &flash))
}

async fn update(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ResourceId>,
    Sent(form): Sent<Form>,
) -> Result<Response, PageError> {
    let shown = found(&app, &user, id).await?;
    let settings = match read(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&app, &user, Some(shown), form, faults).await,
    };
    let mut tx = app.context.db.begin().await?;
    let before = resources::lock(&mut tx, user.business.id, id).await?;
    let changed = match resources::update(&mut tx, user.business.id, id, &settings, app.now()).await {
        Ok(changed) => changed,
        Err(StorageError::UnitsTaken { highest }) => {
            drop(tx);
            let text =
                format!("Unit {highest} is held by something that has not ended. Move or cancel that first.");
            return refuse(&app, &user, Some(before), form, vec![("capacity", text)]).await;
        }
        Err(StorageError::StaysAhead) => {
            drop(tx);
            return refuse(&app, &user, Some(before), form, vec![("zone", STAYS_AHEAD.to_owned())]).await;
        }
        Err(error) => return Err(error.into()),
    };
    user.note(&mut tx, &app, "changed", (HistorySubject::Resource, id.0), &changed.for_history()).await?;
    let mut enqueued = Vec::new();
    if changed.name != before.name || changed.zone != before.zone {
        enqueued = batch_sync::enqueue_all(&mut tx, &app.context, user.business.id).await?;
    }
    tx.commit().await?;
    app.context.push(&enqueued).await;
    let flash = Flash::good(format!("“{}” was changed.", changed.name));
    Ok(user.go(&app, "/settings/resources", &flash))
}

fn read(form: &Form) -> Result<ResourceSettings, Vec<(&'static str, String)>> {
    // What is no number is beyond all bounds.
    let number = |text: &str| text.trim().parse().unwrap_or(u32::MAX);
    let mut faults = Faults::default();
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
    faults.into_result().map_err(|faults| faults.iter().map(in_words).collect::<Vec<_>>())?;
    Ok(settings)
}

/// The field of the form, and what the page says about it.
fn in_words(fault: &FieldError) -> (&'static str, String) {
    let minutes = || format!("Minutes must be a whole number from 0 to {MAX_BUFFER}.");
    match fault.field {
        "name" => ("name", NAME_RULE.to_owned()),
        "capacity" => ("capacity", format!("Units must be a whole number from 1 to {MAX_CAPACITY}.")),
        "buffer_before_minutes" => ("before", minutes()),
        "buffer_after_minutes" => ("after", minutes()),
        field => (field, "Choose a time zone from the list, or leave it empty.".to_owned()),
    }
}

#[derive(Template)]
#[template(path = "resource_archive.html")]
struct ArchivePage {
    frame: Frame,
    id: ResourceId,
    name: String,
}

async fn ask_archive(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ResourceId>,
) -> Result<Response, PageError> {
    let resource = found(&app, &user, id).await?;
    let frame = Frame::around(&app, &user, Place::Settings, format!("Archive {}", resource.name)).await?;
    page(&app, &user, &ArchivePage { frame, id, name: resource.name })
}

async fn archive(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ResourceId>,
) -> Result<Response, PageError> {
    let resource = found(&app, &user, id).await?;
    let mut tx = app.context.db.begin().await?;
    resources::archive(&mut tx, user.business.id, id, app.now()).await?;
    user.note(&mut tx, &app, "archived", (HistorySubject::Resource, id.0), &resource.for_history()).await?;
    tx.commit().await?;
    let flash = Flash::good(format!("“{}” can no longer be booked; what is booked stays.", resource.name))
        .with_undo(format!("/settings/resources/{id}/restore"), &[]);
    Ok(user.go(&app, "/settings/resources", &flash))
}

async fn restore(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ResourceId>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let resource = resources::find(&app.context.db, user.business.id, id)
        .await?
        .ok_or(PageError::NotFound("resource"))?;
    if resource.archived_at.is_some() {
        let mut tx = app.context.db.begin().await?;
        resources::restore(&mut tx, user.business.id, id).await?;
        user.note(&mut tx, &app, "restored", (HistorySubject::Resource, id.0), &resource.for_history())
            .await?;
        tx.commit().await?;
    }
    let flash = Flash::good(format!("“{}” can be booked again.", resource.name));
    Ok(user.go(&app, "/settings/resources", &flash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_its_field() {
        let form = Form {
            name: " ".to_owned(),
            capacity: "0".to_owned(),
            zone: "Mars/Olympus".to_owned(),
            before: "an hour".to_owned(),
            after: "30".to_owned(),
        };
        let fields: Vec<_> = read(&form).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["zone", "name", "capacity", "before"]);
        let good = Form {
            name: "Sea View".to_owned(),
            capacity: "2".to_owned(),
            zone: String::new(),
            before: "0".to_owned(),
            ..form
        };
        let settings = read(&good).unwrap();
        assert_eq!((settings.capacity, settings.zone, settings.buffer_after_minutes), (2, None, 30));
    }
}
