//! Closes a question about what a person did in their calendar, once its booking is over: nobody needs to answer it then.
//!
//! Claims the change. It is due when the booking ends; whatever else closes the question leaves it nothing to do.

use concord_domain::{
    ids::OutsideChangeId,
    sync::outside::{OutsideKind, OutsideState},
};
use concord_storage::{
    bookings,
    duties::{ClaimedDuty, Outcome},
    entries, outside_changes,
};

use crate::{
    Context,
    duty::{JobError, business_of},
};

pub(crate) async fn run(context: &Context, duty: &ClaimedDuty) -> Result<Outcome, JobError> {
    let business = business_of(duty)?;
    let found = outside_changes::find(&context.db, business, OutsideChangeId(duty.subject_id)).await?;
    let Some(change) = found.filter(|change| change.state == OutsideState::Open) else {
        return Ok(Outcome::Done);
    };
    let now = context.clock.now();
    let Some(booking) = bookings::by_id(&context.db, business, change.booking_id).await? else {
        return Ok(Outcome::Done);
    };
    if booking.interval.end > now {
        return Ok(Outcome::Again(booking.interval.end));
    }
    let mut tx = context.db.begin().await?;
    if !bookings::hold(&mut tx, booking.id, booking.version).await? {
        return Ok(Outcome::Again(now));
    }
    let raised = match change.kind {
        OutsideKind::Deleted => {
            // As if it had been deleted only now: nobody misses it, and nothing writes it again.
            entries::let_be(&mut tx, change.entry_id).await?;
            None
        }
        // It stays where its booking, which is over, has no say.
        OutsideKind::Restored => None,
        // The calendar tells what was, as for every change of a booking that is over.
        _ => Some(entries::raise_again(&mut tx, business, change.entry_id, now).await?),
    };
    // Otherwise somebody has just answered, and what follows from that holds.
    if outside_changes::close(&mut tx, business, change.id, now).await? {
        tx.commit().await?;
        context.push(raised.as_slice()).await;
    }
    Ok(Outcome::Done)
}
