//! What brings a connection up to date when it begins to be served: its batch, its first compare, and the reading of its
//! calendars.

use concord_domain::{
    connection::Direction,
    ids::{BusinessId, ConnectionId},
    job::QueueClass,
};
use concord_storage::{StorageError, Tx, calendars, jobs::JobRef};

use crate::{Context, batch_sync, drift, import_availability, push};

/// Enqueues what brings a connection up to date both ways.
pub async fn enqueue(
    tx: &mut Tx,
    context: &Context,
    (business, connection): (BusinessId, ConnectionId),
    direction: Direction,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = vec![batch_sync::enqueue(tx, context, business, connection).await?];
    drift::enqueue_first(tx, (business, connection), context.clock.now()).await?;
    if direction.reads() {
        enqueued.extend(read_calendars(tx, context, business, connection).await?);
    }
    Ok(enqueued)
}

/// Enqueues the reading of every calendar of a connection that is read, and the care for being told of its changes.
pub async fn read_calendars(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = Vec::new();
    for calendar in calendars::list_read(tx, business, connection).await? {
        enqueued.push(import_availability::enqueue(tx, context, &calendar, QueueClass::Bulk).await?);
        enqueued.extend(push::enqueue(tx, context, &calendar).await?);
    }
    Ok(enqueued)
}
