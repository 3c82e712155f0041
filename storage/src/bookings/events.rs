//! What other systems are told of a booking that was written.

use chrono::{DateTime, Utc};
use concord_domain::booking::Booking;

use super::outcome::{BookingEvents, WrittenBooking};
use crate::{Result, Tx, events, occupancy};

/// Whether something of the booking stands without a unit: only what a platform has sold can.
pub(super) async fn is_conflict(tx: &mut Tx, booking: Option<&Booking>) -> Result<bool> {
    match booking.filter(|booking| booking.channel.is_some()) {
        Some(booking) => occupancy::is_unallocated(tx, booking.business, booking.id).await,
        None => Ok(false),
    }
}

/// Writes the events, last in the transaction that has written the booking, and adds what delivers them to its jobs.
pub(super) async fn publish(tx: &mut Tx, put: &mut WrittenBooking, now: DateTime<Utc>) -> Result<()> {
    let Some(BookingEvents { event, was_conflict, resolved }) = put.events.take() else { return Ok(()) };
    let (business, id) = (put.booking.business, put.booking.id);
    put.jobs.extend(events::publish(tx, business, &event, now).await?);
    let is_open = is_conflict(tx, Some(&put.booking)).await?;
    let own = (is_open != was_conflict).then_some((id, is_open));
    for (booking, is_open) in own.into_iter().chain(resolved.into_iter().map(|other| (other, false))) {
        put.jobs.extend(events::publish_conflict(tx, (business, booking), is_open, now).await?);
    }
    Ok(())
}
