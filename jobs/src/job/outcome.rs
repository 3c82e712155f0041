//! What an error means for its job.

use chrono::Duration;
use concord_domain::{ids::BusinessId, job::NextAttempt};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError,
    jobs::{ClaimedJob, JobOutcome},
};

use super::{
    Context, JobError,
    backoff::{jitter, jittered_part},
};

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
        _ if error.is_rejection() => {
            let attempts = attempts(job);
            let at = context.settings.retry.after_rejection(attempts, now, jitter(job.id, attempts));
            JobOutcome::Failed { retry_at: Some(at), reason }
        }
        JobError::Provider(_) | JobError::Storage(_) | JobError::Permanent(_) | JobError::Panicked => {
            if let (JobError::Provider(ProviderError::Transient(_)), Some(key)) = (error, job.key) {
                let is_worn = job.attempts > i64::from(context.settings.retry.tries);
                context.keys.note_failure(key, (job.id, is_worn), now);
            }
            retry_or_fail(context, job, reason)
        }
    }
}

/// Tried again soon a few times; then it has failed, and is tried again slowly.
pub(crate) fn retry_or_fail(context: &Context, job: &ClaimedJob, reason: String) -> JobOutcome {
    let (attempts, now) = (attempts(job), context.clock.now());
    match context.settings.retry.after_failure(attempts, now, jitter(job.id, attempts)) {
        NextAttempt::Retry(at) => JobOutcome::Retry { at, reason },
        NextAttempt::FailedUntil(at) => JobOutcome::Failed { retry_at: Some(at), reason },
    }
}

fn attempts(job: &ClaimedJob) -> u32 {
    u32::try_from(job.attempts).unwrap_or(u32::MAX)
}

/// Whether the same reason as the last time need not be logged again: it still waits, or has failed once more.
pub(crate) fn is_repeat(outcome: &JobOutcome, had_failed: bool) -> bool {
    match outcome {
        JobOutcome::Snooze { .. } | JobOutcome::Wait { .. } => true,
        JobOutcome::Failed { .. } => had_failed,
        JobOutcome::Done | JobOutcome::Again(_) | JobOutcome::Retry { .. } => false,
    }
}

/// Where somebody asks to slow down, does not say for how long, and is not called on behalf of a connection.
const UNSAID_SLOWNESS: Duration = Duration::seconds(4);

/// Keys that wait for the same limit come back within this time after it could be their turn.
const APART: Duration = Duration::milliseconds(300);

/// The business of a job that always has one.
pub(crate) fn require_business(job: &ClaimedJob) -> Result<BusinessId, JobError> {
    job.business_id.ok_or(JobError::Storage(StorageError::Inconsistent { what: "job" }))
}
