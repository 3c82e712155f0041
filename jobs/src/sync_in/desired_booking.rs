//! What an entry should say by its booking, as the rows are now.

use chrono_tz::Tz;
use concord_domain::{
    booking::Booking,
    delivery_route::{DeliveryRoute, day_of, is_stop},
    privacy::TextContext,
    sync::{
        entry_content::{EntryContext, EntrySettings, desired_entry},
        plan::Desired,
    },
};
use concord_storage::{
    StorageError,
    bookings::{self, BookingContext},
    entries::Entry,
};

use crate::{Context, job::JobError};

/// A booking, what its entry should say, and what that is made of.
pub(crate) struct DesiredBooking {
    pub(crate) booking: Booking,
    pub(crate) desired: Desired,
    pub(super) resource: String,
    pub(super) zone: Tz,
}

impl DesiredBooking {
    /// What the rows say now of an entry.
    pub(crate) async fn load(context: &Context, entry: &Entry) -> Result<Self, JobError> {
        let found = bookings::in_context(&context.db, entry.business_id, entry.booking_id).await?;
        let BookingContext {
            booking,
            resource,
            resource_zone,
            business,
            business_zone,
            privacy,
            mark_cancelled,
        } = found.ok_or(StorageError::NotFound)?;
        let zone = resource_zone.unwrap_or(business_zone);
        let round = load_round(context, entry, &booking, business_zone).await?;
        let names = TextContext { resource: &resource, business: &business, platforms: &context.platforms };
        let entry_context = EntryContext { names, zone, round: round.as_ref() };
        let settings = EntrySettings {
            privacy,
            colours: context.settings.colours.iter().cloned().collect(),
            reminders: context.settings.reminders.clone(),
            mark_cancelled,
        };
        let desired = if entry.desired {
            desired_entry(&booking, entry.id, &entry_context, &settings)
        } else {
            Desired::Absent
        };
        Ok(Self { booking, desired, resource, zone })
    }
}

/// The day that a delivery is a stop of, in the zone of the business: its drivers live by one clock.
async fn load_round(
    context: &Context,
    entry: &Entry,
    booking: &Booking,
    zone: Tz,
) -> Result<Option<DeliveryRoute>, StorageError> {
    if !entry.desired || !is_stop(booking) {
        return Ok(None);
    }
    let day = day_of(booking.interval.start, zone);
    let deliveries = bookings::round(&context.db, entry.business_id, entry.connection_id, day).await?;
    Ok(Some(DeliveryRoute::new(day, zone, deliveries)))
}
