//! What a person's export has that nothing else reads.

use chrono::{DateTime, Utc};
use concord_domain::{
    customer::CustomerAnswer,
    ids::{BookingId, BusinessId},
    invitation::{AttendeeRole, SentInvitation},
    mail::{MailKind, MailState},
};
use sqlx::types::Json;

use crate::{Db, Result};

/// Somebody who comes, or came, to a booking.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct ExportedAttendee {
    pub role: AttendeeRole,
    pub name: String,
    pub address: String,
    pub address_key: String,
    /// What the last message that reached them says.
    pub sent: Option<Json<SentInvitation>>,
    pub answer: Option<CustomerAnswer>,
    pub answered_at: Option<DateTime<Utc>>,
    pub reminders_off: bool,
    /// Whether they have a page of the booking.
    pub has_page: bool,
    pub removed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

const ATTENDEES: &str = "
    SELECT role, name, address, address_key, sent, answer, answered_at, reminders_off, token_hash IS NOT NULL AS has_page,
        removed_at, created_at
    FROM attendees WHERE business_id = $1 AND booking_id = $2 ORDER BY role, address_key";

/// Those of a booking.
pub async fn attendees_of_booking(
    db: &Db,
    business: BusinessId,
    booking: BookingId,
) -> Result<Vec<ExportedAttendee>> {
    all!(db, ATTENDEES, business, booking)
}

/// A mail to somebody who comes to a booking.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ExportedMail {
    pub kind: MailKind,
    pub to_address: String,
    pub subject: String,
    pub state: MailState,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

const MAILS: &str = "
    SELECT m.kind, m.to_address, m.subject, m.state, m.created_at, m.sent_at
    FROM attendees a JOIN mails m ON m.attendee_id = a.id
    WHERE a.business_id = $1 AND a.booking_id = $2
    UNION ALL
    SELECT m.kind, m.to_address, m.subject, m.state, m.created_at, m.sent_at
    FROM reminders r JOIN mails m ON m.reminder_id = r.id
    WHERE r.business_id = $1 AND r.booking_id = $2 AND m.attendee_id IS NULL
    ORDER BY created_at, subject";

/// The mails about a booking, the first first: invitations and reminders.
pub async fn mails_of_booking(
    db: &Db,
    business: BusinessId,
    booking: BookingId,
) -> Result<Vec<ExportedMail>> {
    all!(db, MAILS, business, booking)
}
