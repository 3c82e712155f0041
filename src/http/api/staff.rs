//! `/staff`: the people who do the work and may connect calendars.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use concord_domain::{ids::StaffId, people::Trade, record::HistorySubject, settings::Faults};
use concord_jobs::batch_sync;
use concord_storage::{
    StorageError, Tx,
    bookings::Change,
    history,
    people::{self, Staff, StaffSettings},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{Listing, Paging},
    auth::ApiCaller,
    problem::ApiError,
    request::{Body, PathOf, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, archive))
        .routes(routes!(restore))
}

/// A person who does the work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Staff)]
pub(crate) struct StaffAnswer {
    /// Their id.
    #[schema(value_type = uuid::Uuid)]
    pub id: StaffId,
    /// For people.
    pub name: String,
    /// May be empty.
    pub email: String,
    /// Which bookings suit them.
    #[schema(value_type = schema::Trade)]
    pub trade: Trade,
    /// Since when they no longer work here.
    pub archived_at: Option<DateTime<Utc>>,
    /// When they were entered.
    pub created_at: DateTime<Utc>,
}

impl From<Staff> for StaffAnswer {
    fn from(staff: Staff) -> Self {
        Self {
            id: staff.id,
            name: staff.name,
            email: staff.email,
            trade: staff.trade,
            archived_at: staff.archived_at,
            created_at: staff.created_at,
        }
    }
}

/// A staff member to be entered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffBody, example = json!({ "name": "Ana Costa", "email": "ana@example.org" }))]
struct NewStaff {
    /// For people; at most 300 characters.
    #[schema(max_length = 300)]
    name: String,
    /// A mail address.
    #[serde(default)]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Which bookings suit them; `general` if it is not said.
    #[serde(default)]
    #[schema(value_type = Option<schema::Trade>)]
    trade: Option<Trade>,
}

/// What changes of a staff member; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffChange, example = json!({ "trade": "technician" }))]
struct ChangedStaff {
    /// For people.
    #[serde(default)]
    #[schema(max_length = 300)]
    name: Option<String>,
    /// A mail address; empty clears it.
    #[serde(default)]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Which bookings suit them.
    #[serde(default)]
    #[schema(value_type = Option<schema::Trade>)]
    trade: Option<Trade>,
}

fn check(mut settings: StaffSettings) -> Result<StaffSettings, ApiError> {
    let mut faults = Faults::default();
    settings.check(&mut faults);
    faults.into_result()?;
    Ok(settings)
}

/// List staff
///
/// Those who work here, by name.
#[utoipa::path(get, path = "/staff", tag = "Staff", operation_id = "list_staff", params(Paging),
    responses((status = 200, description = "A page of staff members", body = Listing<StaffAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(paging): Search<Paging>,
) -> Result<Json<Listing<StaffAnswer>>, ApiError> {
    let ask = paging.ask()?;
    let page = people::list_staff(&app.context.db, caller.business, &ask).await?;
    Ok(Json(Listing::of(page, StaffAnswer::from)))
}

/// Enter a staff member
#[utoipa::path(post, path = "/staff", tag = "Staff", operation_id = "create_staff", request_body = NewStaff,
    responses((status = 201, description = "Entered", body = StaffAnswer,
        headers(("Location" = String, description = "Their address")))))]
async fn create(
    State(app): State<App>,
    caller: ApiCaller,
    Body(body): Body<NewStaff>,
) -> Result<impl IntoResponse, ApiError> {
    let settings = check(StaffSettings {
        name: body.name,
        email: body.email.unwrap_or_default(),
        trade: body.trade.unwrap_or(Trade::General),
    })?;
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let staff = people::create_staff(&mut tx, caller.business, &settings, change.now).await?;
    note(&mut tx, &change, "created", &staff).await?;
    tx.commit().await?;
    let location = app.address(&format!("/api/v1/staff/{}", staff.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(StaffAnswer::from(staff))))
}

async fn note(tx: &mut Tx, change: &Change, action: &str, staff: &Staff) -> Result<(), ApiError> {
    let line = history::NewLine {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Staff,
        subject: staff.id.0,
        detail: &staff.for_history(),
    };
    Ok(history::append(tx, &line, change.now).await?)
}

async fn existing(app: &App, caller: &ApiCaller, id: StaffId) -> Result<Staff, ApiError> {
    let found = people::find_staff(&app.context.db, caller.business, id).await?;
    found.ok_or_else(|| unknown(StorageError::NotFound))
}

fn unknown(error: StorageError) -> ApiError {
    match error {
        StorageError::NotFound => ApiError::not_found("staff member"),
        error => error.into(),
    }
}

/// Read a staff member
#[utoipa::path(get, path = "/staff/{id}", tag = "Staff", operation_id = "get_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "The staff member", body = StaffAnswer)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<StaffId>,
) -> Result<Json<StaffAnswer>, ApiError> {
    Ok(Json(existing(&app, &caller, id).await?.into()))
}

/// Change a staff member
///
/// What is left out stays.
#[utoipa::path(patch, path = "/staff/{id}", tag = "Staff", operation_id = "change_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")), request_body = ChangedStaff,
    responses((status = 200, description = "Changed", body = StaffAnswer)))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<StaffId>,
    Body(body): Body<ChangedStaff>,
) -> Result<Json<StaffAnswer>, ApiError> {
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let before = people::lock(&mut tx, caller.business, id).await.map_err(unknown)?;
    let settings = check(StaffSettings {
        name: body.name.unwrap_or(before.name),
        email: body.email.unwrap_or(before.email),
        trade: body.trade.unwrap_or(before.trade),
    })?;
    let staff = people::update_staff(&mut tx, caller.business, id, &settings).await?;
    note(&mut tx, &change, "changed", &staff).await?;
    let mut enqueued = Vec::new();
    if staff.trade != before.trade {
        enqueued = batch_sync::enqueue_of_staff(&mut tx, &app.context, caller.business, id).await?;
    }
    tx.commit().await?;
    app.context.push(&enqueued).await;
    Ok(Json(staff.into()))
}

/// Archive a staff member
///
/// They can be given no new bookings; what they are assigned to stays.
#[utoipa::path(delete, path = "/staff/{id}", tag = "Staff", operation_id = "archive_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Archived", body = StaffAnswer)))]
async fn archive(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<StaffId>,
) -> Result<Json<StaffAnswer>, ApiError> {
    let before = existing(&app, &caller, id).await?;
    if before.archived_at.is_none() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        people::archive_staff(&mut tx, caller.business, id, change.now).await?;
        note(&mut tx, &change, "archived", &before).await?;
        tx.commit().await?;
    }
    Ok(Json(existing(&app, &caller, id).await?.into()))
}

/// Restore a staff member
///
/// They can be booked again, and what suits them goes to their calendars again. One who is not archived stays as they are.
#[utoipa::path(post, path = "/staff/{id}/restore", tag = "Staff", operation_id = "restore_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Restored", body = StaffAnswer)))]
async fn restore(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<StaffId>,
) -> Result<Json<StaffAnswer>, ApiError> {
    let before = existing(&app, &caller, id).await?;
    if before.archived_at.is_some() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        people::restore_staff(&mut tx, caller.business, id).await?;
        note(&mut tx, &change, "restored", &before).await?;
        let enqueued = batch_sync::enqueue_of_staff(&mut tx, &app.context, caller.business, id).await?;
        tx.commit().await?;
        app.context.push(&enqueued).await;
    }
    Ok(Json(existing(&app, &caller, id).await?.into()))
}
