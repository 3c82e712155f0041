//! Which time a TZID keeps: by its name, by what its VTIMEZONE says, or else by the calendar's own zone.

use std::{cell::RefCell, collections::HashMap, str::FromStr, sync::Arc};

use calcard::common::timezone::Tz as NamedByOthers;
use chrono::{DateTime, Duration, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::{
    date_time::{DateTimeText, utc_offset},
    objects::{ObjectRanges, parts, properties},
    property_line::{PropertyLine, unescaped},
    recur_text::RecurText,
    recurrence_rule::{Budget, ExpandableRule, walls},
    unfold::LineSlice,
    windows_zones::from_windows,
};

/// What maps local times to instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// One of the IANA database.
    Named(Tz),
    /// Always this far ahead of UTC, in seconds.
    Fixed(i32),
    /// What a VTIMEZONE says.
    Observed(Arc<VTimezoneRules>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct VTimezoneRules {
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
        match self {
            Self::Named(Tz::UTC) => return local.and_utc(),
            Self::Named(zone) => match zone.offset_from_local_datetime(&local) {
                MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                    let ahead = Duration::seconds(i64::from(offset.fix().local_minus_utc()));
                    return local.checked_sub_signed(ahead).unwrap_or(local).and_utc();
                }
                MappedLocalTime::None => {}
            },
            Self::Fixed(_) | Self::Observed(_) => {}
        }
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
pub(super) struct ObjectZones<'a> {
    /// That of floating times: X-WR-TIMEZONE, or what the reader was given.
    pub(super) own: Tz,
    definitions: HashMap<String, VTimezoneText<'a>>,
    known: RefCell<HashMap<String, Option<Zone>>>,
    /// The last one that was asked for: most times of a calendar are in one zone.
    last: RefCell<Option<(String, Option<Zone>)>>,
    /// Of all VTIMEZONEs of the file together.
    budget: &'a RefCell<Budget>,
}

#[derive(Debug)]
struct VTimezoneText<'a> {
    location: Option<String>,
    observances: Vec<Vec<PropertyLine<'a>>>,
}

impl<'a> ObjectZones<'a> {
    /// What an object defines; `default` is the zone where it says nothing. `budget` is that of all objects of a file:
    /// somebody may write thousands.
    pub(super) fn of(
        object: &ObjectRanges,
        lines: LineSlice<'a>,
        default: Tz,
        budget: &'a RefCell<Budget>,
    ) -> Self {
        let own = object.own_zone.and_then(|line| properties(lines.part(line..line + 1)).next());
        let own = own.and_then(|content| by_name(&unescaped(content.value)));
        let own = own.map_or(default, |zone| zone.shown(default));
        let mut definitions = HashMap::new();
        for span in &object.zones {
            let lines = lines.part(span.clone());
            let named = |name| {
                properties(lines).find(|content| content.is(name)).map(|content| unescaped(content.value))
            };
            let Some(name) = named("TZID") else { continue };
            let observances = parts(lines)
                .into_iter()
                .filter(|(name, _)| {
                    name.eq_ignore_ascii_case("STANDARD") || name.eq_ignore_ascii_case("DAYLIGHT")
                })
                .map(|(_, lines)| properties(lines).collect())
                .collect();
            let definition = VTimezoneText { location: named("X-LIC-LOCATION"), observances };
            definitions.entry(trim_name(&name).to_owned()).or_insert(definition);
        }
        Self { own, definitions, known: RefCell::default(), last: RefCell::default(), budget }
    }

    /// The zone of a TZID; `None` when nothing tells.
    pub(super) fn zone(&self, name: &str) -> Option<Zone> {
        if let Some((last, zone)) = &*self.last.borrow()
            && last == name
        {
            return zone.clone();
        }
        let zone = self.found(name);
        *self.last.borrow_mut() = Some((name.to_owned(), zone.clone()));
        zone
    }

    fn found(&self, name: &str) -> Option<Zone> {
        let name = trim_name(name);
        if name.len() > MAX_TZID_LENGTH {
            return None;
        }
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let definition = self.definitions.get(name);
        let zone = by_name(name)
            .or_else(|| definition.and_then(|definition| definition.location.as_deref()).and_then(by_name))
            .or_else(|| {
                definition
                    .and_then(|definition| observed(&definition.observances, &mut self.budget.borrow_mut()))
            })
            .or_else(|| by_offset(name).map(Zone::Fixed));
        self.known.borrow_mut().insert(name.to_owned(), zone.clone());
        zone
    }
}

/// Windows' lists of cities are the longest names that are meant.
const MAX_TZID_LENGTH: usize = 200;

fn trim_name(name: &str) -> &str {
    name.trim().trim_matches('"').trim()
}

/// The zone that a name alone tells.
pub(super) fn by_name(name: &str) -> Option<Zone> {
    let name = trim_name(name);
    iana(name)
        .or_else(|| from_windows(name))
        .or_else(|| within_a_path(name))
        .or_else(|| name.split_once('-').and_then(|(area, place)| iana(&format!("{area}/{place}"))))
        .or_else(|| by_display(name))
        .map(Zone::Named)
}

/// The zone that a name alone tells, in any of the ways in which applications write it; `None` where it takes the rules of
/// a VTIMEZONE to know.
pub fn named_zone(name: &str) -> Option<Tz> {
    match by_name(name)? {
        Zone::Named(zone) => Some(zone),
        Zone::Fixed(_) | Zone::Observed(_) => None,
    }
}

/// The zone of an object with one VTIMEZONE, as calendars have it for a property (RFC 4791, 5.2.2): by its name, or by
/// the place that it is said to be the zone of. `None`: by neither.
pub fn described_zone(object: &str) -> Option<Tz> {
    let unfolded = object.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let of = |name: &str| {
        let lines = unfolded.lines().filter_map(|line| line.trim().split_once(':'));
        let mut named = lines.filter(|(key, _)| {
            key.split(';').next().is_some_and(|property| property.eq_ignore_ascii_case(name))
        });
        named.next().and_then(|(_, value)| named_zone(&unescaped(value)))
    };
    of("TZID").or_else(|| of("X-LIC-LOCATION"))
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
    (hours <= 14 && minutes < 60).then(|| sign * (hours * 3600 + minutes * 60))
}

/// The zone of the IANA database that is always so many seconds ahead (its names have the sign reversed).
fn whole_hours(seconds: i32) -> Option<Tz> {
    (seconds % 3600 == 0).then(|| format!("Etc/GMT{:+}", -seconds / 3600)).and_then(|name| name.parse().ok())
}

/// The years in which changes are looked for; Windows' zones begin in 1601.
const TRANSITION_YEARS: [i32; 2] = [1900, 2100];
/// More changes of one observance than two centuries have.
const MAX_TRANSITIONS: usize = 400;

fn observed(observances: &[Vec<PropertyLine<'_>>], budget: &mut Budget) -> Option<Zone> {
    let mut changes = Vec::new();
    // A hostile calendar may repeat an observance as often as it likes.
    for observance in observances.iter().take(200) {
        let offset =
            |name| observance.iter().find(|content| content.is(name)).and_then(|it| utc_offset(it.value));
        let (from, to) = (offset("TZOFFSETFROM")?, offset("TZOFFSETTO")?);
        for wall in onsets(observance, budget)? {
            // An onset is told in the time that ends with it (RFC 5545, 3.6.5).
            let utc = wall.checked_sub_signed(Duration::seconds(i64::from(from)))?;
            changes.push((utc, from, to));
        }
    }
    changes.sort_unstable();
    let before = changes.first()?.1;
    let changes = changes.into_iter().map(|(at, _, to)| (at, to)).collect();
    Some(Zone::Observed(Arc::new(VTimezoneRules { before, changes })))
}

/// When it begins, on the wall; `None` when the budget is spent.
fn onsets(observance: &[PropertyLine<'_>], budget: &mut Budget) -> Option<Vec<NaiveDateTime>> {
    let Some(start) = wall_times_of(observance, "DTSTART").next() else {
        return Some(Vec::new());
    };
    let mut onsets = vec![start];
    onsets.extend(wall_times_of(observance, "RDATE").take(MAX_TRANSITIONS));
    let [first, end]: [NaiveDateTime; 2] =
        TRANSITION_YEARS.map(|year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().into());
    for content in observance.iter().filter(|content| content.is("RRULE")) {
        let Some(written) = RecurText::of(content.value) else { continue };
        // UNTIL is in UTC here, and the offsets that it needs are what is being found out: a day does not matter,
        // for no two changes are so near.
        let until = written.until.map(|until| until.wall + Duration::days(1));
        if let Ok(rule) = ExpandableRule::of(&written, start) {
            let end = until.map_or(end, |until| until.min(end));
            let found = walls(&rule, start, start.max(first), end, budget).ok()?;
            onsets.extend(found.into_iter().take(MAX_TRANSITIONS));
        }
    }
    Some(onsets)
}

fn wall_times_of<'a>(
    observance: &'a [PropertyLine<'a>],
    name: &'a str,
) -> impl Iterator<Item = NaiveDateTime> + 'a {
    let named = observance.iter().filter(move |content| content.is(name));
    named
        .flat_map(|content| content.value.split(','))
        .filter_map(|text| DateTimeText::of(text).map(|read| read.wall))
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;
