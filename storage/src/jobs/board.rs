//! What people, the metrics and the pages see of the jobs.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, ConnectionId, JobId, StaffId},
    job::{JobKind, JobState, QueueClass},
};
use serde::Serialize;
use uuid::Uuid;

use super::{JobRef, waits_until};
use crate::{Db, Result, Tx};

/// A job as the job board shows it.
#[derive(Clone, Debug, Serialize, sqlx_macros::FromRow)]
pub struct JobBoardRow {
    pub id: JobId,
    pub kind: JobKind,
    /// What it is about.
    pub subject_id: Uuid,
    pub queue: QueueClass,
    pub state: JobState,
    /// `None`: not until it is enqueued again.
    pub due_at: Option<DateTime<Utc>>,
    /// Since it was enqueued.
    pub attempts: i64,
    /// Of the last run that failed.
    pub last_error: Option<String>,
    /// When it was last enqueued.
    pub enqueued_at: DateTime<Utc>,
}

/// How many jobs there are of a kind in a state.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct JobCount {
    pub kind: JobKind,
    pub queue: QueueClass,
    pub state: JobState,
    pub count: i64,
}

const NEXT_DUE_AT: &str = "SELECT due_at FROM jobs WHERE business_id = $1 AND kind = $2 AND subject_id = $3";

/// When this is due next; `None`: not until it is enqueued again.
pub async fn next_due_at(
    db: &Db,
    business: BusinessId,
    kind: JobKind,
    subject: Uuid,
) -> Result<Option<DateTime<Utc>>> {
    let due: Option<Option<DateTime<Utc>>> = optional_scalar!(db, NEXT_DUE_AT, business, kind, subject)?;
    Ok(due.flatten())
}

const FAILED: &str = "
    SELECT id, kind, subject_id, queue, state, due_at, attempts, last_error, enqueued_at FROM jobs
    WHERE business_id = $1 AND state = 'failed' AND ($3 IS NULL OR $3 = COALESCE(
        (SELECT staff_id FROM connections WHERE id = subject_id),
        (SELECT c.staff_id FROM calendars k JOIN connections c ON c.id = k.connection_id WHERE k.id = subject_id),
        (SELECT c.staff_id FROM entries e JOIN connections c ON c.id = e.connection_id WHERE e.id = subject_id),
        (SELECT c.staff_id FROM remote_changes o JOIN connections c ON c.id = o.connection_id
         WHERE o.id = subject_id)))
    ORDER BY enqueued_at DESC, id LIMIT $2";

/// The failed jobs of a business, with their reasons; of the calendars of one person, if one is named.
pub async fn failed(
    db: &Db,
    business: BusinessId,
    staff: Option<StaffId>,
    limit: u32,
) -> Result<Vec<JobBoardRow>> {
    all!(db, FAILED, business, i64::from(limit), staff)
}

const COUNT_ACTIVE: &str = "
    SELECT kind, COUNT(*) AS count FROM jobs
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
) -> Result<Vec<(JobKind, i64)>> {
    all!(db, COUNT_ACTIVE, business, connection, now)
}

const RETRY: &str = "
    UPDATE jobs SET state = 'waiting', due_at = $3, attempts = 0, version = version + 1, enqueued_at = $3
    WHERE business_id = $1 AND id = $2 AND state = 'failed'
    RETURNING id, kind, queue, version, key_id";

/// Tries a failed job again at once, by hand.
pub async fn retry(tx: &mut Tx, business: BusinessId, id: JobId, now: DateTime<Utc>) -> Result<JobRef> {
    one!(tx, RETRY, business, id, now)
}

const COUNTS: &str = "
    SELECT kind, queue, state, COUNT(*) AS count FROM jobs GROUP BY kind, queue, state";

/// How many there are of each kind and state, for the metrics.
pub async fn counts(db: &Db) -> Result<Vec<JobCount>> {
    all!(db, COUNTS)
}

const OLDEST_DUE: &str = concat!(
    "SELECT d.due_at FROM jobs d LEFT JOIN job_keys k ON k.id = d.key_id
    WHERE d.due_at <= $1 AND (k.id IS NULL OR ",
    waits_until!(),
    " <= $1)
    ORDER BY d.due_at LIMIT 1"
);

/// Since when the longest waiting job is due; `None` when nothing is. What its key keeps waiting is not: nobody could do it.
pub async fn oldest_due(db: &Db, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    optional_scalar!(db, OLDEST_DUE, now)
}
