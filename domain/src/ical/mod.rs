//! iCalendar (RFC 5545) as we write it, and as others do.
//!
//! `writer` knows the format's letter: escaping, folding, line ends. `property` knows the names and what kind of
//! value each takes. `feed` knows what a published calendar says, `entry_object` what an entry in a CalDAV calendar says,
//! with its zone as `timezone` describes it; `itip` what an invitation says, and `scheduling` who is invited. `lint` is the judge of all that is written, and knows
//! nothing of the writer.
//!
//! What others write goes through `unfold` (one charset, no folds, `limits`), `property_line` (one line taken apart),
//! `objects` (which lines are whose), `date_time`, `zones` and `values` (what a time means) to the events of `calendar`,
//! which `reader` makes of `event_properties`; `raw` is an object as it is written, to change some of it and leave the
//! rest; `reply` is what a calendar answers to an invitation; `recur_text`, `recurrence_rule` and `recurrence` say what of them takes place in a window; `windows_zones` is
//! the table of Windows' zone names. Each of them takes only from those named before it.
//!
//! To publish another fact: add its name to `property`, a field to `feed::FeedEvent`, the line that writes it, and a
//! snapshot.

mod calendar;
#[cfg(test)]
mod corpus_differences;
#[cfg(test)]
mod corpus_tests;
mod date_time;
pub mod entry_object;
mod escaping;
mod event_properties;
pub mod feed;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod fuzz_tests;
pub mod itip;
mod limits;
pub mod lint;
mod objects;
pub mod property;
mod property_line;
pub mod raw;
mod reader;
mod recur_text;
mod recurrence;
mod recurrence_rule;
pub mod reply;
pub mod scheduling;
pub mod timezone;
mod unfold;
mod values;
mod windows_zones;
pub mod writer;
mod zones;

pub use calendar::{AttendeeStatus, ParsedCalendar, ReadEvent, Recurrence};
pub use feed::FeedStatus;
pub use limits::{ReadError, ReadLimits, Warning};
pub use reader::read;
pub use recurrence::Occurrence;
pub(crate) use recurrence::recurrence_id_text;
pub use windows_zones::{from_windows, windows_name};
pub use zones::{described_zone, named_zone};

use crate::ids::BookingId;

/// The UID of a booking, the same in every feed and every invitation, so that a reader that meets it twice knows
/// it again. `host` is the public name of this installation.
pub fn uid(booking: BookingId, host: &str) -> String {
    format!("booking-{booking}@{host}")
}

/// The booking whose UID this is, or holds: platforms put words of their own before and after what they read.
pub fn booking_of(uid: &str) -> Option<BookingId> {
    const LENGTH: usize = 36;
    uid.match_indices("booking-").find_map(|(at, before)| {
        let rest = uid.get(at + before.len()..)?;
        let id = rest.get(..LENGTH).filter(|_| rest[LENGTH..].starts_with('@'))?;
        id.parse().ok().map(BookingId)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_uid_is_known_in_every_wrapping() {
        let id = BookingId(uuid::Uuid::from_u128(5));
        let own = uid(id, "book.example");
        for text in [own.clone(), format!("imported-{own}"), format!("{own}-2"), format!("booking-{own}")] {
            assert_eq!(booking_of(&text), Some(id), "{text}");
        }
        for text in [
            "",
            "booking-",
            "booking-5@book.example",
            "BOOKING",
            "booking-00000000-0000-0000-0000-000000000005",
        ] {
            assert_eq!(booking_of(text), None, "{text}");
        }
        assert_eq!(booking_of(&format!("booking-{}ä", "0".repeat(35))), None);
    }
}
