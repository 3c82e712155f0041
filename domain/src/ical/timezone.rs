//! Times on the clock of a zone, and the rules of the zone as an object carries them (VTIMEZONE, RFC 5545, 3.6.5),
//! written out of the IANA database.
//!
//! Every change of the clock around what the object tells of is named by itself, without a recurrence rule: that needs
//! no guess at what the rule behind the changes may be, and no reader can expand it wrongly.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::{
    property::{self as p, ComponentName},
    writer::{IcalTime, IcalWriter},
};

/// How far around its times an object describes its zone: people move what they see by weeks, seldom by years.
const MARGIN: Duration = Duration::days(400);
/// Longest time that is described: 20 years.
const MAX_SPAN: Duration = Duration::days(7_305);

/// When something takes place, as a calendar tells it: as instants or dates, or on the clock of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTimes {
    starts: IcalTime,
    ends: IcalTime,
    clock: Option<(Tz, NaiveDateTime, NaiveDateTime)>,
}

impl EventTimes {
    /// A period without a zone: instants in UTC, or dates.
    pub fn plain(starts: IcalTime, ends: IcalTime) -> Self {
        Self { starts, ends, clock: None }
    }

    /// On the clock of `zone`, where that can tell them.
    pub fn on_the_clock(zone: Tz, starts: IcalTime, ends: IcalTime) -> Self {
        let clock = match (starts, ends) {
            (IcalTime::At(starts), IcalTime::At(ends)) if zone != Tz::UTC => {
                clock_of(zone, starts).zip(clock_of(zone, ends)).map(|(starts, ends)| (zone, starts, ends))
            }
            _ => None,
        };
        Self { starts, ends, clock }
    }

    /// Whether they are told on the clock of a zone, which `write_timezones` describes.
    pub fn is_zoned(&self) -> bool {
        self.clock.is_some()
    }

    /// Appends DTSTART and DTEND.
    pub fn write(&self, writer: &mut IcalWriter<'_>) {
        if let Some((zone, starts, ends)) = self.clock {
            writer.zoned(p::DTSTART, zone, starts);
            writer.zoned(p::DTEND, zone, ends);
        } else {
            writer.moment(p::DTSTART, self.starts);
            writer.moment(p::DTEND, self.ends);
        }
    }
}

/// `None` where the clock shows that hour for the second time: read again, it would be the first (RFC 5545, 3.3.5).
fn clock_of(zone: Tz, at: DateTime<Utc>) -> Option<NaiveDateTime> {
    let clock = at.with_timezone(&zone).naive_local();
    let read = zone.from_local_datetime(&clock).earliest()?;
    (read == at).then_some(clock)
}

/// Appends the description of each zone on whose clock some of `times` are told.
pub fn write_timezones<'t>(writer: &mut IcalWriter<'_>, times: impl IntoIterator<Item = &'t EventTimes>) {
    let mut zones: BTreeMap<&str, (Tz, DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
    for one in times {
        if let (Some((zone, ..)), IcalTime::At(starts), IcalTime::At(ends)) =
            (one.clock, one.starts, one.ends)
        {
            let known = zones.entry(zone.name()).or_insert((zone, starts, ends));
            *known = (zone, known.1.min(starts), known.2.max(ends));
        }
    }
    for (zone, starts, ends) in zones.into_values() {
        write_timezone(writer, zone, starts, ends);
    }
}

/// A stretch of a zone's time in which its clock is equally far ahead of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observance {
    pub begins: DateTime<Utc>,
    /// Seconds ahead of UTC before it.
    pub before: i32,
    /// Seconds ahead of UTC in it.
    pub ahead: i32,
    /// Whether it is summer time.
    pub daylight: bool,
    /// What people call it, such as "CET", where it has a name.
    pub name: Option<String>,
}

/// The stretches of `zone` that what lasts from `starts` to `ends` may need, in their order. The first is said to begin
/// when they begin.
pub fn stretches(zone: Tz, starts: DateTime<Utc>, ends: DateTime<Utc>) -> Vec<Observance> {
    let first = starts - MARGIN;
    let last = (ends + MARGIN).min(first + MAX_SPAN);
    let mut found = vec![stretch(zone, first, ahead(zone, first))];
    let mut at = first;
    while at < last {
        // No zone changes its clock twice within a day and is back where it was.
        let next = at + Duration::days(1);
        let (before, after) = (ahead(zone, at), ahead(zone, next));
        if before != after {
            found.push(stretch(zone, change_between(zone, at, next), before));
        }
        at = next;
    }
    found
}

/// Appends the description of `zone` for what lasts from `starts` to `ends`.
fn write_timezone(writer: &mut IcalWriter<'_>, zone: Tz, starts: DateTime<Utc>, ends: DateTime<Utc>) {
    writer.begin(ComponentName::Timezone);
    writer.keyword(p::TZID, zone.name());
    for stretch in stretches(zone, starts, ends) {
        let component = if stretch.daylight { ComponentName::Daylight } else { ComponentName::Standard };
        writer.begin(component);
        writer.clock(p::ONSET, clock(stretch.begins, stretch.before));
        writer.offset(p::TZOFFSETFROM, stretch.before);
        writer.offset(p::TZOFFSETTO, stretch.ahead);
        if let Some(name) = &stretch.name {
            writer.text(p::TZNAME, name);
        }
        writer.end(component);
    }
    writer.end(ComponentName::Timezone);
}

fn clock(at: DateTime<Utc>, ahead: i32) -> NaiveDateTime {
    at.naive_utc() + Duration::seconds(i64::from(ahead))
}

fn ahead(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

fn stretch(zone: Tz, begins: DateTime<Utc>, before: i32) -> Observance {
    let offset = zone.offset_from_utc_datetime(&begins.naive_utc());
    Observance {
        begins,
        before,
        ahead: offset.fix().local_minus_utc(),
        daylight: offset.dst_offset() > Duration::zero(),
        name: offset.abbreviation().map(str::to_owned),
    }
}

/// The first second after `from` at which the clock is as it is at `until`.
fn change_between(zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
    let old = ahead(zone, from);
    let (mut low, mut high) = (from.timestamp(), until.timestamp());
    while high - low > 1 {
        let middle = low.midpoint(high);
        let at = DateTime::from_timestamp(middle, 0).unwrap_or(until);
        if ahead(zone, at) == old { low = middle } else { high = middle }
    }
    DateTime::from_timestamp(high, 0).unwrap_or(until)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_changes_are_where_the_law_has_them() {
        let found =
            stretches(chrono_tz::Europe::Lisbon, at("2026-03-10T09:00:00Z"), at("2026-03-10T10:00:00Z"));
        let shown: Vec<_> =
            found.iter().map(|one| (one.begins, one.before, one.ahead, one.daylight)).collect();
        assert_eq!(
            shown[1..],
            [
                (at("2025-03-30T01:00:00Z"), 0, 3600, true),
                (at("2025-10-26T01:00:00Z"), 3600, 0, false),
                (at("2026-03-29T01:00:00Z"), 0, 3600, true),
                (at("2026-10-25T01:00:00Z"), 3600, 0, false),
                (at("2027-03-28T01:00:00Z"), 0, 3600, true),
            ]
        );
        assert_eq!((found[0].before, found[0].ahead, found[0].name.as_deref()), (0, 0, Some("WET")));
    }

    #[test]
    fn a_zone_that_never_changes_is_one_stretch() {
        let found =
            stretches(chrono_tz::Asia::Kathmandu, at("2026-03-10T09:00:00Z"), at("2026-03-10T10:00:00Z"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].before, found[0].ahead), (20_700, 20_700));
    }

    proptest! {
        /// Whatever the zone and the time, the stretch that an instant falls into says how far ahead the clock is.
        #[test]
        fn every_instant_is_told_as_the_database_has_it(
            zone in proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
            start in 0_i64..2_500_000_000,
            length in 0_i64..40_000_000,
            inside in -30_000_000_i64..70_000_000,
        ) {
            let starts = DateTime::from_timestamp(start, 0).unwrap();
            let ends = starts + Duration::seconds(length);
            let looked_at = starts + Duration::seconds(inside.min(length + 30_000_000));
            let found = stretches(zone, starts, ends);
            let its_own = found.iter().rev().find(|stretch| stretch.begins <= looked_at).unwrap();
            prop_assert_eq!(its_own.ahead, ahead(zone, looked_at));
            prop_assert!(found.windows(2).all(|pair| pair[0].ahead == pair[1].before && pair[0].begins < pair[1].begins));
        }
    }
}
