//! What an attendee's calendar shall hold of a booking.

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    booking::{BookingDraft, BookingTime},
    words,
};

words! {
    /// In what capacity somebody comes.
    AttendeeRole "Attendee role." {
        /// Whose booking it is.
        Customer = "customer",
        /// Whom the customer brings.
        Guest = "guest",
    }
}

/// Who comes to a booking, each with their name and mail address as they were entered: the customer, who may have neither, and
/// then the guests.
pub fn named_attendees(draft: &BookingDraft) -> impl Iterator<Item = (AttendeeRole, &str, &str)> {
    let customer = (AttendeeRole::Customer, draft.customer.name.as_str(), draft.customer.email.as_str());
    let guests =
        draft.guests.iter().map(|guest| (AttendeeRole::Guest, guest.name.as_str(), guest.email.as_str()));
    std::iter::once(customer).chain(guests)
}

/// Whether any of those who come has an address to which an invitation can be sent.
pub fn has_address(draft: &BookingDraft) -> bool {
    named_attendees(draft).any(|(_, _, address)| !address.is_empty())
}

/// The facts that an attendee is sent. The words around them are made when a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationContent {
    /// SUMMARY, and so the mail's subject: what is booked, and with whom.
    pub title: String,
    #[serde(flatten)]
    pub time: BookingTime,
    /// Where; may be empty.
    pub place: String,
    /// Where the people meet by video; empty: nowhere.
    pub meeting_url: String,
    /// Who does the work, by name.
    pub staff: Vec<String>,
    pub party_size: Option<u32>,
    /// Whether it is asked for and not agreed on yet.
    pub tentative: bool,
}

impl InvitationContent {
    /// When it is over wherever its reader is: of a stay, at the end of the day of departure.
    pub fn ends_at(&self) -> DateTime<Utc> {
        match self.time {
            BookingTime::Timed { ends_at, .. } => ends_at,
            BookingTime::Stay { check_out, .. } => {
                (check_out + Days::new(1)).and_time(NaiveTime::MIN).and_utc()
            }
        }
    }

    /// Whether a person who has agreed to `self` has to be asked anew: SEQUENCE is raised (RFC 5546, 2.1.4).
    pub fn moves_to(&self, next: &Self) -> bool {
        self.time != next.time || self.place != next.place || self.meeting_url != next.meeting_url
    }
}
