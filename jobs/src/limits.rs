//! How fast a provider is called: a bucket a connection and one an installation, in the database, so that all workers
//! share them.

use chrono::{DateTime, Utc};
use concord_storage::{
    StorageError, Tx,
    limits::{self, Take},
};

use crate::{Context, access::Account, duty::JobError};

/// Takes a place for one call in both buckets, or in none, and says when there is one.
pub(crate) async fn take_turn(context: &Context, account: Account) -> Result<(), JobError> {
    let settings = &context.settings;
    let now = context.clock.now();
    let buckets = [
        (bucket_of(account), settings.connection_interval, settings.connection_burst),
        (format!("provider:{}", account.provider), settings.project_interval, settings.project_burst),
    ];
    let mut tx = context.db.begin().await?;
    for (bucket, interval, burst) in &buckets {
        if let Take::Wait(until) = limits::take(&mut tx, bucket, now, *interval, *burst).await? {
            return Err(JobError::NotNow { until, reason: "waiting for the provider's rate limit" });
        }
    }
    tx.commit().await?;
    Ok(())
}

/// The whole connection waits as long as the provider wants.
pub(crate) async fn hold_back(
    context: &Context,
    tx: &mut Tx,
    account: Account,
    until: DateTime<Utc>,
) -> Result<(), StorageError> {
    let settings = &context.settings;
    let bucket = bucket_of(account);
    limits::hold_until(tx, &bucket, until, settings.connection_interval, settings.connection_burst).await
}

fn bucket_of(account: Account) -> String {
    format!("connection:{}", account.connection)
}
