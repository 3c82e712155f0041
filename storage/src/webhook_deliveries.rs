//! Deliveries: each one event on its way to one endpoint. What comes next is decided by `concord_domain::webhook`.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, EventId, WebhookEndpointId},
    job::{JobKind, QueueClass},
    webhook::{DeliveryState, EventType, OVERTAKE_AFTER, WaitingDelivery},
};
use uuid::Uuid;

use crate::{
    Db, Page, PageRequest, Result, StorageError, Tx,
    jobs::{self, JobRef, NewJob},
    sync_log::first_id_at,
};

/// An event that is to be delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewDelivery {
    pub(crate) business: BusinessId,
    pub(crate) event: EventId,
    pub(crate) subject: Uuid,
    pub(crate) position: i64,
}

macro_rules! add {
    ($to:literal) => {
        concat!(
            "INSERT INTO webhook_deliveries (business_id, endpoint_id, event_id, subject_id, position, state, attempts, due_at,
                created_at)
             SELECT business_id, id, $2, $3, $4, 'waiting', 0, $5, $5 FROM webhook_endpoints
             WHERE business_id = $1 AND state = 'active' AND ",
            $to,
            " RETURNING endpoint_id"
        )
    };
}

const ADD_TO_ALL: &str = add!("(event_types = '' OR ' ' || event_types || ' ' LIKE '% ' || $6 || ' %')");
const ADD_TO_ONE: &str = add!("id = $6");

/// Adds it for each endpoint that hears of such events, and the job that delivers it there.
pub(crate) async fn add_to_all(
    tx: &mut Tx,
    new: &NewDelivery,
    kind: EventType,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>> {
    let mut endpoints: Vec<WebhookEndpointId> =
        scalars!(tx, ADD_TO_ALL, new.business, new.event, new.subject, new.position, now, kind)?;
    // Two that write events take the jobs in the same order.
    endpoints.sort_unstable();
    let mut enqueued = Vec::new();
    for endpoint in endpoints {
        enqueued.push(enqueue(tx, (new.business, endpoint), now).await?);
    }
    Ok(enqueued)
}

/// The same for one endpoint, whatever it hears of.
pub(crate) async fn add_to_one(
    tx: &mut Tx,
    new: &NewDelivery,
    endpoint: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let added: Option<WebhookEndpointId> =
        optional_scalar!(tx, ADD_TO_ONE, new.business, new.event, new.subject, new.position, now, endpoint)?;
    enqueue(tx, (new.business, added.ok_or(StorageError::NotFound)?), now).await
}

/// Enqueues the job that delivers to an endpoint what is due; the caller pushes what this returns after the commit.
pub async fn enqueue(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let job = NewJob {
        business: Some(business),
        kind: JobKind::DeliverWebhooks,
        subject: endpoint.0,
        queue: QueueClass::Interactive,
        due_at: now,
    };
    jobs::enqueue(tx, job, now).await
}

/// A delivery that may go now, with its event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ReadyDelivery {
    pub event_id: EventId,
    pub subject_id: Uuid,
    pub position: i64,
    /// Those that were made so far.
    pub attempts: i64,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub kind: EventType,
    pub schema_version: i64,
    /// JSON, as it is sent.
    pub data: String,
    pub happened_at: DateTime<Utc>,
}

impl ReadyDelivery {
    /// As it is planned by.
    pub fn waiting(&self) -> WaitingDelivery {
        let Self { subject_id: subject, position, due_at, created_at, .. } = *self;
        WaitingDelivery { subject, position, due_at, created_at }
    }
}

// As `concord_domain::webhook::ready` says.
const READY: &str = "
    SELECT d.event_id, d.subject_id, d.position, d.attempts, d.due_at, d.created_at, e.kind, e.schema_version, e.data,
        e.created_at AS happened_at
    FROM webhook_deliveries d JOIN events e ON e.id = d.event_id
    WHERE d.business_id = $1 AND d.endpoint_id = $2 AND d.state = 'waiting' AND d.due_at <= $3
      AND (d.created_at <= $4 OR NOT EXISTS (
        SELECT 1 FROM webhook_deliveries p
        WHERE p.endpoint_id = d.endpoint_id AND p.subject_id = d.subject_id AND p.state = 'waiting'
          AND p.position < d.position))
    ORDER BY d.due_at, d.position LIMIT $5";

/// What may go to an endpoint now: due, and held back by nothing earlier of its subject, or so for long enough.
pub async fn ready(
    db: &Db,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ReadyDelivery>> {
    all!(db, READY, business, endpoint, now, now - OVERTAKE_AFTER, i64::from(limit))
}

const NEXT: &str = "
    SELECT
        (SELECT MIN(d.due_at) FROM webhook_deliveries d
         WHERE d.business_id = $1 AND d.endpoint_id = $2 AND d.state = 'waiting' AND d.due_at > $3),
        (SELECT MIN(d.created_at) FROM webhook_deliveries d
         WHERE d.business_id = $1 AND d.endpoint_id = $2 AND d.state = 'waiting' AND d.due_at <= $3 AND d.created_at > $4)";

/// When something may go to an endpoint of which nothing may go now: it is due then, or held back no longer.
pub async fn next(
    db: &Db,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let (due, held): (Option<DateTime<Utc>>, Option<DateTime<Utc>>) =
        one!(db, NEXT, business, endpoint, now, now - OVERTAKE_AFTER)?;
    Ok(due.into_iter().chain(held.map(|created| created + OVERTAKE_AFTER)).min())
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct RecordedAttempt {
    pub event: EventId,
    pub state: DeliveryState,
    /// `None` unless it waits.
    pub due_at: Option<DateTime<Utc>>,
    /// When the attempt began.
    pub began_at: DateTime<Utc>,
    /// `None`: there was no answer.
    pub status: Option<i64>,
    /// How the answer began.
    pub answer: Option<String>,
    /// Why there was none, in plain words.
    pub error: Option<String>,
    pub duration_ms: i64,
}

const RECORD: &str = "
    UPDATE webhook_deliveries SET state = $4, due_at = $5, attempts = attempts + 1, last_attempt_at = $6, last_status = $7,
        last_answer = $8, last_error = $9, last_duration_ms = $10,
        delivered_at = CASE WHEN $4 = 'delivered' THEN $11 ELSE delivered_at END
    WHERE business_id = $1 AND endpoint_id = $2 AND event_id = $3 AND state = 'waiting'";

/// Writes down what came of an attempt.
pub async fn record(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    attempt: &RecordedAttempt,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD;
        business, endpoint, attempt.event, attempt.state, attempt.due_at, attempt.began_at, attempt.status,
        &attempt.answer, &attempt.error, attempt.duration_ms, now
    )
}

const RESCHEDULE_WAITING: &str = "
    UPDATE webhook_deliveries SET due_at = $3
    WHERE business_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND due_at > $3";

/// The endpoint is back: what waits is due now.
pub async fn reschedule_waiting(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    now: DateTime<Utc>,
) -> Result<u64> {
    changed!(tx, RESCHEDULE_WAITING, business, endpoint, now)
}

const FAIL_WAITING: &str = "
    UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, last_error = $3
    WHERE business_id = $1 AND endpoint_id = $2 AND state = 'waiting'";

/// The endpoint was disabled: nothing of what waits is sent by itself. Returns how many deliveries that were.
pub async fn fail_waiting(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    reason: &str,
) -> Result<u64> {
    changed!(tx, FAIL_WAITING, business, endpoint, reason)
}

/// A line of the delivery log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct WebhookDelivery {
    pub event_id: EventId,
    pub kind: EventType,
    pub schema_version: i64,
    /// JSON, as it is sent.
    pub data: String,
    pub happened_at: DateTime<Utc>,
    pub state: DeliveryState,
    pub attempts: i64,
    /// `None` unless it waits.
    pub due_at: Option<DateTime<Utc>>,
    /// When the last attempt began.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// `None`: there was no answer yet, or none came.
    pub last_status: Option<i64>,
    /// How the last answer began.
    pub last_answer: Option<String>,
    /// Why the last attempt had no answer, or why there are no more, in plain words.
    pub last_error: Option<String>,
    pub last_duration_ms: Option<i64>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub position: i64,
}

macro_rules! columns {
    () => {
        "d.event_id, e.kind, e.schema_version, e.data, e.created_at AS happened_at, d.state, d.attempts, d.due_at,
         d.last_attempt_at, d.last_status, d.last_answer, d.last_error, d.last_duration_ms, d.delivered_at, d.position"
    };
}

const LIST: &str = select!(
    "FROM webhook_deliveries d JOIN events e ON e.id = d.event_id
     WHERE d.business_id = $1 AND d.endpoint_id = $2 AND d.position < $3 AND ($5 IS NULL OR d.state = $5)
     ORDER BY d.position DESC LIMIT $4"
);

/// What was and is to be delivered to an endpoint, the newest event first; only in a state, if one is given.
pub async fn list(
    db: &Db,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    state: Option<DeliveryState>,
    ask: &PageRequest,
) -> Result<Page<WebhookDelivery>> {
    let before = ask.after_key::<i64>()?.unwrap_or(i64::MAX);
    let rows = all!(db, LIST, business, endpoint, before, ask.fetch(), state)?;
    Ok(Page::cut(rows, ask, |last: &WebhookDelivery| last.position))
}

const FIND: &str = select!(
    "FROM webhook_deliveries d JOIN events e ON e.id = d.event_id
     WHERE d.business_id = $1 AND d.endpoint_id = $2 AND d.event_id = $3"
);

/// The delivery of one event.
pub async fn find(
    db: &Db,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    event: EventId,
) -> Result<Option<WebhookDelivery>> {
    optional!(db, FIND, business, endpoint, event)
}

const COUNT_WAITING: &str = "
    SELECT COUNT(*) FROM (
        SELECT 1 FROM webhook_deliveries WHERE business_id = $1 AND endpoint_id = $2 AND state = 'waiting' LIMIT $3) w";

/// How many wait for an endpoint, counted up to `limit`.
pub async fn count_waiting(
    db: &Db,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    limit: i64,
) -> Result<i64> {
    scalar!(db, COUNT_WAITING, business, endpoint, limit)
}

const RESEND: &str = "
    UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, due_at = $4
    WHERE business_id = $1 AND endpoint_id = $2 AND event_id = $3";

/// Sends an event once more, whatever came of it. `NotFound`: it was never to be delivered there.
pub async fn resend(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    event: EventId,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    must_change!(tx, RESEND, business, endpoint, event, now)?;
    enqueue(tx, (business, endpoint), now).await
}

const RESEND_SINCE: &str = "
    UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, due_at = $4
    WHERE business_id = $1 AND endpoint_id = $2 AND event_id >= $3 AND (state <> 'delivered' OR $5)";
const ADD_SINCE: &str = "
    INSERT INTO webhook_deliveries (business_id, endpoint_id, event_id, subject_id, position, state, attempts, due_at,
        created_at)
    SELECT e.business_id, w.id, e.id, e.subject_id, e.position, 'waiting', 0, $4, $4
    FROM webhook_endpoints w JOIN events e ON e.business_id = w.business_id
    WHERE w.business_id = $1 AND w.id = $2 AND e.id >= $3 AND e.kind <> 'webhook.test'
      AND (w.event_types = '' OR ' ' || w.event_types || ' ' LIKE '% ' || e.kind || ' %')
    ON CONFLICT (endpoint_id, event_id) DO NOTHING";

/// Sends the events since that instant once more, those too that happened while the endpoint was disabled or not there yet:
/// what it has not taken, now and as if it had never failed, or all of it. Returns how many, and the job to push.
pub async fn resend_since(
    tx: &mut Tx,
    (business, endpoint): (BusinessId, WebhookEndpointId),
    (since, all): (DateTime<Utc>, bool),
    now: DateTime<Utc>,
) -> Result<(u64, JobRef)> {
    let first = first_id_at(since);
    let again = changed!(tx, RESEND_SINCE, business, endpoint, first, now, all)?;
    let added = changed!(tx, ADD_SINCE, business, endpoint, first, now)?;
    Ok((again + added, enqueue(tx, (business, endpoint), now).await?))
}
