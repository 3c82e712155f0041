//! The people who do the work: added, changed, archived, restored.

use concord_domain::ids::StaffId;
use concord_jobs::{Context, enqueue};
use concord_storage::{
    ChangeContext, StorageError,
    people::{self, Staff, StaffSettings},
};

use crate::{ServiceError, error::OrNotFound, history};

/// What is not found.
const WHAT: &str = "staff member";

/// Adds a staff member with these settings.
pub async fn create(
    context: &Context,
    by: &ChangeContext,
    settings: &StaffSettings,
) -> Result<Staff, ServiceError> {
    let mut tx = context.db.begin().await?;
    let staff = people::create_staff(&mut tx, by.business, settings, by.now).await?;
    history::record(&mut tx, by, "created", staff.id, &staff.for_history()).await?;
    tx.commit().await?;
    Ok(staff)
}

/// Gives a staff member the settings that `apply` makes of them as they are; where they are the same,
/// nothing is written. Entries follow where their trade is another.
pub async fn change<E: From<ServiceError> + From<StorageError>>(
    context: &Context,
    by: &ChangeContext,
    id: StaffId,
    apply: impl FnOnce(&Staff) -> Result<StaffSettings, E> + Send,
) -> Result<Staff, E> {
    let mut tx = context.db.begin().await?;
    let before = people::lock(&mut tx, by.business, id).await.or_not_found(WHAT)?;
    let settings = apply(&before)?;
    if settings == before.settings() {
        return Ok(before);
    }
    let staff = people::update_staff(&mut tx, by.business, id, &settings).await?;
    history::record(&mut tx, by, "changed", staff.id, &staff.for_history()).await?;
    let mut enqueued = Vec::new();
    if staff.trade != before.trade {
        enqueued = enqueue::batch_sync_of_staff(&mut tx, context, by.business, id).await?;
    }
    context.commit(tx, &enqueued).await?;
    Ok(staff)
}

/// Archives a staff member: they can no longer be booked, their bookings are kept. Does nothing if they are archived.
pub async fn archive(context: &Context, by: &ChangeContext, id: StaffId) -> Result<Staff, ServiceError> {
    set_archived(context, by, id, true).await
}

/// Makes a staff member bookable again, and their entries follow. Does nothing if they are not archived.
pub async fn restore(context: &Context, by: &ChangeContext, id: StaffId) -> Result<Staff, ServiceError> {
    set_archived(context, by, id, false).await
}

async fn set_archived(
    context: &Context,
    by: &ChangeContext,
    id: StaffId,
    archived: bool,
) -> Result<Staff, ServiceError> {
    let mut tx = context.db.begin().await?;
    let before = people::lock(&mut tx, by.business, id).await.or_not_found(WHAT)?;
    if before.archived_at.is_some() == archived {
        return Ok(before);
    }
    let mut enqueued = Vec::new();
    let since = archived.then_some(by.now);
    let staff = people::set_staff_archived(&mut tx, by.business, id, since).await?;
    if !archived {
        enqueued = enqueue::batch_sync_of_staff(&mut tx, context, by.business, id).await?;
    }
    let action = if archived { "archived" } else { "restored" };
    history::record(&mut tx, by, action, staff.id, &staff.for_history()).await?;
    context.commit(tx, &enqueued).await?;
    Ok(staff)
}
