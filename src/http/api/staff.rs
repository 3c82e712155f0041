//! `/staff`: the people who do the work and may connect calendars.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use concord_domain::{ids::StaffId, people::Trade, settings::FieldErrors};
use concord_services::staff;
use concord_storage::people::{self, Staff, StaffSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath, ApiQuery},
    responses::{Listing, Paging},
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
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// May be empty.
    pub email: String,
    /// Their trade.
    pub trade: Trade,
    /// Since when they are archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// When they were added.
    pub created_at: DateTime<Utc>,
}

impl From<Staff> for StaffResponse {
    fn from(staff: Staff) -> Self {
        Self {
            id: staff.id.0,
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
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Their trade; default `general`.
    trade: Option<Trade>,
}

/// Changes to a staff member; omitted fields are unchanged.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffChange, example = json!({ "trade": "technician" }))]
struct StaffPatch {
    /// Display name.
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An email address; empty clears it.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Their trade.
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
async fn list(api: Api, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult<Listing<StaffResponse>> {
    let ask = paging.page_request()?;
    let page = people::list_staff(&api.context.db, api.business, &ask).await?;
    Ok(Json(Listing::from_page(page, StaffResponse::from)))
}

/// Add a staff member
#[utoipa::path(post, path = "/staff", tag = "Staff", operation_id = "create_staff", request_body = NewStaffBody,
    responses((status = 201, description = "Created", body = StaffResponse,
        headers(("Location" = String, description = "Their address")))))]
async fn create(api: Api, ApiJson(body): ApiJson<NewStaffBody>) -> Result<impl IntoResponse, ApiError> {
    let settings = validate(StaffSettings {
        name: body.name,
        email: body.email.unwrap_or_default(),
        trade: body.trade.unwrap_or(Trade::General),
    })?;
    let staff = staff::create(&api.context, &api.change(), &settings).await?;
    let location = api.absolute_url(&format!("/api/v1/staff/{}", staff.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(StaffResponse::from(staff))))
}

/// Read a staff member
#[utoipa::path(get, path = "/staff/{id}", tag = "Staff", operation_id = "get_staff",
    params(("id" = Uuid, Path, description = "Their id")),
    responses((status = 200, description = "The staff member", body = StaffResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<StaffId>) -> ApiResult<StaffResponse> {
    let found = people::find_staff(&api.context.db, api.business, id).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("staff member"))?.into()))
}

/// Change a staff member
///
/// Omitted fields are unchanged.
#[utoipa::path(patch, path = "/staff/{id}", tag = "Staff", operation_id = "change_staff",
    params(("id" = Uuid, Path, description = "Their id")), request_body = StaffPatch,
    responses((status = 200, description = "Changed", body = StaffResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<StaffId>,
    ApiJson(body): ApiJson<StaffPatch>,
) -> ApiResult<StaffResponse> {
    let by = api.change();
    let changed = staff::change(&api.context, &by, id, |before| {
        validate(StaffSettings {
            name: body.name.unwrap_or_else(|| before.name.clone()),
            email: body.email.unwrap_or_else(|| before.email.clone()),
            trade: body.trade.unwrap_or(before.trade),
        })
    });
    Ok(Json(changed.await?.into()))
}

/// Archive a staff member
///
/// They cannot be assigned to new bookings; existing assignments are kept.
#[utoipa::path(delete, path = "/staff/{id}", tag = "Staff", operation_id = "archive_staff",
    params(("id" = Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Archived", body = StaffResponse)))]
async fn archive(api: Api, ApiPath(id): ApiPath<StaffId>) -> ApiResult<StaffResponse> {
    Ok(Json(staff::archive(&api.context, &api.change(), id).await?.into()))
}

/// Restore a staff member
///
/// They can be booked again, and their bookings are written to their calendars again. Does nothing if they are not archived.
#[utoipa::path(post, path = "/staff/{id}/restore", tag = "Staff", operation_id = "restore_staff",
    params(("id" = Uuid, Path, description = "Their id")),
    responses((status = 200, description = "Restored", body = StaffResponse)))]
async fn restore(api: Api, ApiPath(id): ApiPath<StaffId>) -> ApiResult<StaffResponse> {
    Ok(Json(staff::restore(&api.context, &api.change(), id).await?.into()))
}
