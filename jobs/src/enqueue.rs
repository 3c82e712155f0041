//! Enqueues the jobs of connections, calendars and bookings, and those of the whole installation, in the transaction that gives
//! rise to them. The caller pushes what is returned after the commit.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::Booking,
    connection::Direction,
    ids::{BusinessId, CalendarId, ConnectionId, StaffId},
    job::{JobKind, QueueClass},
};
use concord_storage::{
    StorageError, Tx,
    calendars::{self, Calendar},
    connections,
    jobs::{self, JobRef, NewJob},
};
use uuid::Uuid;

use crate::Context;

/// A new connection is compared when what was waiting is written, and not only in its first night.
const FIRST_AFTER: Duration = Duration::hours(6);

/// Enqueues the batch of one connection.
pub async fn batch_sync(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<JobRef, StorageError> {
    due_now(tx, context, business, (JobKind::BatchSync, connection.0, QueueClass::Bulk)).await
}

/// Enqueues a job of the whole installation, of which there is one. What is done again and again by nobody's wish waits behind
/// what people wait for.
pub async fn of_installation(
    tx: &mut Tx,
    kind: JobKind,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<JobRef, StorageError> {
    let job = NewJob { business: None, kind, subject: Uuid::nil(), queue: QueueClass::Poll, due_at };
    jobs::enqueue(tx, job, now).await
}

/// Enqueues the invitations of a booking.
pub async fn invite(tx: &mut Tx, context: &Context, booking: &Booking) -> Result<JobRef, StorageError> {
    due_now(tx, context, booking.business, (JobKind::Invite, booking.id.0, QueueClass::Interactive)).await
}

/// Enqueues the batch of every connection of the business that is active, where what entries are made of changes, such as
/// a name.
pub async fn batch_sync_of_business(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = Vec::new();
    for connection in connections::active(tx, business).await? {
        enqueued.push(batch_sync(tx, context, business, connection).await?);
    }
    Ok(enqueued)
}

/// The same for the connections of one person, where it changes which bookings suit them.
pub async fn batch_sync_of_staff(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    staff: StaffId,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = Vec::new();
    for connection in connections::list_active_of_staff(tx, business, staff).await? {
        enqueued.push(batch_sync(tx, context, business, connection).await?);
    }
    Ok(enqueued)
}

/// Enqueues the planning anew of all reminders of a business.
pub async fn plan_reminders(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
) -> Result<JobRef, StorageError> {
    due_now(tx, context, business, (JobKind::PlanReminders, business.0, QueueClass::Bulk)).await
}

/// Enqueues the import of one calendar, due now.
pub async fn import(
    tx: &mut Tx,
    context: &Context,
    calendar: &Calendar,
    queue: QueueClass,
) -> Result<JobRef, StorageError> {
    due_now(tx, context, calendar.business_id, (JobKind::ImportAvailability, calendar.id.0, queue)).await
}

/// Enqueues the care for one calendar's push subscriptions, due now. `None`: there are none on this installation.
pub async fn push_renewal(
    tx: &mut Tx,
    context: &Context,
    calendar: &Calendar,
) -> Result<Option<JobRef>, StorageError> {
    if context.settings.push.is_none() {
        return Ok(None);
    }
    push_renewal_of(tx, context, calendar.business_id, calendar.id).await.map(Some)
}

/// The same, whether there are any or not.
pub(crate) async fn push_renewal_of(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    calendar: CalendarId,
) -> Result<JobRef, StorageError> {
    due_now(tx, context, business, (JobKind::RenewPush, calendar.0, QueueClass::Poll)).await
}

/// Enqueues the compare of a connection.
pub async fn compare(
    tx: &mut Tx,
    (business, connection): (BusinessId, ConnectionId),
    (queue, due_at): (QueueClass, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<JobRef, StorageError> {
    let kind = JobKind::CompareDrift;
    let job = NewJob { business: Some(business), kind, subject: connection.0, queue, due_at };
    jobs::enqueue(tx, job, now).await
}

/// Enqueues the compare of a connection that is served from now on. It is not due yet, so that there is nothing to push.
pub(crate) async fn first_compare(
    tx: &mut Tx,
    connection: (BusinessId, ConnectionId),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    compare(tx, connection, (QueueClass::Poll, now + FIRST_AFTER), now).await.map(drop)
}

/// Enqueues what brings a connection up to date both ways.
pub async fn initial_sync(
    tx: &mut Tx,
    context: &Context,
    (business, connection): (BusinessId, ConnectionId),
    direction: Direction,
) -> Result<Vec<JobRef>, StorageError> {
    let mut enqueued = vec![batch_sync(tx, context, business, connection).await?];
    first_compare(tx, (business, connection), context.clock.now()).await?;
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
        enqueued.push(import(tx, context, &calendar, QueueClass::Bulk).await?);
        enqueued.extend(push_renewal(tx, context, &calendar).await?);
    }
    Ok(enqueued)
}

async fn due_now(
    tx: &mut Tx,
    context: &Context,
    business: BusinessId,
    (kind, subject, queue): (JobKind, Uuid, QueueClass),
) -> Result<JobRef, StorageError> {
    let now = context.clock.now();
    let job = NewJob { business: Some(business), kind, subject, queue, due_at: now };
    jobs::enqueue(tx, job, now).await
}
