//! Calendars that others wrote: from bytes to events.
//!
//! What comes from outside is untrusted, and often wrong. Whatever can be understood is; the rest is left out and
//! told as a warning; only what is no calendar at all, or too much of one, is an error.

use std::{borrow::Cow, collections::BTreeSet};

use calcard::{
    Entry, Parser,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarParameterName,
        ICalendarParameterValue, ICalendarParticipationStatus as Partstat, ICalendarProperty as P,
        ICalendarStatus, ICalendarTransparency, ICalendarValue,
    },
};
use chrono::{DateTime, Duration, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    bytes::{Lines, lines},
    calendar::{Calendar, Invited, ReadError, ReadEvent, ReadLimits, WARNINGS, Warning},
    feed::FeedStatus,
    recurrence::{Recurrence, Ruled, Until},
    rule::Rule,
    value::{Length, Times, Written, date_time, instant},
    writer::Moment,
    zones::{Zone, Zones},
};
use crate::entry::EntryTime;

/// Reads a calendar object, or several in one. Floating times are taken to be in `default_zone` unless the calendar
/// names its own.
pub fn read(bytes: &[u8], default_zone: Tz, limits: &ReadLimits) -> Result<Calendar, ReadError> {
    let mut warnings = Vec::new();
    let lines = lines(bytes, limits, &mut warnings)?;
    let mut calendar = Calendar { zone: default_zone, events: Vec::new(), warnings, whole: lines.whole };
    let mut parser = Parser::new(&lines.text);
    let (mut objects, mut components) = (0, 0);
    loop {
        match parser.entry() {
            Entry::ICalendar(object) => {
                let zones = Zones::of(&object.components, default_zone);
                if objects == 0 {
                    calendar.zone = zones.own;
                }
                objects += 1;
                let mut reader = Reader { zones, lines: &lines, base: components, calendar: &mut calendar };
                reader.object(&object);
                components += object.components.len();
            }
            Entry::VCard(_) => components += 1,
            Entry::Eof => break,
            _ => {}
        }
    }
    if objects == 0 {
        return Err(ReadError::NotCalendar);
    }
    if !lines.whole {
        calendar.warnings.push(Warning::new(0, "the calendar is cut off, or an END is missing"));
    }
    calendar.warnings.truncate(WARNINGS);
    Ok(calendar)
}

/// Reads one calendar object.
struct Reader<'a> {
    zones: Zones<'a>,
    lines: &'a Lines,
    /// Components of the file before this object.
    base: usize,
    calendar: &'a mut Calendar,
}

impl Reader<'_> {
    fn object(&mut self, object: &ICalendar) {
        for (index, component) in object.components.iter().enumerate() {
            if component.component_type == ICalendarComponentType::VEvent {
                match self.event(index, component) {
                    Some(event) => self.calendar.events.push(event),
                    None => {
                        self.warn(index, "DTSTART", "an event without a start that can be read: left out");
                    }
                }
            }
        }
    }

    fn warn(&mut self, component: usize, property: &str, what: impl Into<Cow<'static, str>>) {
        if self.calendar.warnings.len() < WARNINGS {
            let line = self.lines.number(self.base + component, property);
            self.calendar.warnings.push(Warning::new(line, what.into()));
        }
    }

    /// The time of a property, with a warning where its zone is unknown.
    fn time(&mut self, index: usize, entry: &ICalendarEntry, floating: &Zone) -> Option<Written> {
        let Some(ICalendarValue::PartialDateTime(at)) = entry.values.first() else { return None };
        let times = Times { zones: &self.zones, floating: floating.clone() };
        let (written, known) = times.value(entry, at)?;
        if !known {
            let zone = self.zones.own;
            self.warn(index, entry.name.as_str(), format!("an unknown time zone: read as {zone}"));
        }
        Some(written)
    }

    fn event(&mut self, index: usize, component: &ICalendarComponent) -> Option<ReadEvent> {
        let own = Zone::Named(self.zones.own);
        let start = component.property(&P::Dtstart).and_then(|entry| self.time(index, entry, &own))?;
        let floating = match &start {
            Written::At(_, zone) => zone.clone(),
            Written::On(_) => own,
        };
        let length = self.length(index, component, &start, &floating);
        let time = entry_time(&start, length, self.zones.own)?;
        let (replaces, and_future) = self.replaces(index, component, &start, &floating);
        let recurrence = if replaces.is_some() { None } else { self.recurrence(index, component, &start) };
        let text = |name| component.property(name).and_then(text_of).unwrap_or_default().to_owned();
        let stamped = |name| component.property(name).and_then(instant_of);
        Some(ReadEvent {
            uid: text(&P::Uid).trim().to_owned(),
            recurrence_id: replaces.as_ref().map(Written::moment),
            summary: text(&P::Summary),
            description: text(&P::Description),
            location: text(&P::Location),
            status: status(component),
            transparent: transparent(component),
            time,
            organizer: component.property(&P::Organizer).and_then(address_of),
            attendees: component.properties(&P::Attendee).filter_map(attendee).collect(),
            sequence: sequence(component),
            last_modified: stamped(&P::LastModified),
            recurrence,
            extensions: extensions(component),
            stamp: stamped(&P::LastModified).or_else(|| stamped(&P::Dtstamp)),
            shown: floating.shown(self.zones.own),
            start,
            length,
            replaces,
            and_future,
        })
    }

    /// DTEND, or DURATION, or what goes without saying: a day for a date, no time at all for a time (3.6.1).
    fn length(
        &mut self,
        index: usize,
        component: &ICalendarComponent,
        start: &Written,
        floating: &Zone,
    ) -> Length {
        let unsaid = match start {
            Written::On(_) => Length::Days(1),
            Written::At(..) => Length::Exact(0, TimeDelta::zero()),
        };
        if let Some(entry) = component.property(&P::Dtend) {
            let end = self.time(index, entry, floating);
            // Many write the last day where the day after belongs.
            if matches!((start, &end), (Written::On(from), Some(Written::On(until))) if from == until) {
                return unsaid;
            }
            if let Some(length) = end.and_then(|end| Length::between(start, &end)) {
                return length;
            }
            self.warn(index, "DTEND", "an end that cannot be: left out");
        } else if let Some(entry) = component.property(&P::Duration) {
            if let Some(ICalendarValue::Duration(duration)) = entry.values.first()
                && let Some(length) = Length::of(duration)
            {
                return length;
            }
            self.warn(index, "DURATION", "a duration that cannot be: left out");
        }
        unsaid
    }

    fn replaces(
        &mut self,
        index: usize,
        component: &ICalendarComponent,
        start: &Written,
        floating: &Zone,
    ) -> (Option<Written>, bool) {
        let Some(entry) = component.property(&P::RecurrenceId) else { return (None, false) };
        let and_future = entry.parameter(&ICalendarParameterName::Range).is_some();
        if let Some(place) = self.time(index, entry, floating) {
            return (Some(place), and_future);
        }
        // It is no series of its own; where it stands itself is the likeliest place.
        self.warn(index, "RECURRENCE-ID", "cannot be read: taken to be where the event starts");
        (Some(start.clone()), false)
    }

    fn recurrence(
        &mut self,
        index: usize,
        component: &ICalendarComponent,
        start: &Written,
    ) -> Option<Recurrence> {
        let rules = self.rules(index, component, &P::Rrule, start);
        let times = Times {
            zones: &self.zones,
            floating: match start {
                Written::At(_, zone) => zone.clone(),
                Written::On(_) => Zone::Named(self.zones.own),
            },
        };
        let dates =
            |name| component.properties(name).flat_map(|entry| times.values(entry)).collect::<Vec<_>>();
        let extra = dates(&P::Rdate);
        if rules.is_empty() && extra.is_empty() {
            return None;
        }
        let mut except = BTreeSet::new();
        for (written, _) in dates(&P::Exdate) {
            except.insert(match start {
                Written::On(_) => Moment::On(written.wall().date()),
                Written::At(..) => written.moment(),
            });
        }
        let exrules = self.rules(index, component, &P::Exrule, start);
        Some(Recurrence { rules, exrules, extra, except })
    }

    fn rules(
        &mut self,
        index: usize,
        component: &ICalendarComponent,
        name: &P,
        start: &Written,
    ) -> Vec<Ruled> {
        let mut rules = Vec::new();
        for entry in component.properties(name).take(RULES) {
            let rule = match entry.values.first() {
                Some(ICalendarValue::RecurrenceRule(written)) => {
                    Rule::of(written, start.wall()).map(|rule| {
                        let until = written.until.as_ref().and_then(|until| {
                            let (wall, is_date) = date_time(until)?;
                            Some(match (is_date, until.has_zone()) {
                                // The whole of that day.
                                (true, _) => Until::Wall(wall + Duration::seconds(86_399)),
                                (false, true) if matches!(start, Written::At(..)) => {
                                    Until::Instant(wall.and_utc())
                                }
                                (false, _) => Until::Wall(wall),
                            })
                        });
                        Ruled { rule, until }
                    })
                }
                _ => Err("it cannot be read".to_owned()),
            };
            match rule {
                Ok(rule) => rules.push(rule),
                Err(why) => {
                    let what = format!("a recurrence that is not followed ({why}): only the first is read");
                    self.warn(index, name.as_str(), what);
                }
            }
        }
        if rules.len() > 1 {
            for ruled in &mut rules {
                ruled.rule = ruled.rule.clone().among_others();
            }
        }
        rules
    }
}

/// One rule is usual, two are rare.
const RULES: usize = 50;

/// The time of an event; `None` beyond the calendar.
pub(super) fn entry_time(start: &Written, length: Length, shown: Tz) -> Option<EntryTime> {
    match (start.moment(), length.end(start)?) {
        (Moment::At(starts_at), Moment::At(ends_at)) => {
            let zone = match start {
                Written::At(_, zone) => zone.shown(shown),
                Written::On(_) => shown,
            };
            Some(EntryTime::Timed { starts_at, ends_at, zone })
        }
        (Moment::On(from), Moment::On(until)) => Some(EntryTime::AllDay { from, until }),
        _ => None,
    }
}

/// The text of a property.
pub(super) fn text_of(entry: &ICalendarEntry) -> Option<&str> {
    entry.values.first().and_then(ICalendarValue::as_text)
}

fn instant_of(entry: &ICalendarEntry) -> Option<DateTime<Utc>> {
    match entry.values.first() {
        Some(ICalendarValue::PartialDateTime(at)) => instant(at),
        _ => None,
    }
}

fn status(component: &ICalendarComponent) -> FeedStatus {
    match component.property(&P::Status).and_then(|entry| entry.values.first()) {
        Some(ICalendarValue::Status(ICalendarStatus::Cancelled)) => FeedStatus::Cancelled,
        Some(ICalendarValue::Status(ICalendarStatus::Tentative)) => FeedStatus::Tentative,
        Some(ICalendarValue::Text(word)) if word.eq_ignore_ascii_case("CANCELED") => FeedStatus::Cancelled,
        _ => FeedStatus::Confirmed,
    }
}

fn transparent(component: &ICalendarComponent) -> bool {
    matches!(
        component.property(&P::Transp).and_then(|entry| entry.values.first()),
        Some(ICalendarValue::Transparency(ICalendarTransparency::Transparent))
    )
}

/// Where the value is no mail address but a server's own name of somebody, EMAIL may tell it (RFC 7986, 6.2).
fn address_of(entry: &ICalendarEntry) -> Option<String> {
    let told = entry.parameter(&ICalendarParameterName::Email).and_then(ICalendarParameterValue::as_text);
    let address = told.or_else(|| entry.calendar_address())?.trim().to_lowercase();
    address.contains('@').then_some(address)
}

fn attendee(entry: &ICalendarEntry) -> Option<(String, Invited)> {
    let invited = match entry.parameter(&ICalendarParameterName::Partstat) {
        None | Some(ICalendarParameterValue::Partstat(Partstat::NeedsAction)) => Invited::NoAnswer,
        Some(ICalendarParameterValue::Partstat(Partstat::Accepted)) => Invited::Accepted,
        Some(ICalendarParameterValue::Partstat(Partstat::Declined)) => Invited::Declined,
        Some(ICalendarParameterValue::Partstat(Partstat::Tentative)) => Invited::Tentative,
        Some(_) => Invited::Other,
    };
    Some((address_of(entry)?, invited))
}

fn sequence(component: &ICalendarComponent) -> i64 {
    match component.property(&P::Sequence).and_then(|entry| entry.values.first()) {
        Some(ICalendarValue::Integer(number)) => *number,
        _ => 0,
    }
}

fn extensions(component: &ICalendarComponent) -> Vec<(String, String)> {
    let named = |entry: &ICalendarEntry| match &entry.name {
        P::Other(name) if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-")) => {
            // The parser takes a semicolon for the end of a value.
            let parts: Vec<&str> = entry.values.iter().filter_map(ICalendarValue::as_text).collect();
            Some((name.clone(), parts.join(";")))
        }
        _ => None,
    };
    component.entries.iter().filter_map(named).collect()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
