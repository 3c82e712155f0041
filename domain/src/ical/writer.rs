//! Content lines, byte by byte: escaping, folding and line ends (RFC 5545, 3.1 and 3.3.11; RFC 6868).
//!
//! Whatever text comes in, what goes out is one content line: nothing in a value can end its line, open another or
//! add a parameter. The same values give the same bytes. Lines are folded as they are appended to the output, so
//! nothing is allocated for a line.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;

use super::{
    escaping::{EscapeKind, EscapeTable, PARAMETER_ESCAPES, TEXT_ESCAPES},
    property::{ComponentName, Property, PropertyParameter, kind},
};

/// Octets of a line without its line break (3.1).
pub(super) const MAX_LINE_OCTETS: usize = 75;

/// An instant in UTC or a date: what DTSTART and DTEND hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcalTime {
    At(DateTime<Utc>),
    On(NaiveDate),
}

/// Appends content lines to a buffer.
#[derive(Debug)]
pub struct IcalWriter<'out> {
    out: &'out mut Vec<u8>,
    /// Where the present physical line begins in `out`.
    line_start: usize,
}

impl<'out> IcalWriter<'out> {
    /// Writes to the end of `out`.
    pub fn new(out: &'out mut Vec<u8>) -> Self {
        let line_start = out.len();
        Self { out, line_start }
    }

    /// Opens a component: writes its BEGIN.
    #[inline]
    pub fn begin(&mut self, component: ComponentName) {
        self.out.extend_from_slice(b"BEGIN:");
        self.out.extend_from_slice(component.name().as_bytes());
        self.end_line();
    }

    /// Closes a component: writes its END.
    #[inline]
    pub fn end(&mut self, component: ComponentName) {
        self.out.extend_from_slice(b"END:");
        self.out.extend_from_slice(component.name().as_bytes());
        self.end_line();
    }

    /// Free text. Line breaks of any kind are kept as such, other control characters are left out.
    #[inline]
    pub fn text(&mut self, property: Property<kind::Text>, value: &str) {
        self.name(property.name);
        self.escaped(value);
        self.end_line();
    }

    /// A word that the program holds.
    #[inline]
    pub fn keyword(&mut self, property: Property<kind::Keyword>, value: &'static str) {
        self.name(property.name);
        self.run(value);
        self.end_line();
    }

    /// A property that is an instant, in UTC.
    #[inline]
    pub fn instant(&mut self, property: Property<kind::Instant>, at: DateTime<Utc>) {
        self.name(property.name);
        self.digits_of_instant(at);
        self.end_line();
    }

    /// An instant or a date.
    #[inline]
    pub fn moment(&mut self, property: Property<kind::DateOrInstant>, moment: IcalTime) {
        self.out.extend_from_slice(property.name.as_bytes());
        match moment {
            IcalTime::At(at) => {
                self.out.push(b':');
                self.digits_of_instant(at);
            }
            IcalTime::On(date) => {
                self.out.extend_from_slice(b";VALUE=DATE:");
                self.digits_of_date(date);
            }
        }
        self.end_line();
    }

    /// An hour on the clock of `zone`, which the calendar describes in a VTIMEZONE (3.2.19).
    pub fn zoned(&mut self, property: Property<kind::DateOrInstant>, zone: Tz, clock: NaiveDateTime) {
        self.out.extend_from_slice(property.name.as_bytes());
        self.out.extend_from_slice(b";TZID=");
        // IANA's names have letters, digits, `/`, `_`, `+` and `-`, which need no quotes, and are short.
        self.out.extend_from_slice(zone.name().as_bytes());
        self.out.push(b':');
        self.digits_of_clock(clock);
        self.end_line();
    }

    /// An hour on a clock.
    pub fn clock(&mut self, property: Property<kind::Clock>, clock: NaiveDateTime) {
        self.name(property.name);
        self.digits_of_clock(clock);
        self.end_line();
    }

    /// What a clock is ahead of UTC, in seconds.
    pub fn offset(&mut self, property: Property<kind::Offset>, seconds: i32) {
        self.name(property.name);
        self.out.push(if seconds < 0 { b'-' } else { b'+' });
        let seconds = seconds.unsigned_abs();
        self.two(seconds / 3600);
        self.two(seconds / 60 % 60);
        if !seconds.is_multiple_of(60) {
            self.two(seconds % 60);
        }
        self.end_line();
    }

    /// So many minutes before the start.
    pub fn minutes_before(&mut self, property: Property<kind::MinutesBefore>, minutes: u32) {
        self.name(property.name);
        self.out.extend_from_slice(b"-PT");
        self.number(minutes);
        self.out.push(b'M');
        self.end_line();
    }

    /// A property that is a whole number.
    #[inline]
    pub fn integer(&mut self, property: Property<kind::Integer>, value: u32) {
        self.name(property.name);
        self.number(value);
        self.end_line();
    }

    /// A length of time.
    pub fn minutes(&mut self, property: Property<kind::Minutes>, minutes: u32) {
        self.name(property.name);
        self.out.extend_from_slice(b"PT");
        self.number(minutes);
        self.out.push(b'M');
        self.end_line();
    }

    /// A URI. Octets that no URI may hold are percent-encoded.
    pub fn uri(&mut self, property: Property<kind::Uri>, uri: &str) {
        self.name(property.name);
        self.percent_encoded(uri, is_uri_octet);
        self.end_line();
    }

    /// The same with parameters.
    pub fn uri_with(
        &mut self,
        property: Property<kind::Uri>,
        parameters: &[PropertyParameter<'_>],
        uri: &str,
    ) {
        self.out.extend_from_slice(property.name.as_bytes());
        for parameter in parameters {
            self.parameter(parameter);
        }
        self.whole(b":");
        self.percent_encoded(uri, is_uri_octet);
        self.end_line();
    }

    /// A mail address with what is known of its owner.
    pub fn address(
        &mut self,
        property: Property<kind::Address>,
        parameters: &[PropertyParameter<'_>],
        mail: &str,
    ) {
        self.out.extend_from_slice(property.name.as_bytes());
        for parameter in parameters.iter().filter(|parameter| !parameter.value.is_empty()) {
            self.parameter(parameter);
        }
        self.whole(b":mailto:");
        self.percent_encoded(mail, is_mail_octet);
        self.end_line();
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
    }

    #[inline]
    fn end_line(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.line_start = self.out.len();
    }

    /// Octets that are left on the present physical line.
    #[inline]
    fn room(&self) -> usize {
        MAX_LINE_OCTETS.saturating_sub(self.out.len() - self.line_start)
    }

    fn fold(&mut self) {
        self.out.extend_from_slice(b"\r\n ");
        self.line_start = self.out.len() - 1;
    }

    /// Text that needs no escape, folded between characters: readers that decode a line before they unfold it
    /// would break a character in two.
    fn run(&mut self, mut text: &str) {
        loop {
            let room = self.room();
            if text.len() <= room {
                self.out.extend_from_slice(text.as_bytes());
                return;
            }
            let (now, later) = text.split_at(text.floor_char_boundary(room));
            self.out.extend_from_slice(now.as_bytes());
            self.fold();
            text = later;
        }
    }

    /// A few ASCII octets that stay together, such as an escape.
    fn whole(&mut self, octets: &[u8]) {
        if self.room() < octets.len() {
            self.fold();
        }
        self.out.extend_from_slice(octets);
    }

    /// A TEXT value (3.3.11).
    fn escaped(&mut self, text: &str) {
        self.push_escaped(text, &TEXT_ESCAPES, |line, mark| match mark {
            EscapeKind::Break => line.whole(b"\\n"),
            EscapeKind::Octet(octet) => line.whole(&[b'\\', octet]),
        });
    }

    /// A parameter: a word, or a value in quotes (3.2), with the escapes of RFC 6868 for what quotes cannot hold.
    fn parameter(&mut self, parameter: &PropertyParameter<'_>) {
        self.whole(b";");
        self.run(parameter.name);
        if !parameter.quoted {
            self.whole(b"=");
            return self.run(parameter.value);
        }
        self.whole(b"=\"");
        self.push_escaped(parameter.value, &PARAMETER_ESCAPES, |line, mark| match mark {
            EscapeKind::Break => line.whole(b"^n"),
            EscapeKind::Octet(b'"') => line.whole(b"^'"),
            EscapeKind::Octet(octet) => line.whole(&[b'^', octet]),
        });
        self.whole(b"\"");
    }

    /// Writes `text`, hands what `marks` tells of to `write`, and leaves control characters out.
    fn push_escaped(
        &mut self,
        text: &str,
        marks: &EscapeTable,
        mut write: impl FnMut(&mut Self, EscapeKind),
    ) {
        let mut written = 0;
        marks.each(text, |place, mark| {
            self.run(&text[written..place.start]);
            if let Some(mark) = mark {
                write(self, mark);
            }
            written = place.end;
        });
        self.run(&text[written..]);
    }

    fn percent_encoded(&mut self, text: &str, allowed: fn(u8) -> bool) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        for &octet in text.as_bytes() {
            if allowed(octet) {
                self.whole(&[octet]);
            } else {
                self.whole(&[b'%', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
            }
        }
    }

    #[inline]
    fn digits_of_instant(&mut self, at: DateTime<Utc>) {
        self.digits_of_clock(at.naive_utc());
        self.out.push(b'Z');
    }

    fn digits_of_clock(&mut self, clock: NaiveDateTime) {
        let mut digits = [b'T'; 15];
        digits[..8].copy_from_slice(&date_digits(clock.date()));
        let time = [clock.hour(), clock.minute(), clock.second()].map(two);
        digits[9..].copy_from_slice(time.as_flattened());
        self.out.extend_from_slice(&digits);
    }

    fn digits_of_date(&mut self, date: NaiveDate) {
        self.out.extend_from_slice(&date_digits(date));
    }

    fn two(&mut self, number: u32) {
        self.out.extend_from_slice(&two(number));
    }

    fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        let [_, _, _, digit] = (number % 10).to_be_bytes();
        self.out.push(b'0' + digit);
    }
}

/// Years of other than four digits do not exist in iCalendar.
fn date_digits(date: NaiveDate) -> [u8; 8] {
    let year = u32::try_from(date.year()).unwrap_or(0).min(9999);
    let mut digits = [0; 8];
    digits.copy_from_slice([year / 100, year % 100, date.month(), date.day()].map(two).as_flattened());
    digits
}

/// The last two digits.
#[inline]
fn two(number: u32) -> [u8; 2] {
    TWO_DIGITS[(number % 100) as usize]
}

/// "00" to "99": most of what a feed holds is dates and hours.
const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut digits = [[b'0'; 2]; 100];
    let mut number = 0_u8;
    while number < 100 {
        digits[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    digits
};

/// RFC 3986, 2: unreserved, reserved, and `%` since what comes in is a URI already.
fn is_uri_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&octet)
}

/// RFC 6068, 2: what an address may hold bare in a `mailto:` URI.
fn is_mail_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~@!$'*+".contains(&octet)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
