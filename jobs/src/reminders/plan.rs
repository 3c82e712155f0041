//! Plans the reminders of all bookings to come anew, after a change of the rules, the quiet hours or the zone.
//!
//! Its subject is the business. It goes through the bookings by their start, a few in a transaction: nobody who writes one
//! waits for long.

use concord_domain::ids::BookingId;
use concord_storage::{
    bookings,
    jobs::{ClaimedJob, JobOutcome},
    reminders,
};
use uuid::Uuid;

use crate::{
    Context,
    job::{JobError, keep, require_business},
};

/// Bookings in one transaction.
const SLICE: u32 = 50;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let mut after = (context.clock.now(), BookingId(Uuid::nil()));
    loop {
        let slice = reminders::bookings_to_come(&context.db, business, after, SLICE).await?;
        let Some(last) = slice.last() else { return Ok(JobOutcome::Done) };
        after = *last;
        let ids: Vec<BookingId> = slice.iter().map(|(_, id)| *id).collect();
        let now = context.clock.now();
        let all = bookings::find_by_ids(&context.db, business, &ids).await?;
        let mut tx = context.db.begin().await?;
        let mut enqueued = Vec::new();
        for booking in all.into_values() {
            // Who has changed it meanwhile has planned by the rules as they are.
            if bookings::hold(&mut tx, booking.id, booking.version).await? {
                enqueued.extend(reminders::replan(&mut tx, &booking, now).await?);
            }
        }
        context.commit(tx, &enqueued).await?;
        // Another worker that takes over goes through all of them again.
        keep(context, job).await?;
    }
}
