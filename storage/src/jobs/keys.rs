//! Jobs of one key are done one at a time.
//!
//! At most one job of a key is leased: an index refuses a second one. Whoever ends a job takes the next one in the transaction
//! that writes how it ended, so that nobody else comes in between; a long job gives way to what a person waits for and takes
//! the key back afterwards. What keeps a key's jobs waiting is one row for all of them.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{JobId, JobKey},
    job::QueueClass,
};

use super::{ClaimedJob, JobRef, claimed, urgency};
use crate::{Db, Result, StorageError, Tx, connections::CalendarServer};

/// The most urgent job of a key that is due at `$2`, no less urgent than `$3`. If job `$4` has given way, an entry to be
/// written: whatever else somebody waits for may be as long as that job. One comparison says how urgent it must be, so that
/// the index leaves out all that waits.
macro_rules! next {
    ($key:literal, $columns:literal, $lock:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM jobs d
            WHERE d.key_id = ",
            $key,
            " AND d.state <> 'done' AND d.leased_by IS NULL AND d.due_at <= $2 AND ($4 IS NULL OR (d.id <> $4 AND d.kind IN ('sync_booking', 'delete_booking'))) AND ",
            urgency!("d.queue"),
            " <= COALESCE((
                SELECT CASE WHEN k.wait_until > $2 THEN -1 WHEN k.batches_wait_until > $2 THEN 0 ELSE $3 END
                FROM job_keys k WHERE k.id = ",
            $key,
            "), $3)
              AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.key_id = ",
            $key,
            " AND o.leased_by IS NOT NULL)
            ORDER BY ",
            urgency!("d.queue"),
            ", d.priority_at, d.enqueued_at LIMIT 1",
            $lock
        )
    };
}
pub(super) use next;

// The first WHERE is there again because PostgreSQL, when it has waited for a row that somebody was changing, checks only it
// anew. Two that claim different jobs of a key at one moment do not see each other: the index refuses the second.
macro_rules! claim_next {
    ($lock:literal) => {
        concat!(
            "UPDATE jobs SET lease_until = $6, leased_by = $5, attempts = attempts + 1, started_at = $2
            WHERE leased_by IS NULL AND state <> 'done' AND due_at <= $2 AND id = (",
            next!("$1", "d.id", $lock),
            ")",
            claimed!()
        )
    };
}

const CLAIM_NEXT: &str = claim_next!("");
// Whoever ends a job holds its row, and somebody who enqueues it may hold that of the next: neither waits for the other. What is
// being enqueued is brought by whoever enqueues it.
const CLAIM_NEXT_POSTGRES: &str = claim_next!(" FOR UPDATE OF d SKIP LOCKED");

/// Claims the most urgent job of a key that is due: the most urgent class, then the nearest start, then the oldest. Nothing
/// if one of its jobs is leased, or if the key waits. For [`QueueClass::Interactive`] only what people wait for.
pub async fn claim_next(
    db: &Db,
    (key, class): (JobKey, QueueClass),
    lease: (&str, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Option<ClaimedJob>> {
    let mut tx = db.begin_async_commit().await?;
    match claim_next_in(&mut tx, (key, class, None), lease, now).await {
        Ok(claimed) => {
            tx.commit().await?;
            Ok(claimed)
        }
        // Somebody else was faster.
        Err(StorageError::Exists | StorageError::Busy) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same in the transaction that ends the lease of the job before; if one has given way, only an entry to be written.
pub async fn claim_next_in(
    tx: &mut Tx,
    (key, class, given_way): (JobKey, QueueClass, Option<JobId>),
    (lease, lease_until): (&str, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Option<ClaimedJob>> {
    optional!(
        tx,
        either(CLAIM_NEXT, CLAIM_NEXT_POSTGRES),
        key,
        now,
        least_urgent(class),
        given_way,
        lease,
        lease_until
    )
}

pub(super) fn least_urgent(class: QueueClass) -> i64 {
    if class == QueueClass::Interactive { 0 } else { 2 }
}

const NEXT_DUE: &str = next!("$1", "d.id, d.kind, d.queue, d.version, d.key_id", "");

/// The job of a key that would be claimed now, if any.
pub async fn next_due(db: &Db, key: JobKey, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    optional!(db, NEXT_DUE, key, now, least_urgent(QueueClass::Bulk), None::<JobId>)
}

const YIELD_LEASE: &str =
    "UPDATE jobs SET lease_until = NULL, leased_by = NULL WHERE id = $1 AND leased_by = $2";

/// Ends a job's lease for a while, so that a more urgent one of its key can be claimed in the same transaction; the job is
/// as due as before. `false`: its lease was lost.
pub async fn give_way(tx: &mut Tx, claimed: &ClaimedJob) -> Result<bool> {
    Ok(changed!(tx, YIELD_LEASE, claimed.id, &claimed.leased_by)? == 1)
}

const RECLAIM_LEASE: &str = "
    UPDATE jobs SET lease_until = $3, leased_by = $2
    WHERE id = $1 AND state <> 'done' AND leased_by IS NULL";

/// Takes the lease of a job again that has given way, in the transaction that ends the job it gave way to. `false`: somebody
/// else has had it meanwhile.
pub async fn reclaim_lease(tx: &mut Tx, claimed: &ClaimedJob, lease_until: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, RECLAIM_LEASE, claimed.id, &claimed.leased_by, lease_until)? == 1)
}

/// What keeps a key's jobs waiting.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct KeyWait {
    /// What people wait for begins no sooner.
    pub wait_until: DateTime<Utc>,
    /// Batches and polls begin no sooner.
    pub batches_wait_until: DateTime<Utc>,
    pub reason: String,
    /// Whether it is for the provider to answer again. It is remembered when the wait is over, until it does.
    pub is_outage: bool,
}

const SET_WAIT: &str = "
    INSERT INTO job_keys (id, wait_until, batches_wait_until, reason, is_outage) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET
        wait_until = CASE WHEN excluded.wait_until > job_keys.wait_until
            THEN excluded.wait_until ELSE job_keys.wait_until END,
        batches_wait_until = CASE WHEN excluded.batches_wait_until > job_keys.batches_wait_until
            THEN excluded.batches_wait_until ELSE job_keys.batches_wait_until END,
        reason = CASE WHEN excluded.batches_wait_until >= job_keys.batches_wait_until
            THEN excluded.reason ELSE job_keys.reason END,
        is_outage = CASE WHEN excluded.batches_wait_until >= job_keys.batches_wait_until
            THEN excluded.is_outage ELSE job_keys.is_outage END";

/// No job of the key begins before that, and none that nobody waits for before those instants. Of two waits the longer one is
/// the reason.
pub async fn wait(tx: &mut Tx, key: JobKey, wait: &KeyWait) -> Result<()> {
    exec!(tx, SET_WAIT, key, wait.wait_until, wait.batches_wait_until, &wait.reason, wait.is_outage)
}

const CLEAR_WAIT: &str = "
    UPDATE job_keys SET wait_until = $2, batches_wait_until = $2, is_outage = FALSE
    WHERE id = $1 AND (wait_until > $2 OR batches_wait_until > $2)";

/// What the key waited for is over sooner than was thought. `false`: it did not wait.
pub async fn end_wait(tx: &mut Tx, key: JobKey, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, CLEAR_WAIT, key, now)? == 1)
}

/// The keys that wait for a provider, `$1`, to answer again; of CalDAV those of one server, `$2`.
macro_rules! in_outage {
    () => {
        " FROM job_keys k JOIN connections o ON o.id = k.id
        WHERE k.is_outage AND o.provider = $1 AND substr(COALESCE(o.server_url, ''), 1, length($2)) = $2"
    };
}

macro_rules! try_one_of_each {
    ($lock:literal) => {
        concat!(
            "UPDATE jobs SET due_at = CASE WHEN due_at > $3 THEN $3 ELSE due_at END
            WHERE leased_by IS NULL AND id IN (
                SELECT (
                    SELECT d.id FROM jobs d
                    WHERE d.key_id = k.id AND d.state <> 'done' AND d.leased_by IS NULL
                      AND (d.due_at <= $3 OR (d.attempts > 0 AND d.due_at <= $4))
                    ORDER BY ",
            urgency!("d.queue"),
            ", d.priority_at, d.enqueued_at LIMIT 1",
            $lock,
            ")",
            in_outage!(),
            ") RETURNING id, kind, queue, version, key_id"
        )
    };
}

const TRY_ONE_OF_EACH: &str = try_one_of_each!("");
const TRY_ONE_OF_EACH_POSTGRES: &str = try_one_of_each!(" FOR UPDATE OF d SKIP LOCKED");

macro_rules! end_outages {
    ($lock:literal) => {
        concat!(
            "UPDATE job_keys SET wait_until = $3, batches_wait_until = $3, is_outage = FALSE
            WHERE id IN (SELECT k.id",
            in_outage!(),
            $lock,
            ") RETURNING id"
        )
    };
}

const END_OUTAGES: &str = end_outages!("");
// Two that end outages at once do not wait for each other: each leaves to the other what that one has.
const END_OUTAGES_POSTGRES: &str = end_outages!(" FOR UPDATE OF k SKIP LOCKED");

/// What waited for a provider to answer again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedOutages {
    /// Whose jobs need not wait any longer.
    pub keys: Vec<JobKey>,
    /// A job of each that is due now: push it.
    pub due: Vec<JobRef>,
}

/// A server answers again: no key of it waits for that any longer. After a long outage their jobs are due late, each by its
/// own failures; one of each key, the most urgent, is tried now, and its success is that of the others. Not what is due only
/// after `longest` from now, as for [`super::reschedule_entries`].
pub async fn end_outages(
    tx: &mut Tx,
    server: &CalendarServer,
    (now, longest): (DateTime<Utc>, Duration),
) -> Result<EndedOutages> {
    let due = all!(
        tx,
        either(TRY_ONE_OF_EACH, TRY_ONE_OF_EACH_POSTGRES),
        server.provider,
        &server.origin,
        now,
        now + longest
    )?;
    let keys = scalars!(tx, either(END_OUTAGES, END_OUTAGES_POSTGRES), server.provider, &server.origin, now)?;
    Ok(EndedOutages { keys, due })
}

const FIND_WAIT: &str = "
    SELECT wait_until, batches_wait_until, reason, is_outage FROM job_keys
    WHERE id = $1 AND (wait_until > $2 OR batches_wait_until > $2)";

/// Whether the key waits now, how long and why.
pub async fn find_wait(db: &Db, key: JobKey, now: DateTime<Utc>) -> Result<Option<KeyWait>> {
    optional!(db, FIND_WAIT, key, now)
}
