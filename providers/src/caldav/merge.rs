//! The object that an update writes: what is ours put into what stands there, and the rest left as it is.
//!
//! People add guests, files, alarms, categories and words of their own to an entry, and their applications whatever they need
//! (X-APPLE-...); an object can only be written as a whole (RFC 4791, 5.3.2). So each line of what stands there stays, in
//! its place and to the letter, unless it says something that we say: then ours takes its place, if it says otherwise. What
//! both write has a mark of what we wrote last beside it (X-CONCORD-WORDS, -COLOUR, -REMINDERS).

mod alarms;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::EntryContent,
    ical::{
        FeedStatus, ReadEvent, ReadLimits,
        entry_object::{COLOUR_PROPERTY, WORDS_PROPERTY, write_entry},
        raw::{RawComponent, RawLine, RawPart},
        read,
    },
};

use self::alarms::merged_alarms;
use crate::{provider::is_same_time, text_merge};

/// What of a VEVENT is ours, whatever stands there, our own marks besides.
const OURS: [&str; 9] = [
    "DTSTAMP",
    "LAST-MODIFIED",
    "DTSTART",
    "DTEND",
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
    "STATUS",
    "TRANSP",
];

/// What the names of our own marks begin with.
const OWN_PROPERTY_PREFIX: &str = "X-CONCORD-";

/// What says when in another way than ours. A series that a person has made of an entry is reverted to the one time
/// that it has.
const REPLACED_TIME_PROPERTIES: [&str; 5] = ["DURATION", "RRULE", "RDATE", "EXRULE", "EXDATE"];

/// What says the DESCRIPTION once more, with fonts (Outlook; RFC 9073, 6.5). It would go on saying what ours no longer says.
const ALTERNATE_DESCRIPTIONS: [&str; 2] = ["X-ALT-DESC", "STYLED-DESCRIPTION"];

/// The object of an entry that nothing stands for yet.
pub(super) fn whole(content: &EntryContent, now: DateTime<Utc>) -> Vec<u8> {
    written(content, &content.description, now)
}

/// The object to write where `remote` stands. What cannot be read, or holds no event of its own, is written over.
pub(super) fn merged(remote: &str, content: &EntryContent, now: DateTime<Utc>) -> Vec<u8> {
    merge_into(remote, content, now).unwrap_or_else(|| whole(content, now))
}

/// Ours, with this description in whole.
fn written(content: &EntryContent, description: &str, now: DateTime<Utc>) -> Vec<u8> {
    let mark = text_merge::mark(&content.description);
    let content = EntryContent { description: description.to_owned(), ..content.clone() };
    let mut object = Vec::with_capacity(2_048);
    write_entry(&mut object, &content, &mark, now);
    object
}

fn merge_into(remote: &str, content: &EntryContent, now: DateTime<Utc>) -> Option<Vec<u8>> {
    let observed = parse_master_event(remote)?;
    let mut calendar = RawComponent::read(remote).filter(|object| object.is("VCALENDAR"))?;
    let event = calendar.components().find(|one| is_own(one))?;
    let ours = written(content, &description(event, content), now);
    let ours = RawComponent::read(std::str::from_utf8(&ours).ok()?)?;
    let our_event = ours.components().find(|one| one.is("VEVENT"))?;
    let mut event = Some(merged_event(event, our_event, &observed, content));
    let zones_before = referenced_zones(&calendar);
    let parts = std::mem::take(&mut calendar.parts).into_iter().filter_map(|part| match part {
        RawPart::Component(one) if is_own(&one) => event.take().map(RawPart::Component),
        // What stands in the place of an instance goes with the series; an object is one event (RFC 4791, 4.1).
        RawPart::Component(one) if one.is("VEVENT") => None,
        part => Some(part),
    });
    calendar.parts = parts.collect();
    replace_zones(&mut calendar, &ours, &zones_before);
    let mut out = Vec::with_capacity(remote.len() + 2_048);
    calendar.write(&mut out);
    Some(out)
}

/// What the object's own event says. `None`: not all of it can be read.
fn parse_master_event(remote: &str) -> Option<ReadEvent> {
    // As large as an answer may be: people attach files.
    let limits = ReadLimits { bytes: usize::MAX, ..ReadLimits::default() };
    // Ours are told in UTC or in a zone, so that it does not matter where one that floats is.
    let calendar = read(remote.as_bytes(), Tz::UTC, &limits).ok()?;
    if !calendar.whole || calendar.left_out > 0 {
        return None;
    }
    calendar.events.into_iter().find(|event| event.recurrence_id.is_none())
}

fn is_own(component: &RawComponent) -> bool {
    component.is("VEVENT") && component.line("RECURRENCE-ID").is_none()
}

/// The words that the entry should say: those that stand there, if they are the same to who reads them.
fn description(event: &RawComponent, content: &EntryContent) -> String {
    let remote = remote_description(event);
    let mark = event.line(WORDS_PROPERTY).map(RawLine::text).filter(|mark| !mark.is_empty());
    let wanted = text_merge::merged(&remote, mark.as_deref(), &content.description);
    if text_merge::is_same_text(&remote, &wanted) { remote } else { wanted }
}

/// There may be one DESCRIPTION only (RFC 5545, 3.6.1), but nobody's words are to be lost.
fn remote_description(event: &RawComponent) -> String {
    let all: Vec<String> = event.lines().filter(|line| line.is("DESCRIPTION")).map(RawLine::text).collect();
    all.join("\n")
}

fn merged_event(
    remote: &RawComponent,
    ours: &RawComponent,
    observed: &ReadEvent,
    content: &EntryContent,
) -> RawComponent {
    let categories = CategoryMerge::of(remote, ours);
    let our_words = ours.line("DESCRIPTION").map(RawLine::text).unwrap_or_default();
    let same_words = text_merge::is_same_text(&our_words, &remote_description(remote));
    let sequence = next_sequence(remote, observed, content);
    let mut placed = BTreeSet::new();
    let mut parts = Vec::with_capacity(remote.parts.len() + OURS.len());
    for part in remote.parts.iter().cloned() {
        let RawPart::Line(line) = part else {
            parts.push(part);
            continue;
        };
        let name = line.name().to_ascii_uppercase();
        let kept = match name.as_str() {
            name if REPLACED_TIME_PROPERTIES.contains(&name) => None,
            name if ALTERNATE_DESCRIPTIONS.contains(&name) => same_words.then_some(line),
            name if OURS.contains(&name) || name.starts_with(OWN_PROPERTY_PREFIX) => {
                let first = placed.insert(name.to_owned());
                ours.line(name).filter(|_| first).map(|our| either(line, our))
            }
            "SEQUENCE" => placed.insert(name).then(|| sequence.clone().unwrap_or(line)),
            "CATEGORIES" => categories.left_of(line),
            // Servers refuse another UID under a name that is taken (Radicale: no-uid-conflict).
            "UID" => Some(line).filter(|line| !line.value().is_empty() && placed.insert(name)),
            _ => Some(line),
        };
        parts.extend(kept.map(RawPart::Line));
    }
    let lacking = ours.lines().filter(|our| match our.name() {
        "CATEGORIES" => categories.put_in,
        name => !placed.contains(name),
    });
    let sequence = sequence.filter(|_| !placed.contains("SEQUENCE"));
    let lacking: Vec<RawPart> = lacking.cloned().chain(sequence).map(RawPart::Line).collect();
    // Properties stand before alarms (RFC 5545, 3.6.1).
    let end = first_component(&parts);
    parts.splice(end..end, lacking);
    let mut event = remote.clone();
    event.parts = merged_alarms(parts, remote, ours, content);
    event
}

fn first_component(parts: &[RawPart]) -> usize {
    parts.iter().position(|part| matches!(part, RawPart::Component(_))).unwrap_or(parts.len())
}

/// The line that stands there, where it says the same with parameters of its own, such as its language.
fn either(remote: RawLine, ours: &RawLine) -> RawLine {
    let is_text = ["SUMMARY", "DESCRIPTION", "LOCATION"].iter().any(|name| ours.is(name));
    if is_text && remote.text() == ours.text() { remote } else { ours.clone() }
}

/// Guests are told of another time, or status, by a higher SEQUENCE (RFC 5546, 2.1.4). `None`: as it stands.
fn next_sequence(event: &RawComponent, observed: &ReadEvent, content: &EntryContent) -> Option<RawLine> {
    event.line("SEQUENCE").or_else(|| event.line("ATTENDEE"))?;
    let status = if content.tentative { FeedStatus::Tentative } else { FeedStatus::Confirmed };
    let same_time = is_same_time(&observed.time, &content.time);
    if same_time && observed.recurrence.is_none() && observed.status == status {
        return None;
    }
    let next = observed.sequence.clamp(0, i64::from(i32::MAX) - 1) + 1;
    Some(RawLine::new(format!("SEQUENCE:{next}")))
}

/// What becomes of the categories of an event.
struct CategoryMerge {
    /// The one that we wrote last, if it is to go.
    take_out: Option<String>,
    /// Whether ours is to be added.
    put_in: bool,
}

impl CategoryMerge {
    /// Who has taken ours away, or has put another in its place, is left alone.
    fn of(event: &RawComponent, ours: &RawComponent) -> Self {
        let written = |event: &RawComponent| event.line(COLOUR_PROPERTY).map(RawLine::text);
        let (former, wanted) = (written(event), written(ours));
        let has = |category: &String| {
            event
                .lines()
                .filter(|line| line.is("CATEGORIES"))
                .any(|line| categories_of(line).any(|one| one == *category))
        };
        let is_new = former != wanted && former.as_ref().is_none_or(has);
        let put_in = is_new && wanted.as_ref().is_some_and(|category| !has(category));
        Self { take_out: former.filter(|_| is_new), put_in }
    }

    /// A CATEGORIES without the category that is to go; `None`: it held nothing else.
    fn left_of(&self, line: RawLine) -> Option<RawLine> {
        let Some(category) = &self.take_out else { return Some(line) };
        if categories_of(&line).all(|one| one != *category) {
            return Some(line);
        }
        let left: Vec<&str> =
            split_values(line.value()).filter(|value| text_of(value) != *category).collect();
        (!left.is_empty()).then(|| RawLine::new(format!("{}{}", line.head(), left.join(","))))
    }
}

fn categories_of(line: &RawLine) -> impl Iterator<Item = String> {
    split_values(line.value()).map(text_of)
}

/// One of a list of TEXT values.
fn text_of(value: &str) -> String {
    RawLine::new(format!("X:{}", value.trim())).text()
}

/// The values of a list, between the commas that are not escaped (RFC 5545, 3.3.11).
fn split_values(list: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    list.split(move |letter| {
        let ends = letter == ',' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })
}

/// Puts the zone that ours needs in the place of one of that name, or before all components, and takes away those that
/// only what is gone has named.
fn replace_zones(calendar: &mut RawComponent, ours: &RawComponent, before: &BTreeSet<String>) {
    let named = referenced_zones(calendar);
    let mut our_zones: Vec<&RawComponent> = ours.components().filter(|one| one.is("VTIMEZONE")).collect();
    let own: Vec<String> = our_zones.iter().map(|zone| zone_id(zone)).collect();
    let mut parts = Vec::with_capacity(calendar.parts.len() + 1);
    for part in std::mem::take(&mut calendar.parts) {
        match part {
            RawPart::Component(zone) if zone.is("VTIMEZONE") => {
                let id = zone_id(&zone);
                if let Some(at) = our_zones.iter().position(|our| zone_id(our) == id) {
                    parts.push(RawPart::Component(our_zones.remove(at).clone()));
                } else if !own.contains(&id) && (named.contains(&id) || !before.contains(&id)) {
                    parts.push(RawPart::Component(zone));
                }
            }
            part => parts.push(part),
        }
    }
    let first = first_component(&parts);
    parts.splice(first..first, our_zones.into_iter().cloned().map(RawPart::Component));
    calendar.parts = parts;
}

fn zone_id(zone: &RawComponent) -> String {
    zone.line("TZID").map(RawLine::text).unwrap_or_default()
}

/// The zones that lines of it or of its parts name.
fn referenced_zones(component: &RawComponent) -> BTreeSet<String> {
    let own = component.lines().filter_map(|line| line.parameter("TZID")).map(str::to_owned);
    component.components().flat_map(referenced_zones).chain(own).collect()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
