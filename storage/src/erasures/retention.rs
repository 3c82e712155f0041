//! Bookings whose people are not kept any longer.

use chrono::{DateTime, Utc};
use concord_domain::ids::{BookingId, BusinessId};

use crate::{Db, Result};

/// A booking that ended long ago, as did all others of everybody whom it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ExpiredBooking {
    pub id: BookingId,
    pub business_id: BusinessId,
}

const EXPIRED: &str = "
    SELECT b.id, b.business_id FROM bookings b
    WHERE b.ends_at <= $1
      AND (b.customer_name <> '' OR b.customer_email <> '' OR b.customer_phone <> '' OR b.guests <> '[]')
      AND NOT EXISTS (
        SELECT 1 FROM booking_addresses n
        WHERE n.booking_id = b.id AND EXISTS (
            SELECT 1 FROM booking_addresses later
            WHERE later.business_id = n.business_id AND later.address_key = n.address_key AND later.ends_at > $1))
      AND NOT EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = b.id AND e.erased_at IS NULL)
    ORDER BY b.ends_at, b.id LIMIT $2";

/// Those whose people were last here before `before`, the first to end first, at most so many.
pub async fn expired_bookings(db: &Db, before: DateTime<Utc>, limit: u32) -> Result<Vec<ExpiredBooking>> {
    all!(db, EXPIRED, before, i64::from(limit))
}
