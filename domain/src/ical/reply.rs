//! What a calendar sends back about an invitation (METHOD:REPLY and METHOD:COUNTER, RFC 5546, 3.2.3 and 3.2.7).
//!
//! Read leniently, since programs leave out what the RFC demands: Exchange names no ORGANIZER, writes zones by Windows' names
//! and a subject of its own. What counts is the UID, who answers, and what.

use chrono::{DateTime, Utc};

use super::{
    calendar::AttendeeStatus,
    date_time::instant,
    event_properties::attendee,
    limits::ReadLimits,
    raw::{RawComponent, RawLine},
    reader,
    writer::IcalTime,
};
use crate::{customer::MAX_WISH, entry::EntryTime};

/// A reply, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// As it is written.
    pub uid: String,
    /// Who answers, by their mail address in lower case.
    pub attendee: String,
    pub answer: AttendeeStatus,
    /// SEQUENCE of the invitation that is answered, as far as the program repeats it; 0 where it does not.
    pub sequence: u32,
    /// When the reply was made.
    pub dtstamp: Option<DateTime<Utc>>,
    /// What the person wrote beside it, at most [`MAX_WISH`] characters; may be empty.
    pub comment: String,
    /// Whether another time is wished for (COUNTER).
    pub is_counter: bool,
    /// That time, where it can be read.
    pub proposed: Option<(IcalTime, IcalTime)>,
}

/// Reads a reply. `None`: it is none, or does not say what is answered by whom.
pub fn read_reply(calendar: &str) -> Option<Reply> {
    let read = RawComponent::read(calendar)?;
    let method = read.line("METHOD").map(RawLine::text)?;
    let is_counter = method.eq_ignore_ascii_case("COUNTER");
    if !is_counter && !method.eq_ignore_ascii_case("REPLY") {
        return None;
    }
    let event = read.components().find(|part| part.is("VEVENT"))?;
    // In a reply stands the one who answers, and nobody else (3.2.3); some programs repeat the others, without an answer.
    let mut attendees: Vec<(String, AttendeeStatus)> = event
        .lines()
        .filter(|line| line.is("ATTENDEE"))
        .filter_map(|line| {
            let mut content = line.content()?;
            content.value = content.value.trim();
            attendee(content)
        })
        .collect();
    if attendees.len() > 1 {
        attendees.retain(|(_, answer)| *answer != AttendeeStatus::NoAnswer);
    }
    let [(attendee, answer)] = attendees.as_slice() else { return None };
    let text = |name: &str| event.line(name).map(RawLine::text).unwrap_or_default();
    Some(Reply {
        uid: Some(text("UID").trim().to_owned()).filter(|uid| !uid.is_empty())?,
        attendee: attendee.clone(),
        answer: *answer,
        sequence: text("SEQUENCE").trim().parse().unwrap_or(0),
        dtstamp: event.line("DTSTAMP").and_then(|line| instant(line.value().trim())),
        comment: text("COMMENT").trim().chars().take(MAX_WISH).collect(),
        is_counter,
        proposed: if is_counter { proposed(calendar) } else { None },
    })
}

/// The time that is wished for, whatever zone it is told in.
fn proposed(calendar: &str) -> Option<(IcalTime, IcalTime)> {
    let read = reader::read(calendar.as_bytes(), chrono_tz::UTC, &ReadLimits::default()).ok()?;
    match read.events.first()?.time {
        EntryTime::AllDay { from, until } => Some((IcalTime::On(from), IcalTime::On(until))),
        EntryTime::Timed { starts_at, ends_at, .. } => Some((IcalTime::At(starts_at), IcalTime::At(ends_at))),
    }
}
