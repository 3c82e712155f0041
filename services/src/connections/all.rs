//! All connections of a business at once.

use concord_domain::{connection::ConnectionState, ids::BusinessId, job::QueueClass};
use concord_jobs::{Context, enqueue};
use concord_storage::{StorageError, calendars, connections};

/// "Sync all pending bookings": every connection of the business that is active. Returns how many.
pub async fn sync_all_pending(context: &Context, business: BusinessId) -> Result<usize, StorageError> {
    let mut tx = context.db.begin().await?;
    let enqueued = enqueue::batch_sync_of_business(&mut tx, context, business).await?;
    context.commit(tx, &enqueued).await?;
    Ok(enqueued.len())
}

/// "Import busy times": every calendar of the business that is read. Returns how many.
pub async fn import_all(context: &Context, business: BusinessId) -> Result<usize, StorageError> {
    let connections = connections::list(&context.db, business).await?;
    let mut calendars = Vec::new();
    for connection in connections.iter().filter(|one| one.state == ConnectionState::Active) {
        if connection.direction.reads() {
            calendars.extend(calendars::of_connection(&context.db, business, connection.id).await?);
        }
    }
    let mut tx = context.db.begin().await?;
    let mut enqueued = Vec::new();
    for calendar in calendars.iter().filter(|one| one.reads && one.missing_since.is_none()) {
        enqueued.push(enqueue::import(&mut tx, context, calendar, QueueClass::Bulk).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(enqueued.len())
}
