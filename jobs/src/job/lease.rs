//! The lease of a job: kept by who works, and the right to be the one writer to its calendar. A worker that dies loses it by
//! time.

use std::{pin::Pin, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{JobKey, new_uuid},
    job::QueueClass,
};
use concord_storage::{
    StorageError, Tx,
    jobs::{self, ClaimedJob, LeaseRenewal},
};
use tokio::time::Instant;

use super::{Context, JobError, end::AfterJob};

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
        LeaseRenewal::Held { urgent_is_due: true } => yield_to_urgent(context, job).await,
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

fn lost(context: &Context) -> JobError {
    JobError::snooze(&context.clock, Duration::zero(), "another worker has taken this over")
}

/// Lets a long job give way to entries of its key that somebody waits for, and go on when they are written, or for a slice
/// of them: it has a worker's slot that is meant for its class. An error: somebody else has the key by now.
async fn yield_to_urgent(context: &Context, former: &ClaimedJob) -> Result<(), JobError> {
    let (Some(key), Some(run)) = (former.key, context.handlers.run) else { return Ok(()) };
    let mut next = match give_way(context, key, former).await {
        // They are still due when it is asked again.
        Err(JobError::Storage(StorageError::Overloaded | StorageError::Busy)) => None,
        given_way => given_way?,
    };
    let began = Instant::now();
    while let Some(job) = next {
        let is_over = began.elapsed() >= context.settings.slice;
        let then = if is_over { AfterJob::TakeBack(former) } else { AfterJob::Resume(former) };
        let ended = run(context, &job, then).await?;
        if ended.next.is_none() && !ended.is_resumed {
            return Err(lost(context));
        }
        next = ended.next;
    }
    Ok(())
}

/// Claims an urgent job instead of the one at hand; `None`: there is none, and the one at hand goes on.
async fn give_way(
    context: &Context,
    key: JobKey,
    former: &ClaimedJob,
) -> Result<Option<ClaimedJob>, JobError> {
    let now = context.clock.now();
    let (lease, until) = (lease_after(former, now), now + context.settings.lease);
    let mut tx = context.db.begin_async_commit().await?;
    if !jobs::give_way(&mut tx, former).await? {
        return Err(lost(context));
    }
    let urgent = (key, QueueClass::Interactive, Some(former.id));
    let claimed = jobs::claim_next_in(&mut tx, urgent, (&lease, until), now).await?;
    if claimed.is_some() {
        tx.commit().await?;
    }
    Ok(claimed)
}

/// Another lease of the same worker.
pub(super) fn lease_after(job: &ClaimedJob, now: DateTime<Utc>) -> String {
    let worker = job.leased_by.rsplit_once('#').map_or(job.leased_by.as_str(), |(worker, _)| worker);
    new_lease(worker, now)
}

/// Unique: who has lost a lease is not taken for who has it now.
pub(crate) fn new_lease(worker: &str, now: DateTime<Utc>) -> String {
    format!("{worker}#{}", new_uuid(now).simple())
}

/// How often a lease is renewed during a call, where a third of it cannot be waited for.
const MAX_RENEWAL_INTERVAL: StdDuration = StdDuration::from_secs(3);

/// The lease of a job that was claimed.
pub(crate) struct JobLease<'a> {
    context: &'a Context,
    pub(crate) job: &'a ClaimedJob,
    renew_at: DateTime<Utc>,
}

impl<'a> JobLease<'a> {
    /// It holds since the job was claimed, just now.
    pub(crate) fn of(context: &'a Context, job: &'a ClaimedJob) -> Self {
        Self { context, job, renew_at: context.clock.now() + context.settings.lease / 3 }
    }

    /// Makes sure, before a call, that it holds. An error: it was lost, and somebody else is at work.
    pub(crate) async fn keep(&mut self) -> Result<(), JobError> {
        if self.context.clock.now() >= self.renew_at && !self.renew().await? {
            return Err(lost(self.context));
        }
        Ok(())
    }

    /// Makes a call, after `keep`, and renews the lease for as long as it takes. Lost during the call, it does not end it,
    /// since nobody could tell what it had done: whoever writes down how the job ended will find out.
    pub(crate) async fn during<T>(&mut self, mut call: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
        let every = (self.context.settings.lease / 3).to_std().unwrap_or(MAX_RENEWAL_INTERVAL);
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                () = tokio::time::sleep(every) => {
                    if let Err(error) = self.renew().await {
                        tracing::debug!(job = %self.job.id, %error, "a lease could not be renewed");
                    }
                }
            }
        }
    }

    async fn renew(&mut self) -> Result<bool, StorageError> {
        let context = self.context;
        let now = context.clock.now();
        let is_held = jobs::extend(&context.db, self.job, now + context.settings.lease, now).await?.is_held();
        if is_held {
            self.renew_at = now + context.settings.lease / 3;
        }
        Ok(is_held)
    }
}
