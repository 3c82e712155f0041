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
    limits::{self, Rate, Take},
};

use crate::{
    Context,
    access::Account,
    duty::{JobError, keep},
};

/// Takes a place for one call in both buckets, or in none, and says when there is one. For a place in the installation's
/// bucket it waits a moment: those who came back for it together would use up more than they gain.
pub(crate) async fn take_turn(
    context: &Context,
    account: Account,
    class: QueueClass,
) -> Result<(), JobError> {
    let limits = context.settings.limits.of(account.provider);
    let now = context.clock.now();
    let (own, shared) = (limits.connection(), limits.project());
    let buckets = [
        (bucket_of(account), share_of(own, class), Duration::zero()),
        (format!("provider:{}", account.provider), share_of(shared, class), patience_of(shared, class)),
    ];
    let mut turn = now;
    let mut tx = context.db.begin_forgettable().await?;
    for (bucket, rate, patience) in &buckets {
        match limits::take(&mut tx, bucket, now, *rate, *patience).await? {
            Take::At(at) => turn = turn.max(at),
            Take::Wait(until) => {
                return Err(JobError::NotNow { until, reason: "waiting for the provider's rate limit" });
            }
        }
    }
    tx.commit().await?;
    tokio::time::sleep((turn - context.clock.now()).to_std().unwrap_or_default()).await;
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

/// For a turn in the installation's bucket: as many take one in advance as a process has places for them.
const LONGEST_IN_PLACE: Duration = Duration::milliseconds(500);
/// Whoever waits holds a worker's place: longer pauses, which the provider asks for, are waited for elsewhere.
const LONGEST_WAIT: Duration = Duration::minutes(2);
/// Another one may have been faster.
const SHORTEST_SLEEP: Duration = Duration::milliseconds(5);

/// More calls than this nobody makes at once by hand; after a pause that the provider asked for, batches begin later by as
/// long as it takes to make them.
const MOST_KEPT_BACK: u32 = 50;

fn kept_back(burst: u32) -> u32 {
    (burst / 4).min(MOST_KEPT_BACK)
}

/// How much of a bucket a class may use up; at least one call.
fn share_of(rate: Rate, class: QueueClass) -> Rate {
    match class {
        QueueClass::Interactive => rate,
        QueueClass::Bulk | QueueClass::Poll => Rate { burst: rate.burst - kept_back(rate.burst), ..rate },
    }
}

/// How long a class waits in its place. The turns that a batch takes in advance leave half of what is kept back.
fn patience_of(rate: Rate, class: QueueClass) -> Duration {
    let kept_back = i32::try_from(kept_back(rate.burst) / 2).unwrap_or(0);
    match class {
        QueueClass::Interactive => LONGEST_IN_PLACE,
        QueueClass::Bulk | QueueClass::Poll => (rate.interval * kept_back).min(LONGEST_IN_PLACE),
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
    limits::hold_until(tx, &bucket, until, limits.connection()).await
}

fn bucket_of(account: Account) -> String {
    format!("connection:{}", account.connection)
}
