//! Calendars that others wrote: from bytes to events.
//!
//! What comes from outside is untrusted, and often wrong. Whatever can be understood is; the rest is left out and
//! told as a warning; only what is no calendar at all, or too much of one, is an error.

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet};

use chrono::{Duration, TimeDelta};
use chrono_tz::Tz;

use super::{
    calendar::{BoundedRule, ParsedCalendar, ReadEvent, Recurrence, Until},
    date_time::instant,
    event_properties::{EventProperties, address_of, attendee, keyword, status, uid},
    feed::FeedStatus,
    limits::{MAX_WARNINGS, ReadError, ReadLimits, Warning},
    objects::{objects, properties},
    property_line::PropertyLine,
    recur_text::RecurText,
    recurrence_rule::{Budget, ExpandableRule},
    unfold::{LineSlice, lines, plain},
    values::{EventDuration, LocalTime, TimeReader, entry_time},
    writer::IcalTime,
    zones::{ObjectZones, Zone},
};

/// Reads a calendar object, or several in one. Floating times are taken to be in `default_zone` unless the calendar
/// names its own.
pub fn read(bytes: &[u8], default_zone: Tz, limits: &ReadLimits) -> Result<ParsedCalendar, ReadError> {
    if bytes.len() > limits.bytes {
        return Err(ReadError::TooLarge { limit: limits.bytes });
    }
    let mut warnings = Vec::new();
    let bytes = plain(bytes);
    let lines = lines(&bytes, limits, &mut warnings)?;
    let objects = objects(lines.all(), limits)?;
    let calendars = || objects.all.iter().filter(|object| !object.is_card);
    let events = calendars().map(|object| object.events.len()).sum();
    let mut calendar = ParsedCalendar {
        zone: default_zone,
        product: String::new(),
        events: Vec::with_capacity(events),
        left_out: 0,
        warnings,
        whole: objects.whole,
    };
    let mut first = true;
    let budget = RefCell::new(Budget::of_zones());
    for object in calendars() {
        let zones = ObjectZones::of(object, lines.all(), default_zone, &budget);
        if std::mem::take(&mut first) {
            calendar.zone = zones.own;
            let said = object.product.and_then(|line| properties(lines.all().part(line..line + 1)).next());
            calendar.product = said.map(|said| said.text()).unwrap_or_default();
        }
        let mut reader = ObjectReader { zones, calendar: &mut calendar };
        for span in &object.events {
            reader.take(lines.all().part(span.clone()));
        }
    }
    if first {
        return Err(ReadError::NotCalendar);
    }
    if !calendar.whole {
        calendar.warnings.push(Warning::new(0, "the calendar is cut off, or an END is missing"));
    }
    calendar.warnings.truncate(MAX_WARNINGS);
    Ok(calendar)
}

/// Reads one calendar object.
struct ObjectReader<'a> {
    zones: ObjectZones<'a>,
    calendar: &'a mut ParsedCalendar,
}

impl ObjectReader<'_> {
    /// Reads one event, whose lines these are.
    fn take(&mut self, lines: LineSlice<'_>) {
        let parts = EventProperties::of(lines);
        if let Some(event) = self.event(&parts) {
            self.calendar.events.push(event);
        } else {
            self.calendar.left_out += 1;
            // Without a DTSTART there is still the line where it began.
            let line = parts
                .start
                .map_or_else(|| lines.iter().next().map_or(0, |line| line.number), |start| start.line);
            self.warn(line, "an event without a start that can be read: left out");
        }
    }

    fn warn(&mut self, line: u32, what: impl Into<Cow<'static, str>>) {
        if self.calendar.warnings.len() < MAX_WARNINGS {
            self.calendar.warnings.push(Warning::new(line, what.into()));
        }
    }

    /// The time of a property, with a warning where its zone is unknown.
    fn time(&mut self, content: &PropertyLine<'_>, floating: &Zone) -> Option<LocalTime> {
        self.time_in(content, content.value, floating)
    }

    /// The same with another text for its value.
    fn time_in(&mut self, content: &PropertyLine<'_>, text: &str, floating: &Zone) -> Option<LocalTime> {
        let times = TimeReader { zones: &self.zones, floating: floating.clone() };
        let (written, known) = times.value(content, text)?;
        if !known {
            let zone = self.zones.own;
            self.warn(content.line, format!("an unknown time zone: read as {zone}"));
        }
        Some(written)
    }

    fn event(&mut self, parts: &EventProperties<'_>) -> Option<ReadEvent> {
        let own = Zone::Named(self.zones.own);
        let start = parts.start.and_then(|content| self.time(&content, &own))?;
        let floating = match &start {
            LocalTime::At(_, zone) => zone.clone(),
            LocalTime::On(_) => own,
        };
        let told = self.length(parts, &start, &floating);
        let length = told.unwrap_or_else(|| unsaid(&start));
        let time = entry_time(&start, length, self.zones.own)?;
        let (replaces, and_future) = self.replaces(parts, &start, &floating);
        let recurrence = if replaces.is_some() { None } else { self.recurrence(parts, &start) };
        let text =
            |content: Option<PropertyLine<'_>>| content.map(|content| content.text()).unwrap_or_default();
        let stamped = |content: Option<PropertyLine<'_>>| content.and_then(|content| instant(content.value));
        Some(ReadEvent {
            uid: parts.uid.map(uid).unwrap_or_default(),
            recurrence_id: replaces.as_ref().map(|place| place.moment()),
            summary: text(parts.summary),
            description: text(parts.description),
            location: text(parts.location),
            status: parts.status.map_or(FeedStatus::Confirmed, status),
            transparent: parts.transparency.is_some_and(|content| keyword(content, "TRANSPARENT")),
            time,
            ends: told.is_some(),
            organizer: parts.organizer.and_then(address_of),
            attendees: parts.attendees.iter().copied().filter_map(attendee).collect(),
            sequence: parts.sequence.and_then(|content| content.value.trim_ascii().parse().ok()).unwrap_or(0),
            last_modified: stamped(parts.last_modified),
            recurrence,
            extensions: parts.extensions.iter().map(|it| (it.name.to_owned(), it.text())).collect(),
            stamp: stamped(parts.last_modified).or_else(|| stamped(parts.stamp)),
            shown: floating.shown(self.zones.own),
            start,
            length,
            replaces,
            and_future,
        })
    }

    /// DTEND, or DURATION; `None`: neither says it, or it is no time at all.
    fn length(
        &mut self,
        parts: &EventProperties<'_>,
        start: &LocalTime,
        floating: &Zone,
    ) -> Option<EventDuration> {
        let is_single = parts.rules.is_empty() && parts.extra.is_empty() && parts.replaces.is_none();
        if let Some(content) = &parts.end {
            // Some write the last day that there is for an end that never comes.
            let last_year = content.value.trim_ascii().strip_prefix("9999").map(|rest| format!("9998{rest}"));
            let end = match last_year {
                Some(text) if is_single => self.time_in(content, &text, floating),
                _ => self.time(content, floating),
            };
            // Many write the last day where the day after belongs.
            if matches!((start, &end), (LocalTime::On(from), Some(LocalTime::On(until))) if from == until) {
                return None;
            }
            if let Some(length) = end.as_ref().and_then(|end| EventDuration::between(start, end)) {
                return Some(length).filter(|length| !length.is_nothing());
            }
            if is_single && end.is_some_and(|end| EventDuration::is_unbounded(start, &end)) {
                return Some(self.for_ever(content.line, start));
            }
            self.warn(content.line, "an end that cannot be: left out");
        } else if let Some(content) = &parts.duration {
            if let Some(length) = EventDuration::of(content.value) {
                return Some(length).filter(|length| !length.is_nothing());
            }
            if is_single && EventDuration::is_unbounded_duration(content.value) {
                return Some(self.for_ever(content.line, start));
            }
            self.warn(content.line, "a duration that cannot be: left out");
        }
        None
    }

    /// What is closed for ever must not be sold after its first night.
    fn for_ever(&mut self, line: u32, start: &LocalTime) -> EventDuration {
        let length = EventDuration::for_ever(start);
        let end = length.end(start).map(|end| match end {
            IcalTime::On(date) => date,
            IcalTime::At(at) => at.date_naive(),
        });
        let until = end.map(|end| format!(" until {}", end.format("%-d %b %Y"))).unwrap_or_default();
        self.warn(line, format!("an end more than a hundred years after the start: taken{until}"));
        length
    }

    fn replaces(
        &mut self,
        parts: &EventProperties<'_>,
        start: &LocalTime,
        floating: &Zone,
    ) -> (Option<Box<LocalTime>>, bool) {
        let Some(content) = &parts.replaces else { return (None, false) };
        let and_future = content.parameter("RANGE").is_some();
        if let Some(place) = self.time(content, floating) {
            return (Some(Box::new(place)), and_future);
        }
        // It is no series of its own; where it stands itself is the likeliest place.
        self.warn(content.line, "cannot be read: taken to be where the event starts");
        (Some(Box::new(start.clone())), false)
    }

    fn recurrence(&mut self, parts: &EventProperties<'_>, start: &LocalTime) -> Option<Box<Recurrence>> {
        let rules = self.rules(&parts.rules, start);
        let extra = self.times(&parts.extra, start);
        if rules.is_empty() && extra.is_empty() {
            return None;
        }
        let place = |(written, _): (LocalTime, _)| match start {
            LocalTime::On(_) => IcalTime::On(written.wall().date()),
            LocalTime::At(..) => written.moment(),
        };
        let except = self.times(&parts.except, start).into_iter().map(place).collect::<BTreeSet<_>>();
        let exrules = self.rules(&parts.exrules, start);
        Some(Box::new(Recurrence { rules, exrules, extra, except }))
    }

    fn times(
        &mut self,
        contents: &[PropertyLine<'_>],
        start: &LocalTime,
    ) -> Vec<(LocalTime, Option<EventDuration>)> {
        let mut found = Vec::new();
        for content in contents {
            let floating = match start {
                LocalTime::At(_, zone) => zone.clone(),
                LocalTime::On(_) => Zone::Named(self.zones.own),
            };
            let (values, whole) = TimeReader { zones: &self.zones, floating }.values(content);
            found.extend(values);
            if !whole {
                self.warn(content.line, "a date in a list that cannot be read: left out");
            }
        }
        found
    }

    fn rules(&mut self, contents: &[PropertyLine<'_>], start: &LocalTime) -> Vec<BoundedRule> {
        let mut rules = Vec::new();
        for content in contents.iter().take(MAX_RULES) {
            match ruled(content.value, start) {
                Ok(rule) => rules.push(rule),
                Err(why) => {
                    let what = format!("a recurrence that is not followed ({why}): only the first is read");
                    self.warn(content.line, what);
                }
            }
        }
        if rules.len() > 1 {
            for ruled in &mut rules {
                ruled.rule = ruled.rule.clone().without_dtstart();
            }
        }
        rules
    }
}

/// A rule for a series that starts at `start`; the error says what is wrong with it.
fn ruled(text: &str, start: &LocalTime) -> Result<BoundedRule, String> {
    let written = RecurText::of(text).ok_or("it cannot be read")?;
    let rule = ExpandableRule::of(&written, start.wall())?;
    let until = written.until.map(|until| match (until.is_date, until.offset) {
        // The whole of that day.
        (true, _) => Until::Wall(until.wall + Duration::seconds(86_399)),
        (false, Some(ahead)) if matches!(start, LocalTime::At(..)) => {
            Until::Instant(until.wall.and_utc() - Duration::seconds(i64::from(ahead)))
        }
        (false, _) => Until::Wall(until.wall),
    });
    Ok(BoundedRule { rule, until })
}

/// One rule is usual, two are rare.
const MAX_RULES: usize = 50;

/// The length that goes without saying: a day for a date, no time at all for a time (3.6.1).
fn unsaid(start: &LocalTime) -> EventDuration {
    match start {
        LocalTime::On(_) => EventDuration::Days(1),
        LocalTime::At(..) => EventDuration::Exact(0, TimeDelta::zero()),
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "calcard_tests.rs"]
mod calcard_tests;
