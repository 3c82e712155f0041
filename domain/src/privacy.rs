//! How much of a booking leaves the house.
//!
//! An entry in a staff member's calendar and an event of a feed are both read by people and programs that Concord
//! does not know. So their texts are made here and nowhere else, from the business's own choice of privacy.

use std::fmt::Write as _;

use crate::{
    booking::{Booking, BookingKind},
    words,
};

words! {
    /// What a published feed tells its readers.
    FeedPrivacy {
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
    EntryPrivacy {
        /// Title, resource, reference and first name.
        Minimal = "minimal",
        /// All that the people who serve the customer need.
        Full = "full",
    }
}

impl EntryPrivacy {
    /// Whether something that `other` tells is not told.
    pub fn tells_less_than(self, other: Self) -> bool {
        self == Self::Minimal && other == Self::Full
    }
}

/// The texts that go out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// One line.
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
pub fn entry_wording(booking: &Booking, resource: &str, business: &str, privacy: EntryPrivacy) -> Wording {
    let detail = match privacy {
        EntryPrivacy::Minimal => Detail::Minimal,
        EntryPrivacy::Full => Detail::Full,
    };
    Wording {
        title: headline(booking, resource, detail),
        description: description(booking, resource, business, detail),
        location: one_line(&booking.draft.location),
    }
}

/// What a feed says of `booking`. The place may be the customer's home, so only a full feed tells it.
pub fn feed_wording(booking: &Booking, resource: &str, business: &str, privacy: FeedPrivacy) -> Wording {
    match privacy {
        FeedPrivacy::Busy => Wording { title: BUSY.to_owned(), ..Wording::default() },
        FeedPrivacy::Title => Wording {
            title: headline(booking, resource, Detail::Minimal),
            description: description(booking, resource, business, Detail::Minimal),
            location: String::new(),
        },
        FeedPrivacy::Full => entry_wording(booking, resource, business, EntryPrivacy::Full),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Minimal,
    Full,
}

/// "Sea View — Maria (Two nights)" for a customer's booking, "Maintenance: Boiler" for the rest.
fn headline(booking: &Booking, resource: &str, detail: Detail) -> String {
    let draft = &booking.draft;
    let (title, resource) = (draft.title.trim(), resource.trim());
    let text = if draft.kind == BookingKind::Booking {
        let subject = match (who(booking, detail), title) {
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
pub(crate) fn title_in_entry(text: &str, booking: &Booking, resource: &str) -> String {
    let text = one_line(text);
    let mut rest = text.as_str();
    if let Some(marked) =
        rest.strip_prefix(booking.draft.status.label()).and_then(|rest| rest.strip_prefix(": "))
    {
        rest = marked;
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
    for who in [who(booking, Detail::Full), who(booking, Detail::Minimal)] {
        let Some(after) = rest.strip_prefix(who).filter(|_| !who.is_empty()) else { continue };
        if after.is_empty() {
            return String::new();
        }
        let inner = after.strip_prefix(" (").and_then(|after| after.strip_suffix(')'));
        if let Some(inner) = inner {
            return inner.trim().to_owned();
        }
    }
    if rest == kind_label(booking.draft.kind) { String::new() } else { rest.to_owned() }
}

/// A plain list of what is known, empty fields left out; the notes last, since they may have lines of their own.
fn description(booking: &Booking, resource: &str, business: &str, detail: Detail) -> String {
    let draft = &booking.draft;
    let full = detail == Detail::Full;
    let people = draft.party_size.map(|size| size.to_string()).unwrap_or_default();
    let units = if draft.quantity > 1 { draft.quantity.to_string() } else { String::new() };
    let mut text = String::new();
    for (label, value, told) in [
        ("Reference", booking.reference.as_str(), true),
        ("Resource", resource, true),
        ("Customer", who(booking, detail), true),
        ("Phone", &draft.customer.phone, full),
        ("E-mail", &draft.customer.email, full),
        ("People", &people, full),
        ("Units", &units, true),
        ("Status", draft.status.label(), true),
        ("Business", business, true),
    ] {
        if told && !value.trim().is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label}: {}", one_line(value));
        }
    }
    if full && !draft.notes.trim().is_empty() {
        let _ = write!(text, "\n{}", draft.notes.replace("\r\n", "\n").trim());
    }
    cut(text.trim_end(), MAX_DESCRIPTION)
}

fn who(booking: &Booking, detail: Detail) -> &str {
    match detail {
        Detail::Minimal => booking.draft.customer.first_name(),
        Detail::Full => booking.draft.customer.name.trim(),
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

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{booking::BookingStatus, ical::sample};

    fn maria() -> Booking {
        let mut booking = sample::booking();
        booking.draft.title = "Two nights".into();
        booking.draft.notes = "Late arrival.\r\nTwo dogs.".into();
        booking.draft.location = "Rua do Mar 7".into();
        booking
    }

    #[test]
    fn minimal_tells_no_more_than_the_first_name() {
        let wording = entry_wording(&maria(), "Sea View", "Casa do Mar", EntryPrivacy::Minimal);
        insta::assert_snapshot!(format!("{}\n---\n{}", wording.title, wording.description), @"
        Sea View — Maria (Two nights)
        ---
        Reference: SV-1
        Resource: Sea View
        Customer: Maria
        Status: Confirmed
        Business: Casa do Mar
        ");
    }

    #[test]
    fn full_tells_what_is_needed_to_serve_the_customer() {
        let wording = entry_wording(&maria(), "Sea View", "Casa do Mar", EntryPrivacy::Full);
        insta::assert_snapshot!(format!("{}\n---\n{}", wording.title, wording.description), @"
        Sea View — Maria Silva Costa (Two nights)
        ---
        Reference: SV-1
        Resource: Sea View
        Customer: Maria Silva Costa
        Phone: +351 912 000 111
        E-mail: maria@example.org
        People: 2
        Status: Confirmed
        Business: Casa do Mar

        Late arrival.
        Two dogs.
        ");
        assert_eq!(wording.location, "Rua do Mar 7");
    }

    #[test]
    fn personal_facts_stay_out_of_everything_but_full() {
        let booking = maria();
        let minimal = entry_wording(&booking, "Sea View", "Casa do Mar", EntryPrivacy::Minimal);
        let title = feed_wording(&booking, "Sea View", "Casa do Mar", FeedPrivacy::Title);
        for wording in [&minimal, &title] {
            let text = format!("{}\n{}", wording.title, wording.description);
            for secret in ["Silva", "Costa", "912", "maria@", "dogs"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        assert_eq!(title.location, "");
    }

    #[test]
    fn busy_is_the_same_for_everything() {
        let mut block = maria();
        block.draft.kind = BookingKind::Block;
        block.draft.status = BookingStatus::Pending;
        let expected = Wording { title: "Busy".into(), ..Wording::default() };
        for booking in [maria(), block] {
            assert_eq!(feed_wording(&booking, "Sea View", "Casa", FeedPrivacy::Busy), expected);
        }
    }

    #[test]
    fn titles_of_all_kinds() {
        let title = |kind, title: &str, name: &str, resource: &str| {
            let mut booking = sample::booking();
            booking.draft.kind = kind;
            booking.draft.title = title.into();
            booking.draft.customer.name = name.into();
            entry_wording(&booking, resource, "", EntryPrivacy::Minimal).title
        };
        for (expected, actual) in [
            ("Sea View — Maria", title(BookingKind::Booking, "", "Maria Silva", "Sea View")),
            ("Sea View — Maria", title(BookingKind::Booking, "Maria", "Maria Silva", "Sea View")),
            ("Sea View — Two nights", title(BookingKind::Booking, "Two nights", " ", "Sea View")),
            ("Sea View — Booking", title(BookingKind::Booking, "", "", "Sea View")),
            ("Maria", title(BookingKind::Booking, "", "Maria", "")),
            ("Maintenance: Boiler", title(BookingKind::Maintenance, "Boiler", "Maria", "Sea View")),
            ("Delivery: Van 2", title(BookingKind::Delivery, "", "", "Van 2")),
            ("Blocked: Painting", title(BookingKind::Block, "Painting", "", "Sea View")),
            ("Sea View — Two  nights", title(BookingKind::Booking, "Two\r\nnights", "", "Sea View")),
        ] {
            assert_eq!(actual, expected);
        }
    }

    #[test]
    fn a_title_is_found_again_in_what_a_person_wrote() {
        let mut booking = maria();
        for (text, title) in [
            ("Sea View — Maria (Three nights)", "Three nights"),
            ("Sea View — Maria Silva Costa (Three nights)", "Three nights"),
            ("  Sea View  — Maria (Two  nights (late))", "Two  nights (late)"),
            ("Sea View — Maria", ""),
            ("Sea View — Booking", ""),
            ("Late arrival!", "Late arrival!"),
            ("Sea View — Party", "Party"),
            ("Confirmed: Sea View — Maria (x)", "x"),
            ("Two\r\nlines", "Two  lines"),
            ("", ""),
        ] {
            assert_eq!(title_in_entry(text, &booking, "Sea View"), title, "{text}");
        }
        booking.draft.kind = BookingKind::Maintenance;
        for (text, title) in [
            ("Maintenance: Boiler", "Boiler"),
            ("Maintenance: Sea View", ""),
            ("Boiler, again", "Boiler, again"),
        ] {
            assert_eq!(title_in_entry(text, &booking, "Sea View"), title, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_we_wrote_gives_the_title_back(title in "[a-zA-Z0-9 ():—é-]{0,30}", name in "[A-Z][a-z]{0,8}( [A-Z][a-z]{1,8})?", full: bool) {
            let mut booking = sample::booking();
            booking.draft.title = title.trim().to_owned();
            booking.draft.customer.name = name;
            let privacy = if full { EntryPrivacy::Full } else { EntryPrivacy::Minimal };
            let text = entry_wording(&booking, "Sea View", "Casa", privacy).title;
            let again = title_in_entry(&text, &booking, "Sea View");
            // What is only the customer's name is not said twice, and need not be said at all.
            let same = again == booking.draft.title || text == format!("Sea View — {}", booking.draft.title);
            proptest::prop_assert!(same, "{text:?} gave {again:?} for {:?}", booking.draft.title);
        }
    }

    #[test]
    fn long_notes_are_cut_at_a_whole_character() {
        let mut booking = maria();
        booking.draft.notes = "ä".repeat(10_000);
        let text = entry_wording(&booking, "Sea View", "Casa", EntryPrivacy::Full).description;
        assert_eq!(text.chars().count(), MAX_DESCRIPTION);
        assert!(text.ends_with("ä…"));
    }
}
