//! Brings one calendar's entry of a booking up to date: created, changed, or put back.
//!
//! Claims the entry. Plans from the booking as it is now against what was last written. Calls the provider at most a
//! few times, each conditional on what the plan saw.

use concord_storage::jobs::ClaimedJob;

use crate::{
    Context,
    entry::reconcile,
    job::{AfterJob, JobError, RunEnd},
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> Result<RunEnd, JobError> {
    reconcile(context, job, true, then).await
}
