//! `/resources`: what can be booked.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{ids::ResourceId, settings::FieldErrors};
use concord_services::resources;
use concord_storage::resources::{self as store, Resource, ResourceSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    patch_field::PatchField,
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

/// Something that can be booked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Resource)]
pub(crate) struct ResourceResponse {
    /// Its id, for `/resources/{id}`, and for the `resource` of a booking.
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// Its time zone; null: that of the business.
    #[schema(value_type = Option<String>, example = "Europe/Lisbon")]
    pub zone: Option<&'static str>,
    /// How many units of it can be booked at one time.
    pub capacity: u32,
    /// Buffer before a booking, in minutes.
    pub buffer_before_minutes: u32,
    /// Buffer after a booking, in minutes.
    pub buffer_after_minutes: u32,
    /// Since when it is archived.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl From<Resource> for ResourceResponse {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id.0,
            name: resource.name,
            zone: resource.zone.map(Tz::name),
            capacity: resource.capacity,
            buffer_before_minutes: resource.buffer_before_minutes,
            buffer_after_minutes: resource.buffer_after_minutes,
            archived_at: resource.archived_at,
            created_at: resource.created_at,
        }
    }
}

/// A resource to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceBody, example = json!({ "name": "Sea View", "capacity": 1, "buffer_after_minutes": 60 }))]
struct NewResourceBody {
    /// Display name; at most 300 characters.
    #[schema(max_length = 300)]
    name: String,
    /// An IANA name; default: the business's time zone.
    zone: Option<String>,
    /// How many units can be booked at one time; default 1.
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<u32>,
    /// Buffer before a booking, in minutes.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_before_minutes: u32,
    /// Buffer after a booking, in minutes.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_after_minutes: u32,
}

/// Changes to a resource; omitted fields are unchanged.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceChange, example = json!({ "capacity": 2 }))]
struct ResourcePatch {
    /// Display name.
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An IANA name; null: that of the business.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    zone: PatchField<String>,
    /// How many units of it can be booked at one time. Units that are held by something that has not ended stay.
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<u32>,
    /// Minutes before a booking; for bookings that are made or changed from now on.
    #[schema(maximum = 10_080)]
    buffer_before_minutes: Option<u32>,
    /// Minutes after a booking; for bookings that are made or changed from now on.
    #[schema(maximum = 10_080)]
    buffer_after_minutes: Option<u32>,
}

impl NewResourceBody {
    fn into_settings(self) -> Result<ResourceSettings, ApiError> {
        let mut faults = FieldErrors::default();
        let settings = ResourceSettings {
            zone: self.zone.as_deref().and_then(|name| faults.zone("zone", name)),
            name: self.name,
            capacity: self.capacity.unwrap_or(1),
            buffer_before_minutes: self.buffer_before_minutes,
            buffer_after_minutes: self.buffer_after_minutes,
        };
        validate(settings, faults)
    }
}

impl ResourcePatch {
    fn apply_to(self, before: Resource) -> Result<ResourceSettings, ApiError> {
        let mut faults = FieldErrors::default();
        let settings = ResourceSettings {
            zone: match self.zone {
                PatchField::Absent => before.zone,
                PatchField::Null => None,
                PatchField::Value(name) => faults.zone("zone", &name),
            },
            name: self.name.unwrap_or(before.name),
            capacity: self.capacity.unwrap_or(before.capacity),
            buffer_before_minutes: self.buffer_before_minutes.unwrap_or(before.buffer_before_minutes),
            buffer_after_minutes: self.buffer_after_minutes.unwrap_or(before.buffer_after_minutes),
        };
        validate(settings, faults)
    }
}

fn validate(mut settings: ResourceSettings, mut faults: FieldErrors) -> Result<ResourceSettings, ApiError> {
    settings.check(&mut faults);
    faults.into_result()?;
    Ok(settings)
}

/// List resources
///
/// Those that can be booked, by name.
#[utoipa::path(get, path = "/resources", tag = "Resources", operation_id = "list_resources", params(Paging),
    responses((status = 200, description = "A page of resources", body = Listing<ResourceResponse>)))]
async fn list(api: Api, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult<Listing<ResourceResponse>> {
    let ask = paging.page_request()?;
    let page = store::list(&api.context.db, api.business, &ask).await?;
    Ok(Json(Listing::from_page(page, ResourceResponse::from)))
}

/// Create a resource
#[utoipa::path(post, path = "/resources", tag = "Resources", operation_id = "create_resource", request_body = NewResourceBody,
    responses((status = 201, description = "Created", body = ResourceResponse,
        headers(("Location" = String, description = "Its URL")))))]
async fn create(api: Api, ApiJson(body): ApiJson<NewResourceBody>) -> Result<impl IntoResponse, ApiError> {
    let settings = body.into_settings()?;
    let resource = resources::create(&api.context, &api.change(), &settings).await?;
    let location = api.absolute_url(&format!("/api/v1/resources/{}", resource.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ResourceResponse::from(resource))))
}

/// A resource of the caller's business, archived or not.
pub(super) async fn find_resource(api: &Api, id: ResourceId) -> Result<Resource, ApiError> {
    let found = store::find(&api.context.db, api.business, id).await?;
    found.ok_or_else(|| ApiError::not_found("resource"))
}

/// Read a resource
#[utoipa::path(get, path = "/resources/{id}", tag = "Resources", operation_id = "get_resource",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The resource", body = ResourceResponse)))]
async fn find(api: Api, ApiPath(id): ApiPath<ResourceId>) -> ApiResult<ResourceResponse> {
    Ok(Json(find_resource(&api, id).await?.into()))
}

/// Change a resource
///
/// Omitted fields are unchanged. Reducing units returns 409 while one of them has a current or upcoming booking.
#[utoipa::path(patch, path = "/resources/{id}", tag = "Resources", operation_id = "change_resource",
    params(("id" = Uuid, Path, description = "Its id")), request_body = ResourcePatch,
    responses((status = 200, description = "Changed", body = ResourceResponse)))]
async fn change(
    api: Api,
    ApiPath(id): ApiPath<ResourceId>,
    ApiJson(body): ApiJson<ResourcePatch>,
) -> ApiResult<ResourceResponse> {
    let by = api.change();
    let changed = resources::change(&api.context, &by, id, |before| body.apply_to(before.clone()));
    Ok(Json(changed.await?.into()))
}

/// Archive a resource
///
/// It can no longer be booked; existing bookings are kept.
#[utoipa::path(delete, path = "/resources/{id}", tag = "Resources", operation_id = "archive_resource",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Archived", body = ResourceResponse)))]
async fn archive(api: Api, ApiPath(id): ApiPath<ResourceId>) -> ApiResult<ResourceResponse> {
    Ok(Json(resources::archive(&api.context, &api.change(), id).await?.into()))
}

/// Restore a resource
///
/// It can be booked again. Does nothing if it is not archived.
#[utoipa::path(post, path = "/resources/{id}/restore", tag = "Resources", operation_id = "restore_resource",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Restored", body = ResourceResponse)))]
async fn restore(api: Api, ApiPath(id): ApiPath<ResourceId>) -> ApiResult<ResourceResponse> {
    Ok(Json(resources::restore(&api.context, &api.change(), id).await?.into()))
}
