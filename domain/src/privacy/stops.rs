//! What drivers read of the stops of their day.

use std::fmt::Write as _;

use chrono_tz::Tz;

use super::{
    EntryPrivacy, FeedPrivacy, MAX_DESCRIPTION, PublishedText, TextContext, busy, description, one_line,
    truncate, who,
};
use crate::{
    booking::{Booking, BookingTime},
    delivery_route::RouteStop,
    platform::Platforms,
};

/// What the entry of a delivery says to the driver of whose day it is a stop: when, where and to whom, where they come
/// from and go on to, and the whole day in order.
pub fn stop_text(stop: &RouteStop<'_>, names: TextContext<'_>, detail: EntryPrivacy) -> PublishedText {
    let (booking, round) = (stop.booking(), stop.round());
    let draft = &booking.draft;
    let all = round.stops().len();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Time: {}", time_window(booking, round.zone()));
    for (label, value) in [("Address", &draft.location), ("Delivery", &draft.title)] {
        if !value.trim().is_empty() {
            let _ = writeln!(text, "{label}: {}", one_line(value));
        }
    }
    let _ = writeln!(text, "{}", description(booking, names, detail));
    for (label, beside) in [("Before", stop.previous()), ("Next", stop.next())] {
        if let Some(beside) = beside {
            let _ = write!(text, "\n{label}: {}", stop_line(&beside, names, detail));
        }
    }
    if all > 1 {
        text.push_str("\n\nThe day:");
        for stop in round.stops().iter().filter_map(|one| round.stop(one.id)) {
            let _ = write!(text, "\n{}", stop_line(&stop, names, detail));
        }
    }
    PublishedText {
        title: one_line(&format!("Stop {} of {all}: {}", stop.number(), destination(booking, names, detail))),
        description: truncate(text.trim_end(), MAX_DESCRIPTION),
        location: one_line(&draft.location),
    }
}

/// "2. 10:00–10:30 Maria, Rua do Mar 7"
fn stop_line(stop: &RouteStop<'_>, names: TextContext<'_>, detail: EntryPrivacy) -> String {
    let (booking, zone) = (stop.booking(), stop.round().zone());
    one_line(&format!(
        "{}. {} {}",
        stop.number(),
        time_window(booking, zone),
        destination(booking, names, detail)
    ))
}

fn time_window(booking: &Booking, zone: Tz) -> String {
    match booking.draft.time {
        BookingTime::Stay { .. } => "all day".to_owned(),
        BookingTime::Timed { starts_at, ends_at } => {
            let clock =
                |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).format("%H:%M").to_string();
            format!("{}–{}", clock(starts_at), clock(ends_at))
        }
    }
}

/// "Maria, Rua do Mar 7": whom and where; what is delivered stands for a customer who is not known.
fn destination(booking: &Booking, names: TextContext<'_>, detail: EntryPrivacy) -> String {
    let draft = &booking.draft;
    let who = who(booking, names.platforms, detail);
    let whom = if who.is_empty() { names.platforms.title_of(booking) } else { &who };
    match (whom, draft.location.trim()) {
        ("", "") => names.resource.trim().to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (whom, place) => format!("{whom}, {place}"),
    }
}

/// What the feed of a driver says of a stop. Whom it is for and where it is a driver has to know, so only a busy feed
/// keeps it back.
pub fn stop_feed_text(stop: &RouteStop<'_>, names: TextContext<'_>, privacy: FeedPrivacy) -> PublishedText {
    privacy.detail().map_or_else(busy, |detail| stop_text(stop, names, detail))
}

/// What follows "Stop 2 of 5: ".
pub(super) fn after_stop_number(text: &str) -> Option<&str> {
    let (number, rest) = text.strip_prefix("Stop ")?.split_once(" of ")?;
    let (all, rest) = rest.split_once(':')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(number) && is_number(all)).then(|| rest.trim())
}

/// A stop is called by its customer and its place, which are not for a calendar to change; by its title only where
/// nobody knows the customer.
pub(super) fn title_in_stop(destination: &str, booking: &Booking, platforms: &Platforms) -> String {
    let title = platforms.title_of(booking);
    if !who(booking, platforms, EntryPrivacy::Full).is_empty() || title.is_empty() {
        return title.to_owned();
    }
    let place = booking.draft.location.trim();
    let rest = destination.strip_suffix(place).and_then(|rest| rest.trim_end().strip_suffix(','));
    rest.filter(|_| !place.is_empty()).unwrap_or(destination).trim().to_owned()
}
