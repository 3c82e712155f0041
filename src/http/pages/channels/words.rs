//! What channels do and are, in words for people.

use concord_domain::{
    channel::{BlockRule, ImportGuard, ItemKind, Preference, RunOrigin, RunOutcome},
    platform::{Checklist, Platform, PlatformKind, fill},
};
use concord_jobs::channels::intervals;
use concord_storage::channels::{Channel, runs::Counts};

use crate::http::pages::pieces::{Choice, Pill, Tone, count};

/// The class that gives a platform its colour. The style has one for every ten degrees.
pub(in crate::http::pages) fn hue_class(platform: Option<&Platform>) -> String {
    let hue = platform.map_or(0, |platform| platform.hue);
    format!("hue-{}", (hue + 5) / 10 * 10 % 360)
}

/// What an event of a platform's feed is.
pub(in crate::http::pages) fn item_label(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Reservation => "Reservation",
        ItemKind::Block => "Closed there",
        ItemKind::Ignored => "Closed there, open here",
        ItemKind::Window => "End of what is on sale",
        ItemKind::Echo => "Ours, given back",
        ItemKind::Doubt => "In doubt",
    }
}

/// What made us read.
pub(in crate::http::pages) fn origin_label(origin: RunOrigin) -> &'static str {
    match origin {
        RunOrigin::Poll => "At its time",
        RunOrigin::Person => "Somebody asked",
        RunOrigin::Url => "Import of an address",
        RunOrigin::File => "Import of a file",
        RunOrigin::Webhook => "Told by a channel manager",
    }
}

impl From<RunOutcome> for Pill {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Applied => Self::new(Tone::Good, "Taken over"),
            RunOutcome::Unchanged => Self::new(Tone::Neutral, "Nothing new"),
            RunOutcome::Held => Self::new(Tone::Waiting, "Held back"),
            RunOutcome::Failed => Self::new(Tone::Wrong, "Not read"),
            RunOutcome::Released => Self::new(Tone::Information, "Let through"),
            RunOutcome::Undone => Self::new(Tone::Information, "Undone"),
        }
    }
}

/// How many events said nothing new; what else was counted is told by the message of a reading.
pub(in crate::http::pages) fn skipped(counts: Counts) -> String {
    if counts.skipped > 0 { format!("{} as before", counts.skipped) } else { String::new() }
}

/// Why cancellations of a channel are held back, in a sentence.
pub(in crate::http::pages) fn held_sentence(channel: &Channel, platform: &str) -> Option<String> {
    let bookings = count(channel.held_items, "booking", "bookings");
    Some(match channel.import_guard? {
        ImportGuard::Empty => {
            format!(
                "The calendar of {platform} is empty all at once. It may be broken, so {bookings} are kept for now."
            )
        }
        ImportGuard::Shrunk => format!(
            "The calendar of {platform} lacks {} of {}. It may be broken, so they are kept for now.",
            channel.held_items,
            count(channel.held_of, "booking", "bookings")
        ),
    })
}

fn preference_label(preference: Preference) -> &'static str {
    match preference {
        Preference::Ask => "Somebody decides each time",
        Preference::Keep => "The platform's booking stays",
        Preference::Yield => "The platform's booking gives way",
    }
}

fn block_label(rule: BlockRule) -> &'static str {
    match rule {
        BlockRule::Occupy => "They are taken here too, and on every other platform",
        BlockRule::Ignore => "They are the platform's own affair",
    }
}

/// Whose booking gives way, to choose from.
pub(in crate::http::pages) fn preferences(chosen: &str) -> Vec<Choice> {
    Preference::ALL.iter().map(|one| Choice::new(one.as_str(), preference_label(*one), chosen)).collect()
}

/// What becomes of nights that a platform only closes, to choose from.
pub(in crate::http::pages) fn block_rules(chosen: &str) -> Vec<Choice> {
    BlockRule::ALL.iter().map(|one| Choice::new(one.as_str(), block_label(*one), chosen)).collect()
}

/// Minutes between two readings as somebody typed them; empty: none of one's own. `Err`: why they cannot be set.
pub(in crate::http::pages) fn typed_interval(
    text: &str,
    platform: Option<&Platform>,
) -> Result<Option<i64>, String> {
    let allowed = intervals(platform);
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(minutes) if allowed.contains(&minutes) => Ok(Some(minutes)),
            _ => Err(format!(
                "Minutes must be a whole number from {} to {}, or left empty.",
                allowed.start(),
                allowed.end()
            )),
        },
    }
}

/// What a platform can do, in a sentence.
pub(in crate::http::pages) fn abilities(platform: &Platform) -> &'static str {
    match (platform.kind, platform.exports, platform.imports) {
        (PlatformKind::Manual, _, _) | (_, false, false) => {
            "Offers no calendar to read or write: it is kept by hand."
        }
        (PlatformKind::Both, _, _) => "Calendars go both ways where it offers them; else it is kept by hand.",
        (PlatformKind::Ical, true, true) => "Calendars go both ways.",
        (PlatformKind::Ical, true, false) => "Its calendar is read here; it reads none of ours.",
        (PlatformKind::Ical, false, true) => "It reads our calendar; it offers none of its own.",
    }
}

/// A platform's steps with the names in them filled in.
pub(in crate::http::pages) fn steps(templates: &[String], values: &[(&str, &str)]) -> Vec<String> {
    templates.iter().map(|step| fill(step, values)).collect()
}

/// What is done by hand after a booking elsewhere, for any booking.
pub(in crate::http::pages) fn by_hand(checklist: &Checklist, resource: &str, business: &str) -> Vec<String> {
    let values = [
        ("resource", resource),
        ("business", business),
        ("reference", "the booking"),
        ("check_in", "the check-in"),
        ("first_night", "the first night"),
        ("last_night", "the last night"),
        ("check_out", "the day of the check-out"),
        ("nights", "all"),
    ];
    steps(&checklist.create, &values)
}

#[cfg(test)]
mod tests {
    use concord_domain::platform::Platforms;

    use super::*;

    #[test]
    fn every_platform_has_a_colour_of_the_style() {
        let style = include_str!("../../../../assets/concord.css");
        for platform in Platforms::builtin().iter() {
            let class = hue_class(Some(platform));
            assert!(style.contains(&format!(".{class} ")), "{class}");
        }
        let mut platform = Platforms::builtin().find("airbnb").unwrap().clone();
        for (hue, class) in [(0, "hue-0"), (4, "hue-0"), (5, "hue-10"), (354, "hue-350"), (359, "hue-0")] {
            platform.hue = hue;
            assert_eq!(hue_class(Some(&platform)), class);
        }
    }

    #[test]
    fn no_step_by_hand_has_a_brace_left() {
        for platform in Platforms::builtin().iter() {
            let Some(checklist) = &platform.checklist else { continue };
            for step in by_hand(checklist, "Sea View", "Casa Azul") {
                assert!(!step.contains(['{', '}']), "{}: {step}", platform.name);
            }
        }
    }

    #[test]
    fn minutes_are_read_within_what_the_platform_allows() {
        let platforms = Platforms::builtin();
        let airbnb = platforms.find("airbnb");
        assert_eq!(typed_interval(" ", airbnb), Ok(None));
        assert_eq!(typed_interval(" 45 ", airbnb), Ok(Some(45)));
        for text in ["29", "1441", "often", "-1", "99999999999999999999"] {
            assert!(typed_interval(text, airbnb).unwrap_err().contains("from 30 to 1440"), "{text}");
        }
    }
}
