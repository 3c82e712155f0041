//! Octets: line ends, lengths, folds, characters.

use super::{LintErrors, Rule};

/// A content line, unfolded.
pub(super) struct LintLine {
    /// Where it begins, from 1.
    pub(super) number: usize,
    pub(super) text: String,
}

/// Checks the physical lines and joins those that are folded.
pub(super) fn unfold(bytes: &[u8], faults: &mut LintErrors) -> Vec<LintLine> {
    let mut lines: Vec<LintLine> = Vec::new();
    for (index, with_end) in bytes.split_inclusive(|&octet| octet == b'\n').enumerate() {
        let number = index + 1;
        let physical = check_octets(with_end, number, faults);
        let text = check_characters(physical, number, faults);
        match (text.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(line)) => line.text.push_str(rest),
            (Some(_), None) => faults.add(number, Rule::Fold, "the first line continues nothing"),
            (None, _) if text.is_empty() => {}
            (None, _) => lines.push(LintLine { number, text }),
        }
    }
    lines
}

fn check_octets<'b>(with_end: &'b [u8], number: usize, faults: &mut LintErrors) -> &'b [u8] {
    let physical = if let Some(line) = with_end.strip_suffix(b"\r\n") {
        line
    } else {
        faults.add(number, Rule::LineEnd, "does not end with CR LF");
        with_end.strip_suffix(b"\n").unwrap_or(with_end)
    };
    if physical.contains(&b'\r') {
        faults.add(number, Rule::LineEnd, "holds a CR without LF");
    }
    if physical.len() > 75 {
        faults.add(number, Rule::LineLength, format!("has {} octets", physical.len()));
    }
    // Folded text may be spaces for a whole line, but a fold that continues nothing looks like a blank line.
    if matches!(physical, [] | [b' ' | b'\t' | b'\r']) {
        faults.add(number, Rule::BlankLine, "is blank");
    }
    physical
}

fn check_characters(physical: &[u8], number: usize, faults: &mut LintErrors) -> String {
    if std::str::from_utf8(physical).is_err() {
        faults.add(number, Rule::Utf8, "is not UTF-8, or a fold splits a character");
    }
    let mut text = String::from_utf8_lossy(physical).into_owned();
    if number == 1 && text.starts_with('\u{feff}') {
        faults.add(number, Rule::Utf8, "begins with a byte order mark");
        text = text.split_off('\u{feff}'.len_utf8());
    }
    let ends_lines = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
    if let Some(bad) = text.chars().find(|&c| (c.is_control() && c != '\t' && c != '\r') || ends_lines(c)) {
        faults.add(number, Rule::Control, format!("holds {bad:?}"));
    }
    text
}
