//! What a person does at a platform by hand.

use std::fmt::Write as _;

use chrono::NaiveDate;
use serde::Serialize;

/// What steps that lead to a feed may hold in braces.
pub(super) const STEP_NAMES: &[&str] = &["feed_url", "resource", "business"];

/// What a checklist may hold in braces. Dates are written in its `date_format`; the last night is the one before the
/// check-out.
pub(super) const CHECKLIST_NAMES: &[&str] =
    &["resource", "business", "reference", "check_in", "first_night", "last_night", "check_out", "nights"];

/// What else the steps of a change may hold: what was there before.
pub(super) const CHANGE_NAMES: &[&str] =
    &["old_check_in", "old_first_night", "old_last_night", "old_check_out", "old_nights"];

/// What a person does at a platform that has no feed. Its texts are templates for [`fill`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checklist {
    /// How the platform writes a date, in the letters of `strftime`.
    pub date_format: String,
    /// After a booking elsewhere.
    pub create: Vec<String>,
    /// After a booking elsewhere was moved.
    pub change: Vec<String>,
    /// After a booking elsewhere was cancelled.
    pub cancel: Vec<String>,
    /// Nights to close, as the platform's own form for many nights asks for them.
    pub close: String,
    /// Nights to open, in the same form.
    pub open: String,
}

impl Checklist {
    /// A date as the platform writes it.
    pub fn date(&self, date: NaiveDate) -> String {
        written(date, &self.date_format).unwrap_or_else(|| date.to_string())
    }
}

/// A date in a format; `None` if the format has what is no part of a date.
pub(super) fn written(date: NaiveDate, format: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", date.format(format)).ok()?;
    Some(text)
}

/// A template with each `{name}` replaced by its value. What has no value stays as it is, and a value's own braces are
/// left alone.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_placeholder(rest) {
        text.push_str(before);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => text.push_str(value),
            None => {
                let _infallible = write!(text, "{{{name}}}");
            }
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// What a template has in braces that is none of `known`.
pub(super) fn unknown_name<'a>(template: &'a str, known: &[&[&str]]) -> Option<&'a str> {
    let mut rest = template;
    while let Some((_, name, after)) = next_placeholder(rest) {
        if !known.iter().any(|names| names.contains(&name)) {
            return Some(name);
        }
        rest = after;
    }
    None
}

/// The text before the next `{name}`, the name, and the text behind it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
