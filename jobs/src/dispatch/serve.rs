//! One job of a key after the other, by whoever holds the key: the next one is claimed in the transaction that ends the one
//! before, so that nobody else comes in between.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Utc};
use concord_domain::{ids::JobKey, job::QueueClass};
use concord_storage::{
    StorageError,
    jobs::{self, ClaimedJob, JobOutcome, JobRef},
    on_behalf_of,
};
use tokio::time::Instant;

use super::run_job;
use crate::{
    Context,
    accounts::limits::note_synced,
    job::{AfterJob, EndedRun, RunEnd, RunFuture, finish_in, new_lease},
    worker::write_caller,
};

/// Claims what a worker was woken for, or the most urgent job of its key.
pub(super) async fn claim(
    context: &Context,
    worker: &str,
    woken_for: JobRef,
) -> Result<Option<ClaimedJob>, StorageError> {
    let now = context.clock.now();
    let until = now + context.settings.lease;
    jobs::claim(&context.db, woken_for, &new_lease(worker, now), until, now).await
}

/// Runs a job that is claimed and writes how it ended.
pub(super) async fn run_claimed(
    context: &Context,
    job: &ClaimedJob,
    then: AfterJob<'_>,
) -> Result<EndedRun, StorageError> {
    let (outcome, ended) = match run_job(context, job, then).await {
        RunEnd::Written(outcome, ended) => (outcome, *ended),
        RunEnd::Outcome(outcome) => {
            let ended = finish(context, job, &outcome, then).await?;
            (outcome, ended)
        }
    };
    context.metrics.count_run(job.kind, &outcome);
    let at = ended.waits_until.or_else(|| due_soon(&outcome));
    if let Some(at) = at.filter(|at| *at - context.clock.now() <= WAKE_UP_HORIZON) {
        context.push_at(job.reference(), at);
    }
    Ok(ended)
}

/// Runs a job within another one, which gives way to it.
pub(super) fn run_within<'a>(context: &'a Context, job: &'a ClaimedJob, then: AfterJob<'a>) -> RunFuture<'a> {
    Box::pin(on_behalf_of(write_caller(job.queue), run_claimed(context, job, then)))
}

/// How long to wait before it is tried once more to write how a job ended.
const FINISH_RETRY_DELAY: StdDuration = StdDuration::from_secs(1);
const CONFLICT_RETRY_DELAY: StdDuration = StdDuration::from_millis(20);

/// Writes how it ended; where the database is away, as soon as it is back and for as long as the lease holds. Else whatever
/// ran when it went would wait for its lease.
async fn finish(
    context: &Context,
    job: &ClaimedJob,
    outcome: &JobOutcome,
    then: AfterJob<'_>,
) -> Result<EndedRun, StorageError> {
    let until = context.clock.now() + context.settings.lease;
    loop {
        let written = async {
            let mut tx = context.db.begin_async_commit().await?;
            let ended = finish_in(&mut tx, context, job, outcome, then).await?;
            tx.commit().await.map(|()| ended)
        };
        match written.await {
            // Somebody else's transaction and ours were in each other's way: ours is tried again.
            Err(StorageError::Busy) if context.clock.now() < until => {
                tokio::time::sleep(CONFLICT_RETRY_DELAY).await;
            }
            Err(error) if error.is_temporary() && context.clock.now() < until => {
                tokio::time::sleep(FINISH_RETRY_DELAY).await;
            }
            ended => return ended,
        }
    }
}

/// What is due later than that the sweep brings.
const WAKE_UP_HORIZON: chrono::Duration = chrono::Duration::seconds(5);

/// When a job, or its key, is to be looked at again: the sweep would be later.
fn due_soon(outcome: &JobOutcome) -> Option<DateTime<Utc>> {
    match outcome {
        JobOutcome::Snooze { until: at, .. }
        | JobOutcome::Wait { until: at, .. }
        | JobOutcome::Retry { at, .. } => Some(*at),
        JobOutcome::Done | JobOutcome::Again(_) | JobOutcome::Failed { .. } => None,
    }
}

/// Where nothing could be claimed, the key may wait: others need not find out by asking too.
async fn refresh_wait(context: &Context, key: JobKey, woken_for: JobRef) -> Result<(), StorageError> {
    let now = context.clock.now();
    let wait = jobs::find_wait(&context.db, key, now).await?;
    if let Some(until) = wait.map(|wait| wait.wait_until).filter(|until| *until > now) {
        context.keys.cache_wait(key, until, now);
        // Whoever was to wake us may go by a clock that is a little ahead.
        if until - now <= WAKE_UP_HORIZON {
            context.push_at(woken_for, until);
        }
    }
    Ok(())
}

/// Does the jobs of a key, one after the other, until none is due or the slice is over; then it is somebody else's turn.
/// Returns how many.
pub(super) async fn serve(
    context: &Context,
    worker: &str,
    (key, woken_for): (JobKey, JobRef),
) -> Result<usize, StorageError> {
    let class = woken_for.queue;
    let now = context.clock.now();
    if let Some((until, is_first)) = context.keys.cached_wait(key, now) {
        // The first who comes in vain comes again: the wait may be over sooner than is believed.
        if is_first {
            context.push_at(woken_for, until);
        }
        return Ok(0);
    }
    let Some(mut at_work) = context.keys.begin(key) else { return Ok(0) };
    let (began, mut ran, mut came_again) = (Instant::now(), 0, false);
    loop {
        at_work.was_woken();
        let count = run_slice(context, worker, woken_for, began).await?;
        ran += count;
        if count == 0 {
            refresh_wait(context, key, woken_for).await?;
        }
        let is_over = began.elapsed() >= context.settings.slice;
        // What was enqueued while the last one ended was seen by nobody: whoever was woken for it found the key taken.
        let is_worth_a_look = at_work.was_woken() || count > 0 || came_again;
        let left = if is_worth_a_look && !is_over {
            jobs::next_due(&context.db, key, context.clock.now()).await?
        } else {
            None
        };
        // Where nothing could be claimed, what is left is being enqueued, and brought, by somebody else.
        if count > 0 && left.is_some_and(|job| class != QueueClass::Interactive || job.queue == class) {
            continue;
        }
        let synced = at_work.synced();
        if let Some(account) = synced.filter(|_| context.keys.should_record_sync(key, context.clock.now())) {
            note_synced(context, account).await;
        }
        if is_over {
            // Whoever comes from here on begins by themselves; whoever came before is looked for.
            drop(at_work);
            let left = jobs::next_due(&context.db, key, context.clock.now()).await?;
            context.push(left.as_slice()).await;
            return Ok(ran);
        }
        match at_work.end() {
            Ok(()) => {
                context.push(left.as_slice()).await;
                return Ok(ran);
            }
            Err(again) => (at_work, came_again) = (again, true),
        }
    }
}

/// Claims one job of a key after the other and does it, until none is left or the slice is over. Returns how many.
async fn run_slice(
    context: &Context,
    worker: &str,
    woken_for: JobRef,
    began: Instant,
) -> Result<usize, StorageError> {
    let mut next = claim(context, worker, woken_for).await?;
    let mut ran = 0;
    while let Some(job) = next {
        let is_over = began.elapsed() >= context.settings.slice;
        let then = if is_over { AfterJob::HandBack } else { AfterJob::Next(woken_for.queue) };
        // Whichever it was woken for.
        let run = on_behalf_of(write_caller(job.queue), run_claimed(context, &job, then));
        next = Box::pin(run).await?.next;
        ran += 1;
    }
    Ok(ran)
}
