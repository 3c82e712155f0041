//! Takes one calendar's entry of a booking away: it was cancelled, or given to somebody else.
//!
//! Claims the entry. Plans that it be absent. Calls the provider's remove, for which "gone already" is a success.

use concord_storage::jobs::ClaimedJob;

use crate::{
    Context,
    entry::reconcile,
    job::{AfterJob, JobError, RunEnd},
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob, then: AfterJob<'_>) -> Result<RunEnd, JobError> {
    reconcile(context, job, false, then).await
}
