//! Takes one calendar's entry of a booking away: it was cancelled, or given to somebody else.
//!
//! Claims the entry. Plans that it be absent. Calls the provider's remove, for which "gone already" is a success.

use concord_storage::duties::{ClaimedDuty, Outcome};

use crate::{Context, duty::JobError, entry::reconcile};

pub(crate) async fn run(context: &Context, duty: &ClaimedDuty) -> Result<Outcome, JobError> {
    reconcile(context, duty, false).await
}
