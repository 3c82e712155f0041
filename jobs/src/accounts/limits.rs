//! How fast a provider is called: a bucket a connection and one an installation, in the database, so that all workers
//! share them.
//!
//! What a person waits for never waits behind a batch: batches and polls leave a quarter of each bucket, and each call
//! that a person waits for keeps the next of theirs back.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{ConnectionId, JobKey},
    job::QueueClass,
};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, Tx, connections, in_tx,
    jobs::{self, ClaimedJob, JobRef},
    limits::{self, BucketRate, RateBucket, RateDecision},
};

use crate::{
    Context,
    job::{ConnectionAccount, JobError, jitter_of, keep, kept_back, refusal_backoff, share_of},
    notify,
    worker::without_slot,
};

/// Takes a turn for one call in both buckets, or in none, and waits until it comes where that is soon; a worker's slot is
/// given up for so long.
pub(crate) async fn take_turn(
    context: &Context,
    account: ConnectionAccount,
    class: QueueClass,
) -> Result<(), JobError> {
    let limits = context.settings.limits.of(account.provider);
    let now = context.clock.now();
    let is_waited_for = class == QueueClass::Interactive;
    let (own, shared) = (bucket_of(account), format!("provider:{}", account.provider));
    let bucket = |name, rate, patience| RateBucket { name, rate: share_of(rate, class), patience };
    let (apart, project) = (limits.connection_interval, limits.project());
    let buckets = (
        bucket(&own, limits.connection(), (apart * 2).min(MAX_BATCH_WAIT)),
        Some(bucket(&shared, project, max_wait(project, class))),
    );
    let mut tx = context.db.begin_async_commit().await?;
    let (turn, is_trial) = match limits::take_turn(&mut tx, buckets, is_waited_for, now).await? {
        (RateDecision::At(at), is_trial) => (at, is_trial),
        (RateDecision::Wait(until), _) => {
            let reason = "waiting for the provider's rate limit";
            return Err(JobError::Wait { until, for_all: is_waited_for, reason });
        }
    };
    tx.commit().await?;
    if is_trial {
        context.keys.begin_trial(account.connection);
    }
    wait_in_place(class, (turn - context.clock.now()).to_std().unwrap_or_default()).await;
    Ok(())
}

async fn wait_in_place(class: QueueClass, wait: StdDuration) {
    if wait < MIN_WAIT_WITHOUT_SLOT {
        return tokio::time::sleep(wait).await;
    }
    without_slot(class, tokio::time::sleep(wait)).await;
}

/// A turn in the midst of what would have to begin anew otherwise, such as the next page of a long list: a burst is soon
/// used up, and whoever began again each time would never come to the end. Waits for it in place, and stays the one who does
/// this job.
pub(crate) async fn acquire_waiting(
    context: &Context,
    account: ConnectionAccount,
    class: QueueClass,
    job: &ClaimedJob,
) -> Result<(), JobError> {
    loop {
        let now = context.clock.now();
        match take_turn(context, account, class).await {
            // What was done meanwhile for people, who come first, is no reason to give up.
            Err(JobError::Wait { until, .. }) if until - now < MAX_WAIT => {
                let wait = (until - context.clock.now()).clamp(MIN_SLEEP, RETRY_INTERVAL);
                wait_in_place(class, wait.to_std().unwrap_or_default()).await;
                keep(context, job).await?;
            }
            taken => return taken,
        }
    }
}

/// How far ahead a turn is taken that a person waits for: as many keys as have a turn by then wait for it without being asked
/// again.
const MAX_WAIT_IN_PLACE: Duration = Duration::seconds(2);
/// The same for batches and polls, which hold their key meanwhile.
const MAX_BATCH_WAIT: Duration = Duration::milliseconds(500);
/// To give a slot up and to take it again costs something too.
const MIN_WAIT_WITHOUT_SLOT: StdDuration = StdDuration::from_millis(5);
/// Longer pauses, which the provider asks for, are waited for by the key.
const MAX_WAIT: Duration = Duration::minutes(2);
/// How often whoever waits in the midst of a long job looks whether it is to give way.
const RETRY_INTERVAL: Duration = Duration::seconds(1);
/// Another one may have been faster.
const MIN_SLEEP: Duration = Duration::milliseconds(5);

/// How long a class waits in its place. The turns that a batch takes in advance leave half of what is kept back.
fn max_wait(rate: BucketRate, class: QueueClass) -> Duration {
    let kept_back = i32::try_from(kept_back(rate.burst) / 2).unwrap_or(0);
    match class {
        QueueClass::Interactive => MAX_WAIT_IN_PLACE,
        QueueClass::Bulk | QueueClass::Poll => (rate.interval * kept_back).min(MAX_BATCH_WAIT),
    }
}

/// The whole connection waits as long as the provider wants, whichever job was told so.
async fn pause_connection(
    context: &Context,
    account: ConnectionAccount,
    wait: StdDuration,
) -> Result<(), StorageError> {
    let until = context.clock.now() + wait;
    let rate = context.settings.limits.of(account.provider).connection();
    in_tx!(context.db, async_commit, tx =>
        limits::hold_until(&mut tx, &bucket_of(account), until, rate).await
    )
}

/// Notes what a provider has said to a call that began at `began`: a refusal that does not say for how long gets the wait
/// that follows from how many there were in a row, and the first other answer lets everything through that waits. The answer is
/// not lost with a database that cannot take that down.
pub(crate) async fn note_answer<T>(
    context: &Context,
    account: ConnectionAccount,
    began: DateTime<Utc>,
    result: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    context.metrics.count_call(account.provider, &result);
    match result {
        // Whether it still refuses, no answer does not say; the next trial will.
        Err(error @ (ProviderError::RateLimited { .. } | ProviderError::Transient(_))) => {
            Err(with_wait(context, account, began, error).await)
        }
        answer => {
            let was_away = context.keys.note_answer(account.connection);
            if (context.keys.end_trial(account.connection) || was_away)
                && let Err(error) = answered(context, account, was_away).await
            {
                let connection = account.connection;
                tracing::warn!(%connection, %error, "that a provider answers again could not be noted");
            }
            answer
        }
    }
}

/// The same error, and the connection waits as long as it asks for; one that does not say for how long says so now. Where the
/// database cannot take it down, the job's key waits all the same.
pub(crate) async fn with_wait(
    context: &Context,
    account: ConnectionAccount,
    began: DateTime<Utc>,
    error: ProviderError,
) -> ProviderError {
    let ProviderError::RateLimited { retry_after } = error else { return error };
    let asked = retry_after.filter(|wait| !wait.is_zero());
    let noted = match asked {
        Some(wait) => pause_connection(context, account, wait).await.map(|()| wait),
        None => refused(context, account, began).await,
    };
    match noted {
        Ok(wait) => ProviderError::RateLimited { retry_after: Some(wait) },
        Err(error) => {
            let connection = account.connection;
            tracing::warn!(%connection, %error, "that a provider asks to slow down could not be noted");
            ProviderError::RateLimited { retry_after: asked }
        }
    }
}

async fn refused(
    context: &Context,
    account: ConnectionAccount,
    began: DateTime<Utc>,
) -> Result<StdDuration, StorageError> {
    let now = context.clock.now();
    let waits = |refusals: i64| {
        let spread = jitter_of(account.connection.0, u32::try_from(refusals).unwrap_or(0));
        refusal_backoff(refusals, spread)
    };
    let until = in_tx!(context.db, async_commit, tx =>
        limits::refused(&mut tx, &bucket_of(account), (began, now), waits).await
    )?;
    Ok((until - now).to_std().unwrap_or_default())
}

async fn answered(context: &Context, account: ConnectionAccount, was_away: bool) -> Result<(), StorageError> {
    let now = context.clock.now();
    let mut tx = context.db.begin_async_commit().await?;
    limits::answered(&mut tx, &bucket_of(account), now).await?;
    let waited = end_wait(context, &mut tx, account.connection).await?;
    // Whoever was answered first may have ended our wait too.
    let due = match (was_away, waited) {
        (true, _) => on_recovery(context, &mut tx, account, now).await?,
        (false, true) => reschedule(context, &mut tx, account, now).await?,
        (false, false) => Vec::new(),
    };
    context.commit(tx, &due).await?;
    Ok(())
}

/// A connection whose jobs failed has been answered: what has failed of it need not wait any longer, nor what waits for the
/// same server, or each of a thousand calendars would find out for itself, after a long outage a quarter of an hour later.
/// Push what this returns after the commit.
pub(crate) async fn on_recovery(
    context: &Context,
    tx: &mut Tx,
    account: ConnectionAccount,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>, StorageError> {
    let mut due = reschedule(context, tx, account, now).await?;
    let Some(server) = connections::find_server(tx, account.connection).await? else { return Ok(due) };
    if context.keys.may_end_outages(&server, now) {
        let ended = jobs::end_outages(tx, &server, (now, context.settings.retry.slow_cap)).await?;
        for key in ended.keys {
            context.keys.end_wait(key);
        }
        due.extend(ended.due);
    }
    Ok(due)
}

/// Notes that a connection has been read or written. What has failed since it last was need not wait any longer: push what
/// this returns after the commit.
pub(crate) async fn note_success(
    context: &Context,
    tx: &mut Tx,
    account: ConnectionAccount,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>, StorageError> {
    if !connections::note_success(tx, account.connection, now).await? {
        return Ok(Vec::new());
    }
    on_recovery(context, tx, account, now).await
}

/// The same for all that was synced of a key, when its worker ends. It is for people alone: what fails, says so at once.
pub(crate) async fn note_synced(context: &Context, account: ConnectionAccount) {
    let noted = async {
        let mut tx = context.db.begin_async_commit().await?;
        connections::note_synced(&mut tx, account.connection, context.clock.now()).await?;
        notify::sync_succeeded(&mut tx, context, account).await?;
        tx.commit().await
    };
    if let Err(error) = noted.await {
        tracing::debug!(connection = %account.connection, %error, "when it was last synced could not be noted");
    }
}

/// Whatever the jobs of a connection wait for, they need not any longer; limits still hold those back that make calls.
/// `false`: they do not wait.
pub async fn end_wait(
    context: &Context,
    tx: &mut Tx,
    connection: ConnectionId,
) -> Result<bool, StorageError> {
    let key = JobKey::from(connection);
    context.keys.end_wait(key);
    jobs::end_wait(tx, key, context.clock.now()).await
}

/// However long an outage was, nothing that failed of it waits longer than the retries do at most. Push what this returns
/// after the commit.
async fn reschedule(
    context: &Context,
    tx: &mut Tx,
    account: ConnectionAccount,
    now: DateTime<Utc>,
) -> Result<Vec<JobRef>, StorageError> {
    let longest = context.settings.retry.slow_cap;
    jobs::reschedule_entries(tx, account.business, account.connection, now, longest).await
}

fn bucket_of(account: ConnectionAccount) -> String {
    format!("connection:{}", account.connection)
}
