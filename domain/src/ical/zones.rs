//! Which time a TZID keeps: by its name, by what its VTIMEZONE says, or else by the calendar's own zone.

use std::{cell::RefCell, collections::HashMap, str::FromStr, sync::Arc};

use calcard::{
    common::timezone::Tz as NamedByOthers,
    icalendar::{ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue},
};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::{
    read::text_of,
    rule::{Budget, Rule, walls},
    value::date_time,
    windows::from_windows,
};

/// What maps local times to instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// One of the IANA database.
    Named(Tz),
    /// Always this far ahead of UTC, in seconds.
    Fixed(i32),
    /// What a VTIMEZONE says.
    Observed(Arc<Observed>),
}

/// A VTIMEZONE, evaluated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Observed {
    /// Seconds ahead of UTC before the first change.
    before: i32,
    /// When (UTC) it changed to how many seconds, in order.
    changes: Vec<(NaiveDateTime, i32)>,
}

impl Zone {
    /// Seconds ahead of UTC at a moment of UTC.
    fn offset(&self, utc: NaiveDateTime) -> i32 {
        match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
            Self::Fixed(seconds) => *seconds,
            Self::Observed(observed) => {
                let passed = observed.changes.partition_point(|(at, _)| *at <= utc);
                passed.checked_sub(1).map_or(observed.before, |last| observed.changes[last].1)
            }
        }
    }

    /// The instant at which clocks show `local`: the earlier where they show it twice, and by the offset before the
    /// gap where they never show it (RFC 5545, 3.3.5).
    pub(super) fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let at =
            |offset: i32| local.checked_sub_signed(Duration::seconds(i64::from(offset))).unwrap_or(local);
        let day = Duration::days(1);
        let before = self.offset(local.checked_sub_signed(day).unwrap_or(local));
        let after = self.offset(local.checked_add_signed(day).unwrap_or(local));
        let kept = |offset: i32| self.offset(at(offset)) == offset;
        let offset = if !kept(before) && kept(after) { after } else { before };
        Utc.from_utc_datetime(&at(offset))
    }

    /// What clocks show at an instant.
    pub(super) fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        let utc = instant.naive_utc();
        utc.checked_add_signed(Duration::seconds(i64::from(self.offset(utc)))).unwrap_or(utc)
    }

    /// The zone in which a person reads it: its own, or `other` where it has no name.
    pub(super) fn shown(&self, other: Tz) -> Tz {
        match self {
            Self::Named(zone) => *zone,
            Self::Fixed(seconds) => whole_hours(*seconds).unwrap_or(other),
            Self::Observed(_) => other,
        }
    }
}

/// The zones of one calendar object, by TZID.
#[derive(Debug)]
pub(super) struct Zones<'a> {
    /// That of floating times: X-WR-TIMEZONE, or what the reader was given.
    pub(super) own: Tz,
    definitions: HashMap<String, Definition<'a>>,
    known: RefCell<HashMap<String, Option<Zone>>>,
}

#[derive(Debug)]
struct Definition<'a> {
    location: Option<&'a str>,
    observances: Vec<&'a ICalendarComponent>,
}

impl<'a> Zones<'a> {
    /// What the components of one object define; `default` is the zone where they say nothing.
    pub(super) fn of(components: &'a [ICalendarComponent], default: Tz) -> Self {
        let own = components
            .iter()
            .filter(|component| component.component_type == ICalendarComponentType::VCalendar)
            .find_map(|component| other_text(component, "X-WR-TIMEZONE"))
            .and_then(by_name)
            .map_or(default, |zone| zone.shown(default));
        let mut definitions = HashMap::new();
        for component in components {
            if component.component_type != ICalendarComponentType::VTimezone {
                continue;
            }
            let Some(name) = component.property(&ICalendarProperty::Tzid).and_then(text_of) else { continue };
            let observances = component
                .component_ids
                .iter()
                .filter_map(|id| components.get(*id as usize))
                .filter(|part| {
                    matches!(
                        part.component_type,
                        ICalendarComponentType::Standard | ICalendarComponentType::Daylight
                    )
                })
                .collect();
            let location = other_text(component, "X-LIC-LOCATION");
            definitions.entry(bare(name).to_owned()).or_insert(Definition { location, observances });
        }
        Self { own, definitions, known: RefCell::default() }
    }

    /// The zone of a TZID; `None` when nothing tells.
    pub(super) fn zone(&self, name: &str) -> Option<Zone> {
        let name = bare(name);
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let definition = self.definitions.get(name);
        let zone = by_name(name)
            .or_else(|| definition.and_then(|definition| definition.location).and_then(by_name))
            .or_else(|| definition.and_then(|definition| observed(&definition.observances)))
            .or_else(|| by_offset(name).map(Zone::Fixed));
        self.known.borrow_mut().insert(name.to_owned(), zone.clone());
        zone
    }
}

fn bare(name: &str) -> &str {
    name.trim().trim_matches('"').trim()
}

fn other_text<'a>(component: &'a ICalendarComponent, name: &str) -> Option<&'a str> {
    component
        .entries
        .iter()
        .find(|entry| matches!(&entry.name, ICalendarProperty::Other(other) if other.eq_ignore_ascii_case(name)))
        .and_then(text_of)
}

/// The zone that a name alone tells.
fn by_name(name: &str) -> Option<Zone> {
    let name = bare(name);
    iana(name)
        .or_else(|| from_windows(name))
        .or_else(|| within_a_path(name))
        .or_else(|| name.split_once('-').and_then(|(area, place)| iana(&format!("{area}/{place}"))))
        .or_else(|| by_display(name))
        .map(Zone::Named)
}

fn iana(name: &str) -> Option<Tz> {
    let name = name.strip_prefix("posix/").unwrap_or(name);
    Tz::from_str(name)
        .ok()
        .or_else(|| chrono_tz::TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name)))
}

/// `/freeassociation.sourceforge.net/Tzfile/Europe/Berlin`, `/mozilla.org/20070129_1/Europe/Berlin`,
/// `tzone://Microsoft/Utc`: a vendor's prefix before the name that is meant.
fn within_a_path(name: &str) -> Option<Tz> {
    let path = name.strip_prefix('/').or_else(|| name.split_once("://").map(|(_, path)| path))?;
    std::iter::successors(Some(path), |path| path.split_once('/').map(|(_, rest)| rest)).find_map(iana)
}

/// What Windows shows in its lists, as "Amsterdam, Berlin, Bern" or "(UTC-05:00) Eastern Time (US & Canada)".
fn by_display(name: &str) -> Option<Tz> {
    let name = match name.strip_prefix('(') {
        // The offset is that of the winter alone: it tells less than a VTIMEZONE does.
        Some(rest) => rest.split_once(')').map(|(_, name)| name.trim())?,
        None => name,
    };
    let windows = from_windows(name).or_else(|| from_windows(&format!("{name} Standard Time")));
    windows.or_else(|| match NamedByOthers::from_str(name) {
        Ok(NamedByOthers::Tz(zone)) => Some(zone),
        _ => None,
    })
}

/// `GMT+0200`, `UTC-3`, `+05:30`, `(UTC+01:00) Somewhere`: seconds ahead of UTC.
fn by_offset(name: &str) -> Option<i32> {
    let name =
        name.strip_prefix('(').map_or(name, |rest| rest.split_once(')').map_or(rest, |(zone, _)| zone));
    let upper = name.to_ascii_uppercase();
    let offset =
        upper.strip_prefix("GMT").or_else(|| upper.strip_prefix("UTC")).unwrap_or(&upper).trim_start();
    let (sign, digits) = match offset.as_bytes().first()? {
        b'+' => (1, &offset[1..]),
        b'-' => (-1, &offset[1..]),
        _ => return None,
    };
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(digits.len());
    let (hours, minutes) = match digits[..end].split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if end > 2 => digits[..end].split_at(end - 2),
        None => (&digits[..end], "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The zone of the IANA database that is always so many seconds ahead (its names have the sign reversed).
fn whole_hours(seconds: i32) -> Option<Tz> {
    (seconds % 3600 == 0).then(|| format!("Etc/GMT{:+}", -seconds / 3600)).and_then(|name| name.parse().ok())
}

/// The years in which changes are looked for; Windows' zones begin in 1601.
const YEARS: [i32; 2] = [1900, 2100];
/// More changes of one observance than two centuries have.
const CHANGES: usize = 400;

fn observed(observances: &[&ICalendarComponent]) -> Option<Zone> {
    let mut changes = Vec::new();
    // A hostile calendar may repeat an observance as often as it likes.
    for observance in observances.iter().take(200) {
        let from = offset_of(observance, &ICalendarProperty::Tzoffsetfrom)?;
        let to = offset_of(observance, &ICalendarProperty::Tzoffsetto)?;
        for wall in onsets(observance) {
            // An onset is told in the time that ends with it (RFC 5545, 3.6.5).
            let utc = wall.checked_sub_signed(Duration::seconds(i64::from(from)))?;
            changes.push((utc, from, to));
        }
    }
    changes.sort_unstable();
    let before = changes.first()?.1;
    let changes = changes.into_iter().map(|(at, _, to)| (at, to)).collect();
    Some(Zone::Observed(Arc::new(Observed { before, changes })))
}

fn onsets(observance: &ICalendarComponent) -> Vec<NaiveDateTime> {
    let Some(start) = walls_of(observance, &ICalendarProperty::Dtstart).next() else { return Vec::new() };
    let mut onsets = vec![start];
    onsets.extend(walls_of(observance, &ICalendarProperty::Rdate).take(CHANGES));
    let [first, end]: [NaiveDateTime; 2] =
        YEARS.map(|year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().into());
    for entry in observance.properties(&ICalendarProperty::Rrule) {
        let Some(ICalendarValue::RecurrenceRule(written)) = entry.values.first() else { continue };
        // UNTIL is in UTC here, and the offsets that it needs are what is being found out: a day does not matter,
        // for no two changes are so near.
        let until = written.until.as_ref().and_then(date_time).map(|(at, _)| at + Duration::days(1));
        if let Ok(rule) = Rule::of(written, start) {
            let end = until.map_or(end, |until| until.min(end));
            let found =
                walls(&rule, start, start.max(first), end, &mut Budget::of_zone()).unwrap_or_default();
            onsets.extend(found.into_iter().take(CHANGES));
        }
    }
    onsets
}

fn walls_of<'a>(
    component: &'a ICalendarComponent,
    name: &'a ICalendarProperty,
) -> impl Iterator<Item = NaiveDateTime> + 'a {
    component.properties(name).flat_map(|entry| &entry.values).filter_map(|value| match value {
        ICalendarValue::PartialDateTime(at) => date_time(at).map(|(at, _)| at),
        _ => None,
    })
}

fn offset_of(component: &ICalendarComponent, name: &ICalendarProperty) -> Option<i32> {
    let Some(ICalendarValue::PartialDateTime(offset)) = component.property(name)?.values.first() else {
        return None;
    };
    let seconds = i32::from(offset.tz_hour?) * 3600 + i32::from(offset.tz_minute.unwrap_or(0)) * 60;
    (seconds < 86_400).then_some(if offset.tz_minus { -seconds } else { seconds })
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;
