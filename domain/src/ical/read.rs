//! Calendars that others wrote: from bytes to events.
//!
//! What comes from outside is untrusted, and often wrong. Whatever can be understood is; the rest is left out and
//! told as a warning; only what is no calendar at all, or too much of one, is an error.

use std::{borrow::Cow, collections::BTreeSet};

use calcard::{
    Entry, Parser,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarParameterName,
        ICalendarProperty as P, ICalendarStatus, ICalendarTransparency, ICalendarValue,
    },
};
use chrono::{DateTime, Duration, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    bytes::{Lines, lines},
    feed::FeedStatus,
    recurrence::{Recurrence, Ruled, Until},
    rule::Rule,
    value::{Length, Times, Written, date_time, instant},
    writer::Moment,
    zones::{Zone, Zones},
};
use crate::entry::EntryTime;

/// How much of anything is read. The defaults hold every honest calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Octets of the whole.
    pub bytes: usize,
    /// Lines, folded ones counted each.
    pub lines: usize,
    /// Octets of one logical line; a longer one is left out.
    pub line: usize,
    /// Values in lists, in the whole.
    pub values: usize,
    /// Components within components.
    pub depth: usize,
    /// VEVENTs.
    pub events: usize,
    /// What one expansion may find.
    pub occurrences: usize,
    /// What one expansion may cost: a step is about a tenth of a microsecond.
    pub steps: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            lines: 500_000,
            line: 256 << 10,
            values: 1_000_000,
            depth: 32,
            events: 50_000,
            occurrences: 50_000,
            steps: 3_000_000,
        }
    }
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Perhaps a page that asks to sign in; never an empty calendar.
    #[error("this is no calendar: it has no BEGIN:VCALENDAR")]
    NotCalendar,
    /// In octets.
    #[error("the calendar is larger than {limit} bytes")]
    TooLarge {
        /// Allowed octets.
        limit: usize,
    },
    /// Of the file.
    #[error("the calendar has more than {limit} lines")]
    TooManyLines {
        /// Allowed lines.
        limit: usize,
    },
    /// In lists.
    #[error("the calendar has more than {limit} values in its lists")]
    TooManyValues {
        /// Allowed values.
        limit: usize,
    },
    /// Components within components.
    #[error("line {line}: components stand more than {limit} deep in each other")]
    TooDeep {
        /// Where it became too much.
        line: u32,
        /// Allowed depth.
        limit: usize,
    },
    /// VEVENTs.
    #[error("the calendar has more than {limit} events")]
    TooManyEvents {
        /// Allowed events.
        limit: usize,
    },
    /// Of an expansion.
    #[error("more takes place in this time than is read")]
    TooManyOccurrences,
    /// Of an expansion.
    #[error("the recurring events of this calendar take too long to work out")]
    TooMuchWork,
}

/// Something that was not understood, or was understood otherwise than it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The line of the file, from 1; 0 where it is about the whole.
    pub line: u32,
    /// For a person; holds nothing of what the calendar says but names of zones.
    pub what: String,
}

impl Warning {
    pub(super) fn new(line: u32, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// More help nobody.
const WARNINGS: usize = 50;

/// A calendar as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Its own zone: X-WR-TIMEZONE, or what the reader was given.
    pub zone: Tz,
    /// In the order of the file, whatever belongs together by UID; cancelled ones too.
    pub events: Vec<ReadEvent>,
    /// What a person may want to know, at most fifty.
    pub warnings: Vec<Warning>,
    /// Whether all components are ended: a transfer that was cut leaves one open.
    pub whole: bool,
}

/// One VEVENT: an event, a series, or what stands in the place of one of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadEvent {
    /// As it is written; may be empty, though it must not.
    pub uid: String,
    /// The place in the series of `uid` that this event takes.
    pub recurrence_id: Option<Moment>,
    /// One line; may be empty.
    pub summary: String,
    /// May be empty.
    pub description: String,
    /// May be empty.
    pub location: String,
    /// Whether it is sure.
    pub status: FeedStatus,
    /// Whether it leaves its time free.
    pub transparent: bool,
    /// When; the first time, for a series. An event without an end (RFC 5545, 3.6.1) ends as it starts.
    pub time: EntryTime,
    /// Counts its changes.
    pub sequence: i64,
    /// When it was last changed.
    pub last_modified: Option<DateTime<Utc>>,
    /// What makes it a series.
    pub recurrence: Option<Recurrence>,
    /// The properties that begin with `X-`, by their names as written.
    extensions: Vec<(String, String)>,
    /// LAST-MODIFIED, or else DTSTAMP.
    pub(super) stamp: Option<DateTime<Utc>>,
    pub(super) start: Written,
    pub(super) length: Length,
    /// The zone in which a person reads it.
    pub(super) shown: Tz,
    /// RECURRENCE-ID as written.
    pub(super) replaces: Option<Written>,
    /// Whether it stands for all that follow, too (RANGE=THISANDFUTURE).
    pub(super) and_future: bool,
}

impl ReadEvent {
    /// The text of the first property of this name, which must begin with `X-`, in any case.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, text)| text.as_str())
    }
}

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
        for entry in component.properties(name) {
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
        rules
    }
}

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
