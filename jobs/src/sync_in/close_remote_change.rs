//! Closes a question about what a person did in their calendar, once its booking is over: nobody needs to answer it then.
//!
//! It is due when the booking ends; whatever else closes the question leaves it nothing to do.

use concord_domain::{
    ids::RemoteChangeId,
    sync::remote_change::{RemoteChangeKind, RemoteChangeState},
};
use concord_storage::{
    bookings, entries,
    jobs::{ClaimedJob, JobOutcome},
    remote_changes,
};

use crate::{
    Context,
    job::{JobError, require_business},
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let found = remote_changes::find(&context.db, business, RemoteChangeId(job.subject_id)).await?;
    let Some(change) = found.filter(|change| change.state == RemoteChangeState::Open) else {
        return Ok(JobOutcome::Done);
    };
    let now = context.clock.now();
    let Some(booking) = bookings::by_id(&context.db, business, change.booking_id).await? else {
        return Ok(JobOutcome::Done);
    };
    if booking.interval.end > now {
        return Ok(JobOutcome::Again(booking.interval.end));
    }
    let mut tx = context.db.begin().await?;
    if !bookings::hold(&mut tx, booking.id, booking.version).await? {
        return Ok(JobOutcome::Again(now));
    }
    let enqueued = match change.kind {
        RemoteChangeKind::Deleted => {
            // As if it had been deleted only now: nobody misses it, and nothing writes it again.
            entries::let_be(&mut tx, change.entry_id).await?;
            None
        }
        // It stays where its booking, which is over, has no say.
        RemoteChangeKind::Restored => None,
        // The calendar tells what was, as for every change of a booking that is over.
        _ => Some(entries::enqueue_rewrite(&mut tx, business, change.entry_id, now).await?),
    };
    // Otherwise somebody has just answered, and what follows from that holds.
    if remote_changes::close(&mut tx, business, change.id, now).await? {
        context.commit(tx, enqueued.as_slice()).await?;
    }
    Ok(JobOutcome::Done)
}
