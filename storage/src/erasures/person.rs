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
    INSERT INTO booking_addresses (booking_id, address_key, business_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

/// Notes whom a booking names, by their addresses; it stays noted whom it named before, since the history still says so.
pub(crate) async fn note_addresses(tx: &mut Tx, booking: &Booking) -> Result<()> {
    for (_, _, email) in named_attendees(&booking.draft).filter(|(.., email)| !email.is_empty()) {
        exec!(tx, NOTE_ADDRESS, booking.id, MailAddress::key_of(email), booking.business)?;
    }
    Ok(())
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
// What may have left is not handed over once more.
const EXPIRE: &str = "UPDATE mails SET useful_until = $2 WHERE attendee_id = $1 AND state = 'sending'";

/// Takes back the mails to somebody that have not left.
pub async fn withdraw_mails(tx: &mut Tx, attendee: AttendeeId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, WITHDRAW, attendee)?;
    exec!(tx, EXPIRE, attendee, now)
}
