//! Writes how a job ended.

use chrono::{DateTime, Utc};
use concord_domain::{ids::JobKey, job::QueueClass};
use concord_storage::{
    StorageError, Tx,
    jobs::{self, ClaimedJob, JobOutcome, KeyWait},
    limits::RefusalBackoff,
};

use super::{
    Context, KeyRegistry,
    backoff::{QUICK_TRIALS, jitter_of, refusal_backoff},
    end::{AfterJob, EndedRun},
    lease::lease_after,
};

/// Writes how a job ended, if its lease still holds, and claims what follows.
pub(crate) async fn finish_in(
    tx: &mut Tx,
    context: &Context,
    job: &ClaimedJob,
    outcome: &JobOutcome,
    then: AfterJob<'_>,
) -> Result<EndedRun, StorageError> {
    let now = context.clock.now();
    let finished = jobs::finish(tx, job, outcome, now).await?;
    let mut ended = EndedRun { finished, ..EndedRun::default() };
    if let (JobOutcome::Retry { .. } | JobOutcome::Failed { .. }, Some(key), true) =
        (outcome, job.key, finished.was_held)
        && let Some(wait) = outage(&context.keys, key, now)
    {
        jobs::wait(tx, key, &wait).await?;
        ended.waits_until = Some(wait.wait_until);
    }
    let Some(key) = job.key.filter(|_| finished.was_held) else { return Ok(ended) };
    let (lease, until) = (lease_after(job, now), now + context.settings.lease);
    let next = match then {
        AfterJob::HandBack | AfterJob::TakeBack(_) => None,
        AfterJob::Next(class) => Some((key, class, None)),
        AfterJob::Resume(former) => Some((key, QueueClass::Interactive, Some(former.id))),
    };
    if let Some(next) = next {
        ended.next = jobs::claim_next_in(tx, next, (&lease, until), now).await?;
    }
    if let (None, AfterJob::Resume(former) | AfterJob::TakeBack(former)) = (&ended.next, then) {
        ended.is_resumed = jobs::reclaim_lease(tx, former, until).await?;
    }
    Ok(ended)
}

/// How long a key waits of which the calls for more than one job have failed in a row: its provider is away, and one job tries
/// whether it is back.
fn outage(keys: &KeyRegistry, key: JobKey, now: DateTime<Utc>) -> Option<KeyWait> {
    let failures = keys.failures(key, now)?;
    let spread = jitter_of(key.0, u32::try_from(failures).unwrap_or(0));
    // However long it lasts: it is no quota that a call could use up anew, and each job waits longer by itself.
    let RefusalBackoff { waited_for, others } = refusal_backoff(failures.min(QUICK_TRIALS), spread);
    let reason = "waiting for the provider to respond".to_owned();
    Some(KeyWait { wait_until: now + waited_for, batches_wait_until: now + others, reason, is_outage: true })
}
