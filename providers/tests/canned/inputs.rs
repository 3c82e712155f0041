//! What every provider is asked with, and what came of it in a word.

use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryTime},
    ids::{BookingId, EntryId},
    interval::Interval,
};
use concord_providers::ProviderError;

/// The stretch of a calendar that is read.
pub(crate) fn window() -> Interval {
    Interval::new("2026-03-01T00:00:00Z".parse().unwrap(), "2026-04-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// An entry that takes up all of it.
pub(crate) fn content() -> EntryContent {
    let now = window().start;
    EntryContent {
        booking: BookingId::new(now),
        entry: EntryId::new(now),
        title: "Massage".to_owned(),
        description: String::new(),
        location: String::new(),
        time: EntryTime::Timed { starts_at: window().start, ends_at: window().end, zone: Tz::UTC },
        colour: None,
        tentative: false,
        busy: true,
        reminders: Vec::new(),
    }
}

/// The code of an error, or `ok`.
pub(crate) fn code<T>(outcome: Result<T, ProviderError>) -> &'static str {
    outcome.map_or_else(|error| error.code(), |_| "ok")
}
