//! A booking with all that its entries in calendars are made of.

use chrono_tz::Tz;
use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId, StaffId},
    privacy::EntryPrivacy,
};

use super::read::{BookingRow, booking_columns, staff_of};
use crate::{
    Db, Result,
    column::{ZoneName, sqlx},
};

/// A booking, and what an entry of it is made of beside it.
#[derive(Clone, Debug)]
pub struct BookingContext {
    pub booking: Booking,
    /// The name of its resource.
    pub resource: String,
    /// Where that stands; `None`: in the zone of the business.
    pub resource_zone: Option<Tz>,
    /// The name of the business.
    pub business: String,
    pub business_zone: Tz,
    /// What of its bookings is written to calendars.
    pub privacy: EntryPrivacy,
    /// Whether a cancelled booking's entry is marked instead of removed.
    pub mark_cancelled: bool,
}

#[derive(sqlx_macros::FromRow)]
struct BookingContextRow {
    #[sqlx(flatten)]
    booking: BookingRow,
    resource_name: String,
    #[sqlx(try_from = "ZoneName<Option<Tz>>")]
    resource_zone: Option<Tz>,
    business_name: String,
    #[sqlx(try_from = "ZoneName")]
    business_zone: Tz,
    entry_privacy: EntryPrivacy,
    mark_cancelled: bool,
    staff_count: i64,
    first_staff: Option<StaffId>,
}

const BOOKING_CONTEXT: &str = concat!(
    "SELECT ",
    booking_columns!(),
    ", r.name AS resource_name, r.zone AS resource_zone, h.name AS business_name, h.zone AS business_zone,
           h.entry_privacy, h.mark_cancelled,
           (SELECT COUNT(*) FROM booking_staff s WHERE s.booking_id = b.id) AS staff_count,
           (SELECT s.staff_id FROM booking_staff s WHERE s.booking_id = b.id LIMIT 1) AS first_staff
    FROM bookings b
    JOIN resources r ON r.id = b.resource_id
    JOIN businesses h ON h.id = b.business_id
    WHERE b.business_id = $1 AND b.id = $2"
);

/// A booking with all that its entries are made of: one statement, unless several people are assigned to it.
pub async fn in_context(db: &Db, business: BusinessId, id: BookingId) -> Result<Option<BookingContext>> {
    let found: Option<BookingContextRow> = optional!(db, BOOKING_CONTEXT, business, id)?;
    let Some(row) = found else { return Ok(None) };
    let staff = match row.staff_count {
        0 | 1 => row.first_staff.into_iter().collect(),
        _ => staff_of(db, id).await?,
    };
    Ok(Some(BookingContext {
        booking: row.booking.into_booking(staff)?,
        resource: row.resource_name,
        resource_zone: row.resource_zone,
        business: row.business_name,
        business_zone: row.business_zone,
        privacy: row.entry_privacy,
        mark_cancelled: row.mark_cancelled,
    }))
}
