//! How far what stands in a calendar is from what should, in words.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{connection::ConnectionState, sync::drift::is_believed};
use concord_storage::connections::Connection;

use super::{RelativeTime, Tone, pluralize};

/// What the last compare of a calendar found.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<span class="pill {{ tone.class() }}">{{ word }}</span> {{ text }}{% if let Some(checked) = checked %}, checked {{ checked }}{% endif %}"#
)]
pub(super) struct DriftStatus {
    /// Whether it is well.
    pub tone: Tone,
    pub word: &'static str,
    pub text: String,
    pub checked: Option<RelativeTime>,
}
impl HtmlSafe for DriftStatus {}

impl DriftStatus {
    /// As it stands for somebody in `zone`.
    pub(super) fn from_connection(connection: &Connection, now: DateTime<Utc>, zone: Tz) -> Self {
        let drift = &connection.drift;
        let line = |tone, word, text| Self {
            tone,
            word,
            text,
            checked: drift.checked_at.map(|at| RelativeTime::new(at, now, zone)),
        };
        let Some(checked_at) = drift.checked_at else {
            let text = if connection.state == ConnectionState::Active {
                "Checked against your bookings every night"
            } else {
                "Not checked while syncing is stopped"
            };
            return line(Tone::Neutral, "Not checked yet", text.to_owned());
        };
        let standing = format!("{} of {}", drift.standing, drift.wanted());
        if drift.is_clean() {
            return line(Tone::Good, "In sync", standing);
        }
        let found: Vec<String> =
            [(drift.missing, "missing"), (drift.different, "different"), (drift.extra, "extra")]
                .iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, what)| format!("{number} {what}"))
                .collect();
        let found = found.join(", ");
        if !is_believed(drift.held_since, checked_at) {
            let text = format!(
                "{found} of {}; checked again before anything is changed",
                entry_count(drift.wanted())
            );
            return line(Tone::Waiting, "Held for review", text);
        }
        line(Tone::Waiting, "Out of sync", format!("{standing} in sync; {found}"))
    }

    /// Whether something was found.
    pub(super) fn is_drift(&self) -> bool {
        self.tone == Tone::Waiting
    }
}

fn entry_count(number: i64) -> String {
    pluralize(number, "entry", "entries")
}
