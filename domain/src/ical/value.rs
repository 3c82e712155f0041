//! Dates, times and lengths as iCalendar writes them.

use calcard::{
    common::PartialDateTime,
    icalendar::{ICalendarDuration, ICalendarEntry, ICalendarParameterName, ICalendarPeriod, ICalendarValue},
};
use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    writer::Moment,
    zones::{Zone, Zones},
};

/// A DATE or a DATE-TIME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A whole day.
    On(NaiveDate),
    /// What clocks in a zone show.
    At(NaiveDateTime, Zone),
}

impl Written {
    /// The same, as an instant or a date.
    pub(super) fn moment(&self) -> Moment {
        match self {
            Self::On(date) => Moment::On(*date),
            Self::At(wall, zone) => Moment::At(zone.instant(*wall)),
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
pub(super) enum Length {
    /// Whole days.
    Days(u64),
    /// Days by the clock, then exactly so long (a DURATION; RFC 5545, 3.3.6), or no days (a DTEND; 3.8.5.3).
    Exact(u64, TimeDelta),
}

/// More than a hundred years is a mistake.
const LONGEST_DAYS: u64 = 40_000;

impl Length {
    /// From an event's start to its end, as dates or as instants; `None` beyond the calendar.
    pub(super) fn end(self, start: &Written) -> Option<Moment> {
        match (start, self) {
            (Written::On(date), Self::Days(days)) => date.checked_add_days(Days::new(days)).map(Moment::On),
            (Written::On(date), Self::Exact(days, rest)) => {
                let whole = u64::try_from(rest.num_seconds()).unwrap_or(0).div_ceil(86_400);
                date.checked_add_days(Days::new((days + whole).max(1))).map(Moment::On)
            }
            (Written::At(wall, zone), Self::Days(days)) => {
                wall.checked_add_days(Days::new(days)).map(|end| Moment::At(zone.instant(end)))
            }
            (Written::At(wall, zone), Self::Exact(days, rest)) => {
                let day = wall.checked_add_days(Days::new(days))?;
                zone.instant(day).checked_add_signed(rest).map(Moment::At)
            }
        }
    }

    /// No less than it takes anywhere.
    pub(super) fn at_most(self) -> Duration {
        let (days, rest) = match self {
            Self::Days(days) => (days, TimeDelta::zero()),
            Self::Exact(days, rest) => (days, rest),
        };
        Duration::days(i64::try_from(days).unwrap_or(0)) + rest + Duration::days(1)
    }

    /// A DURATION; `None` when it is negative or absurdly long.
    pub(super) fn of(duration: &ICalendarDuration) -> Option<Self> {
        let days = u64::from(duration.weeks) * 7 + u64::from(duration.days);
        let seconds =
            u64::from(duration.hours) * 3600 + u64::from(duration.minutes) * 60 + u64::from(duration.seconds);
        let nothing = days == 0 && seconds == 0;
        let length = Self::Exact(days, TimeDelta::seconds(i64::try_from(seconds).ok()?));
        (nothing || !duration.neg && days + seconds / 86_400 <= LONGEST_DAYS).then_some(length)
    }

    /// From a start to a DTEND; `None` when it lies before or absurdly far away.
    pub(super) fn between(start: &Written, end: &Written) -> Option<Self> {
        match (start, end) {
            (Written::On(from), _) => {
                let days = u64::try_from((end.wall().date() - *from).num_days()).ok()?;
                (1..=LONGEST_DAYS).contains(&days).then_some(Self::Days(days))
            }
            (Written::At(wall, zone), _) => {
                let until = match end {
                    Written::At(wall, zone) => zone.instant(*wall),
                    Written::On(date) => zone.instant(date.and_time(NaiveTime::MIN)),
                };
                let length = until - zone.instant(*wall);
                let days = u64::try_from(length.num_days()).ok()?;
                (length >= TimeDelta::zero() && days <= LONGEST_DAYS).then_some(Self::Exact(0, length))
            }
        }
    }
}

/// The wall time of a value, and whether it is a DATE; `None` where no such day or time exists.
pub(super) fn date_time(value: &PartialDateTime) -> Option<(NaiveDateTime, bool)> {
    let year = i32::from(value.year?);
    let date = NaiveDate::from_ymd_opt(year, value.month?.into(), value.day?.into())?;
    if !(1..=9998).contains(&year) {
        return None;
    }
    let Some(hour) = value.hour else { return Some((date.and_time(NaiveTime::MIN), true)) };
    // A leap second is a time for clocks, not for calendars.
    let second = value.second.unwrap_or(0).min(59);
    let time = match (hour, value.minute.unwrap_or(0), second) {
        // Midnight at the end of a day is none of RFC 5545's times, and some write it.
        (24, 0, 0) => return date.succ_opt().map(|next| (next.and_time(NaiveTime::MIN), false)),
        (hour, minute, second) => NaiveTime::from_hms_opt(hour.into(), minute.into(), second.into())?,
    };
    Some((date.and_time(time), false))
}

/// How an entry's values are in time.
pub(super) struct Times<'a> {
    /// What the calendar defines.
    pub(super) zones: &'a Zones<'a>,
    /// The zone of floating times.
    pub(super) floating: Zone,
}

impl Times<'_> {
    /// One value of an entry, and whether its TZID is known; `None` when it is no date and no time.
    pub(super) fn value(&self, entry: &ICalendarEntry, value: &PartialDateTime) -> Option<(Written, bool)> {
        let (wall, is_date) = date_time(value)?;
        if is_date {
            return Some((Written::On(wall.date()), true));
        }
        if let Some(hours) = value.tz_hour {
            let minutes = i32::from(hours) * 60 + i32::from(value.tz_minute.unwrap_or(0));
            let zone = match minutes {
                0 => Zone::Named(Tz::UTC),
                1..=1439 => Zone::Fixed(if value.tz_minus { -60 * minutes } else { 60 * minutes }),
                _ => return None,
            };
            return Some((Written::At(wall, zone), true));
        }
        let Some(name) = zone_name(entry) else {
            return Some((Written::At(wall, self.floating.clone()), true));
        };
        Some(match self.zones.zone(&name) {
            Some(zone) => (Written::At(wall, zone), true),
            None => (Written::At(wall, Zone::Named(self.zones.own)), false),
        })
    }

    /// All that is readable of an entry with many values; a period brings its own length.
    pub(super) fn values(&self, entry: &ICalendarEntry) -> Vec<(Written, Option<Length>)> {
        let start = |at: &PartialDateTime| self.value(entry, at).map(|(written, _)| written);
        let read = |value: &ICalendarValue| match value {
            ICalendarValue::PartialDateTime(at) => Some((start(at)?, None)),
            ICalendarValue::Period(ICalendarPeriod::Range { start: from, end }) => {
                let from = start(from)?;
                let length = start(end).and_then(|end| Length::between(&from, &end));
                Some((from, length))
            }
            ICalendarValue::Period(ICalendarPeriod::Duration { start: from, duration }) => {
                Some((start(from)?, Length::of(duration)))
            }
            _ => None,
        };
        entry.values.iter().filter_map(read).collect()
    }
}

/// The TZID of an entry. A name with commas that nobody quoted comes in parts.
fn zone_name(entry: &ICalendarEntry) -> Option<String> {
    let parts: Vec<&str> =
        entry.parameters(&ICalendarParameterName::Tzid).filter_map(|part| part.as_text()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// An instant that must be in UTC, as that of LAST-MODIFIED.
pub(super) fn instant(value: &PartialDateTime) -> Option<DateTime<Utc>> {
    let (at, _) = date_time(value)?;
    Some(at.and_utc())
}
