//! What calendars and feeds tell of a booking.
//!
//! An entry in a staff member's calendar and an event of a feed are both read by people and programs that Concord
//! does not know. So their texts are made here and nowhere else, from the business's own choice of privacy.

use std::fmt::Write as _;

use crate::{
    booking::{Booking, BookingKind},
    platform::Platforms,
    words,
};

mod stops;

use stops::{after_stop_number, title_in_stop};
pub use stops::{stop_feed_text, stop_text};

words! {
    /// What a published feed tells its readers.
    FeedPrivacy "Feed privacy." {
        /// That the time is taken; the default for platforms.
        Busy = "busy",
        /// Title, resource, reference and first name.
        Title = "title",
        /// All that the people who serve the customer need.
        Full = "full",
    }
}

words! {
    /// What an entry in a connected calendar tells.
    EntryPrivacy "Privacy of entries in connected calendars." {
        /// Title, resource, reference and first name.
        Minimal = "minimal",
        /// All that the people who serve the customer need.
        Full = "full",
    }
}

impl FeedPrivacy {
    /// How much an entry tells that tells as much; `None`: only that the time is taken.
    fn detail(self) -> Option<EntryPrivacy> {
        match self {
            Self::Busy => None,
            Self::Title => Some(EntryPrivacy::Minimal),
            Self::Full => Some(EntryPrivacy::Full),
        }
    }
}

impl EntryPrivacy {
    /// Whether something that `other` tells is not told.
    pub fn is_stricter_than(self, other: Self) -> bool {
        self == Self::Minimal && other == Self::Full
    }
}

/// What the texts of a booking call by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextContext<'a> {
    /// What the guests of platforms are called.
    pub platforms: &'a Platforms,
    /// The booked resource's name.
    pub resource: &'a str,
    pub business: &'a str,
}

/// The texts that go out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedText {
    pub title: String,
    /// Plain text, lines separated by `\n`; may be empty.
    pub description: String,
    /// Where; may be empty.
    pub location: String,
}

/// All that a busy feed says of any booking: not even whether it is a stay, a repair or a block.
pub const BUSY: &str = "Busy";

/// Longest description, in characters: calendars cut or refuse more than 8,192 (reported for Google).
pub const MAX_DESCRIPTION: usize = 8_000;

/// What the entry in a connected calendar says of `booking`.
///
/// The place is told at every level: it is where the calendar's owner has to go.
pub fn entry_text(booking: &Booking, names: TextContext<'_>, detail: EntryPrivacy) -> PublishedText {
    let mut said = published_text(booking, names, detail);
    // Who repairs wants to know first where to go.
    if booking.draft.kind == BookingKind::Maintenance {
        said.location = place(booking, names.resource);
        said.description =
            truncate(&format!("Place: {}\n{}", said.location, said.description), MAX_DESCRIPTION);
    }
    said
}

fn published_text(booking: &Booking, names: TextContext<'_>, detail: EntryPrivacy) -> PublishedText {
    PublishedText {
        title: title_text(booking, names, detail),
        description: description(booking, names, detail),
        location: one_line(&booking.draft.location),
    }
}

/// Where a technician has to go.
fn place(booking: &Booking, resource: &str) -> String {
    let place = booking.draft.location.trim();
    one_line(if place.is_empty() { resource } else { place })
}

/// What a feed says of `booking`. The place may be the customer's home, so only a full feed tells it.
pub fn feed_text(booking: &Booking, names: TextContext<'_>, privacy: FeedPrivacy) -> PublishedText {
    let Some(detail) = privacy.detail() else { return busy() };
    let text = published_text(booking, names, detail);
    if privacy == FeedPrivacy::Full { text } else { PublishedText { location: String::new(), ..text } }
}

/// All that a busy feed says.
fn busy() -> PublishedText {
    PublishedText { title: BUSY.to_owned(), ..PublishedText::default() }
}

/// What a list of guests says of `booking`: "Booking: Maria", and what is known of her, each fact a line. How she is
/// reached only a full list tells.
pub fn guest_feed_text(booking: &Booking, names: TextContext<'_>, privacy: FeedPrivacy) -> PublishedText {
    let Some(detail) = privacy.detail() else { return busy() };
    let (draft, full) = (&booking.draft, detail == EntryPrivacy::Full);
    let (guest, title) = (who(booking, names.platforms, detail), names.platforms.title_of(booking));
    let guest = guest.as_str();
    let named = if draft.kind == BookingKind::Booking { [guest, title] } else { [title, guest] };
    let known = named.into_iter().map(str::trim).find(|text| !text.is_empty());
    let title = known.unwrap_or(names.resource.trim());
    let guests = draft.party_size.map(|size| size.to_string()).unwrap_or_default();
    let text = lines(&[
        ("Guest", guest, true),
        ("Email", &draft.customer.email, full),
        ("Phone", &draft.customer.phone, full),
        ("Guests", &guests, true),
        ("Status", &draft.status.to_string(), true),
        ("Booking ID", &booking.id.to_string(), true),
    ]);
    PublishedText {
        title: one_line(&format!("{}: {title}", kind_label(draft.kind))),
        description: truncate(text.trim_end(), MAX_DESCRIPTION),
        location: String::new(),
    }
}

/// "Sea View — Maria (Two nights)" for a customer's booking, "Maintenance: Boiler" for the rest.
fn title_text(booking: &Booking, names: TextContext<'_>, detail: EntryPrivacy) -> String {
    let draft = &booking.draft;
    let (title, resource) = (names.platforms.title_of(booking), names.resource.trim());
    let text = if draft.kind == BookingKind::Booking {
        let who = who(booking, names.platforms, detail);
        let subject = match (who.as_str(), title) {
            ("", "") => kind_label(draft.kind).to_owned(),
            ("", title) => title.to_owned(),
            (who, "") => who.to_owned(),
            (who, title) if who == title => who.to_owned(),
            (who, title) => format!("{who} ({title})"),
        };
        if resource.is_empty() { subject } else { format!("{resource} — {subject}") }
    } else {
        let subject = if title.is_empty() { resource } else { title };
        format!("{}: {subject}", kind_label(draft.kind))
    };
    one_line(&text)
}

/// The booking's title that a person meant who wrote `text` over the title of its entry: what is left of it without the
/// words that `headline` puts around.
pub(crate) fn title_in_entry(text: &str, booking: &Booking, platforms: &Platforms, resource: &str) -> String {
    let text = one_line(text);
    let mut rest = text.as_str();
    if let Some(marked) =
        rest.strip_prefix(booking.draft.status.label()).and_then(|rest| rest.strip_prefix(": "))
    {
        rest = marked;
    }
    if let Some(destination) = after_stop_number(rest).filter(|_| booking.draft.kind == BookingKind::Delivery)
    {
        return title_in_stop(destination, booking, platforms);
    }
    if booking.draft.kind != BookingKind::Booking {
        let kind = kind_label(booking.draft.kind);
        rest = rest.strip_prefix(kind).map_or(rest, |rest| rest.strip_prefix(':').unwrap_or(rest));
        let rest = rest.trim();
        return if rest == resource.trim() { String::new() } else { rest.to_owned() };
    }
    if let Some(after) = rest.strip_prefix(resource.trim()) {
        rest = after.trim_start().strip_prefix('—').unwrap_or(rest);
    }
    let rest = rest.trim();
    for who in [who(booking, platforms, EntryPrivacy::Full), who(booking, platforms, EntryPrivacy::Minimal)] {
        let Some(after) = rest.strip_prefix(who.as_str()).filter(|_| !who.is_empty()) else { continue };
        if after.is_empty() {
            return String::new();
        }
        let inner = after.strip_prefix(" (").and_then(|after| after.strip_suffix(')'));
        if let Some(inner) = inner {
            return inner.trim().to_owned();
        }
    }
    // The name was written over, and not the title behind it.
    let title = platforms.title_of(booking);
    if !title.is_empty() && rest.ends_with(&format!(" ({title})")) {
        return title.to_owned();
    }
    if rest == kind_label(booking.draft.kind) { String::new() } else { rest.to_owned() }
}

/// A plain list of what is known, empty fields left out; the notes last, since they may have lines of their own.
fn description(booking: &Booking, names: TextContext<'_>, detail: EntryPrivacy) -> String {
    let draft = &booking.draft;
    let full = detail == EntryPrivacy::Full;
    let people = draft.party_size.map(|size| size.to_string()).unwrap_or_default();
    let units = if draft.quantity > 1 { draft.quantity.to_string() } else { String::new() };
    let mut text = lines(&[
        ("Reference", booking.reference.as_str(), true),
        ("Resource", names.resource, true),
        ("Customer", &who(booking, names.platforms, detail), true),
        ("Phone", &draft.customer.phone, full),
        ("E-mail", &draft.customer.email, full),
        ("People", &people, full),
        ("Units", &units, true),
        ("Status", draft.status.label(), true),
        ("Business", names.business, true),
    ]);
    if full && !draft.notes.trim().is_empty() {
        let _ = write!(text, "\n{}", draft.notes.replace("\r\n", "\n").trim());
    }
    truncate(text.trim_end(), MAX_DESCRIPTION)
}

/// Each fact that is known and may be told, by its label.
fn lines(facts: &[(&str, &str, bool)]) -> String {
    let mut text = String::new();
    for (label, value, told) in facts {
        if *told && !value.trim().is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label}: {}", one_line(value));
        }
    }
    text
}

fn who(booking: &Booking, platforms: &Platforms, detail: EntryPrivacy) -> String {
    match detail {
        EntryPrivacy::Minimal => platforms.guest_first_name(booking),
        EntryPrivacy::Full => platforms.guest_of(booking),
    }
}

fn kind_label(kind: BookingKind) -> &'static str {
    match kind {
        BookingKind::Booking => "Booking",
        BookingKind::Maintenance => "Maintenance",
        BookingKind::Delivery => "Delivery",
        BookingKind::Block => "Blocked",
    }
}

/// A title with a line break would be two lines in one calendar and an error in another.
fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn truncate(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
