//! Times in their zones, and how long events take.

use chrono::{Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::{
    date_time::DateTimeText,
    property_line::PropertyLine,
    writer::IcalTime,
    zones::{ObjectZones, Zone},
};
use crate::entry::EntryTime;

/// A DATE or a DATE-TIME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LocalTime {
    On(NaiveDate),
    /// What clocks in a zone show.
    At(NaiveDateTime, Zone),
}

impl LocalTime {
    /// The same, as an instant or a date.
    pub(super) fn moment(&self) -> IcalTime {
        match self {
            Self::On(date) => IcalTime::On(*date),
            Self::At(wall, zone) => IcalTime::At(zone.instant(*wall)),
        }
    }

    /// What is written, whatever the zone.
    pub(super) fn wall(&self) -> NaiveDateTime {
        match self {
            Self::On(date) => date.and_time(NaiveTime::MIN),
            Self::At(wall, _) => *wall,
        }
    }

    /// Of the same kind and in the same zone, at another wall time.
    pub(super) fn at(&self, wall: NaiveDateTime) -> Self {
        match self {
            Self::On(_) => Self::On(wall.date()),
            Self::At(_, zone) => Self::At(wall, zone.clone()),
        }
    }
}

/// How long an event takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventDuration {
    Days(u64),
    /// Days by the clock, then exactly so long (a DURATION; RFC 5545, 3.3.6), or no days (a DTEND; 3.8.5.3).
    Exact(u64, TimeDelta),
}

/// More than a hundred years is a mistake, or means for ever.
const MAX_DURATION_DAYS: u64 = 40_000;

/// Until when what never ends is taken: longer than anybody plans, and near enough to count nights one by one.
const UNBOUNDED_UNTIL: NaiveDate = match NaiveDate::from_ymd_opt(2200, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

impl EventDuration {
    /// From an event's start to its end, as dates or as instants; `None` beyond the calendar.
    pub(super) fn end(self, start: &LocalTime) -> Option<IcalTime> {
        match (start, self) {
            (LocalTime::On(date), Self::Days(days)) => {
                date.checked_add_days(Days::new(days)).map(IcalTime::On)
            }
            (LocalTime::On(date), Self::Exact(days, rest)) => {
                let whole = u64::try_from(rest.num_seconds()).unwrap_or(0).div_ceil(86_400);
                date.checked_add_days(Days::new((days + whole).max(1))).map(IcalTime::On)
            }
            (LocalTime::At(wall, zone), Self::Days(days)) => {
                wall.checked_add_days(Days::new(days)).map(|end| IcalTime::At(zone.instant(end)))
            }
            (LocalTime::At(wall, zone), Self::Exact(days, rest)) => {
                let day = wall.checked_add_days(Days::new(days))?;
                zone.instant(day).checked_add_signed(rest).map(IcalTime::At)
            }
        }
    }

    /// Whether it is no time at all.
    pub(super) fn is_nothing(self) -> bool {
        matches!(self, Self::Days(0)) || self == Self::Exact(0, TimeDelta::zero())
    }

    /// No less than it takes anywhere.
    pub(super) fn upper_bound(self) -> Duration {
        let (days, rest) = match self {
            Self::Days(days) => (days, TimeDelta::zero()),
            Self::Exact(days, rest) => (days, rest),
        };
        Duration::days(i64::try_from(days).unwrap_or(0)) + rest + Duration::days(1)
    }

    /// For what ends so far away that it means for ever: no night that anybody could sell is cut off.
    pub(super) fn for_ever(start: &LocalTime) -> Self {
        let days = (UNBOUNDED_UNTIL - start.wall().date()).num_days();
        let days = u64::try_from(days).unwrap_or(0).max(MAX_DURATION_DAYS);
        match start {
            LocalTime::On(_) => Self::Days(days),
            LocalTime::At(..) => Self::Exact(days, TimeDelta::zero()),
        }
    }

    /// Whether a DTEND lies so far after the start that it means for ever.
    pub(super) fn is_unbounded(start: &LocalTime, end: &LocalTime) -> bool {
        let days = (end.wall().date() - start.wall().date()).num_days();
        u64::try_from(days).is_ok_and(|days| days >= MAX_DURATION_DAYS)
    }

    /// A DURATION (3.3.6); `None` when it is none, negative or absurdly long.
    pub(super) fn of(duration: &str) -> Option<Self> {
        Self::written(duration).filter(|length| !length.is_too_long())
    }

    /// Whether a DURATION is one, and so long that it means for ever.
    pub(super) fn is_unbounded_duration(duration: &str) -> bool {
        Self::written(duration).is_some_and(Self::is_too_long)
    }

    fn is_too_long(self) -> bool {
        match self {
            Self::Days(days) => days > MAX_DURATION_DAYS,
            Self::Exact(days, rest) => u64::try_from(rest.num_days())
                .is_ok_and(|whole| days.saturating_add(whole) > MAX_DURATION_DAYS),
        }
    }

    /// A DURATION, however long; `None` when it is none, or negative.
    fn written(duration: &str) -> Option<Self> {
        let text = duration.trim_ascii();
        let negative = text.starts_with('-');
        let text = text.strip_prefix(['+', '-']).unwrap_or(text).strip_prefix(['P', 'p'])?;
        let (mut days, mut seconds, mut number) = (0_u64, 0_u64, None);
        for letter in text.bytes() {
            let digit = letter.wrapping_sub(b'0');
            if digit < 10 {
                number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit))?);
                continue;
            }
            let (total, unit) = match letter.to_ascii_uppercase() {
                b'T' if number.is_none() => continue,
                b'W' => (&mut days, 7),
                b'D' => (&mut days, 1),
                b'H' => (&mut seconds, 3600),
                b'M' => (&mut seconds, 60),
                b'S' => (&mut seconds, 1),
                _ => return None,
            };
            *total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        }
        let nothing = days == 0 && seconds == 0;
        let length = Self::Exact(days, TimeDelta::try_seconds(i64::try_from(seconds).ok()?)?);
        (number.is_none() && !text.is_empty() && (nothing || !negative)).then_some(length)
    }

    /// From a start to a DTEND; `None` when it lies before or absurdly far away.
    pub(super) fn between(start: &LocalTime, end: &LocalTime) -> Option<Self> {
        match (start, end) {
            (LocalTime::On(from), _) => {
                // A day of which only some hours are meant is a day.
                let end = end.wall();
                let begun = i64::from(end.time() != NaiveTime::MIN);
                let days = u64::try_from((end.date() - *from).num_days() + begun).ok()?;
                (1..=MAX_DURATION_DAYS).contains(&days).then_some(Self::Days(days))
            }
            (LocalTime::At(wall, zone), _) => {
                let until = match end {
                    LocalTime::At(wall, zone) => zone.instant(*wall),
                    LocalTime::On(date) => zone.instant(date.and_time(NaiveTime::MIN)),
                };
                let length = until - zone.instant(*wall);
                let days = u64::try_from(length.num_days()).ok()?;
                (length >= TimeDelta::zero() && days <= MAX_DURATION_DAYS).then_some(Self::Exact(0, length))
            }
        }
    }
}

/// How times are read: with these zones, and those that name none in `floating`.
pub(super) struct TimeReader<'z, 'a> {
    pub(super) zones: &'z ObjectZones<'a>,
    pub(super) floating: Zone,
}

impl TimeReader<'_, '_> {
    /// One of the times of a property, and whether its TZID is known; `None` when it is no date and no time.
    pub(super) fn value(&self, content: &PropertyLine<'_>, text: &str) -> Option<(LocalTime, bool)> {
        let read = DateTimeText::of(text)?;
        if read.is_date {
            return Some((LocalTime::On(read.wall.date()), true));
        }
        let zone = match read.offset {
            Some(0) => Some(Zone::Named(Tz::UTC)),
            Some(seconds) => Some(Zone::Fixed(seconds)),
            None => match content.parameter("TZID") {
                Some(name) if !name.is_empty() => self.zones.zone(name),
                _ => Some(self.floating.clone()),
            },
        };
        let known = zone.is_some();
        Some((LocalTime::At(read.wall, zone.unwrap_or(Zone::Named(self.zones.own))), known))
    }

    /// All that is readable of a property with many values, and whether that is all; a period brings its own length.
    pub(super) fn values(
        &self,
        content: &PropertyLine<'_>,
    ) -> (Vec<(LocalTime, Option<EventDuration>)>, bool) {
        let start = |text: &str| self.value(content, text).map(|(written, _)| written);
        let read = |text: &str| match text.split_once('/') {
            None => Some((start(text)?, None)),
            Some((from, to)) => {
                let from = start(from)?;
                let end = || start(to).and_then(|end| EventDuration::between(&from, &end));
                let length = EventDuration::of(to).or_else(end);
                Some((from, length))
            }
        };
        let mut whole = true;
        let mut found = Vec::new();
        for text in content.value.split(',').filter(|text| !text.trim_ascii().is_empty()) {
            let value = read(text);
            whole &= value.is_some();
            found.extend(value);
        }
        (found, whole)
    }
}

/// The time of an event; `None` beyond the calendar.
pub(super) fn entry_time(start: &LocalTime, length: EventDuration, shown: Tz) -> Option<EntryTime> {
    match (start.moment(), length.end(start)?) {
        (IcalTime::At(starts_at), IcalTime::At(ends_at)) => {
            let zone = match start {
                LocalTime::At(_, zone) => zone.shown(shown),
                LocalTime::On(_) => shown,
            };
            Some(EntryTime::Timed { starts_at, ends_at, zone })
        }
        (IcalTime::On(from), IcalTime::On(until)) => Some(EntryTime::AllDay { from, until }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, days, seconds) in [
            ("PT1H30M", 0, 5_400),
            ("P1DT2H", 1, 7_200),
            ("+P2W", 14, 0),
            ("p1d", 1, 0),
            ("PT0S", 0, 0),
            ("-PT0S", 0, 0),
        ] {
            assert_eq!(
                EventDuration::of(text),
                Some(EventDuration::Exact(days, TimeDelta::seconds(seconds))),
                "{text}"
            );
        }
        for text in
            ["", "P", "PT5", "1H", "-PT1H", "PX", "P99999D", "PT99999999999999999999S", "P4294967295W"]
        {
            assert_eq!(EventDuration::of(text), None, "{text}");
        }
    }

    #[test]
    fn durations_without_end_are_known_as_such() {
        for text in ["P99999D", "P4294967295W", "PT9999999999S", "P39999DT48H"] {
            assert!(EventDuration::is_unbounded_duration(text), "{text}");
        }
        for text in ["", "PX", "-P99999D", "P40000D", "PT99999999999999999999S"] {
            assert!(!EventDuration::is_unbounded_duration(text), "{text}");
        }
    }
}
