//! How fast a provider is called: a bucket a connection and one an installation, in the database, so that all workers
//! share them.
//!
//! What a person waits for never waits behind a batch: batches and polls leave a quarter of each bucket, and each call
//! that a person waits for keeps the next of theirs back.

use chrono::{DateTime, Utc};
use concord_domain::duty::QueueClass;
use concord_storage::{
    StorageError, Tx,
    limits::{self, Take},
};

use crate::{Context, access::Account, duty::JobError};

/// Takes a place for one call in both buckets, or in none, and says when there is one.
pub(crate) async fn take_turn(
    context: &Context,
    account: Account,
    class: QueueClass,
) -> Result<(), JobError> {
    let limits = context.settings.limits.of(account.provider);
    let now = context.clock.now();
    let buckets = [
        (bucket_of(account), limits.connection_interval, limits.connection_burst),
        (format!("provider:{}", account.provider), limits.project_interval, limits.project_burst),
    ];
    let mut tx = context.db.begin().await?;
    for (bucket, interval, burst) in &buckets {
        let burst = share_of(*burst, class);
        if let Take::Wait(until) = limits::take(&mut tx, bucket, now, *interval, burst).await? {
            return Err(JobError::NotNow { until, reason: "waiting for the provider's rate limit" });
        }
    }
    tx.commit().await?;
    Ok(())
}

/// More calls than this nobody makes at once by hand; after a pause that the provider asked for, batches begin later by as
/// long as it takes to make them.
const MOST_KEPT_BACK: u32 = 50;

/// How much of a bucket a class may use up; at least one call.
fn share_of(burst: u32, class: QueueClass) -> u32 {
    match class {
        QueueClass::Interactive => burst,
        QueueClass::Bulk | QueueClass::Poll => burst - (burst / 4).min(MOST_KEPT_BACK),
    }
}

/// The whole connection waits as long as the provider wants.
pub(crate) async fn hold_back(
    context: &Context,
    tx: &mut Tx,
    account: Account,
    until: DateTime<Utc>,
) -> Result<(), StorageError> {
    let limits = context.settings.limits.of(account.provider);
    let bucket = bucket_of(account);
    limits::hold_until(tx, &bucket, until, limits.connection_interval, limits.connection_burst).await
}

fn bucket_of(account: Account) -> String {
    format!("connection:{}", account.connection)
}
