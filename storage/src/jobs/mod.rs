//! All that must be done, in one table: the truth of which the queue is only an accelerator.
//!
//! A job is unique by kind and subject. Enqueuing it again while it waits or runs counts its version up, and whoever
//! runs it works from the rows as they are by then: ten quick changes cost one or two runs. It is claimed by a
//! conditional update with a lease and finished by whoever holds that lease, so that a job that comes twice, or a
//! worker that dies, changes nothing.
//!
//! Some have a key: of those at most one is leased at a time, and whoever ends one takes the next (`keys`).

mod board;
mod keys;
mod leases;
mod sweep;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{BusinessId, ConnectionId, JobId, JobKey, MailId},
    job::{JobKind, JobState, QueueClass},
    mail::lane_of,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    board::{JobBoardRow, JobCount, counts, failed, next_due_at, oldest_due, retry, under_way},
    keys::{
        EndedOutages, KeyWait, claim_next, claim_next_in, end_outages, end_wait, find_wait, give_way,
        next_due, reclaim_lease, wait,
    },
    leases::{LeaseRenewal, extend, release_former, release_leases_of_worker, renew_lease_in},
    sweep::{due, release_expired},
};
use crate::{Db, Result, Tx};

/// How urgent a job of that class is: the lower, the sooner. The index of a key's jobs has the same expression.
macro_rules! urgency {
    ($queue:literal) => {
        concat!("CASE ", $queue, " WHEN 'interactive' THEN 0 WHEN 'poll' THEN 1 ELSE 2 END")
    };
}
pub(crate) use urgency;

/// Until when the key `k` of the job `d` keeps it waiting; NULL where no row says so.
macro_rules! waits_until {
    () => {
        "CASE d.queue WHEN 'interactive' THEN k.wait_until ELSE k.batches_wait_until END"
    };
}
pub(crate) use waits_until;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct NewJob {
    /// `None`: not of one business.
    pub business: Option<BusinessId>,
    pub kind: JobKind,
    /// What it is about: the id that its kind says.
    pub subject: Uuid,
    pub queue: QueueClass,
    pub due_at: DateTime<Utc>,
}

/// What a queue carries: enough to claim the job, nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx_macros::FromRow)]
pub struct JobRef {
    pub id: JobId,
    pub kind: JobKind,
    pub queue: QueueClass,
    /// At the time of the push; an older one claims nothing.
    pub version: i64,
    /// For what jobs are done one at a time; `None`: it is done beside any other.
    #[serde(default)]
    #[sqlx(rename = "key_id")]
    pub key: Option<JobKey>,
}

impl JobRef {
    /// What two messages of one queue have in common of which one is enough: whoever comes for a key takes its most urgent
    /// job, whichever it was woken for.
    pub fn wake_up_key(&self) -> (Uuid, i64) {
        match self.key {
            Some(key) => (key.0, 0),
            None => (self.id.0, self.version),
        }
    }
}

/// A job whose lease this process holds.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct ClaimedJob {
    pub id: JobId,
    /// `None`: not of one business.
    pub business_id: Option<BusinessId>,
    pub kind: JobKind,
    /// What it is about.
    pub subject_id: Uuid,
    pub queue: QueueClass,
    /// At the time of the claim.
    pub version: i64,
    /// With this one, counted from 1.
    pub attempts: i64,
    /// Who holds the lease: unique for each claim.
    pub leased_by: String,
    /// When it was last enqueued, or a poll was due; the wait for it began then.
    pub enqueued_at: DateTime<Utc>,
    /// Why the run before did not end well.
    pub last_error: Option<String>,
    /// Since when it was due.
    pub due_at: DateTime<Utc>,
    /// For what jobs are done one at a time: this is the only one of them that is leased.
    #[sqlx(rename = "key_id")]
    pub key: Option<JobKey>,
}

impl ClaimedJob {
    /// What a queue carries of it.
    pub fn reference(&self) -> JobRef {
        JobRef { id: self.id, kind: self.kind, queue: self.queue, version: self.version, key: self.key }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum JobOutcome {
    /// Nothing to do until it is enqueued again.
    Done,
    /// Done for now; due again then, as a poll is: however it was enqueued, nobody waits for the next one.
    Again(DateTime<Utc>),
    /// Could not be tried now, through no fault of its own: it costs no try.
    Snooze {
        /// When it is due again.
        until: DateTime<Utc>,
        reason: String,
    },
    /// Nothing of its key can be done now: all of its jobs wait, and it costs no try. Without a key it is a snooze.
    Wait {
        until: DateTime<Utc>,
        /// Whether jobs that people wait for wait too, and not only batches and polls.
        for_all: bool,
        reason: String,
    },
    Retry {
        /// When it is due again.
        at: DateTime<Utc>,
        reason: String,
    },
    /// Its tries are used up, or it can never succeed as it is.
    Failed {
        /// When the sweep tries it again; `None`: only when it is enqueued again or by hand.
        retry_at: Option<DateTime<Utc>>,
        reason: String,
    },
}

// The key of a job that reads or writes a calendar is its connection; of one that delivers, its endpoint; of one that sends a
// mail, `$8`, its lane.
const ENQUEUE: &str = "
    INSERT INTO jobs (id, business_id, kind, subject_id, queue, version, state, due_at, attempts, enqueued_at, created_at,
        key_id, priority_at)
    VALUES ($1, $2, $3, $4, $5, 1, 'waiting', $6, 0, $7, $7,
        COALESCE($8, CASE
            WHEN $3 IN ('sync_booking', 'delete_booking') THEN (SELECT e.connection_id FROM entries e WHERE e.id = $4)
            WHEN $3 IN ('import_availability', 'renew_push') THEN (SELECT k.connection_id FROM calendars k WHERE k.id = $4)
            WHEN $3 IN ('compare_drift', 'disconnect', 'deliver_webhooks') THEN $4 END),
        COALESCE(CASE WHEN $3 IN ('sync_booking', 'delete_booking') THEN (
            SELECT b.starts_at FROM entries e JOIN bookings b ON b.id = e.booking_id WHERE e.id = $4) END, $6))
    ON CONFLICT (kind, subject_id) DO UPDATE SET
        version = jobs.version + 1,
        state = 'waiting',
        attempts = 0,
        queue = CASE WHEN jobs.state <> 'waiting' OR excluded.queue = 'interactive'
            THEN excluded.queue ELSE jobs.queue END,
        due_at = CASE WHEN jobs.due_at IS NULL OR jobs.due_at > excluded.due_at
                OR (jobs.leased_by IS NOT NULL AND jobs.attempts > 0)
            THEN excluded.due_at ELSE jobs.due_at END,
        enqueued_at = excluded.enqueued_at,
        key_id = COALESCE(excluded.key_id, jobs.key_id),
        priority_at = excluded.priority_at
    RETURNING id, kind, queue, version, key_id";

/// Enqueues a job in the transaction that gave rise to it. While it runs, the time at which it was due is used up: it runs
/// again when the first of those who enqueue it meanwhile wants it. The caller pushes what this returns after the commit.
pub async fn enqueue(tx: &mut Tx, job: NewJob, now: DateTime<Utc>) -> Result<JobRef> {
    let lane = (job.kind == JobKind::SendMail).then(|| lane_of(MailId(job.subject)));
    one!(tx, ENQUEUE, JobId::new(now), job.business, job.kind, job.subject, job.queue, job.due_at, now, lane)
}

macro_rules! claimed {
    () => {
        " RETURNING id, business_id, kind, subject_id, queue, version, attempts, leased_by, enqueued_at, last_error, due_at, key_id"
    };
}
pub(crate) use claimed;

const CLAIM: &str = concat!(
    "UPDATE jobs SET lease_until = $4, leased_by = $5, attempts = attempts + 1, started_at = $3
    WHERE id = $1 AND version = $2 AND state <> 'done' AND due_at <= $3 AND key_id IS NULL AND leased_by IS NULL",
    claimed!()
);

/// Claims a job if it is due, nobody else holds it and nothing newer was pushed; of one that has a key, the most urgent job
/// of that key instead.
pub async fn claim(
    db: &Db,
    job: JobRef,
    lease: &str,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<ClaimedJob>> {
    if let Some(key) = job.key {
        return claim_next(db, (key, job.queue), (lease, lease_until), now).await;
    }
    in_tx!(db, async_commit, tx => optional!(tx, CLAIM, job.id, job.version, now, lease_until, lease))
}

const FINISH: &str = "
    UPDATE jobs SET
        lease_until = NULL,
        leased_by = NULL,
        finished_at = $3,
        state = CASE WHEN version = $4 THEN $5 ELSE 'waiting' END,
        due_at = CASE WHEN version = $4 THEN $6 ELSE due_at END,
        attempts = CASE WHEN version = $4 AND attempts + $7 > 0 THEN attempts + $7 ELSE 0 END,
        queue = CASE WHEN version = $4 AND $9 THEN 'poll' ELSE queue END,
        enqueued_at = CASE WHEN version = $4 AND $9 THEN $6 ELSE enqueued_at END,
        priority_at = CASE WHEN version = $4 AND $9 THEN $6 ELSE priority_at END,
        last_error = $8
    WHERE id = $1 AND leased_by = $2
    RETURNING id, kind, queue, version, key_id, due_at";

#[derive(sqlx_macros::FromRow)]
struct FinishedJobRow {
    #[sqlx(flatten)]
    job: JobRef,
    due_at: Option<DateTime<Utc>>,
}

/// What has come of writing how a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinishedJob {
    /// Whether its lease still held; else nothing was written.
    pub was_held: bool,
    /// The job, if it is due at once, as after it was enqueued again meanwhile: push it.
    pub again: Option<JobRef>,
}

/// Writes how a run ended, if its lease still holds.
pub async fn finish(
    tx: &mut Tx,
    claimed: &ClaimedJob,
    outcome: &JobOutcome,
    now: DateTime<Utc>,
) -> Result<FinishedJob> {
    let (state, due_at, attempts, error) = match outcome {
        JobOutcome::Done => (JobState::Done, None, -claimed.attempts, None),
        JobOutcome::Again(at) => (JobState::Waiting, Some(*at), -claimed.attempts, None),
        // What somebody waits for is done by its key though batches wait: what has to wait as they do waits by itself.
        JobOutcome::Wait { for_all, reason, .. }
            if claimed.key.is_some() && (*for_all || claimed.queue != QueueClass::Interactive) =>
        {
            (JobState::Waiting, Some(claimed.due_at), -1, Some(reason))
        }
        JobOutcome::Wait { until, reason, .. } | JobOutcome::Snooze { until, reason } => {
            (JobState::Waiting, Some(*until), -1, Some(reason))
        }
        JobOutcome::Retry { at, reason } => (JobState::Waiting, Some(*at), 0, Some(reason)),
        JobOutcome::Failed { retry_at, reason } => (JobState::Failed, *retry_at, 0, Some(reason)),
    };
    let finished: Option<FinishedJobRow> = optional!(tx, FINISH;
        claimed.id, &claimed.leased_by, now, claimed.version, state, due_at, attempts, error,
        matches!(outcome, JobOutcome::Again(at) if *at > now)
    )?;
    let Some(row) = finished else { return Ok(FinishedJob::default()) };
    if let (Some(key), JobOutcome::Wait { until, for_all, reason }) = (claimed.key, outcome) {
        let wait_until = if *for_all { *until } else { now };
        let reason = reason.clone();
        let wait = KeyWait { wait_until, batches_wait_until: *until, reason, is_outage: false };
        keys::wait(tx, key, &wait).await?;
    }
    let waits = matches!(outcome, JobOutcome::Wait { .. });
    let is_due = row.due_at.is_some_and(|due| due <= now);
    let again = (is_due && !waits).then_some(row.job);
    Ok(FinishedJob { was_held: true, again })
}

macro_rules! reschedule_entries {
    ($lock:literal) => {
        concat!(
            "UPDATE jobs SET due_at = $3
            WHERE leased_by IS NULL AND id IN (
                SELECT d.id FROM jobs d
                WHERE d.business_id = $1 AND d.state IN ('waiting', 'failed') AND d.kind IN ('sync_booking', 'delete_booking')
                  AND d.due_at > $3 AND d.due_at <= $4 AND d.leased_by IS NULL
                  AND d.subject_id IN (SELECT id FROM entries WHERE connection_id = $2 AND state IN ('pending', 'failed'))",
            $lock,
            ") RETURNING id, kind, queue, version, key_id"
        )
    };
}
const RESCHEDULE_ENTRIES: &str = reschedule_entries!("");
// What somebody is enqueuing is due anyway.
const RESCHEDULE_ENTRIES_POSTGRES: &str = reschedule_entries!(" FOR UPDATE OF d SKIP LOCKED");

/// The provider of a connection answers again: what waits for its entries is due now, but for what is due only after
/// `longest` from now: so waits what has just been refused, or often, and will be again however well its provider answers.
/// Push what this returns.
pub async fn reschedule_entries(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    longest: Duration,
) -> Result<Vec<JobRef>> {
    all!(
        tx,
        either(RESCHEDULE_ENTRIES, RESCHEDULE_ENTRIES_POSTGRES),
        business,
        connection,
        now,
        now + longest
    )
}
