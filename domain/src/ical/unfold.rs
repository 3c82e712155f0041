//! From the bytes that somebody sent to content lines: one charset, no folds, no control characters, and no more of
//! anything than is allowed.
//!
//! A line that stands in the input as it should is not copied.

use std::{borrow::Cow, ops::Range};

use memchr::{memchr_iter, memchr2};

use super::limits::{ReadError, ReadLimits, Warning};

/// A content line (RFC 5545, 3.1) without its folds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContentLine<'a> {
    pub(super) text: &'a str,
    /// The physical line on which it began, from 1.
    pub(super) number: u32,
    pub(super) mark: LineKind,
}

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Begin,
    End,
    Property,
}

/// The content lines of a file.
#[derive(Debug)]
pub(super) struct ContentLines<'a> {
    /// All of the input, where all of it is UTF-8.
    input: &'a str,
    /// What does not stand in it as it is read, one behind the other.
    made: String,
    places: Vec<LineSpan>,
}

/// Where a line stands: a calendar has many, so that each is small.
#[derive(Clone, Copy, Debug)]
struct LineSpan {
    start: u32,
    length: u32,
    number: u32,
    mark: LineKind,
    made: bool,
}

impl ContentLines<'_> {
    pub(super) fn all(&self) -> LineSlice<'_> {
        LineSlice { lines: self, range: (0, self.places.len()) }
    }
}

/// Some of the lines that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineSlice<'a> {
    lines: &'a ContentLines<'a>,
    range: (usize, usize),
}

impl<'a> LineSlice<'a> {
    pub(super) fn len(self) -> usize {
        self.range.1 - self.range.0
    }

    /// Those from `range.start` to `range.end` of these, as far as there are so many.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        let at = |index: usize| (self.range.0 + index).min(self.range.1);
        Self { lines: self.lines, range: (at(range.start), at(range.end.max(range.start))) }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = ContentLine<'a>> {
        let ContentLines { input, made, places } = self.lines;
        places[self.range.0..self.range.1].iter().map(move |place| {
            let text = if place.made { made.as_str() } else { input };
            let start = place.start as usize;
            let text = text.get(start..start + place.length as usize).unwrap_or_default();
            ContentLine { text, number: place.number, mark: place.mark }
        })
    }
}

/// The lines of `bytes`, which `plain` has made; empty ones are left out.
pub(super) fn lines<'a>(
    bytes: &'a [u8],
    limits: &ReadLimits,
    warnings: &mut Vec<Warning>,
) -> Result<ContentLines<'a>, ReadError> {
    let input = std::str::from_utf8(bytes).ok();
    let mut unfolding = Unfolder {
        bytes,
        as_it_stands: input.is_some() && !has_controls(bytes),
        limits,
        warnings,
        // Most lines have more octets.
        lines: ContentLines {
            input: input.unwrap_or_default(),
            made: String::new(),
            places: Vec::with_capacity(bytes.len() / 24),
        },
        open: OpenLine { range: 0..0, folded: Vec::new(), number: 0 },
        values: 0,
        foreign: None,
    };
    let mut number = 0;
    let mut rest = 0;
    while rest < bytes.len() {
        let end = memchr2(b'\r', b'\n', &bytes[rest..]).map_or(bytes.len(), |length| rest + length);
        number += 1;
        if number > limits.lines {
            return Err(ReadError::TooManyLines { limit: limits.lines });
        }
        unfolding.physical(rest..end, u32::try_from(number).unwrap_or(u32::MAX))?;
        rest = line_break_end(bytes, end);
    }
    unfolding.close()?;
    if let Some(line) = unfolding.foreign {
        unfolding.warnings.push(Warning::new(line, "not UTF-8: read as Windows-1252"));
    }
    Ok(unfolding.lines)
}

/// Behind a line's end, whichever of CR LF, LF, CR, or CR CR LF (a broken transfer) it is.
pub(super) fn line_break_end(bytes: &[u8], end: usize) -> usize {
    match &bytes[end..] {
        [b'\r', b'\n', ..] => end + 2,
        [b'\n', ..] => end + 1,
        after => {
            let returns = after.iter().take_while(|byte| **byte == b'\r').count();
            end + returns + usize::from(after.get(returns) == Some(&b'\n'))
        }
    }
}

/// Makes content lines of physical ones.
struct Unfolder<'a, 'w> {
    bytes: &'a [u8],
    /// Whether all of it is UTF-8 without control characters, so that only folds must be undone.
    as_it_stands: bool,
    limits: &'w ReadLimits,
    warnings: &'w mut Vec<Warning>,
    lines: ContentLines<'a>,
    open: OpenLine,
    /// In lists, so far.
    values: usize,
    /// The first line that is not UTF-8.
    foreign: Option<u32>,
}

/// A content line that may go on.
struct OpenLine {
    /// Where its first physical line stands.
    range: Range<usize>,
    /// All of it, once it has a fold.
    folded: Vec<u8>,
    number: u32,
}

impl Unfolder<'_, '_> {
    fn physical(&mut self, range: Range<usize>, number: u32) -> Result<(), ReadError> {
        let octets = &self.bytes[range.clone()];
        if octets.is_empty() {
            // Some put one between a line and its fold.
            return Ok(());
        }
        let open = self.open();
        // Folds are undone before the charset is: some writers fold within a character.
        let more = match octets.first() {
            Some(b' ' | b'\t') if !open.is_empty() => &octets[1..],
            _ if open.last() == Some(&b'=') && is_quoted_printable(open) => {
                self.keep();
                self.open.folded.pop();
                octets
            }
            _ => {
                self.close()?;
                self.open.range = range;
                self.open.number = number;
                return Ok(());
            }
        };
        self.keep();
        self.open.folded.extend_from_slice(more);
        Ok(())
    }

    fn open(&self) -> &[u8] {
        if self.open.folded.is_empty() { &self.bytes[self.open.range.clone()] } else { &self.open.folded }
    }

    fn keep(&mut self) {
        if self.open.folded.is_empty() {
            self.open.folded.extend_from_slice(&self.bytes[self.open.range.clone()]);
        }
    }

    /// Ends the line that is open.
    fn close(&mut self) -> Result<(), ReadError> {
        let number = self.open.number;
        let folded = std::mem::take(&mut self.open.folded);
        let octets = if folded.is_empty() { &self.bytes[self.open.range.clone()] } else { &folded };
        if octets.is_empty() {
            return Ok(());
        }
        if octets.len() > self.limits.line {
            // Attached files stand in lines of megabytes; nothing that is needed does.
            self.warnings.push(Warning::new(number, "a line too long to read: left out"));
            return Ok(());
        }
        if is_list(octets) {
            // Each of them may become a value, and a value takes far more room than its few octets.
            self.values += memchr_iter(b',', octets).count();
            if self.values > self.limits.values {
                return Err(ReadError::TooManyValues { limit: self.limits.values });
            }
        }
        let mark = mark(octets);
        let range = self.open.range.clone();
        let (start, length, made) = if self.as_it_stands && folded.is_empty() {
            (range.start, range.len(), false)
        } else {
            let (text, foreign) = decoded(octets);
            if foreign && self.foreign.is_none() {
                self.foreign = Some(number);
            }
            let text = if self.as_it_stands { text } else { without_controls(text) };
            let start = self.lines.made.len();
            self.lines.made.push_str(&text);
            (start, text.len(), true)
        };
        if length > 0 {
            let too_large = |_| ReadError::TooLarge { limit: self.limits.bytes };
            let (start, length) =
                (start.try_into().map_err(too_large)?, length.try_into().map_err(too_large)?);
            self.lines.places.push(LineSpan { start, length, number, mark, made });
        }
        Ok(())
    }
}

/// What a line does; told by its name alone.
pub(super) fn mark(line: &[u8]) -> LineKind {
    let line = line.trim_ascii_start();
    let named = |name: &[u8]| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && matches!(line[name.len()..].trim_ascii_start().first(), Some(b':' | b';'))
    };
    // Nearly every line is told by its first letters.
    match line {
        [b'B' | b'b', b'E' | b'e', ..] if named(b"BEGIN") => LineKind::Begin,
        [b'E' | b'e', b'N' | b'n', ..] if named(b"END") => LineKind::End,
        _ => LineKind::Property,
    }
}

/// Lists of times: the only ones of which all values are read.
fn is_list(line: &[u8]) -> bool {
    let named = |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    named(b"EXDATE") || named(b"RDATE")
}

/// In vCalendar's encoding a line that ends with `=` goes on without a fold (RFC 2045, 6.7).
pub(super) fn is_quoted_printable(line: &[u8]) -> bool {
    let head = line.split(|byte| *byte == b':').next().unwrap_or_default();
    head.split(|byte| matches!(byte, b';' | b'=')).any(|word| word.eq_ignore_ascii_case(b"QUOTED-PRINTABLE"))
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n')
}

/// In blocks that are looked through without a branch.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.chunks(4096).any(|block| block.iter().fold(false, |found, byte| found | is_control(*byte)))
}

fn without_controls(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(is_control) {
        Cow::Owned(text.chars().filter(|c| *c == '\t' || !c.is_ascii_control()).collect())
    } else {
        text
    }
}

/// The text of a line, and whether it was not UTF-8: then each stray octet is one of Windows-1252, of which Latin-1
/// is a part.
pub(super) fn decoded(line: &[u8]) -> (Cow<'_, str>, bool) {
    if let Ok(text) = std::str::from_utf8(line) {
        return (Cow::Borrowed(text), false);
    }
    let mut text = String::with_capacity(line.len() + 8);
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| windows_1252(*byte)));
    }
    (Cow::Owned(text), true)
}

/// The upper half of Windows-1252 where it differs from Latin-1 (0x80 to 0x9F); 0 where it has nothing.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“',
    '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => match WINDOWS_1252[usize::from(byte - 0x80)] {
            '\0' => char::REPLACEMENT_CHARACTER,
            letter => letter,
        },
        _ => char::from(byte),
    }
}

/// The octets without a byte order mark, in an encoding that has ASCII's octets.
pub(super) fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(rest),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(from_utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(from_utf16(rest, u16::from_be_bytes)),
        [b'B' | b'b', 0, b'E' | b'e', 0, ..] => Cow::Owned(from_utf16(bytes, u16::from_le_bytes)),
        [0, b'B' | b'b', 0, b'E' | b'e', ..] => Cow::Owned(from_utf16(bytes, u16::from_be_bytes)),
        _ => Cow::Borrowed(bytes),
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect::<String>()
        .into_bytes()
}

#[cfg(test)]
#[path = "bytes_tests.rs"]
mod tests;
