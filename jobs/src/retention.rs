//! Deletes what is kept for a time only: old log lines, ended sessions, answered consents. Then PostgreSQL looks how much is
//! left, and SQLite is told again what to assume; addresses that an earlier version has noted get the keys by which they are
//! found; and customers are erased who were last here long ago.
//!
//! Comes back every hour.

use chrono::Duration;
use concord_domain::job::JobKind;
use concord_storage::{
    StorageError, erasures, in_tx,
    jobs::{ClaimedJob, JobOutcome},
    retention, statistics,
};

use crate::{Context, enqueue, erasure, job::JobError};

/// Addresses of an earlier version that get their keys in one transaction.
const KEYS_AT_ONCE: u32 = 200;

pub(crate) async fn run(context: &Context, _job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let now = context.clock.now();
    let deleted = retention::delete_old(&context.db, context.settings.keep, now).await?;
    tracing::debug!(?deleted, "deleted what had been kept long enough");
    statistics::refresh(&context.db).await?;
    while in_tx!(context.db, tx => erasures::repair_address_keys(&mut tx, KEYS_AT_ONCE).await)? > 0 {}
    let has_more = match context.settings.keep.customers {
        Some(keep) => erasure::begin_expired(context, keep).await?,
        None => false,
    };
    Ok(JobOutcome::Again(now + if has_more { Duration::minutes(1) } else { Duration::hours(1) }))
}

/// Sees to it that the job exists; called when a process starts.
pub(crate) async fn ensure(context: &Context) -> Result<(), StorageError> {
    let now = context.clock.now();
    let due_at = now + Duration::minutes(1);
    in_tx!(context.db, tx => enqueue::of_installation(&mut tx, JobKind::Retention, due_at, now).await)
        .map(drop)
}
