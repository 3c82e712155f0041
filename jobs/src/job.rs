//! Claim, run, record: what all jobs have in common.

mod serve;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{BusinessId, JobId},
    job::{JobKind, NextAttempt},
};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, Tx, connections, idempotency,
    jobs::{self, ClaimedJob, JobOutcome, JobRef, LeaseRenewal},
};
use futures::FutureExt;
use uuid::Uuid;

pub(crate) use self::serve::{AfterJob, RunEnd, finish_in};
use self::serve::{claim, run_claimed, serve};
use crate::{
    Context, batch_sync, channels, close_remote_change, delete_booking, disconnect, drift,
    import_availability, mail, notify, presence, push, retention, sync_booking,
    worker::{JobHandler, panic_message},
};

/// Why a job stopped; what follows is decided in one place, `outcome_of`.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The provider said so.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database said so.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Nothing of its key can be done now, through no fault of its own.
    #[error("{reason}")]
    Wait {
        /// When it can.
        until: DateTime<Utc>,
        /// Whether what people wait for waits too.
        for_all: bool,
        /// For people.
        reason: &'static str,
    },
    /// It is not its turn yet, through no fault of its own.
    #[error("{reason}")]
    Snooze {
        /// When it is.
        until: DateTime<Utc>,
        /// For people.
        reason: &'static str,
    },
    /// It cannot work as things are; a person must change something. It is tried again slowly.
    #[error("{0}")]
    Permanent(String),
    /// It panicked.
    #[error("internal error; see the log")]
    Panicked,
}

impl JobError {
    /// Whether it will never work as it is.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Provider(ProviderError::Rejected(_) | ProviderError::AccountUnusable(_))
                | Self::Permanent(_)
        )
    }

    /// What people read of it where it is about the calendar of that provider.
    pub fn user_message(&self, provider: &str) -> String {
        match self {
            Self::Provider(error) => error.in_words(provider),
            other => other.to_string(),
        }
    }

    /// Not before `wait` has passed.
    pub(crate) fn snooze(context: &Context, wait: Duration, reason: &'static str) -> Self {
        Self::Snooze { until: context.clock.now() + wait, reason }
    }
}

/// Stays the one who does this job, for another lease. What a late worker has read may be older than what stands there by
/// now, so nothing of it is written without asking for this just before. Entries of the same key that a person waits for are
/// written first.
pub(crate) async fn keep(context: &Context, job: &ClaimedJob) -> Result<(), JobError> {
    renew_lease_for(context, job, Duration::zero()).await
}

/// The same, for something that may take so long by itself.
pub(crate) async fn renew_lease_for(
    context: &Context,
    job: &ClaimedJob,
    takes: Duration,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let until = now + takes + context.settings.lease;
    let extended = jobs::extend(&context.db, job, until, now).await?;
    check_renewal(context, job, extended).await
}

/// What follows from a lease that was to be kept: only who holds it goes on, after what a person waits for.
async fn check_renewal(context: &Context, job: &ClaimedJob, extended: LeaseRenewal) -> Result<(), JobError> {
    match extended {
        LeaseRenewal::Lost => Err(lost(context)),
        LeaseRenewal::Held { urgent_is_due: false } => Ok(()),
        LeaseRenewal::Held { urgent_is_due: true } => serve::yield_to_urgent(context, job).await,
    }
}

/// Commits, if the lease still holds: who was frozen for longer has written nothing then.
pub(crate) async fn commit_held(
    context: &Context,
    job: &ClaimedJob,
    mut tx: Tx,
) -> Result<LeaseRenewal, JobError> {
    let now = context.clock.now();
    let extended = jobs::renew_lease_in(&mut tx, job, now + context.settings.lease, now).await?;
    if extended == LeaseRenewal::Lost {
        return Err(lost(context));
    }
    tx.commit().await?;
    Ok(extended)
}

/// The same for a part of what a long job writes. What a person waits for is done next.
pub(crate) async fn commit_slice(context: &Context, job: &ClaimedJob, tx: Tx) -> Result<(), JobError> {
    let extended = commit_held(context, job, tx).await?;
    check_renewal(context, job, extended).await
}

pub(crate) fn lost(context: &Context) -> JobError {
    JobError::snooze(context, Duration::zero(), "another worker has taken this over")
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

/// Runs jobs as the worker hands them over.
#[derive(Clone, Debug)]
pub struct JobRunner {
    context: Context,
    worker: Arc<str>,
}

impl JobRunner {
    /// `worker`: a name that no other process and no former start of this one has.
    pub fn new(context: Context, worker: &str) -> Self {
        Self { context, worker: worker.into() }
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

    /// Runs all that is due, here and now, until nothing is: how tests let work be done without waiting for it.
    /// Returns how many jobs ran.
    pub async fn drain(&self) -> Result<usize, StorageError> {
        let mut ran = 0;
        loop {
            let due = self.find_due(100).await?;
            if due.is_empty() {
                return Ok(ran);
            }
            for job in due {
                ran += self.run(job).await?;
            }
        }
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
            let mut tx = context.db.begin().await?;
            connections::release_refresh_leases_of_process(&mut tx, context.keys.process()).await?;
            tx.commit().await?;
            Ok::<_, StorageError>(count)
        };
        match released.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "gave back what was in hand"),
            Err(error) => tracing::warn!(%error, "could not give back what was in hand"),
        }
    }
}

/// A job that panics has failed like any other, or nobody would ever be told of it.
async fn run_job(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> RunEnd {
    let run = AssertUnwindSafe(dispatch(context, job, then)).catch_unwind();
    run.await.unwrap_or_else(|panic| {
        let panic = panic_message(&*panic);
        tracing::error!(job = %job.id, kind = %job.kind, panic, "a job panicked");
        RunEnd::Outcome(outcome_of(context, job, &JobError::Panicked, "the provider"))
    })
}

/// Each in a box: together they would be too large for a stack.
async fn dispatch(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> RunEnd {
    let result = match job.kind {
        JobKind::SyncBooking => match Box::pin(sync_booking::run(context, job, then)).await {
            Ok(end) => return end,
            Err(error) => Err(error),
        },
        JobKind::DeleteBooking => match Box::pin(delete_booking::run(context, job, then)).await {
            Ok(end) => return end,
            Err(error) => Err(error),
        },
        JobKind::BatchSync => Box::pin(batch_sync::run(context, job)).await,
        JobKind::ImportAvailability => Box::pin(import_availability::run(context, job)).await,
        JobKind::CompareDrift => Box::pin(drift::run(context, job)).await,
        JobKind::Disconnect => Box::pin(disconnect::run(context, job)).await,
        JobKind::SendMail => Box::pin(mail::send::run(context, job)).await,
        JobKind::Notify => Box::pin(notify::run(context, job)).await,
        JobKind::RenewPush => Box::pin(push::run(context, job)).await,
        JobKind::PollChannel => Box::pin(channels::poll::run(context, job)).await,
        JobKind::CloseRemoteChange => Box::pin(close_remote_change::run(context, job)).await,
        JobKind::Retention => Box::pin(retention::run(context, job)).await,
    };
    RunEnd::Outcome(result.unwrap_or_else(|error| {
        if let JobError::Provider(error) = &error {
            tracing::info!(job = %job.id, kind = %job.kind, code = error.code(), %error, "a provider failed");
        }
        outcome_of(context, job, &error, "the provider")
    }))
}

/// What an error means for the job; `provider` is what people call the other side.
pub(crate) fn outcome_of(
    context: &Context,
    job: &ClaimedJob,
    error: &JobError,
    provider: &str,
) -> JobOutcome {
    let now = context.clock.now();
    let reason = error.user_message(provider);
    match error {
        JobError::Snooze { until, .. } => JobOutcome::Snooze { until: *until, reason },
        JobError::Wait { until, for_all, .. } => {
            let moment = u32::try_from(now.timestamp_millis() & 0xffff_ffff).unwrap_or(0);
            let apart = jittered_part(APART, jitter(job.id, moment));
            JobOutcome::Wait { until: *until + apart, for_all: *for_all, reason }
        }
        JobError::Provider(ProviderError::RateLimited { retry_after }) => {
            // Where it does not say for how long, `limits::note_answer` does.
            let wait = retry_after.and_then(|wait| Duration::from_std(wait).ok());
            let wait = wait.filter(|wait| *wait > Duration::zero());
            let until = now + wait.unwrap_or(UNSAID_SLOWNESS);
            JobOutcome::Wait { until, for_all: true, reason }
        }
        // The connection is marked; what waits is written when the person has connected again.
        JobError::Provider(ProviderError::GrantDead(_)) => JobOutcome::Done,
        // No use to try it again soon. But what was refused may have been the installation and not the entry, and
        // nobody enqueues every job again when a wrong secret has been put right.
        _ if error.is_refusal() => {
            let attempts = u32::try_from(job.attempts).unwrap_or(u32::MAX);
            let at = context.settings.retry.after_rejection(attempts, now, jitter(job.id, attempts));
            JobOutcome::Failed { retry_at: Some(at), reason }
        }
        JobError::Provider(_) | JobError::Storage(_) | JobError::Permanent(_) | JobError::Panicked => {
            if let (JobError::Provider(ProviderError::Transient(_)), Some(key)) = (error, job.key) {
                let is_worn = job.attempts > i64::from(context.settings.retry.tries);
                context.keys.note_failure(key, (job.id, is_worn), now);
            }
            let attempts = u32::try_from(job.attempts).unwrap_or(u32::MAX);
            match context.settings.retry.after_failure(attempts, now, jitter(job.id, attempts)) {
                NextAttempt::Retry(at) => JobOutcome::Retry { at, reason },
                NextAttempt::FailedUntil(at) => JobOutcome::Failed { retry_at: Some(at), reason },
            }
        }
    }
}

/// Where somebody asks to slow down, does not say for how long, and is not called on behalf of a connection.
const UNSAID_SLOWNESS: Duration = Duration::seconds(4);

/// Keys that wait for the same limit come back within this time after it could be their turn.
const APART: Duration = Duration::milliseconds(300);

/// As much of `most` as `jitter` in `[0, 1)` says.
pub(crate) fn jittered_part(most: Duration, jitter: f64) -> Duration {
    most.to_std().map_or_else(
        |_| Duration::zero(),
        |most| Duration::from_std(most.mul_f64(jitter)).unwrap_or_default(),
    )
}

/// In `[0, 1)`: the same for the same try of the same job, and different for jobs that failed together.
pub(crate) fn jitter(job: JobId, attempts: u32) -> f64 {
    jitter_of(job.0, attempts)
}

/// The same for anything else that has an id.
pub(crate) fn jitter_of(id: Uuid, attempts: u32) -> f64 {
    // FNV-1a over the id and the attempt: spreading needs no better.
    let hash =
        id.as_bytes().iter().chain(&attempts.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / 4_294_967_296.0
}

/// The business of a job that always has one.
pub(crate) fn require_business(job: &ClaimedJob) -> Result<BusinessId, JobError> {
    job.business_id.ok_or(JobError::Storage(StorageError::Inconsistent { what: "job" }))
}
