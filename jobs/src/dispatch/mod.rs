//! From a job to its handler: claim, run, record.
//!
//! The roof of the crate: it alone knows all handlers, in one flat list. `serve` does one job of a key after the other.

mod serve;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use concord_domain::job::JobKind;
use concord_storage::{
    StorageError, connections, idempotency, in_tx,
    jobs::{self, ClaimedJob, JobRef},
};
use futures::FutureExt;
use tracing::Instrument;

use self::serve::{claim, run_claimed, run_within, serve};
use crate::{
    Context,
    accounts::push,
    channels::{poll, stale_export},
    erasure, fetch_mail, invitations,
    job::{AfterJob, Handlers, JobError, RunEnd, outcome_of},
    notify, reminders, retention,
    sync_in::{close_remote_change, drift, import_availability},
    sync_out::{batch_sync, disconnect, entry},
    webhooks,
    worker::{JobHandler, panic_message, presence},
};

/// From each kind to what does it. Each in a box: together they would be too large for a stack.
async fn dispatch(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> Result<RunEnd, JobError> {
    let outcome = match job.kind {
        // These write down themselves how they ended, in the transaction that says what came of it.
        JobKind::SyncBooking => return Box::pin(entry::reconcile(context, job, true, then)).await,
        JobKind::DeleteBooking => return Box::pin(entry::reconcile(context, job, false, then)).await,
        JobKind::BatchSync => Box::pin(batch_sync::run(context, job)).await,
        JobKind::ImportAvailability => Box::pin(import_availability::run(context, job)).await,
        JobKind::CompareDrift => Box::pin(drift::run(context, job)).await,
        JobKind::Disconnect => Box::pin(disconnect::run(context, job)).await,
        JobKind::MailSignInLinks => Box::pin(notify::sign_in::run(context, job)).await,
        JobKind::SendMail => Box::pin(notify::send::run(context, job)).await,
        JobKind::FetchMail => Box::pin(fetch_mail::run(context, job)).await,
        JobKind::Invite => Box::pin(invitations::run(context, job)).await,
        JobKind::Remind => Box::pin(reminders::run(context, job)).await,
        JobKind::PlanReminders => Box::pin(reminders::plan::run(context, job)).await,
        JobKind::Notify => Box::pin(notify::deliver::run(context, job)).await,
        JobKind::CheckAlert => Box::pin(notify::alerts::run(context, job)).await,
        JobKind::RenewPush => Box::pin(push::run(context, job)).await,
        JobKind::PollChannel => Box::pin(poll::run(context, job)).await,
        JobKind::CheckFeedReads => Box::pin(stale_export::run(context, job)).await,
        JobKind::CloseRemoteChange => Box::pin(close_remote_change::run(context, job)).await,
        JobKind::DeliverWebhooks => Box::pin(webhooks::run(context, job)).await,
        JobKind::Erase => Box::pin(erasure::run(context, job)).await,
        JobKind::Retention => Box::pin(retention::run(context, job)).await,
    };
    outcome.map(RunEnd::Outcome)
}

/// A job that panics has failed like any other, or nobody would ever be told of it.
async fn run_job(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> RunEnd {
    let span = tracing::info_span!("job", id = %job.id, kind = %job.kind, attempt = job.attempts);
    let run = AssertUnwindSafe(dispatch(context, job, then).instrument(span)).catch_unwind();
    let ended = run.await.unwrap_or_else(|panic| {
        let panic = panic_message(&*panic);
        tracing::error!(job = %job.id, kind = %job.kind, panic, "a job panicked");
        Err(JobError::Panicked)
    });
    ended.unwrap_or_else(|error| {
        if let JobError::Provider(error) = &error {
            tracing::info!(job = %job.id, kind = %job.kind, code = error.code(), %error, "a provider failed");
        }
        RunEnd::Outcome(outcome_of(context, job, &error, "the provider"))
    })
}

/// Runs jobs as the worker hands them over.
#[derive(Clone, Debug)]
pub struct JobRunner {
    context: Context,
    worker: Arc<str>,
}

impl JobRunner {
    /// `worker`: a name that no other process and no former start of this one has.
    pub fn new(context: Context, worker: &str) -> Self {
        let handlers = Handlers { run: Some(run_within), ..context.handlers };
        Self { context: Context { handlers, ..context }, worker: worker.into() }
    }

    /// Claims a job, runs it and writes how it ended; of one that has a key, the jobs of that key one after the other, the
    /// most urgent first. Returns how many ran.
    pub async fn run(&self, job: JobRef) -> Result<usize, StorageError> {
        let context = &self.context;
        if let Some(key) = job.key {
            return Box::pin(serve(context, &self.worker, (key, job))).await;
        }
        let Some(claimed) = claim(context, &self.worker, job).await? else { return Ok(0) };
        let ended = Box::pin(run_claimed(context, &claimed, AfterJob::HandBack)).await?;
        context.push(ended.finished.again.as_slice()).await;
        Ok(1)
    }

    /// What is due and unclaimed; what a dead worker held is due too.
    async fn find_due(&self, limit: u32) -> Result<Vec<JobRef>, StorageError> {
        let now = self.context.clock.now();
        let count = jobs::release_expired(&self.context.db, now).await?;
        if count > 0 {
            tracing::info!(count, "taking over what others held for too long without a word");
        }
        jobs::due(&self.context.db, now, limit).await
    }
}

#[async_trait]
impl JobHandler for JobRunner {
    async fn handle(&self, job: JobRef) {
        if let Err(error) = self.run(job).await {
            // The lease runs out and the sweep brings it again.
            tracing::warn!(job = %job.id, kind = %job.kind, %error, "a job could not be claimed or finished");
        }
    }

    async fn due(&self, limit: u32) -> Vec<JobRef> {
        self.find_due(limit).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the sweep could not read what is due");
            Vec::new()
        })
    }

    async fn watch(&self) {
        presence::keep(&self.context, &self.worker).await;
    }

    async fn release(&self, worker: &str) {
        let context = &self.context;
        let released = async {
            let count = jobs::release_leases_of_worker(&context.db, worker).await?;
            in_tx!(context.db, tx =>
                connections::release_refresh_leases_of_process(&mut tx, context.keys.process()).await
            )?;
            Ok::<_, StorageError>(count)
        };
        match released.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "gave back what was in hand"),
            Err(error) => tracing::warn!(%error, "could not give back what was in hand"),
        }
    }
}

/// Sees to it that the jobs are there which nothing else enqueues; called when a process starts.
pub async fn ensure_scheduled(context: &Context) -> Result<(), StorageError> {
    retention::ensure(context).await?;
    push::ensure(context).await?;
    fetch_mail::ensure(context).await?;
    stale_export::ensure(context).await?;
    drift::ensure(context).await
}

/// Gives back all that a former start of this process held when it was killed, where it is the only one: nobody waits
/// for leases to run out. Were another one at work after all, it would be told that it has lost them, as if they had.
pub async fn release_former(context: &Context) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    let count = jobs::release_former(&mut tx).await?;
    connections::release_all_refresh_leases(&mut tx).await?;
    idempotency::release_former(&mut tx).await?;
    tx.commit().await?;
    if count > 0 {
        tracing::info!(count, "taking up what was in hand when the process before this one ended");
    }
    Ok(())
}
