//! Brings everything that a connection should hold up to date: after connecting, resuming, or by hand.
//!
//! Keyed by the connection. Goes through the bookings still to come that it should hold or has an entry of, and enqueues
//! a job for each entry, on the bulk queue; what is as it should be costs no call.

use concord_domain::{
    booking::{Booking, BookingKind},
    connection::ConnectionState,
    ids::{BookingId, BusinessId, ConnectionId, EntryId},
};
use concord_storage::{
    bookings,
    entries::{self, TargetScope},
    jobs::{ClaimedJob, JobOutcome},
};
use uuid::Uuid;

use crate::{
    Context,
    job::{JobError, find_connection, keep, require_business},
};

/// Bookings in one transaction: a batch must not keep others from writing for long.
const BATCH_SIZE: u32 = 50;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let id = ConnectionId(job.subject_id);
    if find_connection(context, job, ConnectionState::Active).await?.is_none() {
        return Ok(JobOutcome::Done);
    }
    remove_undesired(context, job, (business, id)).await?;
    let mut after = BookingId(Uuid::nil());
    loop {
        let now = context.clock.now();
        let part = bookings::concerning(&context.db, business, id, now, after, BATCH_SIZE).await?;
        let Some(last) = part.last() else { return Ok(JobOutcome::Done) };
        after = last.id;
        // Who changes one delivery writes to the entries of others: each has a transaction of its own, or two of them could
        // wait for each other.
        for together in part.chunk_by(|one, next| !is_delivery(one) && !is_delivery(next)) {
            let mut tx = context.db.begin().await?;
            let mut enqueued = Vec::new();
            for booking in together {
                let scope = TargetScope::Only(id);
                enqueued.extend(bookings::retarget(&mut tx, business, &booking.reference, scope, now).await?);
            }
            context.commit(tx, &enqueued).await?;
        }
        // Another worker that takes over goes through all of them again.
        keep(context, job).await?;
    }
}

fn is_delivery(booking: &Booking) -> bool {
    booking.draft.kind == BookingKind::Delivery
}

/// What should have gone while the connection was not served goes now, also where the booking is over by now.
async fn remove_undesired(
    context: &Context,
    job: &ClaimedJob,
    whose: (BusinessId, ConnectionId),
) -> Result<(), JobError> {
    let mut after = EntryId(Uuid::nil());
    loop {
        let mut tx = context.db.begin().await?;
        let now = context.clock.now();
        let (enqueued, more) = entries::remove_undesired(&mut tx, whose, after, BATCH_SIZE, now).await?;
        context.commit(tx, &enqueued).await?;
        let Some(last) = more else { return Ok(()) };
        after = last;
        keep(context, job).await?;
    }
}
