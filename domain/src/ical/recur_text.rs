//! A recurrence rule as it is written (RECUR; RFC 5545, 3.3.10).

use std::str::FromStr;

use chrono::Weekday;
use rrule::Frequency;

use super::date_time::DateTimeText;

/// Its parts, not yet held against each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecurText {
    pub(super) freq: Frequency,
    pub(super) until: Option<DateTimeText>,
    pub(super) count: Option<u32>,
    pub(super) interval: u16,
    pub(super) bysecond: Vec<u8>,
    pub(super) byminute: Vec<u8>,
    pub(super) byhour: Vec<u8>,
    pub(super) byday: Vec<(Option<i16>, Weekday)>,
    pub(super) bymonthday: Vec<i8>,
    pub(super) byyearday: Vec<i16>,
    pub(super) byweekno: Vec<i8>,
    pub(super) bymonth: Vec<u8>,
    pub(super) bysetpos: Vec<i32>,
    pub(super) wkst: Option<Weekday>,
    /// Whether RSCALE (RFC 7529) names another calendar than the Gregorian.
    pub(super) foreign_calendar: bool,
    /// Whether SKIP moves days that do not exist.
    pub(super) skips: bool,
}

impl RecurText {
    /// `None` where a part cannot be read or FREQ is missing. Parts that nobody knows are left out.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut recur = Self {
            freq: Frequency::Secondly,
            until: None,
            count: None,
            interval: 1,
            bysecond: Vec::new(),
            byminute: Vec::new(),
            byhour: Vec::new(),
            byday: Vec::new(),
            bymonthday: Vec::new(),
            byyearday: Vec::new(),
            byweekno: Vec::new(),
            bymonth: Vec::new(),
            bysetpos: Vec::new(),
            wkst: None,
            foreign_calendar: false,
            skips: false,
        };
        let mut has_freq = false;
        for part in text.split(';') {
            // Some escape the semicolons, as in TEXT.
            let part = part.trim_ascii().trim_end_matches('\\');
            let Some((name, value)) = part.split_once('=') else { continue };
            has_freq |= recur.part(&name.trim_ascii().to_ascii_uppercase(), value.trim_ascii())?;
        }
        has_freq.then_some(recur)
    }

    /// Takes one part; whether it is FREQ.
    fn part(&mut self, name: &str, value: &str) -> Option<bool> {
        match name {
            "FREQ" => {
                self.freq = value.parse().ok()?;
                return Some(true);
            }
            "UNTIL" => self.until = Some(DateTimeText::of(value)?),
            // None at all, and -1, are written for "without end".
            "COUNT" => {
                let count = number::<i64>(value)?.clamp(0, i64::from(u32::MAX));
                self.count = u32::try_from(count).ok().filter(|count| *count > 0);
            }
            "INTERVAL" => self.interval = number::<u16>(value)?.max(1),
            "BYSECOND" => self.bysecond = list(value, number)?,
            "BYMINUTE" => self.byminute = list(value, number)?,
            "BYHOUR" => self.byhour = list(value, number)?,
            "BYDAY" => self.byday = list(value, day)?,
            "BYMONTHDAY" => self.bymonthday = list(value, number)?,
            "BYYEARDAY" => self.byyearday = list(value, number)?,
            "BYWEEKNO" => self.byweekno = list(value, number)?,
            "BYMONTH" => self.bymonth = list(value, number)?,
            "BYSETPOS" => self.bysetpos = list(value, number)?,
            "WKST" => self.wkst = Some(weekday(value)?),
            "RSCALE" => self.foreign_calendar = !value.eq_ignore_ascii_case("GREGORIAN"),
            "SKIP" => self.skips = !value.eq_ignore_ascii_case("OMIT"),
            _ => {}
        }
        Some(false)
    }
}

fn list<T>(text: &str, read: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(str::trim_ascii).filter(|value| !value.is_empty()).map(read).collect()
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn day(text: &str) -> Option<(Option<i16>, Weekday)> {
    let letters = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, name) = text.split_at(letters);
    let number = if number.is_empty() { None } else { Some(number.parse().ok()?) };
    Some((number, weekday(name)?))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match &*text.to_ascii_uppercase() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_part_by_part() {
        let recur = RecurText::of(
            "freq=Monthly; INTERVAL=2;BYDAY=MO,-1su,+2TU;COUNT=3;WKST=SU;X-OTHER=1;;BYSETPOS=-1",
        )
        .unwrap();
        assert_eq!((recur.freq, recur.interval, recur.count), (Frequency::Monthly, 2, Some(3)));
        assert_eq!(recur.byday, [(None, Weekday::Mon), (Some(-1), Weekday::Sun), (Some(2), Weekday::Tue)]);
        assert_eq!((recur.wkst, &*recur.bysetpos), (Some(Weekday::Sun), &[-1][..]));
    }

    #[test]
    fn some_escape_what_separates() {
        let recur = RecurText::of("FREQ=DAILY\\;COUNT=10").unwrap();
        assert_eq!((recur.freq, recur.count), (Frequency::Daily, Some(10)));
    }

    #[test]
    fn a_count_of_nothing_is_no_count() {
        for text in ["FREQ=DAILY;COUNT=-1", "FREQ=DAILY;COUNT=0"] {
            assert_eq!(RecurText::of(text).unwrap().count, None, "{text}");
        }
        assert_eq!(RecurText::of("FREQ=DAILY;COUNT=9999999999").unwrap().count, Some(u32::MAX));
    }

    #[test]
    fn what_cannot_be_read_is_no_rule() {
        for text in [
            "",
            "COUNT=1",
            "FREQ=SOMETIMES",
            "FREQ=DAILY;UNTIL=soon",
            "FREQ=DAILY;BYDAY=XX",
            "FREQ=DAILY;BYHOUR=300",
            "FREQ=DAILY;INTERVAL=99999999",
            "FREQ=DAILY;COUNT=x",
            "FREQ=DAILY;BYDAY=5",
            "FREQ=DAILY;BYDAY=é",
        ] {
            assert_eq!(RecurText::of(text), None, "{text}");
        }
    }
}
