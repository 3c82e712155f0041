//! iCalendar (RFC 5545) as we write it, and as others do.
//!
//! `writer` knows the format's letter: escaping, folding, line ends. `property` knows the names and what kind of
//! value each takes. `feed` knows what a published calendar says, `entry_object` what an entry in a CalDAV calendar says,
//! with its zone as `timezone` describes it; `scheduling` is who is invited. `lint` is the judge of all that is written, and knows
//! nothing of the writer.
//!
//! What others write goes through `bytes` (one charset, no folds, limits), `component` (which lines are whose),
//! `content` (one line taken apart), `value`, `recur` and `zones` (what a time means) to the events of `calendar`, which
//! `read` makes; `rule` and `recurrence` say what of them takes place in a window; `windows` is the table of Windows'
//! zone names.
//!
//! To publish another fact: add its name to `property`, a field to `feed::FeedEvent`, the line that writes it, and a
//! snapshot.

mod bytes;
mod calendar;
mod component;
mod content;
#[cfg(test)]
mod corpus_differences;
#[cfg(test)]
mod corpus_tests;
pub mod entry_object;
pub mod feed;
#[cfg(test)]
mod fuzz_tests;
pub mod lint;
mod marks;
pub mod property;
mod read;
mod recur;
mod recurrence;
mod rule;
#[cfg(test)]
pub(crate) mod sample;
pub mod scheduling;
pub mod timezone;
mod value;
mod windows;
pub mod writer;
mod zones;

pub use calendar::{Calendar, Invited, ReadError, ReadEvent, ReadLimits, Warning};
pub use feed::FeedStatus;
pub use read::read;
pub use recurrence::{Occurrence, Recurrence};
pub use windows::{from_windows, windows_name};
pub use zones::{described_zone, named_zone};

use crate::ids::BookingId;

/// The UID of a booking, the same in every feed and every invitation, so that a reader that meets it twice knows
/// it again. `host` is the public name of this installation.
pub fn uid(booking: BookingId, host: &str) -> String {
    format!("booking-{booking}@{host}")
}
