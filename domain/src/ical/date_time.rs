//! Dates, times and offsets as iCalendar writes them, whatever zone they are in.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

/// A DATE or a DATE-TIME as it is written, whatever VALUE says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTimeText {
    pub(super) wall: NaiveDateTime,
    /// Whether there is no hour.
    pub(super) is_date: bool,
    /// Seconds ahead of UTC, where that is told: 0 for a Z.
    pub(super) offset: Option<i32>,
}

impl DateTimeText {
    /// `20260301`, `20260301T090000`, with a `Z` or `+0100` behind it, or the same with the dashes and colons of RFC
    /// 3339; `None` where no such day or time exists.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let octets = text.as_bytes();
        if octets.get(4) == Some(&b'-') {
            return Self::of(&without_marks(text)?);
        }
        let date = octets.first_chunk::<8>()?;
        let year = i32::try_from(number(&date[..4])?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(&date[4..6])?, number(&date[6..])?)?;
        if !(1..=9998).contains(&year) {
            return None;
        }
        let time = match &octets[8..] {
            [b'T' | b't' | b' ', time @ ..] if time.first().is_some_and(u8::is_ascii_digit) => time,
            // One digit too many may stand anywhere.
            [b'0'..=b'9', ..] => return None,
            // What follows a day, if it is no hour, says nothing.
            _ => return Some(Self { wall: date.and_time(NaiveTime::MIN), is_date: true, offset: None }),
        };
        let digits = time.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let (time, zone) = time.split_at(digits);
        // Some write fewer zeros than belong there.
        let part = |at: usize| time.get(at..time.len().min(at + 2)).map_or(Some(0), number);
        let (hour, minute) = (number(time.get(..2)?)?, part(2)?);
        // A leap second is a time for clocks, not for calendars.
        let wall = match (hour, minute, part(4)?.min(59)) {
            // Midnight at the end of a day is none of RFC 5545's times, and some write it.
            (24, 0, 0) => date.succ_opt()?.and_time(NaiveTime::MIN),
            (hour, minute, second) => date.and_hms_opt(hour, minute, second)?,
        };
        let offset = match zone {
            [b'Z' | b'z', ..] => Some(0),
            [b'+' | b'-', ..] => Some(utc_offset(&text[8 + 1 + digits..])?),
            _ => None,
        };
        (digits <= 6).then_some(Self { wall, is_date: false, offset })
    }
}

/// `2026-03-01T09:00:00.000Z` as iCalendar writes it.
fn without_marks(text: &str) -> Option<String> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut plain: String = date.split('-').collect();
    if plain.len() != 8 {
        return None;
    }
    if let Some(time) = time {
        let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
        let clock = time[..zone].split('.').next()?;
        plain.push('T');
        plain.extend(clock.split(':').chain(time[zone..].split(':')));
    }
    Some(plain)
}

/// A UTC-OFFSET (3.3.14) in seconds: `+0100`, `-093015`; `None` from a day on.
pub(super) fn utc_offset(text: &str) -> Option<i32> {
    let text = text.trim_ascii();
    let (sign, digits) = match text.as_bytes().split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), number);
    let (hours, minutes, seconds) = (number(digits.get(..2)?)?, part(2)?, part(4)?);
    let seconds = i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
    (seconds < 86_400).then_some(sign * seconds)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, octet| {
        let digit = octet.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}

/// An instant that must be in UTC, as that of LAST-MODIFIED.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTimeText::of(text).map(|read| read.wall.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let read = |text: &str| {
            DateTimeText::of(text).map(|read| (read.wall.to_string(), read.is_date, read.offset))
        };
        for (text, wall, is_date, offset) in [
            ("20260301", "2026-03-01 00:00:00", true, None),
            (" 20260301T090807 ", "2026-03-01 09:08:07", false, None),
            ("20260301T090807Z", "2026-03-01 09:08:07", false, Some(0)),
            ("20260301t0908z", "2026-03-01 09:08:00", false, Some(0)),
            ("20260301T090807+0130", "2026-03-01 09:08:07", false, Some(5_400)),
            ("20260301T090807-01", "2026-03-01 09:08:07", false, Some(-3_600)),
            ("20260301T09300Z", "2026-03-01 09:30:00", false, Some(0)),
            ("20260301T240000", "2026-03-02 00:00:00", false, None),
            ("20260301T235960Z", "2026-03-01 23:59:59", false, Some(0)),
            ("20260301Z", "2026-03-01 00:00:00", true, None),
            ("20260301T", "2026-03-01 00:00:00", true, None),
            ("2026-03-01", "2026-03-01 00:00:00", true, None),
            ("2026-03-01T09:08:07.123Z", "2026-03-01 09:08:07", false, Some(0)),
            ("2026-03-01 09:08:07-02:30", "2026-03-01 09:08:07", false, Some(-9_000)),
        ] {
            assert_eq!(read(text), Some((wall.to_owned(), is_date, offset)), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026",
            "20260230",
            "20260301T250000",
            "20260301T096000",
            "20260301T9",
            "00000101",
            "99990101",
            "2026-3-1",
            "202603016T090000",
            "2026-",
            "20260301T090807+9",
            "20260301T090807+9900",
            "２０２６０３０１",
            "2026-03-01T",
        ] {
            assert!(read(text).is_none() || text == "2026-03-01T", "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn offsets_are_read_as_they_are_written() {
        for (text, seconds) in
            [("+0100", Some(3_600)), ("-0930", Some(-34_200)), ("+01", Some(3_600)), ("-001015", Some(-615))]
        {
            assert_eq!(utc_offset(text), seconds, "{text}");
        }
        for text in ["", "0100", "+1", "+2400", "-9999", "+AB00"] {
            assert_eq!(utc_offset(text), None, "{text}");
        }
    }
}
