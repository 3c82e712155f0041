//! What is kept for a time only.

use chrono::{DateTime, Duration, Utc};

use crate::{Db, Result, idempotency, sync_log};

/// The ages at which rows are deleted.
#[derive(Clone, Copy, Debug)]
pub struct RetentionPeriods {
    /// Lines of the sync log.
    pub sync_log: Duration,
    /// Mails that were sent or have failed, and notices that are over.
    pub mails: Duration,
    /// Jobs that are done, from their last run on.
    pub done_jobs: Duration,
    /// Who changed what, and what people did in their calendars once somebody has decided about it.
    pub history: Duration,
}

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletedRowCounts {
    /// Lines of the sync log.
    pub sync_log: u64,
    /// Mails that were sent or have failed.
    pub mails: u64,
    /// Notices that are over.
    pub notices: u64,
    /// Sessions that are over.
    pub sessions: u64,
    /// Sign-in links that have expired.
    pub links: u64,
    /// Secrets that were to be shown once, and were not in time.
    pub reveals: u64,
    /// Consents that were asked for and came too late, or long ago.
    pub oauth_states: u64,
    /// Answers to requests that may no longer be repeated.
    pub idempotency_keys: u64,
    /// Jobs that are done.
    pub jobs: u64,
    /// Rate limits that hold nobody back.
    pub rate_limits: u64,
    /// Keys whose jobs no longer wait.
    pub job_keys: u64,
    /// Agreements with providers that are over.
    pub push_subscriptions: u64,
    /// What was published to platforms and has come back or never will.
    pub channel_published: u64,
    /// Items of feeds that are gone.
    pub channel_items: u64,
    pub channel_runs: u64,
    /// Webhooks that would be too old to be taken again.
    pub webhook_receipts: u64,
    /// Readers of feeds that have not come back.
    pub feed_reads: u64,
    /// Lines of the history.
    pub history: u64,
    /// What people did in their calendars, decided about.
    pub remote_changes: u64,
}

/// Rows that go in one transaction: other writers wait no longer than for these.
const BATCH: i64 = 1_000;

// The outer conditions are there again because PostgreSQL, when it has waited for a row that somebody was changing,
// checks only them anew: without them a job that was enqueued at that moment would go.
//
// Ids of the log are made at the line's instant and begin with it, so its primary key is an index by time.
const SYNC_LOG: &str = "
    DELETE FROM sync_log WHERE id IN (SELECT id FROM sync_log WHERE id < $1 ORDER BY id LIMIT $2)";
const MAILS: &str = "
    DELETE FROM mails WHERE state <> 'waiting'
    AND id IN (SELECT id FROM mails WHERE id < $1 AND state <> 'waiting' ORDER BY id LIMIT $2)";
// What somebody did in their calendar does not last, and a conflict has its booking's page: nobody may close them once they
// have been told.
const NOTICES: &str = "
    DELETE FROM notices
    WHERE (closed_at IS NOT NULL OR (kind IN ('remote_change', 'conflict') AND notified_at IS NOT NULL))
    AND id IN (
        SELECT id FROM notices
        WHERE id < $1
          AND (closed_at IS NOT NULL OR (kind IN ('remote_change', 'conflict') AND notified_at IS NOT NULL))
        ORDER BY id LIMIT $2)";
const SESSIONS: &str = "
    DELETE FROM sessions WHERE expires_at <= $1
    AND token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)";
const LINKS: &str = "
    DELETE FROM sign_in_links WHERE expires_at <= $1
    AND token_hash IN (SELECT token_hash FROM sign_in_links WHERE expires_at <= $1 LIMIT $2)";
const REVEALS: &str = "
    DELETE FROM reveals WHERE id IN (SELECT id FROM reveals WHERE expires_at <= $1 LIMIT $2)";
const OAUTH_STATES: &str = "
    DELETE FROM oauth_states WHERE expires_at <= $1
    AND nonce_hash IN (SELECT nonce_hash FROM oauth_states WHERE expires_at <= $1 LIMIT $2)";
const IDEMPOTENCY_KEYS: &str = "
    DELETE FROM idempotency_keys WHERE created_at <= $1
    AND (business_id, key) IN (SELECT business_id, key FROM idempotency_keys WHERE created_at <= $1 LIMIT $2)";
const JOBS: &str = "
    DELETE FROM jobs WHERE state = 'done' AND lease_until IS NULL AND finished_at <= $1
    AND id IN (SELECT id FROM jobs WHERE state = 'done' AND lease_until IS NULL AND finished_at <= $1 LIMIT $2)";
const RATE_LIMITS: &str = "
    DELETE FROM rate_limits WHERE next_at_micros <= $1
    AND bucket IN (SELECT bucket FROM rate_limits WHERE next_at_micros <= $1 LIMIT $2)";
const JOB_KEYS: &str = "
    DELETE FROM job_keys WHERE wait_until <= $1 AND batches_wait_until <= $1
    AND id IN (SELECT id FROM job_keys WHERE wait_until <= $1 AND batches_wait_until <= $1 LIMIT $2)";
const PUSH_SUBSCRIPTIONS: &str = "
    DELETE FROM push_subscriptions WHERE state = 'closed' AND changed_at <= $1
    AND id IN (SELECT id FROM push_subscriptions WHERE state = 'closed' AND changed_at <= $1 LIMIT $2)";

const CHANNEL_PUBLISHED: &str = "
    DELETE FROM channel_published WHERE id IN (
        SELECT id FROM channel_published WHERE unseen_at <= $1 OR ends_at <= $1 LIMIT $2)";
const CHANNEL_ITEMS: &str = "
    DELETE FROM channel_items WHERE id IN (
        SELECT id FROM channel_items WHERE removed_at <= $1 OR ends_at <= $1 LIMIT $2)";
// A reading that has items to bring back stays for them.
const CHANNEL_RUNS: &str = "
    DELETE FROM channel_runs WHERE id IN (
        SELECT r.id FROM channel_runs r
        WHERE r.id < $1 AND NOT EXISTS (SELECT 1 FROM channel_items i WHERE i.removed_run_id = r.id)
        ORDER BY r.id LIMIT $2)";
const WEBHOOK_RECEIPTS: &str = "
    DELETE FROM webhook_receipts WHERE received_at <= $1 AND (channel_id, webhook_id) IN (
        SELECT channel_id, webhook_id FROM webhook_receipts WHERE received_at <= $1 LIMIT $2)";

const HISTORY: &str = "
    DELETE FROM history WHERE id IN (SELECT id FROM history WHERE id < $1 ORDER BY id LIMIT $2)";
const REMOTE_CHANGES: &str = "
    DELETE FROM remote_changes WHERE state <> 'open'
    AND id IN (SELECT id FROM remote_changes WHERE id < $1 AND state <> 'open' ORDER BY id LIMIT $2)";

const FEED_READS: &str = "
    DELETE FROM feed_reads WHERE read_at <= $1 AND (feed_id, reader) IN (
        SELECT feed_id, reader FROM feed_reads WHERE read_at <= $1 LIMIT $2)";

/// Items and what was published are of use for a week: so long what went can be brought back. Then some more.
const CHANNEL_RETENTION: Duration = Duration::days(30);
/// Webhooks are refused after minutes.
const RECEIPT_RETENTION: Duration = Duration::days(1);

/// Providers go on telling by a channel that is over for a while; for so long it is known that it was ours.
const CLOSED_SUBSCRIPTION_RETENTION: Duration = Duration::days(30);
/// Which keys have seen their provider away is of use until it answers.
const JOB_KEY_RETENTION: Duration = Duration::days(1);
/// For a day, an answer that comes too late is told so, rather than that nobody asked.
const OAUTH_STATE_RETENTION: Duration = Duration::days(1);

/// Deletes, in short transactions, all that need no longer be kept.
pub async fn delete_old(db: &Db, keep: RetentionPeriods, now: DateTime<Utc>) -> Result<DeletedRowCounts> {
    Ok(DeletedRowCounts {
        sync_log: delete_all(db, SYNC_LOG, sync_log::first_id_at(now - keep.sync_log)).await?,
        mails: delete_all(db, MAILS, sync_log::first_id_at(now - keep.mails)).await?,
        notices: delete_all(db, NOTICES, sync_log::first_id_at(now - keep.mails)).await?,
        sessions: delete_all(db, SESSIONS, now).await?,
        links: delete_all(db, LINKS, now).await?,
        reveals: delete_all(db, REVEALS, now).await?,
        oauth_states: delete_all(db, OAUTH_STATES, now - OAUTH_STATE_RETENTION).await?,
        idempotency_keys: delete_all(db, IDEMPOTENCY_KEYS, now - idempotency::KEPT_FOR).await?,
        jobs: delete_all(db, JOBS, now - keep.done_jobs).await?,
        rate_limits: delete_all(db, RATE_LIMITS, now.timestamp_micros()).await?,
        job_keys: delete_all(db, JOB_KEYS, now - JOB_KEY_RETENTION).await?,
        push_subscriptions: delete_all(db, PUSH_SUBSCRIPTIONS, now - CLOSED_SUBSCRIPTION_RETENTION).await?,
        channel_published: delete_all(db, CHANNEL_PUBLISHED, now - CHANNEL_RETENTION).await?,
        channel_items: delete_all(db, CHANNEL_ITEMS, now - CHANNEL_RETENTION).await?,
        channel_runs: delete_all(db, CHANNEL_RUNS, sync_log::first_id_at(now - keep.sync_log)).await?,
        feed_reads: delete_all(db, FEED_READS, now - keep.sync_log).await?,
        history: delete_all(db, HISTORY, sync_log::first_id_at(now - keep.history)).await?,
        remote_changes: delete_all(db, REMOTE_CHANGES, sync_log::first_id_at(now - keep.history)).await?,
        webhook_receipts: delete_all(db, WEBHOOK_RECEIPTS, now - RECEIPT_RETENTION).await?,
    })
}

/// Runs a statement of the form above until nothing is left for it.
async fn delete_all<V>(db: &Db, statement: &'static str, limit: V) -> Result<u64>
where
    V: Clone + Send + 'static,
    V: for<'q> sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    V: for<'q> sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut deleted = 0;
    loop {
        let mut tx = db.begin().await?;
        let rows = changed!(tx, dynamic(statement), limit.clone(), BATCH)?;
        tx.commit().await?;
        deleted += rows;
        if rows < BATCH.unsigned_abs() {
            return Ok(deleted);
        }
    }
}
