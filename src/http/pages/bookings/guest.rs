//! What a booking is called on pages: its guest by name, never a platform's stock phrase.

use concord_domain::{booking::Booking, platform::Platforms};
use concord_storage::occupancy::Overlap;

use crate::http::pages::{Pill, Tone, kind_label};

/// That a booking is in conflict with others; `None`: it is not.
pub(in crate::http::pages) fn overlap_pill(overlaps: Option<&Vec<Overlap>>) -> Option<Pill> {
    overlaps
        .filter(|overlaps| !overlaps.is_empty())
        .map(|_| Pill::new(Tone::Wrong, "Overlaps another booking"))
}

/// What a booking is called: its customer, or its title, or its kind.
pub(in crate::http::pages) fn guest_name(booking: &Booking, platforms: &Platforms) -> String {
    let (customer, title) = (platforms.guest_of(booking), platforms.title_of(booking));
    match (customer.as_str(), title) {
        ("", "") => kind_label(booking.draft.kind).to_owned(),
        ("", title) => title.to_owned(),
        _ => customer,
    }
}

/// What is written about a booking, without the line by which programs find a platform's event again.
pub(in crate::http::pages) fn guest_notes(booking: &Booking) -> &str {
    let notes = booking.draft.notes.trim();
    match notes.rsplit_once('\n').unwrap_or(("", notes)) {
        (before, last) if booking.channel.is_some() && last.starts_with("UID: ") => before.trim_end(),
        _ => notes,
    }
}

/// The title, where `name_of` is something else and the title is no platform's summary.
pub(in crate::http::pages) fn title_beside_name(booking: &Booking, platforms: &Platforms) -> String {
    let is_called_by_it = platforms.guest_of(booking).is_empty();
    if is_called_by_it { String::new() } else { platforms.title_of(booking).to_owned() }
}
