//! What is kept for a time only.

use std::collections::BTreeMap;

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
    /// Customers' data, from the end of the last booking of a person with the business on. `None`: for ever.
    pub customers: Option<Duration>,
}

/// How many rows went, by table; a table of which none went is not there.
pub type DeletedRowCounts = BTreeMap<&'static str, u64>;

/// Rows that go in one transaction: other writers wait no longer than for these.
const BATCH: i64 = 1_000;

/// A statement that deletes so many of the rows that meet a condition. What may change of it is there twice because
/// PostgreSQL, when it has waited for a row that somebody was changing, checks only the outer one anew: without it a job
/// that was enqueued at that moment would go.
macro_rules! old {
    // Ids of these are made at the row's instant and begin with it, so the primary key is an index by time.
    ($table:literal by_id $(, $condition:literal)?) => {
        concat!(
            "DELETE FROM ", $table, " WHERE ", $($condition, " AND ",)? "id IN (SELECT id FROM ", $table,
            " WHERE id < $1", $(" AND ", $condition,)? " ORDER BY id LIMIT $2)"
        )
    };
    ($table:literal ($key:literal), $condition:literal) => {
        concat!(
            "DELETE FROM ", $table, " WHERE ", $condition, " AND (", $key, ") IN (SELECT ", $key, " FROM ", $table,
            " WHERE ", $condition, " LIMIT $2)"
        )
    };
}

/// Items and what was published are of use for a week: so long what went can be brought back. Then some more.
const CHANNEL_RETENTION: Duration = Duration::days(30);
/// For so long whoever missed events can read them, and have them sent again.
const EVENT_RETENTION: Duration = Duration::days(30);
/// Webhooks are refused after minutes.
const RECEIPT_RETENTION: Duration = Duration::days(1);

/// Whoever finds an old digest can still turn them off.
const DIGEST_LINK_RETENTION: Duration = Duration::days(180);
/// Providers go on telling by a channel that is over for a while; for so long it is known that it was ours.
const CLOSED_SUBSCRIPTION_RETENTION: Duration = Duration::days(30);
/// Which keys have seen their provider away is of use until it answers.
const JOB_KEY_RETENTION: Duration = Duration::days(1);
/// The job that deletes them gives up long before.
const SIGN_IN_REQUEST_RETENTION: Duration = Duration::days(1);
/// For a day, an answer that comes too late is told so, rather than that nobody asked.
const OAUTH_STATE_RETENTION: Duration = Duration::days(1);

/// Deletes, in short transactions, all that need no longer be kept.
pub async fn delete_old(db: &Db, keep: RetentionPeriods, now: DateTime<Utc>) -> Result<DeletedRowCounts> {
    let mut counts = DeletedRowCounts::new();
    macro_rules! delete {
        ($table:literal by_id $(, $condition:literal)?; $limit:expr) => {
            let first_kept = sync_log::first_id_at(now - $limit);
            delete_all(db, ($table, old!($table by_id $(, $condition)?)), first_kept, &mut counts).await?
        };
        ($table:literal ($key:literal), $condition:literal; $limit:expr) => {
            delete_all(db, ($table, old!($table ($key), $condition)), $limit, &mut counts).await?
        };
    }
    delete!("sync_log" by_id; keep.sync_log);
    delete!("mails" by_id, "state IN ('sent', 'failed')"; keep.mails);
    // What somebody did in their calendar does not last, and a conflict has its booking's page: nobody may close them once
    // they have been sent.
    delete!("notices" by_id,
        "(closed_at IS NOT NULL OR (kind IN ('remote_change', 'conflict', 'customer', 'answer', 'change_request', 'reminder_failed', 'recovered') AND notified_at IS NOT NULL))"; keep.mails);
    // What is open of it has its notices, and their deliveries.
    delete!("alerts" by_id, "closed_at IS NOT NULL"; keep.history);
    delete!("digest_links" ("token_hash"), "created_at <= $1"; now - DIGEST_LINK_RETENTION);
    delete!("reminders" ("id"), "starts_at <= $1"; now - keep.mails);
    delete!("sessions" ("token_hash"), "expires_at <= $1"; now);
    delete!("sign_in_links" ("token_hash"), "expires_at <= $1"; now);
    delete!("mail_secrets" ("mail_id"), "expires_at <= $1"; now);
    delete!("sign_in_requests" ("id"), "created_at <= $1"; now - SIGN_IN_REQUEST_RETENTION);
    delete!("reveals" ("id"), "expires_at <= $1"; now);
    delete!("portal_links" ("token_hash"), "expires_at <= $1"; now);
    delete!("oauth_states" ("nonce_hash"), "expires_at <= $1"; now - OAUTH_STATE_RETENTION);
    delete!("idempotency_keys" ("business_id, key"), "created_at <= $1"; now - idempotency::KEPT_FOR);
    delete!("jobs" ("id"), "state = 'done' AND lease_until IS NULL AND finished_at <= $1"; now - keep.done_jobs);
    delete!("rate_limits" ("bucket"), "next_at_micros <= $1"; now.timestamp_micros());
    delete!("job_keys" ("id"), "wait_until <= $1 AND batches_wait_until <= $1"; now - JOB_KEY_RETENTION);
    delete!("push_subscriptions" ("id"), "state = 'closed' AND changed_at <= $1"; now - CLOSED_SUBSCRIPTION_RETENTION);
    delete!("channel_published" ("id"), "(unseen_at <= $1 OR ends_at <= $1)"; now - CHANNEL_RETENTION);
    delete!("channel_items" ("id"), "(removed_at <= $1 OR ends_at <= $1)"; now - CHANNEL_RETENTION);
    // A reading that has items to bring back stays for them.
    delete!("channel_runs" by_id,
        "NOT EXISTS (SELECT 1 FROM channel_items WHERE channel_items.removed_run_id = channel_runs.id)"; keep.sync_log);
    // That a platform has not come for long is what an alert goes by.
    delete!("feed_reads" ("feed_id, reader"),
        "read_at <= $1 AND (person OR NOT EXISTS (
            SELECT 1 FROM channels c WHERE c.feed_id = feed_reads.feed_id AND c.removed_at IS NULL))";
        now - keep.sync_log);
    delete!("history" by_id; keep.history);
    delete!("remote_changes" by_id, "state <> 'open'"; keep.history);
    // And with them their deliveries.
    delete!("events" by_id; EVENT_RETENTION);
    delete!("webhook_receipts" ("channel_id, webhook_id"), "received_at <= $1"; now - RECEIPT_RETENTION);
    Ok(counts)
}

/// Runs a statement of that form until nothing is left for it.
async fn delete_all<V>(
    db: &Db,
    (table, statement): (&'static str, &'static str),
    limit: V,
    counts: &mut DeletedRowCounts,
) -> Result<()>
where
    V: Clone + Send + 'static,
    V: for<'q> sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    V: for<'q> sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    loop {
        let rows = in_tx!(db, tx => changed!(tx, dynamic(statement), limit.clone(), BATCH))?;
        if rows > 0 {
            *counts.entry(table).or_default() += rows;
        }
        if rows < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
