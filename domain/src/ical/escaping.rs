//! What of a text cannot be copied into a content line as it is: what the format gives a meaning, line breaks, and
//! control characters, which are left out.
//!
//! Eight octets are looked at at once, since nearly all of them can be copied.

use std::{iter, ops::Range};

/// What is written in another way.
pub(super) enum EscapeKind {
    /// A line break of any kind.
    Break,
    /// An octet that means something to the format.
    Octet(u8),
}

/// What may not be copied as it is.
pub(super) struct EscapeTable {
    escaped: [u8; 3],
    classes: [Class; 256],
}

/// In a TEXT value (RFC 5545, 3.3.11).
pub(super) const TEXT_ESCAPES: EscapeTable = EscapeTable::new(*b"\\;,");
/// In a parameter's value within quotes (RFC 6868, 3).
pub(super) const PARAMETER_ESCAPES: EscapeTable = EscapeTable::new(*b"^\"\"");

/// Octets that are looked at at once.
const WORD: usize = 8;

impl EscapeTable {
    const fn new(escaped: [u8; 3]) -> Self {
        Self { escaped, classes: classes(&escaped) }
    }

    /// Tells of each mark of `text`, in order: the octets it takes, which are whole characters, and what is to be
    /// written for them; `None`: nothing.
    #[inline]
    pub(super) fn each(&self, text: &str, mut found: impl FnMut(Range<usize>, Option<EscapeKind>)) {
        let octets = text.as_bytes();
        let (words, rest) = octets.as_chunks::<WORD>();
        let mut last = [b' '; WORD];
        last[..rest.len()].copy_from_slice(rest);
        // A mark of several octets may hold what looks like another.
        let mut after = 0;
        for (index, word) in words.iter().chain([&last]).enumerate() {
            for place in self.candidates(*word) {
                let position = index * WORD + place;
                let class = self.classes[usize::from(word[place])];
                if position >= after
                    && let Some((length, mark)) = mark(class, octets, position)
                {
                    after = position + length;
                    found(position..after, mark);
                }
            }
        }
    }

    /// The places in `word` that may be marked: each that is, and few others.
    #[inline]
    fn candidates(&self, word: [u8; WORD]) -> impl Iterator<Item = usize> {
        const EACH: u64 = u64::MAX / 0xFF;
        let word = u64::from_le_bytes(word);
        let controls = word.wrapping_sub(EACH * 0x20) & !word;
        // DEL, and whatever is not ASCII.
        let beyond = word.wrapping_add(EACH) | word;
        let escaped = self.escaped.map(|octet| {
            let same = word ^ (EACH * u64::from(octet));
            same.wrapping_sub(EACH) & !same
        });
        // The high bit of each octet tells of it.
        let mut left = (controls | beyond | escaped[0] | escaped[1] | escaped[2]) & (EACH * 0x80);
        iter::from_fn(move || {
            let place = (left != 0).then(|| left.trailing_zeros() as usize / 8)?;
            left &= left - 1;
            Some(place)
        })
    }
}

#[derive(Clone, Copy)]
enum Class {
    Plain,
    Escape,
    Return,
    Newline,
    Control,
    /// Begins a character that may be a control character or a line break.
    Lead,
}

const fn classes(escaped: &[u8]) -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut octet = 0;
    while octet < 0x20 {
        table[octet] = Class::Control;
        octet += 1;
    }
    table[b'\t' as usize] = Class::Plain;
    table[b'\r' as usize] = Class::Return;
    table[b'\n' as usize] = Class::Newline;
    table[0x7F] = Class::Control;
    table[0xC2] = Class::Lead;
    table[0xE2] = Class::Lead;
    let mut index = 0;
    while index < escaped.len() {
        table[escaped[index] as usize] = Class::Escape;
        index += 1;
    }
    table
}

/// How many octets the mark at `position` takes, and what is written for it. `None`: it is none.
fn mark(class: Class, octets: &[u8], position: usize) -> Option<(usize, Option<EscapeKind>)> {
    Some(match class {
        Class::Plain => return None,
        Class::Escape => (1, Some(EscapeKind::Octet(octets[position]))),
        Class::Return if octets.get(position + 1) == Some(&b'\n') => (2, Some(EscapeKind::Break)),
        Class::Return | Class::Newline => (1, Some(EscapeKind::Break)),
        Class::Control => (1, None),
        Class::Lead => match &octets[position..] {
            // NEL and the separators of lines and paragraphs: some readers end a line there.
            [0xC2, 0x85, ..] => (2, Some(EscapeKind::Break)),
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => (3, Some(EscapeKind::Break)),
            // The other control characters of Latin-1.
            [0xC2, 0x80..=0x9F, ..] => (2, None),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is marked, found octet by octet.
    fn slowly(marks: &EscapeTable, text: &str) -> Vec<Range<usize>> {
        let octets = text.as_bytes();
        let mut found: Vec<Range<usize>> = Vec::new();
        for (position, octet) in octets.iter().enumerate() {
            if found.last().is_none_or(|last| position >= last.end)
                && let Some((length, _)) = mark(marks.classes[usize::from(*octet)], octets, position)
            {
                found.push(position..position + length);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn every_mark_is_found_wherever_it_stands(
            text in prop::collection::vec("[ -~]{0,9}|[\\\\;,^\"\r\n\t\0\x7f\u{80}-\u{a0}\u{2026}-\u{202a}]{0,3}|\\PC{0,3}", 0..9),
        ) {
            let text = text.concat();
            for marks in [&TEXT_ESCAPES, &PARAMETER_ESCAPES] {
                let mut found = Vec::new();
                marks.each(&text, |place, _| found.push(place));
                prop_assert_eq!(found, slowly(marks, &text));
            }
        }
    }
}
