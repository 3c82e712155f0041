//! All that must be done, in one table: the truth of which the queue is only an accelerator.
//!
//! A duty is unique by kind and subject. Raising it again while it waits or runs counts its version up, and whoever
//! runs it works from the rows as they are by then: ten quick changes cost one or two runs. It is claimed by a
//! conditional update with a lease and finished by whoever holds that lease, so that a job that comes twice, or a
//! worker that dies, changes nothing.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    duty::{DutyKind, DutyState, QueueClass},
    ids::{BusinessId, ConnectionId, DutyId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Db, StorageError, Tx, on_db};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct NewDuty {
    /// `None`: not of one business.
    pub business: Option<BusinessId>,
    /// Which job.
    pub kind: DutyKind,
    /// What it is about: the id that its kind says.
    pub subject: Uuid,
    /// How urgent.
    pub queue: QueueClass,
    /// Not before.
    pub due_at: DateTime<Utc>,
}

/// What a queue carries: enough to claim the duty, nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::FromRow)]
pub struct DutyRef {
    /// Which.
    pub id: DutyId,
    /// Which job.
    pub kind: DutyKind,
    /// Which queue.
    pub queue: QueueClass,
    /// At the time of the push; an older one claims nothing.
    pub version: i64,
}

/// A duty whose lease this process holds.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ClaimedDuty {
    /// Which.
    pub id: DutyId,
    /// `None`: not of one business.
    pub business_id: Option<BusinessId>,
    /// Which job.
    pub kind: DutyKind,
    /// What it is about.
    pub subject_id: Uuid,
    /// Which queue.
    pub queue: QueueClass,
    /// At the time of the claim.
    pub version: i64,
    /// With this one, counted from 1.
    pub attempts: i64,
    /// Who holds the lease: unique for each claim.
    pub leased_by: String,
    /// When it was last raised, or a poll was due; the wait for it began then.
    pub raised_at: DateTime<Utc>,
    /// Why the run before did not end well.
    pub last_error: Option<String>,
}

impl ClaimedDuty {
    /// What a queue carries of it.
    pub fn reference(&self) -> DutyRef {
        DutyRef { id: self.id, kind: self.kind, queue: self.queue, version: self.version }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do until it is raised again.
    Done,
    /// Done for now; due again then, as a poll is: however it was raised, nobody waits for the next one.
    Again(DateTime<Utc>),
    /// Could not be tried now, through no fault of its own: it costs no try.
    Snooze {
        /// When it is due again.
        until: DateTime<Utc>,
        /// For people.
        reason: String,
    },
    /// A try failed.
    Retry {
        /// When it is due again.
        at: DateTime<Utc>,
        /// For people.
        reason: String,
    },
    /// Its tries are used up, or it can never succeed as it is.
    Failed {
        /// When the sweep tries it again; `None`: only when it is raised again or by hand.
        retry_at: Option<DateTime<Utc>>,
        /// For people.
        reason: String,
    },
}

/// A duty as the job board shows it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Duty {
    /// Which.
    pub id: DutyId,
    /// Which job.
    pub kind: DutyKind,
    /// What it is about.
    pub subject_id: Uuid,
    /// Which queue.
    pub queue: QueueClass,
    /// Where it stands.
    pub state: DutyState,
    /// `None`: not until it is raised again.
    pub due_at: Option<DateTime<Utc>>,
    /// Since it was raised.
    pub attempts: i64,
    /// Of the last run that failed.
    pub last_error: Option<String>,
    /// When it was last raised.
    pub raised_at: DateTime<Utc>,
}

/// How many duties there are of a kind in a state.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DutyCount {
    /// Which job.
    pub kind: DutyKind,
    /// Which queue.
    pub queue: QueueClass,
    /// Where they stand.
    pub state: DutyState,
    /// How many.
    pub count: i64,
}

const RAISE: &str = "
    INSERT INTO duties (id, business_id, kind, subject_id, queue, version, state, due_at, attempts, raised_at, created_at)
    VALUES ($1, $2, $3, $4, $5, 1, 'waiting', $6, 0, $7, $7)
    ON CONFLICT (kind, subject_id) DO UPDATE SET
        version = duties.version + 1,
        state = 'waiting',
        attempts = 0,
        queue = CASE WHEN duties.state <> 'waiting' OR excluded.queue = 'interactive'
            THEN excluded.queue ELSE duties.queue END,
        due_at = CASE WHEN duties.due_at IS NULL OR duties.due_at > excluded.due_at
                OR (duties.leased_by IS NOT NULL AND duties.attempts > 0)
            THEN excluded.due_at ELSE duties.due_at END,
        raised_at = excluded.raised_at
    RETURNING id, kind, queue, version";

/// Raises a duty in the transaction that gave rise to it. While it runs, the time at which it was due is used up: it runs
/// again when the first of those who raise it meanwhile wants it. The caller pushes what this returns after the commit.
pub async fn raise(tx: &mut Tx, duty: NewDuty, now: DateTime<Utc>) -> Result<DutyRef, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(RAISE)
        .bind(DutyId::new(now))
        .bind(duty.business)
        .bind(duty.kind)
        .bind(duty.subject)
        .bind(duty.queue)
        .bind(duty.due_at)
        .bind(now)
        .fetch_one(c)
        .await)?)
}

const CLAIM: &str = "
    UPDATE duties SET lease_until = $4, leased_by = $5, attempts = attempts + 1, started_at = $3
    WHERE id = $1 AND version = $2 AND state <> 'done' AND due_at <= $3
      AND (lease_until IS NULL OR lease_until <= $3)
    RETURNING id, business_id, kind, subject_id, queue, version, attempts, leased_by, raised_at, last_error";

/// Claims a duty if it is due, nobody else holds it and nothing newer was pushed.
pub async fn claim(
    db: &Db,
    duty: DutyRef,
    lease: &str,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<ClaimedDuty>, StorageError> {
    let mut tx = db.begin_forgettable().await?;
    let claimed = on_db!(tx, c => sqlx::query_as(CLAIM)
        .bind(duty.id)
        .bind(duty.version)
        .bind(now)
        .bind(lease_until)
        .bind(lease)
        .fetch_optional(c)
        .await)?;
    tx.commit().await?;
    Ok(claimed)
}

const FINISH: &str = "
    UPDATE duties SET
        lease_until = NULL,
        leased_by = NULL,
        finished_at = $3,
        state = CASE WHEN version = $4 THEN $5 ELSE 'waiting' END,
        due_at = CASE WHEN version = $4 THEN $6 ELSE due_at END,
        attempts = CASE WHEN version = $4 AND attempts + $7 > 0 THEN attempts + $7 ELSE 0 END,
        queue = CASE WHEN version = $4 AND $9 THEN 'poll' ELSE queue END,
        raised_at = CASE WHEN version = $4 AND $9 THEN $6 ELSE raised_at END,
        last_error = $8
    WHERE id = $1 AND leased_by = $2
    RETURNING id, kind, queue, version, due_at";

#[derive(sqlx::FromRow)]
struct Finished {
    #[sqlx(flatten)]
    duty: DutyRef,
    due_at: Option<DateTime<Utc>>,
}

/// Writes how a run ended, if its lease still holds. Returns the duty when it is due at once, because it was raised
/// again meanwhile: push it.
pub async fn finish(
    tx: &mut Tx,
    claimed: &ClaimedDuty,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<Option<DutyRef>, StorageError> {
    let (state, due_at, attempts, error) = match outcome {
        Outcome::Done => (DutyState::Done, None, -claimed.attempts, None),
        Outcome::Again(at) => (DutyState::Waiting, Some(*at), -claimed.attempts, None),
        Outcome::Snooze { until, reason } => (DutyState::Waiting, Some(*until), -1, Some(reason)),
        Outcome::Retry { at, reason } => (DutyState::Waiting, Some(*at), 0, Some(reason)),
        Outcome::Failed { retry_at, reason } => (DutyState::Failed, *retry_at, 0, Some(reason)),
    };
    let finished: Option<Finished> = on_db!(tx, c => sqlx::query_as(FINISH)
        .bind(claimed.id)
        .bind(&claimed.leased_by)
        .bind(now)
        .bind(claimed.version)
        .bind(state)
        .bind(due_at)
        .bind(attempts)
        .bind(error)
        .bind(matches!(outcome, Outcome::Again(at) if *at > now))
        .fetch_optional(c)
        .await)?;
    Ok(finished.filter(|row| row.due_at.is_some_and(|due| due <= now)).map(|row| row.duty))
}

const HASTEN: &str = "
    UPDATE duties SET due_at = $3
    WHERE id = $1 AND version = $2 AND state = 'waiting' AND due_at > $3 AND leased_by IS NULL";

/// What a duty was snoozed for is over sooner than it thought: it is due now. `false`: it is due already, done, or in
/// somebody's hands.
pub async fn hasten(db: &Db, duty: DutyRef, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let mut tx = db.begin_forgettable().await?;
    let rows = on_db!(tx, c => sqlx::query(HASTEN)
        .bind(duty.id)
        .bind(duty.version)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

const HASTEN_ENTRIES: &str = "
    UPDATE duties SET due_at = $3
    WHERE business_id = $1 AND state IN ('waiting', 'failed') AND kind IN ('sync_booking', 'delete_booking')
      AND due_at > $3 AND due_at <= $4 AND leased_by IS NULL
      AND subject_id IN (SELECT id FROM entries WHERE connection_id = $2 AND state IN ('pending', 'failed'))
    RETURNING id, kind, queue, version";

/// The provider of a connection answers again: what waits for its entries is due now, but for what is due only after
/// `longest` from now: so waits what has just been refused, or often, and will be again however well its provider answers.
/// Push what this returns.
pub async fn hasten_entries(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    longest: Duration,
) -> Result<Vec<DutyRef>, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(HASTEN_ENTRIES)
        .bind(business)
        .bind(connection)
        .bind(now)
        .bind(now + longest)
        .fetch_all(c)
        .await)?)
}

const EXTEND: &str = "UPDATE duties SET lease_until = $3 WHERE id = $1 AND leased_by = $2";

/// Keeps a long run's lease. `false`: it was lost, stop.
pub async fn extend(
    db: &Db,
    claimed: &ClaimedDuty,
    lease_until: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let mut tx = db.begin_forgettable().await?;
    let rows = on_db!(tx, c => sqlx::query(EXTEND)
        .bind(claimed.id)
        .bind(&claimed.leased_by)
        .bind(lease_until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

const RELEASE: &str = "
    UPDATE duties SET lease_until = NULL, leased_by = NULL,
        attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END
    WHERE leased_by LIKE $1";

/// Gives back all that a worker holds, when it stops: `worker` is what its leases begin with.
pub async fn release_all(db: &Db, worker: &str) -> Result<u64, StorageError> {
    let mut tx = db.begin().await?;
    let rows = on_db!(tx, c => sqlx::query(RELEASE)
        .bind(format!("{worker}#%"))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows)
}

const RELEASE_FORMER: &str = "
    UPDATE duties SET lease_until = NULL, leased_by = NULL WHERE leased_by IS NOT NULL";

/// Gives back all that anybody holds: for the start of a process that is the only one, so that whoever held it is dead.
/// The tries that ended with them count: one of them may be what they died of.
pub async fn release_former(tx: &mut Tx) -> Result<u64, StorageError> {
    Ok(on_db!(tx, c => sqlx::query(RELEASE_FORMER).execute(c).await.map(|done| done.rows_affected()))?)
}

const NEXT_OF: &str = "SELECT due_at FROM duties WHERE business_id = $1 AND kind = $2 AND subject_id = $3";

/// When this is due next; `None`: not until it is raised again.
pub async fn next_of(
    db: &Db,
    business: BusinessId,
    kind: DutyKind,
    subject: Uuid,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    let due: Option<Option<DateTime<Utc>>> = on_db!(db, c => sqlx::query_scalar(NEXT_OF)
        .bind(business)
        .bind(kind)
        .bind(subject)
        .fetch_optional(c)
        .await)?;
    Ok(due.flatten())
}

const DUE: &str = "
    SELECT id, kind, queue, version FROM duties
    WHERE due_at <= $1 AND state <> 'done' AND (lease_until IS NULL OR lease_until <= $1)
    ORDER BY CASE queue WHEN 'interactive' THEN 0 WHEN 'poll' THEN 1 ELSE 2 END, due_at LIMIT $2";

/// What is due and unclaimed: what people wait for first, then the longest due.
pub async fn due(db: &Db, now: DateTime<Utc>, limit: u32) -> Result<Vec<DutyRef>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(DUE).bind(now).bind(i64::from(limit)).fetch_all(c).await)?)
}

const FAILED: &str = "
    SELECT id, kind, subject_id, queue, state, due_at, attempts, last_error, raised_at FROM duties
    WHERE business_id = $1 AND state = 'failed' ORDER BY raised_at DESC, id LIMIT $2";

/// The failed duties of a business, with their reasons.
pub async fn failed(db: &Db, business: BusinessId, limit: u32) -> Result<Vec<Duty>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(FAILED).bind(business).bind(i64::from(limit)).fetch_all(c).await)?)
}

const UNDER_WAY: &str = "
    SELECT kind, COUNT(*) AS count FROM duties
    WHERE business_id = $1 AND state = 'waiting' AND (queue <> 'poll' OR due_at <= $3)
      AND (subject_id = $2
        OR subject_id IN (SELECT id FROM entries WHERE business_id = $1 AND connection_id = $2)
        OR subject_id IN (SELECT id FROM calendars WHERE business_id = $1 AND connection_id = $2))
    GROUP BY kind";

/// How much of each kind is queued, running or about to be tried again for a connection. Polls that are not due are
/// not: nobody waits for them.
pub async fn under_way(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
) -> Result<Vec<(DutyKind, i64)>, StorageError> {
    Ok(
        on_db!(db, c => sqlx::query_as(UNDER_WAY).bind(business).bind(connection).bind(now).fetch_all(c).await)?,
    )
}

const RETRY: &str = "
    UPDATE duties SET state = 'waiting', due_at = $3, attempts = 0, version = version + 1, raised_at = $3
    WHERE business_id = $1 AND id = $2 AND state = 'failed'
    RETURNING id, kind, queue, version";

/// Tries a failed duty again at once, by hand.
pub async fn retry(
    tx: &mut Tx,
    business: BusinessId,
    id: DutyId,
    now: DateTime<Utc>,
) -> Result<DutyRef, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(RETRY).bind(business).bind(id).bind(now).fetch_one(c).await)?)
}

const COUNTS: &str = "
    SELECT kind, queue, state, COUNT(*) AS count FROM duties GROUP BY kind, queue, state";

/// How many there are of each kind and state, for the metrics.
pub async fn counts(db: &Db) -> Result<Vec<DutyCount>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(COUNTS).fetch_all(c).await)?)
}

const OLDEST_DUE: &str = "SELECT MIN(due_at) FROM duties WHERE due_at <= $1 AND state <> 'done'";

/// Since when the longest waiting duty is due; `None` when nothing is.
pub async fn oldest_due(db: &Db, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_scalar(OLDEST_DUE).bind(now).fetch_one(c).await)?)
}
