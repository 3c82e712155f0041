//! Who comes to a booking, as far as they are written to: the customer and the guests, and what each was sent.
//!
//! The rows are made from the booking when its invitations are planned (`jobs::invitations`), or when somebody asks for
//! them; one who no longer comes keeps the row, since their calendar has to be told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    customer::CustomerAnswer,
    ids::{AttendeeId, BookingId, BusinessId, MailId},
    invitation::{AttendeeRole, SentInvitation, named_attendees},
    mail::{MailAddress, MailState},
};
use sqlx::types::Json;

use crate::{Db, Result, Tx};

/// Somebody who comes, or came, to a booking.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Attendee {
    pub id: AttendeeId,
    pub business_id: BusinessId,
    pub booking_id: BookingId,
    pub role: AttendeeRole,
    /// Full name; empty where nobody has said it.
    pub name: String,
    /// As it was entered.
    pub address: String,
    /// By what two spellings of it are known as one.
    pub address_key: String,
    /// Where their calendar sends its answer; `None`: not invited yet.
    pub organizer_address: Option<String>,
    /// The last message that reached them.
    #[sqlx(json(nullable))]
    pub sent: Option<SentInvitation>,
    /// Whether somebody wants them to be sent the invitation again.
    pub asked: bool,
    /// Whether somebody has invited them by hand, whatever the rule of the business is.
    pub invited_by_hand: bool,
    /// Why they are sent nothing, for people.
    pub problem: Option<String>,
    /// `None` while they come.
    pub removed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// What they answered; `None`: nothing yet.
    pub answer: Option<CustomerAnswer>,
    pub answered_at: Option<DateTime<Utc>>,
    /// Whether they want no reminders.
    pub reminders_off: bool,
}

impl Attendee {
    /// Their address as it stands in mails; what is none stays as it was entered.
    pub fn address_in_mail(&self) -> String {
        MailAddress::parse(&self.address)
            .map_or_else(|_| self.address.clone(), |address| address.as_str().to_owned())
    }

    /// Whether they are the customer, and still come.
    pub fn is_present_customer(&self) -> bool {
        self.role == AttendeeRole::Customer && self.removed_at.is_none()
    }
}

macro_rules! columns {
    () => {
        "id, business_id, booking_id, role, name, address, address_key, organizer_address, sent, asked,
         invited_by_hand, problem, removed_at, created_at, answer, answered_at, reminders_off"
    };
}

const EXIST: &str = "SELECT EXISTS (SELECT 1 FROM attendees WHERE booking_id = $1)";

/// Whether anybody was written to about the booking, or is to be.
pub(crate) async fn exist(tx: &mut Tx, booking: BookingId) -> Result<bool> {
    scalar!(tx, EXIST, booking)
}

const WAS_INVITED: &str = "
    SELECT EXISTS (SELECT 1 FROM attendees WHERE booking_id = $1 AND organizer_address IS NOT NULL)";

/// Whether anybody was sent an invitation to the booking, or is about to be.
pub(crate) async fn was_invited(tx: &mut Tx, booking: BookingId) -> Result<bool> {
    scalar!(tx, WAS_INVITED, booking)
}

const WANTS_NO_REMINDERS: &str = "
    SELECT EXISTS (SELECT 1 FROM attendees
        WHERE booking_id = $1 AND address_key = $2 AND removed_at IS NULL AND reminders_off)";

/// Whether the customer of a booking has turned its reminders off.
pub async fn wants_no_reminders(tx: &mut Tx, booking: &Booking) -> Result<bool> {
    scalar!(tx, WANTS_NO_REMINDERS, booking.id, MailAddress::key_of(&booking.draft.customer.email))
}

const OF_BOOKING: &str =
    select!("FROM attendees WHERE business_id = $1 AND booking_id = $2 ORDER BY role, address_key");

/// Those of a booking, the customer first; also those who no longer come.
pub async fn of_booking(db: &Db, business: BusinessId, booking: BookingId) -> Result<Vec<Attendee>> {
    all!(db, OF_BOOKING, business, booking)
}

const OF_REPLIED_BOOKING: &str = select!("FROM attendees WHERE booking_id = $1 ORDER BY role, address_key");

/// The same of a booking that a reply names, whose business is not known yet.
pub async fn of_replied_booking(db: &Db, booking: BookingId) -> Result<Vec<Attendee>> {
    all!(db, OF_REPLIED_BOOKING, booking)
}

const FIND_BY_TOKEN: &str = select!("FROM attendees WHERE token_hash = $1 AND removed_at IS NULL");

/// The attendee whose page has the token with this digest; `None`: nobody who still comes.
pub async fn find_by_token(db: &Db, digest: &str) -> Result<Option<Attendee>> {
    optional!(db, FIND_BY_TOKEN, digest)
}

const OF_ADDRESS: &str = select!(
    "FROM attendees WHERE business_id = $1 AND address_key = $2 AND removed_at IS NULL
     ORDER BY (SELECT b.starts_at FROM bookings b WHERE b.id = attendees.booking_id) DESC, booking_id LIMIT 200"
);

/// Those of an address in all bookings to which it comes, the last to begin first, at most 200.
pub async fn of_address(db: &Db, business: BusinessId, address_key: &str) -> Result<Vec<Attendee>> {
    all!(db, OF_ADDRESS, business, address_key)
}

const ADD: &str = "
    INSERT INTO attendees (id, business_id, booking_id, role, name, address, address_key, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (booking_id, address_key) DO UPDATE SET
        role = excluded.role, name = excluded.name, address = excluded.address, removed_at = NULL,
        invited_by_hand = (attendees.invited_by_hand AND attendees.removed_at IS NULL),
        token_hash = CASE WHEN attendees.address_key = '' THEN NULL ELSE attendees.token_hash END,
        token_sealed = CASE WHEN attendees.address_key = '' THEN NULL ELSE attendees.token_sealed END,
        answer = CASE WHEN attendees.address_key = '' OR attendees.removed_at IS NOT NULL THEN NULL
            ELSE attendees.answer END,
        answered_at = CASE WHEN attendees.address_key = '' OR attendees.removed_at IS NOT NULL THEN NULL
            ELSE attendees.answered_at END";
const REMOVE: &str = "UPDATE attendees SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";

/// Makes the rows those of whom the booking names by now, and returns them as `of_booking` does. A customer without an
/// address has one too: they have a page. The caller holds the booking (`bookings::hold`).
pub async fn reconcile(tx: &mut Tx, booking: &Booking, now: DateTime<Utc>) -> Result<Vec<Attendee>> {
    let mut named = BTreeMap::new();
    for (role, name, address) in named_attendees(&booking.draft) {
        named.entry(MailAddress::key_of(address)).or_insert((role, name, address));
    }
    let known: Vec<Attendee> = all!(tx, OF_BOOKING, booking.business, booking.id)?;
    let mut is_changed = false;
    for (key, (role, name, address)) in &named {
        let is_known = known.iter().any(|one| {
            (&one.address_key, one.role, one.name.as_str(), one.address.as_str(), one.removed_at)
                == (key, *role, *name, *address, None)
        });
        // One without an address is known by the name alone: another name is another person, with a page of their own.
        if !is_known {
            exec!(tx, ADD; AttendeeId::new(now), booking.business, booking.id, *role, *name, *address, key, now)?;
            is_changed = true;
        }
    }
    for one in known.iter().filter(|one| one.removed_at.is_none() && !named.contains_key(&one.address_key)) {
        exec!(tx, REMOVE, one.id, now)?;
        is_changed = true;
    }
    if !is_changed {
        return Ok(known);
    }
    all!(tx, OF_BOOKING, booking.business, booking.id)
}

const ASK: &str = "
    UPDATE attendees SET asked = $3, invited_by_hand = $3 WHERE business_id = $1 AND booking_id = $2 AND removed_at IS NULL";

/// Notes that somebody wants all who come to be sent the invitation again. Returns how many those are.
pub async fn ask(tx: &mut Tx, business: BusinessId, booking: BookingId) -> Result<u64> {
    changed!(tx, ASK, business, booking, true)
}

/// What was decided about an attendee.
#[derive(Clone, Copy, Debug)]
pub struct PlannedInvitation<'a> {
    /// Where their calendar sends its answer, once they are invited.
    pub organizer_address: Option<&'a str>,
    /// Why they are sent nothing, for people.
    pub problem: Option<&'a str>,
    /// Whether what they have answered is no answer to what they are sent now.
    pub asks_anew: bool,
}

const PLANNED: &str = "
    UPDATE attendees SET asked = $2, organizer_address = COALESCE(organizer_address, $3), problem = $4,
        answer = CASE WHEN $5 THEN NULL ELSE answer END, answered_at = CASE WHEN $5 THEN NULL ELSE answered_at END
    WHERE id = $1";

/// Writes it down; what somebody asked for is done by it.
pub async fn record_planned(tx: &mut Tx, id: AttendeeId, planned: PlannedInvitation<'_>) -> Result<()> {
    exec!(tx, PLANNED, id, false, planned.organizer_address, planned.problem, planned.asks_anew)
}

/// A mail to an attendee that was not sent, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct UnsentInvitation {
    pub id: MailId,
    /// `Waiting`: it has not left, and can be taken back. `Sending`: it may have.
    pub state: MailState,
    /// What it does to their calendar.
    #[sqlx(json)]
    pub invitation: SentInvitation,
}

const UNSENT: &str = "
    SELECT id, state, invitation FROM mails
    WHERE attendee_id = $1 AND state IN ('waiting', 'sending') ORDER BY created_at, id";

/// Those of an attendee, oldest first.
pub async fn unsent(tx: &mut Tx, id: AttendeeId) -> Result<Vec<UnsentInvitation>> {
    all!(tx, UNSENT, id)
}

const SENDING: &str = "
    SELECT id, state, invitation FROM mails
    WHERE attendee_id = $1 AND state = 'sending' ORDER BY created_at DESC, id DESC LIMIT 1";

/// The newest of those that may have reached an attendee.
pub async fn sending(db: &Db, id: AttendeeId) -> Result<Option<UnsentInvitation>> {
    optional!(db, SENDING, id)
}

const WITHDRAW: &str = "DELETE FROM mails WHERE id = $1 AND state = 'waiting'";

/// Takes a mail back that has not left. Returns `false` if it has meanwhile.
pub async fn withdraw(tx: &mut Tx, mail: MailId) -> Result<bool> {
    Ok(changed!(tx, WITHDRAW, mail)? == 1)
}

const SENT: &str = "SELECT sent FROM attendees WHERE id = $1";
const RECORD_SENT: &str = "UPDATE attendees SET sent = $2 WHERE id = $1";

/// A mail server has taken the message to them. One that is older than what they have, sent again by hand, changes nothing: their
/// calendar passes it over too.
pub(crate) async fn record_sent(tx: &mut Tx, id: AttendeeId, invitation: &SentInvitation) -> Result<()> {
    let known: Option<Option<Json<SentInvitation>>> = optional_scalar!(tx, SENT, id)?;
    // Somebody who was erased meanwhile.
    let Some(known) = known else { return Ok(()) };
    if known.is_some_and(|Json(known)| known.rank() >= invitation.rank()) {
        return Ok(());
    }
    exec!(tx, RECORD_SENT, id, Json(invitation))
}

/// How an attendee's invitation stands: the newest mail to them.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct InvitationMail {
    pub attendee_id: AttendeeId,
    pub id: MailId,
    pub state: MailState,
    #[sqlx(json)]
    pub invitation: SentInvitation,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// Why the last try failed, for people.
    pub last_error: Option<String>,
}

const MAILS: &str = "
    SELECT m.attendee_id, m.id, m.state, m.invitation, m.created_at, m.sent_at, m.last_error
    FROM attendees a JOIN mails m ON m.attendee_id = a.id
    WHERE a.business_id = $1 AND a.booking_id = $2 ORDER BY m.created_at DESC, m.id DESC LIMIT 200";

/// The invitations of a booking as they were mailed, newest first, at most 200.
pub async fn mails(db: &Db, business: BusinessId, booking: BookingId) -> Result<Vec<InvitationMail>> {
    all!(db, MAILS, business, booking)
}
