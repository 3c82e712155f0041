//! How far what stands in a calendar is from what should, in words.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{connection::ConnectionState, sync::drift::is_believed};
use concord_storage::connections::Connection;

use super::{
    pieces::{Tone, count},
    when::When,
};

/// What the last compare of a calendar found.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<span class="pill {{ tone.class() }}">{{ word }}</span> {{ text }}{% if let Some(checked) = checked %}, compared {{ checked }}{% endif %}"#
)]
pub(super) struct DriftLine {
    /// Whether it is well.
    pub tone: Tone,
    /// In a word.
    pub word: &'static str,
    /// The figures.
    pub text: String,
    /// When it was.
    pub checked: Option<When>,
}
impl HtmlSafe for DriftLine {}

impl DriftLine {
    /// As it stands for somebody in `zone`.
    pub(super) fn of(connection: &Connection, now: DateTime<Utc>, zone: Tz) -> Self {
        let drift = &connection.drift;
        let line = |tone, word, text| Self {
            tone,
            word,
            text,
            checked: drift.checked_at.map(|at| When::of(at, now, zone)),
        };
        let Some(checked_at) = drift.checked_at else {
            let text = if connection.state == ConnectionState::Active {
                "It is compared with the bookings every night"
            } else {
                "Nothing is compared while it is not served"
            };
            return line(Tone::Neutral, "Not compared", text.to_owned());
        };
        let standing = format!("{} of {}", drift.standing, drift.wanted());
        if drift.is_agreement() {
            return line(Tone::Good, "In agreement", standing);
        }
        let found: Vec<String> =
            [(drift.missing, "missing"), (drift.different, "different"), (drift.extra, "too many")]
                .iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, what)| format!("{number} {what}"))
                .collect();
        let found = found.join(", ");
        if !is_believed(drift.held_since, checked_at) {
            let text = format!(
                "{found} of {}; looked for a second time before anything is done",
                entries(drift.wanted())
            );
            return line(Tone::Waiting, "Held", text);
        }
        line(Tone::Waiting, "Drift", format!("{standing} in agreement; {found}"))
    }

    /// Whether something was found.
    pub(super) fn is_drift(&self) -> bool {
        self.tone == Tone::Waiting
    }
}

fn entries(number: i64) -> String {
    count(number, "entry", "entries")
}
