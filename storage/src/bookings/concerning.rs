//! The bookings that concern a connection.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId, ConnectionId},
    interval::Interval,
};

use super::read::{all_with_staff, booking_columns, select_booking};
use crate::{Db, Result, connections::covers};

// What is still to come is found by its end, and what waits by its entry: the past is not walked.
const LIST_FOR_CONNECTION: &str = select_booking!(
    " WHERE b.business_id = $1 AND b.id IN (
        SELECT e.booking_id FROM entries e
        WHERE e.connection_id = $2 AND e.state IN ('pending', 'failed') AND e.booking_id > $4
        UNION
        SELECT t.id FROM bookings t
        WHERE t.business_id = $1 AND t.ends_at > $3 AND t.id > $4 AND (
            EXISTS (SELECT 1 FROM entries e WHERE e.booking_id = t.id AND e.connection_id = $2)
            OR (t.status NOT IN ('cancelled', 'no_show') AND EXISTS (
                SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
                WHERE c.id = $2 AND c.business_id = $1 AND c.direction IN ('out', 'both')
                  AND ((p.archived_at IS NULL AND ",
    covers!("c", "p", "t.kind"),
    ") OR ((c.is_default OR ",
    covers!("c", "p", "t.kind"),
    ") AND EXISTS (
                        SELECT 1 FROM booking_staff s WHERE s.booking_id = t.id AND s.staff_id = c.staff_id)))))))
    ORDER BY b.id LIMIT $5"
);

/// Bookings still to come that a connection should hold or has an entry of, and those of which something waits, in order
/// of their ids after `after`.
pub async fn concerning(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    now: DateTime<Utc>,
    after: BookingId,
    limit: u32,
) -> Result<Vec<Booking>> {
    all_with_staff(db, all!(db, LIST_FOR_CONNECTION, business, connection, now, after, i64::from(limit))?)
        .await
}

const LIST_FOR_ROUND: &str = select_booking!(
    "
    WHERE b.business_id = $1 AND b.kind = 'delivery' AND b.status NOT IN ('cancelled', 'no_show')
      AND b.starts_at >= $3 AND b.starts_at < $4 AND EXISTS (
        SELECT 1 FROM connections c JOIN staff p ON p.id = c.staff_id
        WHERE c.id = $2 AND c.business_id = $1 AND ((c.coverage = 'trade' AND p.trade = 'driver') OR EXISTS (
            SELECT 1 FROM booking_staff s WHERE s.booking_id = b.id AND s.staff_id = c.staff_id)))
    ORDER BY b.starts_at, b.reference"
);

/// The deliveries of a day that the owner of a connection drives: those that they are assigned to, or all where their
/// calendar gets all of their trade.
pub async fn round(
    db: &Db,
    business: BusinessId,
    connection: ConnectionId,
    day: Interval,
) -> Result<Vec<Booking>> {
    all_with_staff(db, all!(db, LIST_FOR_ROUND, business, connection, day.start, day.end)?).await
}
