//! What can be booked: added, changed, archived, restored.

use concord_domain::ids::ResourceId;
use concord_jobs::{Context, enqueue};
use concord_storage::{
    ChangeContext, StorageError,
    resources::{self, Resource, ResourceSettings},
};

use crate::{ServiceError, error::OrNotFound, history};

/// What is not found.
const WHAT: &str = "resource";

/// Adds a resource with these settings.
pub async fn create(
    context: &Context,
    by: &ChangeContext,
    settings: &ResourceSettings,
) -> Result<Resource, ServiceError> {
    let mut tx = context.db.begin().await?;
    let resource = resources::create(&mut tx, by.business, settings, by.now).await?;
    history::record(&mut tx, by, "created", resource.id, &resource.for_history()).await?;
    tx.commit().await?;
    Ok(resource)
}

/// Gives a resource the settings that `apply` makes of it as it is; where they are the same, nothing is
/// written. Entries follow where its name or zone is another.
/// `UnitsTaken`: a unit that would go is booked. `StaysAhead`: nights are counted in its zone.
pub async fn change<E: From<ServiceError> + From<StorageError>>(
    context: &Context,
    by: &ChangeContext,
    id: ResourceId,
    apply: impl FnOnce(&Resource) -> Result<ResourceSettings, E> + Send,
) -> Result<Resource, E> {
    let mut tx = context.db.begin().await?;
    let before = resources::lock(&mut tx, by.business, id).await.or_not_found(WHAT)?;
    let settings = apply(&before)?;
    if settings == before.settings() {
        return Ok(before);
    }
    let resource = resources::update(&mut tx, by.business, id, &settings, by.now).await?;
    history::record(&mut tx, by, "changed", resource.id, &resource.for_history()).await?;
    let mut enqueued = Vec::new();
    if resource.name != before.name || resource.zone != before.zone {
        enqueued = enqueue::batch_sync_of_business(&mut tx, context, by.business).await?;
    }
    if resource.zone != before.zone {
        // Quiet hours are by its clocks.
        enqueued.push(enqueue::plan_reminders(&mut tx, context, by.business).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(resource)
}

/// Archives a resource: it can no longer be booked, its bookings are kept. Does nothing if it is archived.
pub async fn archive(
    context: &Context,
    by: &ChangeContext,
    id: ResourceId,
) -> Result<Resource, ServiceError> {
    set_archived(context, by, id, true).await
}

/// Makes a resource bookable again. Does nothing if it is not archived.
pub async fn restore(
    context: &Context,
    by: &ChangeContext,
    id: ResourceId,
) -> Result<Resource, ServiceError> {
    set_archived(context, by, id, false).await
}

async fn set_archived(
    context: &Context,
    by: &ChangeContext,
    id: ResourceId,
    archived: bool,
) -> Result<Resource, ServiceError> {
    let mut tx = context.db.begin().await?;
    let before = resources::lock(&mut tx, by.business, id).await.or_not_found(WHAT)?;
    if before.archived_at.is_some() == archived {
        return Ok(before);
    }
    let resource = resources::set_archived(&mut tx, by.business, id, archived.then_some(by.now)).await?;
    let action = if archived { "archived" } else { "restored" };
    history::record(&mut tx, by, action, resource.id, &resource.for_history()).await?;
    tx.commit().await?;
    Ok(resource)
}
