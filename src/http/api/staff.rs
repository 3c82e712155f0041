//! `/staff`: the people who do the work and may connect calendars.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use concord_domain::{audit::HistorySubject, ids::StaffId, people::Trade, settings::FieldErrors};
use concord_jobs::enqueue;
use concord_storage::{
    ChangeContext, StorageError, Tx, history,
    people::{self, Staff, StaffSettings},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::ApiCaller,
    problem::ApiError,
    request::{ApiJson, ApiPath, ApiQuery},
    responses::{Listing, Paging},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, archive))
        .routes(routes!(restore))
}

/// A staff member.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Staff)]
pub(crate) struct StaffResponse {
    /// Their id.
    #[schema(value_type = uuid::Uuid)]
    pub id: StaffId,
    /// Display name.
    pub name: String,
    /// May be empty.
    pub email: String,
    /// Their trade.
    #[schema(value_type = schema::Trade)]
    pub trade: Trade,
    /// Since when they are archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// When they were added.
    pub created_at: DateTime<Utc>,
}

impl From<Staff> for StaffResponse {
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

/// A staff member to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffBody, example = json!({ "name": "Ana Costa", "email": "ana@example.org" }))]
struct NewStaffBody {
    /// Display name; at most 300 characters.
    #[schema(max_length = 300)]
    name: String,
    /// An email address.
    #[serde(default)]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Their trade; default `general`.
    #[serde(default)]
    #[schema(value_type = Option<schema::Trade>)]
    trade: Option<Trade>,
}

/// Changes to a staff member; omitted fields are unchanged.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffChange, example = json!({ "trade": "technician" }))]
struct StaffPatch {
    /// Display name.
    #[serde(default)]
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An email address; empty clears it.
    #[serde(default)]
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Their trade.
    #[serde(default)]
    #[schema(value_type = Option<schema::Trade>)]
    trade: Option<Trade>,
}

fn validate(mut settings: StaffSettings) -> Result<StaffSettings, ApiError> {
    let mut faults = FieldErrors::default();
    settings.check(&mut faults);
    faults.into_result()?;
    Ok(settings)
}

/// List staff
///
/// Active staff, by name.
#[utoipa::path(get, path = "/staff", tag = "Staff", operation_id = "list_staff", params(Paging),
    responses((status = 200, description = "A page of staff members", body = Listing<StaffResponse>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    ApiQuery(paging): ApiQuery<Paging>,
) -> Result<Json<Listing<StaffResponse>>, ApiError> {
    let ask = paging.page_request()?;
    let page = people::list_staff(&app.context.db, caller.business, &ask).await?;
    Ok(Json(Listing::from_page(page, StaffResponse::from)))
}

/// Add a staff member
#[utoipa::path(post, path = "/staff", tag = "Staff", operation_id = "create_staff", request_body = NewStaffBody,
    responses((status = 201, description = "Created", body = StaffResponse,
        headers(("Location" = String, description = "Their address")))))]
async fn create(
    State(app): State<App>,
    caller: ApiCaller,
    ApiJson(body): ApiJson<NewStaffBody>,
) -> Result<impl IntoResponse, ApiError> {
    let settings = validate(StaffSettings {
        name: body.name,
        email: body.email.unwrap_or_default(),
        trade: body.trade.unwrap_or(Trade::General),
    })?;
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let staff = people::create_staff(&mut tx, caller.business, &settings, change.now).await?;
    record_history(&mut tx, &change, "created", &staff).await?;
    tx.commit().await?;
    let location = app.absolute_url(&format!("/api/v1/staff/{}", staff.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(StaffResponse::from(staff))))
}

async fn record_history(
    tx: &mut Tx,
    change: &ChangeContext,
    action: &str,
    staff: &Staff,
) -> Result<(), ApiError> {
    let line = history::NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Staff,
        subject: staff.id.0,
        detail: &staff.for_history(),
    };
    Ok(history::append(tx, &line, change.now).await?)
}

async fn find_staff(app: &App, caller: &ApiCaller, id: StaffId) -> Result<Staff, ApiError> {
    let found = people::find_staff(&app.context.db, caller.business, id).await?;
    found.ok_or_else(|| not_found_error(StorageError::NotFound))
}

fn not_found_error(error: StorageError) -> ApiError {
    match error {
        StorageError::NotFound => ApiError::not_found("staff member"),
        error => error.into(),
    }
}

/// Read a staff member
#[utoipa::path(get, path = "/staff/{id}", tag = "Staff", operation_id = "get_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "The staff member", body = StaffResponse)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<StaffId>,
) -> Result<Json<StaffResponse>, ApiError> {
    Ok(Json(find_staff(&app, &caller, id).await?.into()))
}

/// Change a staff member
///
/// Omitted fields are unchanged.
#[utoipa::path(patch, path = "/staff/{id}", tag = "Staff", operation_id = "change_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")), request_body = StaffPatch,
    responses((status = 200, description = "Changed", body = StaffResponse)))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<StaffId>,
    ApiJson(body): ApiJson<StaffPatch>,
) -> Result<Json<StaffResponse>, ApiError> {
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let before = people::lock(&mut tx, caller.business, id).await.map_err(not_found_error)?;
    let settings = validate(StaffSettings {
        name: body.name.unwrap_or(before.name),
        email: body.email.unwrap_or(before.email),
        trade: body.trade.unwrap_or(before.trade),
    })?;
    let staff = people::update_staff(&mut tx, caller.business, id, &settings).await?;
    record_history(&mut tx, &change, "changed", &staff).await?;
    let mut enqueued = Vec::new();
    if staff.trade != before.trade {
        enqueued = enqueue::batch_sync_of_staff(&mut tx, &app.context, caller.business, id).await?;
    }
    tx.commit().await?;
    app.context.push(&enqueued).await;
    Ok(Json(staff.into()))
}

/// Archive a staff member
///
/// They cannot be assigned to new bookings; existing assignments are kept.
#[utoipa::path(delete, path = "/staff/{id}", tag = "Staff", operation_id = "archive_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Archived", body = StaffResponse)))]
async fn archive(
    State(app): State<App>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<StaffId>,
) -> Result<Json<StaffResponse>, ApiError> {
    let before = find_staff(&app, &caller, id).await?;
    if before.archived_at.is_none() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        people::archive_staff(&mut tx, caller.business, id, change.now).await?;
        record_history(&mut tx, &change, "archived", &before).await?;
        tx.commit().await?;
    }
    Ok(Json(find_staff(&app, &caller, id).await?.into()))
}

/// Restore a staff member
///
/// They can be booked again, and their bookings are written to their calendars again. Does nothing if they are not archived.
#[utoipa::path(post, path = "/staff/{id}/restore", tag = "Staff", operation_id = "restore_staff",
    params(("id" = uuid::Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Restored", body = StaffResponse)))]
async fn restore(
    State(app): State<App>,
    caller: ApiCaller,
    ApiPath(id): ApiPath<StaffId>,
) -> Result<Json<StaffResponse>, ApiError> {
    let before = find_staff(&app, &caller, id).await?;
    if before.archived_at.is_some() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        people::restore_staff(&mut tx, caller.business, id).await?;
        record_history(&mut tx, &change, "restored", &before).await?;
        let enqueued = enqueue::batch_sync_of_staff(&mut tx, &app.context, caller.business, id).await?;
        tx.commit().await?;
        app.context.push(&enqueued).await;
    }
    Ok(Json(find_staff(&app, &caller, id).await?.into()))
}
