//! What a booking is called on pages: its guest by name, never a platform's stock phrase.

use concord_domain::{
    booking::Booking,
    platform::{Platform, Platforms},
};
use concord_storage::occupancy::Overlap;

use super::super::pieces::{Pill, Tone, kind_label};

/// That a booking is in conflict with others; `None`: it is not.
pub(in crate::http::pages) fn overlap_pill(overlaps: Option<&Vec<Overlap>>) -> Option<Pill> {
    overlaps
        .filter(|overlaps| !overlaps.is_empty())
        .map(|_| Pill::new(Tone::Wrong, "Overlaps another booking"))
}

/// What a booking is called: its customer, or its title, or its kind.
pub(in crate::http::pages) fn name_of(booking: &Booking, platforms: &Platforms) -> String {
    let (customer, title) = (customer_of(booking, platforms), booking.draft.title.trim());
    match (customer.as_str(), title) {
        ("", "") => kind_label(booking.draft.kind).to_owned(),
        ("", title) => title.to_owned(),
        _ => customer,
    }
}

/// The customer's name. A platform's bookings have it as `airbnb: Reserved`, for programs.
pub(in crate::http::pages) fn customer_of(booking: &Booking, platforms: &Platforms) -> String {
    let name = booking.draft.customer.name.trim();
    match from_platform(booking, platforms) {
        Some((platform, summary)) => platform.guest_label(summary),
        None => name.to_owned(),
    }
}

/// The title, where `name_of` is something else and the title is no platform's summary.
pub(in crate::http::pages) fn title_beside_name(booking: &Booking, platforms: &Platforms) -> String {
    let draft = &booking.draft;
    let is_summary =
        from_platform(booking, platforms).is_some_and(|(_, summary)| summary == draft.title.trim());
    if is_summary || draft.customer.name.trim().is_empty() {
        String::new()
    } else {
        draft.title.trim().to_owned()
    }
}

/// The platform that named the customer, and in which words.
fn from_platform<'a>(booking: &'a Booking, platforms: &'a Platforms) -> Option<(&'a Platform, &'a str)> {
    let (id, summary) = booking.draft.customer.name.trim().split_once(": ")?;
    let platform = platforms.find(id).filter(|platform| platform.id.as_str() == id)?;
    (booking.draft.source == id || booking.channel.is_some()).then_some((platform, summary.trim()))
}
