//! `/resources`: what can be booked.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{ids::ResourceId, record::HistorySubject, settings::Faults};
use concord_jobs::batch_sync;
use concord_storage::{
    StorageError, Tx,
    bookings::Change,
    history,
    resources::{self, Resource, ResourceSettings},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{Listing, Paging},
    auth::ApiCaller,
    given::Given,
    problem::ApiError,
    request::{Body, PathOf, Search},
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
pub(crate) struct ResourceAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub id: ResourceId,
    /// For people.
    pub name: String,
    /// Its time zone; null: that of the business.
    #[schema(value_type = Option<String>, example = "Europe/Lisbon")]
    pub zone: Option<&'static str>,
    /// How many units of it can be booked at one time.
    pub capacity: u32,
    /// Minutes that it is taken before a booking.
    pub buffer_before_minutes: u32,
    /// Minutes that it is taken after a booking.
    pub buffer_after_minutes: u32,
    /// Since when it can no longer be booked.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<Resource> for ResourceAnswer {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id,
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

/// A resource to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceBody, example = json!({ "name": "Sea View", "capacity": 1, "buffer_after_minutes": 60 }))]
struct NewResource {
    /// For people; at most 300 characters.
    #[schema(max_length = 300)]
    name: String,
    /// An IANA name; that of the business if it is not said.
    #[serde(default)]
    zone: Option<String>,
    /// How many units of it can be booked at one time; 1 if it is not said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<u32>,
    /// Minutes that it is taken before a booking.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_before_minutes: u32,
    /// Minutes that it is taken after a booking.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_after_minutes: u32,
}

/// What changes of a resource; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceChange, example = json!({ "capacity": 2 }))]
struct ChangedResource {
    /// For people.
    #[serde(default)]
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An IANA name; null: that of the business.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    zone: Given<String>,
    /// How many units of it can be booked at one time. Units that are held by something that has not ended stay.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<u32>,
    /// Minutes before a booking; for bookings that are made or changed from now on.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_before_minutes: Option<u32>,
    /// Minutes after a booking; for bookings that are made or changed from now on.
    #[serde(default)]
    #[schema(maximum = 10_080)]
    buffer_after_minutes: Option<u32>,
}

impl NewResource {
    fn into_settings(self) -> Result<ResourceSettings, ApiError> {
        let mut faults = Faults::default();
        let settings = ResourceSettings {
            zone: self.zone.as_deref().and_then(|name| faults.zone("zone", name)),
            name: self.name,
            capacity: self.capacity.unwrap_or(1),
            buffer_before_minutes: self.buffer_before_minutes,
            buffer_after_minutes: self.buffer_after_minutes,
        };
        check(settings, faults)
    }
}

impl ChangedResource {
    fn applied_to(self, before: Resource) -> Result<ResourceSettings, ApiError> {
        let mut faults = Faults::default();
        let settings = ResourceSettings {
            zone: match self.zone {
                Given::Absent => before.zone,
                Given::Cleared => None,
                Given::Value(name) => faults.zone("zone", &name),
            },
            name: self.name.unwrap_or(before.name),
            capacity: self.capacity.unwrap_or(before.capacity),
            buffer_before_minutes: self.buffer_before_minutes.unwrap_or(before.buffer_before_minutes),
            buffer_after_minutes: self.buffer_after_minutes.unwrap_or(before.buffer_after_minutes),
        };
        check(settings, faults)
    }
}

fn check(mut settings: ResourceSettings, mut faults: Faults) -> Result<ResourceSettings, ApiError> {
    settings.check(&mut faults);
    faults.into_result()?;
    Ok(settings)
}

/// List resources
///
/// Those that can be booked, by name.
#[utoipa::path(get, path = "/resources", tag = "Resources", operation_id = "list_resources", params(Paging),
    responses((status = 200, description = "A page of resources", body = Listing<ResourceAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(paging): Search<Paging>,
) -> Result<Json<Listing<ResourceAnswer>>, ApiError> {
    let ask = paging.ask()?;
    let page = resources::list(&app.context.db, caller.business, &ask).await?;
    Ok(Json(Listing::of(page, ResourceAnswer::from)))
}

/// Create a resource
#[utoipa::path(post, path = "/resources", tag = "Resources", operation_id = "create_resource", request_body = NewResource,
    responses((status = 201, description = "Created", body = ResourceAnswer,
        headers(("Location" = String, description = "Its address")))))]
async fn create(
    State(app): State<App>,
    caller: ApiCaller,
    Body(body): Body<NewResource>,
) -> Result<impl IntoResponse, ApiError> {
    let settings = body.into_settings()?;
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let resource = resources::create(&mut tx, caller.business, &settings, change.now).await?;
    note(&mut tx, &change, "created", &resource).await?;
    tx.commit().await?;
    let location = app.address(&format!("/api/v1/resources/{}", resource.id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ResourceAnswer::from(resource))))
}

async fn note(tx: &mut Tx, change: &Change, action: &str, resource: &Resource) -> Result<(), ApiError> {
    let line = history::NewLine {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Resource,
        subject: resource.id.0,
        detail: &resource.for_history(),
    };
    Ok(history::append(tx, &line, change.now).await?)
}

/// A resource of the caller's business, archived or not.
pub(super) async fn existing(app: &App, caller: &ApiCaller, id: ResourceId) -> Result<Resource, ApiError> {
    let found = resources::find(&app.context.db, caller.business, id).await?;
    found.ok_or_else(|| unknown(StorageError::NotFound))
}

/// Read a resource
#[utoipa::path(get, path = "/resources/{id}", tag = "Resources", operation_id = "get_resource",
    params(("id" = uuid::Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The resource", body = ResourceAnswer)))]
async fn find(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
) -> Result<Json<ResourceAnswer>, ApiError> {
    Ok(Json(existing(&app, &caller, id).await?.into()))
}

/// Change a resource
///
/// What is left out stays. Fewer units are refused with 409 while something that has not ended holds one that would go.
#[utoipa::path(patch, path = "/resources/{id}", tag = "Resources", operation_id = "change_resource",
    params(("id" = uuid::Uuid, Path, description = "Its id")), request_body = ChangedResource,
    responses((status = 200, description = "Changed", body = ResourceAnswer)))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
    Body(body): Body<ChangedResource>,
) -> Result<Json<ResourceAnswer>, ApiError> {
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let before = resources::lock(&mut tx, caller.business, id).await.map_err(unknown)?;
    let (name, zone) = (before.name.clone(), before.zone);
    let settings = body.applied_to(before)?;
    let resource = resources::update(&mut tx, caller.business, id, &settings, change.now).await?;
    note(&mut tx, &change, "changed", &resource).await?;
    let mut enqueued = Vec::new();
    if resource.name != name || resource.zone != zone {
        enqueued = batch_sync::enqueue_all(&mut tx, &app.context, caller.business).await?;
    }
    tx.commit().await?;
    app.context.push(&enqueued).await;
    Ok(Json(resource.into()))
}

fn unknown(error: StorageError) -> ApiError {
    match error {
        StorageError::NotFound => ApiError::not_found("resource"),
        error => error.into(),
    }
}

/// Archive a resource
///
/// It can no longer be booked; what is booked stays.
#[utoipa::path(delete, path = "/resources/{id}", tag = "Resources", operation_id = "archive_resource",
    params(("id" = uuid::Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Archived", body = ResourceAnswer)))]
async fn archive(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
) -> Result<Json<ResourceAnswer>, ApiError> {
    let before = existing(&app, &caller, id).await?;
    if before.archived_at.is_none() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        resources::archive(&mut tx, caller.business, id, change.now).await?;
        note(&mut tx, &change, "archived", &before).await?;
        tx.commit().await?;
    }
    Ok(Json(existing(&app, &caller, id).await?.into()))
}

/// Restore a resource
///
/// It can be booked again. One that is not archived stays as it is.
#[utoipa::path(post, path = "/resources/{id}/restore", tag = "Resources", operation_id = "restore_resource",
    params(("id" = uuid::Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Restored", body = ResourceAnswer)))]
async fn restore(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<ResourceId>,
) -> Result<Json<ResourceAnswer>, ApiError> {
    let before = existing(&app, &caller, id).await?;
    if before.archived_at.is_some() {
        let change = caller.change(app.now());
        let mut tx = app.context.db.begin().await?;
        resources::restore(&mut tx, caller.business, id).await?;
        note(&mut tx, &change, "restored", &before).await?;
        tx.commit().await?;
    }
    Ok(Json(existing(&app, &caller, id).await?.into()))
}
