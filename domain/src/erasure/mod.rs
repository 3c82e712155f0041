//! Taking a person out of what is kept: which bookings, what of each stays, and how their traces are found elsewhere.
//!
//! Dates, resource, status and reference of a booking stay: they say nothing of who came. What is left of other records is
//! what [`redacted`] keeps; where nothing but a text tells whose record it is, [`PersonTraces`] finds it.

mod person;
mod redact;
mod sweep;

pub use self::{
    person::{ErasureTarget, PersonTraces, TraceSearch, is_distinctive},
    redact::{redacted, redacted_actor, redacted_history},
    sweep::{SweepCursor, SweptTable},
};
use crate::{
    booking::{Booking, BookingDraft, BookingStatus, Customer},
    invitation::{InvitationContent, SentInvitation},
    mail::MailAddress,
    words,
};

words! {
    /// What an erasure is done for.
    ErasureReason "Reason of an erasure." {
        /// Somebody asked for it.
        Request = "request",
        /// The bookings ended longer ago than customers' data is kept.
        Retention = "retention",
        /// It had been done before the database was restored from a backup.
        Restore = "restore",
    }
}

words! {
    /// How far an erasure is.
    ErasureState "Status of an erasure." {
        Running = "running",
        Done = "done",
    }
}

words! {
    /// What is taken out of a booking.
    ErasureScope "What is erased of a booking." {
        /// Everybody, and all that was written of them.
        Booking = "booking",
        /// One person, who is not its customer, or no longer.
        Person = "person",
    }
}

/// What is taken out of a booking for the person with that address: where they are its customer, everything.
pub fn scope_of(draft: &BookingDraft, address_key: &str) -> ErasureScope {
    if MailAddress::key_of(&draft.customer.email) == address_key {
        ErasureScope::Booking
    } else {
        ErasureScope::Person
    }
}

/// Whether somebody counts on the booking: it takes place, and is not over.
pub fn is_in_force(booking: &Booking, now: chrono::DateTime<chrono::Utc>) -> bool {
    let status = booking.draft.status;
    status.occupies() && status != BookingStatus::Completed && booking.interval.end > now
}

/// A booking without its people.
#[must_use]
pub fn without_people(draft: &BookingDraft) -> BookingDraft {
    let title = if is_named_after(draft) { String::new() } else { draft.title.clone() };
    BookingDraft {
        title,
        customer: Customer::default(),
        location: String::new(),
        notes: String::new(),
        meeting_url: String::new(),
        guests: Vec::new(),
        ..draft.clone()
    }
}

/// A booking without one of its guests; `None` for the address: without any. What was written besides goes where it names
/// them.
#[must_use]
pub fn without_guest(draft: &BookingDraft, address_key: Option<&str>, traces: &TraceSearch) -> BookingDraft {
    let clear = |text: &str| if traces.finds(text) { String::new() } else { text.to_owned() };
    let stays = |email: &str| address_key.is_some_and(|key| MailAddress::key_of(email) != key);
    BookingDraft {
        title: clear(&draft.title),
        notes: clear(&draft.notes),
        location: clear(&draft.location),
        guests: draft.guests.iter().filter(|guest| stays(&guest.email)).cloned().collect(),
        ..draft.clone()
    }
}

/// What an attendee was last sent, without what names somebody else. Their own calendar still says it: as it is not what the
/// booking says, the next change tells them all of it anew.
#[must_use]
pub fn sent_without(sent: &SentInvitation, traces: &TraceSearch) -> SentInvitation {
    let clear = |text: &str| if traces.finds(text) { String::new() } else { text.to_owned() };
    let content = InvitationContent {
        title: clear(&sent.content.title),
        place: clear(&sent.content.place),
        meeting_url: clear(&sent.content.meeting_url),
        ..sent.content.clone()
    };
    SentInvitation { content, ..sent.clone() }
}

/// Shorter words say nothing: "de", "of".
const SHORTEST_WORD: usize = 3;

/// Whether the title holds a word of a name, an address or a number of its people. Platforms write the guest's name there.
fn is_named_after(draft: &BookingDraft) -> bool {
    let title = draft.title.to_lowercase();
    let customer = &draft.customer;
    let guests = draft.guests.iter().flat_map(|guest| [&guest.name, &guest.email]);
    let texts = [&customer.name, &customer.email, &customer.phone].into_iter().chain(guests);
    texts.flat_map(|text| words_of(text)).any(|word| title.contains(&word))
}

fn words_of(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() >= SHORTEST_WORD).map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "erasure_tests.rs"]
mod tests;
