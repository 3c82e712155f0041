//! Takes one calendar's entry of a booking away: it was cancelled, or given to somebody else.
//!
//! Claims the entry. Plans that it be absent. Calls the provider's remove, for which "gone already" is a success.

use concord_storage::duties::ClaimedDuty;

use crate::{
    Context,
    duty::{End, JobError, Then},
    entry::reconcile,
};

pub(crate) async fn run(context: &Context, duty: &ClaimedDuty, then: Then<'_>) -> Result<End, JobError> {
    reconcile(context, duty, false, then).await
}
