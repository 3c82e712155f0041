//! From the bytes that somebody sent to lines that the parser may see: one charset, one line end, no folds, and no
//! more of anything than is allowed.

use std::borrow::Cow;

use super::read::{ReadError, ReadLimits, Warning};

/// A calendar's logical lines, each ended by `\n`.
#[derive(Debug)]
pub(super) struct Lines {
    /// What the parser reads.
    pub(super) text: String,
    /// For each logical line, the physical one on which it began, from 1.
    numbers: Vec<u32>,
    /// For each component in order, the index of the logical line of its BEGIN.
    begins: Vec<usize>,
    /// Whether each component that was begun was ended.
    pub(super) whole: bool,
}

impl Lines {
    /// The physical line of the first property `name` of the `nth` component, or of its BEGIN.
    pub(super) fn number(&self, nth: usize, name: &str) -> u32 {
        let Some(begin) = self.begins.get(nth) else { return 0 };
        let line = self.text.lines().enumerate().skip(*begin).find(|(_, line)| {
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && matches!(line.as_bytes().get(name.len()), Some(b':' | b';'))
        });
        self.numbers.get(line.map_or(*begin, |(index, _)| index)).copied().unwrap_or(0)
    }
}

/// Reads `bytes` as lines, refusing what is too much of anything.
pub(super) fn lines(
    bytes: &[u8],
    limits: &ReadLimits,
    warnings: &mut Vec<Warning>,
) -> Result<Lines, ReadError> {
    if bytes.len() > limits.bytes {
        return Err(ReadError::TooLarge { limit: limits.bytes });
    }
    let bytes = plain(bytes);
    let mut lines = Lines {
        text: String::with_capacity(bytes.len()),
        numbers: Vec::new(),
        begins: Vec::new(),
        whole: true,
    };
    let mut gate = Gate { limits, depth: 0, events: 0, separators: 0, foreign: None };
    let mut logical: Vec<u8> = Vec::new();
    let mut number = 0;
    for (index, physical) in physical_lines(&bytes).enumerate() {
        if index >= limits.lines {
            return Err(ReadError::TooManyLines { limit: limits.lines });
        }
        let here = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if let (Some(b' ' | b'\t'), false) = (physical.first(), logical.is_empty()) {
            // Folds are undone before the charset is: some writers fold within a character.
            logical.extend_from_slice(&physical[1..]);
        } else {
            gate.pass(&mut lines, &logical, number, warnings)?;
            logical.clear();
            logical.extend_from_slice(physical);
            number = here;
        }
    }
    gate.pass(&mut lines, &logical, number, warnings)?;
    lines.whole = gate.depth == 0;
    if let Some(line) = gate.foreign {
        warnings.push(Warning::new(line, "not UTF-8: read as Windows-1252"));
    }
    Ok(lines)
}

/// Counts what passes.
struct Gate<'a> {
    limits: &'a ReadLimits,
    depth: usize,
    events: usize,
    separators: usize,
    /// The first line that is not UTF-8.
    foreign: Option<u32>,
}

impl Gate<'_> {
    fn pass(
        &mut self,
        lines: &mut Lines,
        logical: &[u8],
        number: u32,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), ReadError> {
        if logical.is_empty() {
            return Ok(());
        }
        if logical.len() > self.limits.line {
            // Attached files stand in lines of megabytes; nothing that is needed does.
            warnings.push(Warning::new(number, "a line too long to read: left out"));
            return Ok(());
        }
        // Each of them may become a value, and a value takes far more room than its one octet.
        self.separators += logical.iter().filter(|byte| matches!(byte, b',' | b';')).count();
        if self.separators > self.limits.values {
            return Err(ReadError::TooManyValues { limit: self.limits.values });
        }
        match component(logical) {
            Some((true, name)) => {
                self.depth += 1;
                if self.depth > self.limits.depth {
                    return Err(ReadError::TooDeep { line: number, limit: self.limits.depth });
                }
                self.events += usize::from(name.eq_ignore_ascii_case(b"VEVENT"));
                if self.events > self.limits.events {
                    return Err(ReadError::TooManyEvents { limit: self.limits.events });
                }
                lines.begins.push(lines.numbers.len());
            }
            Some((false, _)) => self.depth = self.depth.saturating_sub(1),
            None => {}
        }
        let (text, foreign) = decoded(logical);
        if foreign && self.foreign.is_none() {
            self.foreign = Some(number);
        }
        lines.text.extend(text.chars().filter(|c| *c == '\t' || !c.is_ascii_control()));
        lines.text.push('\n');
        lines.numbers.push(number);
        Ok(())
    }
}

/// Whether a line begins (`true`) or ends a component, and which.
fn component(line: &[u8]) -> Option<(bool, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let name = name.split(|byte| *byte == b';').next().unwrap_or(name).trim_ascii();
    if name.eq_ignore_ascii_case(b"BEGIN") {
        Some((true, value))
    } else if name.eq_ignore_ascii_case(b"END") {
        Some((false, value))
    } else {
        None
    }
}

/// The text of a line, and whether it was not UTF-8: then each stray octet is one of Windows-1252, of which Latin-1
/// is a part.
fn decoded(line: &[u8]) -> (Cow<'_, str>, bool) {
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
fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
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

/// The lines as they stand, whichever of CR LF, LF, CR, or CR CR LF (a broken transfer) ends each.
fn physical_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        let returns = after.iter().take_while(|byte| **byte == b'\r').count();
        rest = &after[returns..];
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        lines(bytes, &ReadLimits::default(), &mut Vec::new()).unwrap().text
    }

    #[test]
    fn any_line_end_ends_a_line_and_any_fold_is_undone() {
        for mixed in
            ["A:1\r\nB:2\r\n", "A:1\nB:2", "A:1\rB:2\r", "A:1\r\r\nB:2\r\r\n", "A:\r\n 1\n\nB:\n\t2\n"]
        {
            assert_eq!(text(mixed.as_bytes()), "A:1\nB:2\n", "{mixed:?}");
        }
    }

    #[test]
    fn any_charset_becomes_utf_8() {
        let utf16: Vec<u8> = "\u{feff}BEGIN:Ä€".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bare: Vec<u8> = "BEGIN:Ä€".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&utf16[..], &bare, "\u{feff}BEGIN:Ä€".as_bytes(), b"BEGIN:\xC4\x80"] {
            let read = text(bytes);
            assert!(read == "BEGIN:Ä€\n" || read == "BEGIN:Ā\n", "{read}");
        }
    }

    #[test]
    fn latin_1_is_read_and_told() {
        let mut warnings = Vec::new();
        let read = lines(b"A:1\nB:Caf\xE9 \x80 5\n", &ReadLimits::default(), &mut warnings).unwrap();
        assert_eq!(read.text, "A:1\nB:Café € 5\n");
        assert_eq!(warnings[0].line, 2);
    }

    #[test]
    fn a_character_cut_by_a_fold_is_whole_again() {
        assert_eq!(text(b"A:Caf\xC3\r\n \xA9\r\n"), "A:Café\n");
    }

    #[test]
    fn control_characters_are_gone() {
        assert_eq!(text(b"A:\0one\x07 two\tthree\x7F\n"), "A:one two\tthree\n");
    }

    #[test]
    fn a_warning_finds_its_physical_line() {
        let read =
            lines(b"BEGIN:A\nX:1\n 2\n\nDTSTART;A=B:3\nEND:A\n", &ReadLimits::default(), &mut Vec::new())
                .unwrap();
        assert_eq!(read.number(0, "DTSTART"), 5);
        assert_eq!(read.number(0, "NOTHING"), 1);
    }

    #[test]
    fn what_is_too_much_is_refused_before_it_is_parsed() {
        let limits = ReadLimits { events: 2, values: 10, lines: 60, line: 20, ..ReadLimits::default() };
        let read = |text: &str| lines(text.as_bytes(), &limits, &mut Vec::new()).map(|_| ()).unwrap_err();
        assert_eq!(read(&"BEGIN:A\n".repeat(50)), ReadError::TooDeep { line: 33, limit: 32 });
        assert_eq!(read(&"BEGIN:VEVENT\nEND:VEVENT\n".repeat(3)), ReadError::TooManyEvents { limit: 2 });
        assert_eq!(read("EXDATE:,,,,,,,,,,,"), ReadError::TooManyValues { limit: 10 });
        assert_eq!(read(&"A:1\n".repeat(61)), ReadError::TooManyLines { limit: 60 });
        let mut warnings = Vec::new();
        let rest = lines(b"ATTACH:AAAAAAAAAAAAAAAAAAAAA\nA:1\n", &limits, &mut warnings).unwrap();
        assert_eq!((rest.text.as_str(), warnings.len()), ("A:1\n", 1));
    }
}
