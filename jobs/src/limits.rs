//! How fast a provider is called: a bucket a connection and one an installation, in the database, so that all workers
//! share them.

use chrono::{DateTime, Duration, Utc};
use concord_storage::{
    StorageError, Tx,
    limits::{self, Take},
};

use crate::{Context, access::Account, duty::JobError};

/// Takes a place for one run of calls, or says when there is one.
pub(crate) async fn take_turn(context: &Context, account: Account) -> Result<(), JobError> {
    let settings = &context.settings;
    take(context, &bucket_of(account), settings.connection_interval, settings.connection_burst).await?;
    let shared = format!("provider:{}", account.provider);
    take(context, &shared, settings.project_interval, settings.project_burst).await
}

async fn take(context: &Context, bucket: &str, interval: Duration, burst: u32) -> Result<(), JobError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let take = limits::take(&mut tx, bucket, now, interval, burst).await?;
    tx.commit().await?;
    match take {
        Take::Go => Ok(()),
        Take::Wait(until) => Err(JobError::NotNow { until, reason: "waiting for the provider's rate limit" }),
    }
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
