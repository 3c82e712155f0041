//! A content line taken apart (RFC 5545, 3.1): name, parameters, value.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memrchr};

use super::unfold::{ContentLine, decoded};

/// `name *(";" parameter) ":" value`, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct PropertyLine<'a> {
    pub(super) name: &'a str,
    /// From the first semicolon to the colon.
    parameters: &'a str,
    pub(super) value: &'a str,
    /// The physical line, from 1.
    pub(super) line: u32,
}

/// Properties that hold times, which have no colon in iCalendar: the last one is the one that counts, so that a zone
/// such as `GMT+01:00` may stand without quotes.
const TIMES: [&str; 5] = ["DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"];

impl<'a> PropertyLine<'a> {
    /// `None` where there is no colon or no name.
    pub(super) fn of(line: ContentLine<'a>) -> Option<Self> {
        let text = line.text;
        let octets = text.as_bytes();
        let end = memchr2(b':', b';', octets)?;
        let name = text[..end].trim_ascii();
        let colon = if octets[end] == b':' {
            end
        } else if TIMES.iter().any(|time| name.eq_ignore_ascii_case(time)) {
            end + memrchr(b':', &octets[end..])?
        } else {
            unquoted_colon(octets, end).or_else(|| Some(end + memchr(b':', &octets[end..])?))?
        };
        let (parameters, value) = (&text[end..colon], &text[colon + 1..]);
        (!name.is_empty()).then_some(Self { name, parameters, value, line: line.number })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of a parameter without the quotes around it; the first of that name.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        parts(self.parameters, b';').find_map(|part| {
            let (key, value) = part.split_once('=')?;
            let value = value.trim_ascii();
            let bare = value.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest));
            key.trim_ascii().eq_ignore_ascii_case(name).then_some(bare.unwrap_or(value))
        })
    }

    /// The value as TEXT (3.3.11).
    pub(super) fn text(&self) -> String {
        if self.parameters.is_empty() {
            return unescaped(self.value);
        }
        let encoding =
            self.parameter("ENCODING").is_some_and(|name| name.eq_ignore_ascii_case("QUOTED-PRINTABLE"));
        if encoding || parts(self.parameters, b';').any(|part| part.eq_ignore_ascii_case("QUOTED-PRINTABLE"))
        {
            unescaped(&decode_quoted_printable(self.value))
        } else {
            unescaped(self.value)
        }
    }
}

/// The first colon from `start` on that is not in quotes.
fn unquoted_colon(octets: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut quoted = false;
    loop {
        at += memchr2(b'"', b':', &octets[at..])?;
        match octets[at] {
            b':' if !quoted => return Some(at),
            b'"' => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
}

/// What stands between separators that are not in quotes.
fn parts(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        !quoted && c == char::from(separator)
    })
    .filter(|part| !part.is_empty())
}

/// Text without its escapes; what is escaped in vain stands for itself.
pub(super) fn unescaped(text: &str) -> String {
    let Some(first) = memchr(b'\\', text.as_bytes()) else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let mut after = rest[at + 1..].chars();
        match after.next() {
            Some('n' | 'N') => out.push('\n'),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out
}

/// vCalendar's encoding of what is not ASCII (RFC 2045, 6.7); its octets are UTF-8, or else Windows-1252.
fn decode_quoted_printable(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'=', Some(high), Some(low)) => {
                octets.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = &after[2..];
            }
            _ => octets.push(first),
        }
    }
    let (text, _) = decoded(&octets);
    // What was encoded may be a control character, of which only line breaks mean anything.
    let text: Cow<'_, str> = if text.contains(|c: char| c.is_ascii_control()) {
        text.replace("\r\n", "\n")
            .chars()
            .filter(|c| matches!(c, '\t' | '\n') || !c.is_ascii_control())
            .collect()
    } else {
        text
    };
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::unfold::LineKind, *};

    fn of(text: &str) -> Option<PropertyLine<'_>> {
        PropertyLine::of(ContentLine { text, number: 1, mark: LineKind::Property })
    }

    fn taken_apart(text: &str) -> Option<(String, String, String)> {
        of(text).map(|content| (content.name.into(), content.parameters.into(), content.value.into()))
    }

    #[test]
    fn a_line_is_name_parameters_and_value() {
        for (line, name, parameters, value) in [
            ("SUMMARY:a:b;c", "SUMMARY", "", "a:b;c"),
            ("X;A=1;B=\"x:y;z\":v", "X", ";A=1;B=\"x:y;z\"", "v"),
            ("X;A=\"never closed:v", "X", ";A=\"never closed", "v"),
            ("DTSTART;TZID=GMT+01:00:20260301T090000", "DTSTART", ";TZID=GMT+01:00", "20260301T090000"),
            ("UID :a", "UID", "", "a"),
            ("É;A=é:ü", "É", ";A=é", "ü"),
        ] {
            assert_eq!(taken_apart(line), Some((name.into(), parameters.into(), value.into())), "{line}");
        }
        for line in ["SUMMARY", ":x", ";:", "X;A=1"] {
            assert_eq!(taken_apart(line), None, "{line}");
        }
    }

    #[test]
    fn a_parameter_is_found_in_any_case_and_without_quotes() {
        let content = of("X;Tzid=\"a;b,c\";CN=d,e;EMPTY=;=x;;TZID=no:v").unwrap();
        assert_eq!(content.parameter("TZID"), Some("a;b,c"));
        assert_eq!(content.parameter("cn"), Some("d,e"));
        assert_eq!(content.parameter("EMPTY"), Some(""));
        assert_eq!(content.parameter("OTHER"), None);
    }

    #[test]
    fn escapes_are_undone() {
        for (written, text) in [
            ("plain", "plain"),
            ("a\\, b\\; c\\\\ d", "a, b; c\\ d"),
            ("one\\ntwo\\Nthree", "one\ntwo\nthree"),
            ("\\é\\:\\", "é:\\"),
            ("\\\\n", "\\n"),
        ] {
            assert_eq!(unescaped(written), text, "{written}");
        }
    }

    #[test]
    fn quoted_printable_is_text() {
        for (line, text) in [
            ("SUMMARY;ENCODING=QUOTED-PRINTABLE:Caf=C3=A9 =3D=0D=0A=e9=G", "Café =\né=G"),
            ("SUMMARY;QUOTED-PRINTABLE:=E9", "é"),
            ("SUMMARY;X=QUOTED:=E9", "=E9"),
        ] {
            assert_eq!(of(line).unwrap().text(), text);
        }
    }
}
