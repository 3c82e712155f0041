//! The small parts that pages are made of, each with its few lines of HTML.

use askama::{Template, filters::HtmlSafe};
use concord_domain::{
    audit::SyncOutcome,
    booking::{BookingKind, BookingStatus},
    connection::{ConnectionState, EntryState},
    language::Language,
    sync::remote_change::RemoteChangeState,
};
use concord_storage::entries::COUNT_LIMIT;
use serde::{Deserialize, Serialize};

/// What a colour means; a word or an icon always stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way, or waiting for somebody.
    Waiting,
    /// Something must be done.
    Wrong,
    Information,
    /// Over, or of no matter.
    Neutral,
}

impl Tone {
    /// The class in the style.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Wrong => "wrong",
            Self::Information => "information",
            Self::Neutral => "neutral",
        }
    }

    pub(crate) fn icon(self) -> Icon {
        Icon(self)
    }
}

/// The icon of a tone.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    ext = "html",
    source = r#"{% match self.0 %}
{%- when Tone::Good %}{% include "icons/good.svg" %}
{%- when Tone::Waiting %}{% include "icons/waiting.svg" %}
{%- when Tone::Wrong %}{% include "icons/wrong.svg" %}
{%- when Tone::Information | Tone::Neutral %}{% include "icons/information.svg" %}
{%- endmatch %}"#
)]
pub(crate) struct Icon(Tone);
impl HtmlSafe for Icon {}

/// A state in a word.
#[derive(Clone, Debug, Template)]
#[template(ext = "html", source = r#"<span class="pill {{ tone.class() }}">{{ word }}</span>"#)]
pub(crate) struct Pill {
    pub tone: Tone,
    pub word: String,
}
impl HtmlSafe for Pill {}

impl Pill {
    pub(crate) fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }
}

impl From<BookingStatus> for Pill {
    fn from(status: BookingStatus) -> Self {
        let tone = match status {
            BookingStatus::Pending => Tone::Waiting,
            BookingStatus::Approved | BookingStatus::Confirmed => Tone::Good,
            BookingStatus::InProgress => Tone::Information,
            BookingStatus::Completed | BookingStatus::Cancelled => Tone::Neutral,
            BookingStatus::NoShow => Tone::Wrong,
        };
        Self::new(tone, status.label())
    }
}

impl From<EntryState> for Pill {
    fn from(state: EntryState) -> Self {
        match state {
            EntryState::Pending => Self::new(Tone::Waiting, "Pending"),
            EntryState::Synced => Self::new(Tone::Good, "In sync"),
            EntryState::Failed => Self::new(Tone::Wrong, "Failed"),
            EntryState::Removed => Self::new(Tone::Neutral, "Removed"),
            EntryState::Left => Self::new(Tone::Neutral, "No longer synced"),
            EntryState::Asked => Self::new(Tone::Wrong, "Needs a decision"),
        }
    }
}

impl From<ConnectionState> for Pill {
    fn from(state: ConnectionState) -> Self {
        match state {
            ConnectionState::Active => Self::new(Tone::Good, "Connected"),
            ConnectionState::NeedsReconnect => Self::new(Tone::Wrong, "Needs to be reconnected"),
            ConnectionState::Paused => Self::new(Tone::Waiting, "Paused"),
            ConnectionState::Disconnected => Self::new(Tone::Neutral, "Disconnected"),
        }
    }
}

impl From<RemoteChangeState> for Pill {
    fn from(state: RemoteChangeState) -> Self {
        match state {
            RemoteChangeState::Open => Self::new(Tone::Wrong, "Needs a decision"),
            RemoteChangeState::Followed => Self::new(Tone::Good, "Followed"),
            RemoteChangeState::Revert => Self::new(Tone::Information, "Reverted"),
            RemoteChangeState::Overtaken => Self::new(Tone::Neutral, "Superseded"),
            RemoteChangeState::Undone => Self::new(Tone::Neutral, "Undone"),
        }
    }
}

impl From<SyncOutcome> for Pill {
    fn from(outcome: SyncOutcome) -> Self {
        match outcome {
            SyncOutcome::Ok => Self::new(Tone::Good, "Done"),
            SyncOutcome::Retry => Self::new(Tone::Waiting, "Retrying"),
            SyncOutcome::Failed => Self::new(Tone::Wrong, "Failed"),
            SyncOutcome::Held => Self::new(Tone::Waiting, "Held for review"),
            SyncOutcome::Nothing => Self::new(Tone::Neutral, "No changes"),
        }
    }
}

/// A kind of booking, for people.
pub(crate) fn kind_label(kind: BookingKind) -> &'static str {
    match kind {
        BookingKind::Booking => "Booking",
        BookingKind::Maintenance => "Maintenance",
        BookingKind::Delivery => "Delivery",
        BookingKind::Block => "Block",
    }
}

/// With a capital at its beginning, unless that is a mail address, as the name of a main calendar is.
pub(crate) fn capitalize(text: &str) -> String {
    if text.split(' ').next().is_some_and(|word| word.contains('@')) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// With a capital at its beginning and a full stop.
pub(crate) fn sentence(text: &impl ToString) -> String {
    format!("{}.", capitalize(text.to_string().trim_end_matches('.')))
}

/// A number of what was counted up to `COUNT_LIMIT`: "1,000+".
pub(super) fn capped_count(number: i64) -> String {
    if number < COUNT_LIMIT { number.to_string() } else { "1,000+".to_owned() }
}

/// "1 entry", "14 entries".
pub(crate) fn pluralize(number: impl Into<i64>, one: &str, many: &str) -> String {
    let number: i64 = number.into();
    format!("{} {}", group_digits(number), if number == 1 { one } else { many })
}

fn group_digits(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "Ana", "Ana and Rui", "Ana, Rui and Marta".
pub(crate) fn join_names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// One choice of a list.
#[derive(Clone, Debug)]
pub(crate) struct SelectOption {
    pub value: String,
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl SelectOption {
    /// One choice, against what is chosen.
    pub(crate) fn new(value: impl Into<String>, label: impl Into<String>, chosen: &str) -> Self {
        let value: String = value.into();
        Self { chosen: value == chosen, value, label: label.into() }
    }
}

/// The languages that customers are written to in, against the code of the one that is chosen.
pub(super) fn language_options(chosen: &str) -> Vec<SelectOption> {
    let option = |language: &Language| SelectOption::new(language.as_str(), language.label(), chosen);
    Language::ALL.iter().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_up_to_a_limit() {
        let words = [0, COUNT_LIMIT - 1, COUNT_LIMIT].map(capped_count);
        assert_eq!(words, ["0", "999", "1,000+"]);
    }

    #[test]
    fn numbers_and_names_read_well() {
        for (number, text) in [
            (0, "0 entries"),
            (1, "1 entry"),
            (999, "999 entries"),
            (9_800, "9,800 entries"),
            (1_234_567, "1,234,567 entries"),
        ] {
            assert_eq!(pluralize(number, "entry", "entries"), text);
        }
        let names =
            |names: &[&str]| join_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]), "");
        assert_eq!(names(&["Ana"]), "Ana");
        assert_eq!(names(&["Ana", "Rui", "Marta"]), "Ana, Rui and Marta");
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(capitalize("booking B-1"), "Booking B-1");
        assert_eq!(capitalize("ÿ"), "Ÿ");
        assert_eq!(capitalize("ana@example.com: 1 written"), "ana@example.com: 1 written");
        assert_eq!(capitalize(""), "");
        assert_eq!(sentence(&"access was not granted"), "Access was not granted.");
        assert_eq!(sentence(&"Google answered: no."), "Google answered: no.");
    }

    #[test]
    fn what_a_person_typed_stays_text() {
        let pill = Pill::new(Tone::Wrong, "<b>\"x\"");
        assert!(!pill.render().unwrap().contains("<b>"));
    }
}
