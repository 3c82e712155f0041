//! What happened, for other systems: written in the transaction in which it did, delivered to the endpoints that hear of it, and
//! read on from the last one that somebody has seen.
//!
//! An event costs its writer two statements, and the job of each endpoint. So that no two writers wait for each other with
//! these in hand, it is written last.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BookingId, BusinessId, EventId, ResourceId, WebhookEndpointId},
    webhook::{ConflictPayload, Event, EventSubject, EventType},
};
use uuid::Uuid;

use crate::{
    Db, Page, Result, StorageError, Tx,
    jobs::JobRef,
    webhook_deliveries::{self, NewDelivery},
};

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct StoredEvent {
    pub id: EventId,
    pub kind: EventType,
    /// Of the schema of its data.
    pub schema_version: i64,
    /// What it is about.
    pub subject_kind: EventSubject,
    pub subject_id: Uuid,
    /// The version of that, where it counts them.
    pub subject_version: Option<i64>,
    /// JSON, as it is sent.
    pub data: String,
    pub created_at: DateTime<Utc>,
}

macro_rules! columns {
    () => {
        "id, kind, schema_version, subject_kind, subject_id, subject_version, data, created_at"
    };
}

const WRITE: &str = "
    INSERT INTO events (id, business_id, kind, schema_version, subject_kind, subject_id, subject_version, data, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING position";

async fn write(tx: &mut Tx, business: BusinessId, event: &Event, now: DateTime<Utc>) -> Result<NewDelivery> {
    let id = EventId::new(now);
    let position: i64 = scalar!(tx, WRITE;
        id, business, event.kind, event.kind.schema_version(), event.kind.subject(), event.subject,
        event.version, &event.data, now
    )?;
    Ok(NewDelivery { business, event: id, subject: event.subject, position })
}

/// Writes an event down, last in the transaction of what it tells of, and with it the deliveries to all endpoints that hear
/// of it. The caller pushes what this returns after the commit.
pub async fn publish(
    tx: &mut Tx,
    business: BusinessId,
    event: &Event,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>> {
    let delivery = write(tx, business, event, now).await?;
    webhook_deliveries::add_to_all(tx, &delivery, event.kind, now).await
}

/// The same for one endpoint alone, such as a test of it. Returns the event's id too. `NotFound`: there is no such endpoint
/// that is active.
pub async fn publish_to(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    event: &Event,
    now: DateTime<Utc>,
) -> Result<(EventId, JobRef)> {
    let delivery = write(tx, business, event, now).await?;
    let job = webhook_deliveries::add_to_one(tx, &delivery, endpoint, now).await?;
    Ok((delivery.event, job))
}

#[derive(sqlx_macros::FromRow)]
struct ConflictRow {
    id: BookingId,
    reference: String,
    version: i64,
    resource_id: ResourceId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

const CONFLICT: &str = "
    SELECT id, reference, version, resource_id, starts_at, ends_at FROM bookings WHERE business_id = $1 AND id = $2";

/// Tells that a booking stands without a unit, or does so no more.
pub(crate) async fn publish_conflict(
    tx: &mut Tx,
    (business, booking): (BusinessId, BookingId),
    is_open: bool,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>> {
    let row: ConflictRow = one!(tx, CONFLICT, business, booking)?;
    let payload = ConflictPayload {
        booking: row.id,
        reference: row.reference,
        version: row.version,
        resource: row.resource_id,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
    };
    publish(tx, business, &Event::conflict(is_open, &payload), now).await
}

const FIND: &str = select!("FROM events WHERE business_id = $1 AND id = $2");

/// One event of a business.
pub async fn find(db: &Db, business: BusinessId, id: EventId) -> Result<Option<StoredEvent>> {
    optional!(db, FIND, business, id)
}

const HAS_UNNUMBERED: &str =
    "SELECT EXISTS (SELECT 1 FROM events WHERE business_id = $1 AND sequence IS NULL)";
// Whoever numbers holds the row of the business.
const LOCK_SEQUENCE: &str = "
    INSERT INTO event_sequences (business_id, last) VALUES ($1, 0)
    ON CONFLICT (business_id) DO UPDATE SET last = event_sequences.last RETURNING last";
const NUMBER: &str = "
    UPDATE events SET sequence = n.sequence
    FROM (
        SELECT position, $2 + ROW_NUMBER() OVER (ORDER BY position) AS sequence FROM (
            SELECT position FROM events WHERE business_id = $1 AND sequence IS NULL ORDER BY position LIMIT $3) u
    ) n
    WHERE events.position = n.position";
const SET_SEQUENCE: &str = "UPDATE event_sequences SET last = $2 WHERE business_id = $1";

/// Events that are numbered in one transaction.
const NUMBERED_AT_ONCE: i64 = 2_000;

/// Gives numbers to what has none yet. What is committed later gets a higher one, so that whoever reads on from a number
/// misses nothing, however long the transaction took that wrote it.
async fn number(db: &Db, business: BusinessId) -> Result<()> {
    loop {
        // Nearly always there is none, and SQLite's one writer need not be waited for.
        if !scalar!(db, HAS_UNNUMBERED, business)? {
            return Ok(());
        }
        in_tx!(db, tx => number_some(&mut tx, business).await)?;
    }
}

async fn number_some(tx: &mut Tx, business: BusinessId) -> Result<()> {
    let last: i64 = scalar!(tx, LOCK_SEQUENCE, business)?;
    let numbered = changed!(tx, NUMBER, business, last, NUMBERED_AT_ONCE)?;
    exec!(tx, SET_SEQUENCE, business, last + i64::try_from(numbered).unwrap_or(0))
}

const SEQUENCE: &str = "SELECT COALESCE(sequence, 0) FROM events WHERE business_id = $1 AND id = $2";
const AFTER: &str =
    select!("FROM events WHERE business_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3");

/// The events after one that the caller has seen, in their order; `None`: from the first that is kept. Those of one subject
/// are in the order in which they happened. `NotFound`: there is no such event, or it is no longer kept.
pub async fn after(
    db: &Db,
    business: BusinessId,
    seen: Option<EventId>,
    limit: u32,
) -> Result<Page<StoredEvent>> {
    number(db, business).await?;
    let sequence: i64 = match seen {
        None => 0,
        Some(seen) => optional_scalar!(db, SEQUENCE, business, seen)?.ok_or(StorageError::NotFound)?,
    };
    let limit = limit.clamp(1, 200);
    let mut items: Vec<StoredEvent> = all!(db, AFTER, business, sequence, i64::from(limit) + 1)?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next })
}
