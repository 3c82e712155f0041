//! Which bookings are a person's.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{AttendeeId, BookingId, BusinessId},
    invitation::named_attendees,
    mail::MailAddress,
};

use crate::{Db, Result, Tx};

const NOTE_ADDRESS: &str = "
    INSERT INTO booking_addresses (booking_id, address_key, business_id, ends_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING";
const NOTE_END: &str = "UPDATE booking_addresses SET ends_at = $2 WHERE booking_id = $1 AND ends_at <> $2";

/// Notes whom a booking names, by their addresses; it stays noted whom it named before, since the history still says so.
pub(crate) async fn note_addresses(tx: &mut Tx, booking: &Booking) -> Result<()> {
    let end = booking.interval.end;
    for (_, _, email) in named_attendees(&booking.draft).filter(|(.., email)| !email.is_empty()) {
        exec!(tx, NOTE_ADDRESS, booking.id, MailAddress::key_of(email), booking.business, end)?;
    }
    // Those of before as well; a new one has none.
    if booking.version > 1 {
        exec!(tx, NOTE_END, booking.id, end)?;
    }
    Ok(())
}

const WITH_FORMER_KEY: &str = "
    SELECT booking_id, address_key FROM booking_addresses WHERE has_former_key ORDER BY booking_id, address_key LIMIT $1";
const COPY_ADDRESS: &str = "
    INSERT INTO booking_addresses (booking_id, address_key, business_id, ends_at)
    SELECT booking_id, $3, business_id, ends_at FROM booking_addresses WHERE booking_id = $1 AND address_key = $2
    ON CONFLICT DO NOTHING";
const FORGET_ADDRESS: &str = "DELETE FROM booking_addresses WHERE booking_id = $1 AND address_key = $2";
const KEEP_KEY: &str =
    "UPDATE booking_addresses SET has_former_key = FALSE WHERE booking_id = $1 AND address_key = $2";

/// Gives addresses that an earlier version has noted the keys by which they are looked up, at most so many. Returns how many it
/// has seen to: none are left where these are fewer.
pub async fn repair_address_keys(tx: &mut Tx, limit: u32) -> Result<usize> {
    let rows: Vec<(BookingId, String)> = all!(tx, WITH_FORMER_KEY, i64::from(limit))?;
    for (booking, former) in &rows {
        let key = MailAddress::key_of(former);
        if key == *former {
            exec!(tx, KEEP_KEY, booking, former)?;
        } else {
            exec!(tx, COPY_ADDRESS, booking, former, key)?;
            exec!(tx, FORGET_ADDRESS, booking, former)?;
        }
    }
    Ok(rows.len())
}

/// A booking that names somebody, or has named them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct PersonBooking {
    pub booking_id: BookingId,
    /// Their row, if they have one.
    pub attendee_id: Option<AttendeeId>,
}

const OF_ADDRESS: &str = "
    SELECT n.booking_id, a.id AS attendee_id FROM booking_addresses n
    LEFT JOIN attendees a ON a.booking_id = n.booking_id AND a.address_key = n.address_key
    WHERE n.business_id = $1 AND n.address_key = $2 ORDER BY n.booking_id";

/// The bookings of an address, as the customer's or as a guest's, now or before; the first that was made first.
pub async fn bookings_of_address(
    db: &Db,
    business: BusinessId,
    address_key: &str,
) -> Result<Vec<PersonBooking>> {
    all!(db, OF_ADDRESS, business, address_key)
}

const REVOKE_PORTALS: &str = "DELETE FROM portal_links WHERE business_id = $1 AND address_key = $2";

/// Ends the links to all bookings of an address.
pub async fn revoke_portals(tx: &mut Tx, business: BusinessId, address_key: &str) -> Result<()> {
    exec!(tx, REVOKE_PORTALS, business, address_key)
}

pub(super) const WITHDRAW: &str = "DELETE FROM mails WHERE attendee_id = $1 AND state = 'waiting'";
const WITHDRAW_OF_ADDRESS: &str = "
    DELETE FROM mails WHERE state = 'waiting'
      AND attendee_id IN (SELECT id FROM attendees WHERE business_id = $1 AND address_key = $2)";
// What may have left is not handed over once more.
const EXPIRE_OF_ADDRESS: &str = "
    UPDATE mails SET useful_until = $3 WHERE state = 'sending'
      AND attendee_id IN (SELECT id FROM attendees WHERE business_id = $1 AND address_key = $2)";

/// Takes back the mails to an address that have not left, of however many bookings.
pub async fn withdraw_mails(
    tx: &mut Tx,
    business: BusinessId,
    address_key: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, WITHDRAW_OF_ADDRESS, business, address_key)?;
    exec!(tx, EXPIRE_OF_ADDRESS, business, address_key, now)
}
