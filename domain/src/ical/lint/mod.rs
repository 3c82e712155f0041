//! A judge of iCalendar bytes: do they keep to RFC 5545 (and 5546, 7986)? For tests of all that we write, and for people
//! who want to know what is wrong with a calendar (`concord check feed`).
//!
//! It shares nothing with the writer, so that the two cannot be wrong together. It is strict: it objects to much
//! that readers forgive. It is no parser for what comes from outside.
//!
//! To add a rule: a word in `Rule`, the check in `lines` (octets), `content` (one content line), `values` (one
//! value) or `components` (what belongs together), and a line in the table of `tests` that breaks it.

use crate::words;

mod components;
mod content;
mod lines;
#[cfg(test)]
mod tests;
mod values;

words! {
    Rule {
        /// Lines end with CR LF, the last one too (RFC 5545, 3.1).
        LineEnd = "line-end",
        /// At most 75 octets a line (3.1).
        LineLength = "line-length",
        /// No line is empty.
        BlankLine = "blank-line",
        /// A fold follows a line (3.1).
        Fold = "fold",
        /// Each line is UTF-8 by itself, and there is no byte order mark.
        Utf8 = "utf-8",
        /// No control characters but the tab, and nothing that some readers take for a line's end.
        Control = "control",
        /// `name *(";" parameter) ":" value` (3.1).
        Syntax = "syntax",
        /// BEGIN and END match, everything is inside VCALENDAR, its properties come first (3.4, 3.6).
        Nesting = "nesting",
        /// `\`, `;` and `,` are escaped in TEXT, and nothing else is (3.3.11).
        Escape = "escape",
        /// Stands exactly once: PRODID, VERSION, UID, DTSTAMP ... (3.6).
        Missing = "missing",
        /// Stands at most once (3.6).
        Repeated = "repeated",
        /// VERSION is 2.0 (3.7.4).
        Version = "version",
        /// A UID is of one event, or of its overridden instances (3.8.4.7).
        SameUid = "same-uid",
        /// A date or time that exists, in its form (3.3.4, 3.3.5).
        Time = "time",
        /// DTSTAMP, CREATED and LAST-MODIFIED are in UTC (3.8.7).
        Utc = "utc",
        /// TZID names a VTIMEZONE of the calendar and stands at no UTC time or date (3.2.19).
        Zone = "zone",
        /// DTEND is after DTSTART, of the same type, and not beside DURATION (3.8.2.2).
        End = "end",
        /// A length of time (3.3.6).
        Duration = "duration",
        /// A whole number within its bounds (3.3.8).
        Number = "number",
        /// STATUS, CLASS, TRANSP, METHOD, CALSCALE and ACTION have their words.
        Keyword = "keyword",
        /// PARTSTAT, ROLE, CUTYPE and RSVP have their words (3.2).
        ParameterWord = "parameter-word",
        /// ORGANIZER, ATTENDEE and URL are URIs (3.3.3, 3.3.13).
        Uri = "uri",
        /// RRULE has one FREQ, not both UNTIL and COUNT, and known parts (3.3.10).
        Recurrence = "recurrence",
        /// What the METHOD asks for or forbids (RFC 5546, 3.2).
        Method = "method",
    }
}

impl Rule {
    /// Whether every reader that is in wide use understands what breaks it as it was meant. Platforms break most of these
    /// in their own feeds.
    pub fn is_tolerated(self) -> bool {
        matches!(
            self,
            Self::LineEnd
                | Self::LineLength
                | Self::BlankLine
                | Self::Escape
                | Self::Utc
                | Self::Uri
                | Self::Method
                | Self::Repeated
        )
    }
}

/// One departure from the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintError {
    /// The line, from 1; where a folded one begins.
    pub line: usize,
    pub rule: Rule,
    pub text: String,
}

/// All objections to `bytes`, by line. None means: well written.
pub fn lint(bytes: &[u8]) -> Vec<LintError> {
    let mut faults = LintErrors::default();
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        // Whatever else is wrong shows when this is mended.
        faults.add(1, Rule::Utf8, "is UTF-16: a calendar is UTF-8 (3.1.4)");
        return faults.0;
    }
    let lines = lines::unfold(bytes, &mut faults);
    let content = content::parse(&lines, &mut faults);
    for line in &content {
        values::check(line, &mut faults);
    }
    components::check(&content, &mut faults);
    faults.0.sort_by_key(|fault| (fault.line, fault.rule));
    faults.0
}

#[derive(Default)]
struct LintErrors(Vec<LintError>);

impl LintErrors {
    fn add(&mut self, line: usize, rule: Rule, text: impl Into<String>) {
        self.0.push(LintError { line, rule, text: text.into() });
    }
}
