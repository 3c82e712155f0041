//! How fast a provider is called: a bucket a connection and one an installation, in the database, so that all workers
//! share them.
//!
//! What a person waits for never waits behind a batch: batches and polls leave a quarter of each bucket, and each call
//! that a person waits for keeps the next of theirs back.

use chrono::{DateTime, Duration, Utc};
use concord_domain::duty::QueueClass;
use concord_storage::{
    StorageError, Tx,
    duties::ClaimedDuty,
    limits::{self, Take},
};

use crate::{
    Context,
    access::Account,
    duty::{JobError, keep},
};

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

/// A turn in the midst of what would have to begin anew otherwise, such as the next page of a long list: a burst is soon
/// used up, and whoever began again each time would never come to the end. Waits for it in place, and stays the one who does
/// this duty.
pub(crate) async fn wait_for_turn(
    context: &Context,
    account: Account,
    class: QueueClass,
    duty: &ClaimedDuty,
) -> Result<(), JobError> {
    let began = context.clock.now();
    loop {
        match take_turn(context, account, class).await {
            Err(JobError::NotNow { until, .. }) if until - began < LONGEST_WAIT => {
                let wait = (until - context.clock.now()).clamp(SHORTEST_SLEEP, context.settings.lease / 3);
                tokio::time::sleep(wait.to_std().unwrap_or_default()).await;
                keep(context, duty).await?;
            }
            taken => return taken,
        }
    }
}

/// Whoever waits holds a worker's place: longer pauses, which the provider asks for, are waited for elsewhere.
const LONGEST_WAIT: Duration = Duration::minutes(2);
/// Another one may have been faster.
const SHORTEST_SLEEP: Duration = Duration::milliseconds(5);

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
