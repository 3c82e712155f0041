//! What channels do and are, in words for people.

use concord_domain::{
    channel::{BlockRule, ImportGuard, ItemKind, Preference, RunOrigin, RunOutcome},
    platform::{Checklist, Platform, PlatformKind, fill},
};
use concord_jobs::channels::intervals;
use concord_storage::channels::{Channel, runs::RunCounts};

use crate::http::pages::{Pill, SelectOption, Tone, pluralize};

/// The class that gives a platform its colour. The style has one for every ten degrees.
pub(in crate::http::pages) fn hue_class(platform: Option<&Platform>) -> String {
    let hue = platform.map_or(0, |platform| platform.hue);
    format!("hue-{}", (hue + 5) / 10 * 10 % 360)
}

/// What an event of a platform's feed is.
pub(in crate::http::pages) fn item_label(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Reservation => "Reservation",
        ItemKind::Block => "Blocked dates",
        ItemKind::Ignored => "Blocked dates (not imported)",
        ItemKind::Window => "End of booking window",
        ItemKind::Echo => "Our own booking",
        ItemKind::Unconfirmed => "Unconfirmed",
    }
}

/// What made us read.
pub(in crate::http::pages) fn origin_label(origin: RunOrigin) -> &'static str {
    match origin {
        RunOrigin::Poll => "Scheduled",
        RunOrigin::Person => "Manual",
        RunOrigin::Url => "URL import",
        RunOrigin::File => "File import",
        RunOrigin::Webhook => "Webhook",
    }
}

impl From<RunOutcome> for Pill {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Applied => Self::new(Tone::Good, "Imported"),
            RunOutcome::Unchanged => Self::new(Tone::Neutral, "No changes"),
            RunOutcome::Held => Self::new(Tone::Waiting, "Held for review"),
            RunOutcome::Failed => Self::new(Tone::Wrong, "Failed"),
            RunOutcome::Released => Self::new(Tone::Information, "Cancellations applied"),
            RunOutcome::Undone => Self::new(Tone::Information, "Undone"),
        }
    }
}

/// How many events said nothing new; what else was counted is told by the message of a reading.
pub(in crate::http::pages) fn skipped_message(counts: RunCounts) -> String {
    if counts.skipped > 0 { format!("{} unchanged", counts.skipped) } else { String::new() }
}

/// Why cancellations of a channel are held back, in a sentence.
pub(in crate::http::pages) fn quarantine_message(channel: &Channel, platform: &str) -> Option<String> {
    let bookings = pluralize(channel.quarantined_items, "booking", "bookings");
    Some(match channel.import_guard? {
        ImportGuard::Empty => {
            format!(
                "{platform}'s calendar is suddenly empty. This may be an error, so {bookings} are kept for now."
            )
        }
        ImportGuard::Shrunk => format!(
            "{platform}'s calendar is missing {} of {}. This may be an error, so they are kept for now.",
            channel.quarantined_items,
            pluralize(channel.quarantined_total, "booking", "bookings")
        ),
    })
}

fn preference_label(preference: Preference) -> &'static str {
    match preference {
        Preference::Ask => "Decide each time",
        Preference::Keep => "Keep the platform's booking",
        Preference::Yield => "Keep the other booking",
    }
}

fn block_label(rule: BlockRule) -> &'static str {
    match rule {
        BlockRule::Occupy => "Import: block them here and on other platforms",
        BlockRule::Ignore => "Do not import",
    }
}

/// Whose booking gives way, to choose from.
pub(in crate::http::pages) fn preference_options(chosen: &str) -> Vec<SelectOption> {
    Preference::ALL
        .iter()
        .map(|one| SelectOption::new(one.as_str(), preference_label(*one), chosen))
        .collect()
}

/// What becomes of nights that a platform only closes, to choose from.
pub(in crate::http::pages) fn block_rule_options(chosen: &str) -> Vec<SelectOption> {
    BlockRule::ALL.iter().map(|one| SelectOption::new(one.as_str(), block_label(*one), chosen)).collect()
}

/// Minutes between two readings as somebody typed them; empty: none of one's own. `Err`: why they cannot be set.
pub(in crate::http::pages) fn parse_interval(
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
pub(in crate::http::pages) fn abilities_label(platform: &Platform) -> &'static str {
    match (platform.kind, platform.exports, platform.imports) {
        (PlatformKind::Manual, _, _) | (_, false, false) => "No calendar sync: updated manually.",
        (PlatformKind::Both, _, _) => "Syncs both ways where available; otherwise updated manually.",
        (PlatformKind::Ical, true, true) => "Syncs both ways.",
        (PlatformKind::Ical, true, false) => "Import only: it cannot import our calendar.",
        (PlatformKind::Ical, false, true) => "Export only: it has no calendar to import.",
    }
}

/// A platform's steps with the names in them filled in.
pub(in crate::http::pages) fn fill_steps(templates: &[String], values: &[(&str, &str)]) -> Vec<String> {
    templates.iter().map(|step| fill(step, values)).collect()
}

/// What is done by hand after a booking elsewhere, for any booking.
pub(in crate::http::pages) fn manual_steps(
    checklist: &Checklist,
    resource: &str,
    business: &str,
) -> Vec<String> {
    let values = [
        ("resource", resource),
        ("business", business),
        ("reference", "the booking"),
        ("check_in", "the check-in"),
        ("first_night", "the first night"),
        ("last_night", "the last night"),
        ("check_out", "the check-out day"),
        ("nights", "all"),
    ];
    fill_steps(&checklist.create, &values)
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
            for step in manual_steps(checklist, "Sea View", "Casa Azul") {
                assert!(!step.contains(['{', '}']), "{}: {step}", platform.name);
            }
        }
    }

    #[test]
    fn minutes_are_read_within_what_the_platform_allows() {
        let platforms = Platforms::builtin();
        let airbnb = platforms.find("airbnb");
        assert_eq!(parse_interval(" ", airbnb), Ok(None));
        assert_eq!(parse_interval(" 45 ", airbnb), Ok(Some(45)));
        for text in ["29", "1441", "often", "-1", "99999999999999999999"] {
            assert!(parse_interval(text, airbnb).unwrap_err().contains("from 30 to 1440"), "{text}");
        }
    }
}
