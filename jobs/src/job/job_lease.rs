//! The lease of the job at hand, and with it the right to be the one writer to its calendar. A worker that dies loses it by
//! time.

use std::{pin::Pin, time::Duration as StdDuration};

use chrono::{DateTime, Utc};
use concord_storage::{
    StorageError,
    jobs::{self, ClaimedJob},
};

use super::{Context, JobError, lease::lost};

/// How often a lease is renewed at least during a call.
const RENEWAL_INTERVAL: StdDuration = StdDuration::from_secs(3);

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
        let every = (self.context.settings.lease / 3).to_std().unwrap_or(RENEWAL_INTERVAL);
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
