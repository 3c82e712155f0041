//! A calendar of others as it was read: its events, and what was not understood.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::{
    feed::FeedStatus,
    limits::Warning,
    recurrence_rule::ExpandableRule,
    values::{EventDuration, LocalTime},
    writer::IcalTime,
};
use crate::entry::EntryTime;

/// A calendar as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedCalendar {
    /// Its own zone: X-WR-TIMEZONE, or what the reader was given.
    pub zone: Tz,
    /// The program that wrote it (PRODID), of the first calendar object; empty: it does not say.
    pub product: String,
    /// In the order of the file, whatever belongs together by UID; cancelled ones too.
    pub events: Vec<ReadEvent>,
    /// VEVENTs that are not among `events`: they have no start that can be read.
    pub left_out: usize,
    /// What a person may want to know, at most fifty.
    pub warnings: Vec<Warning>,
    /// Whether all components are ended: a transfer that was cut leaves one open.
    pub whole: bool,
}

/// What somebody who is asked to come has answered (PARTSTAT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttendeeStatus {
    /// Nothing yet, which is also what is not said.
    NoAnswer,
    Accepted,
    Declined,
    Tentative,
    /// Anything else, such as that somebody goes in their place.
    Other,
}

/// One VEVENT: an event, a series, or what stands in the place of one of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadEvent {
    /// As it is written; may be empty, though it must not.
    pub uid: String,
    /// The place in the series of `uid` that this event takes.
    pub recurrence_id: Option<IcalTime>,
    /// One line; may be empty.
    pub summary: String,
    pub description: String,
    pub location: String,
    /// Whether it is sure.
    pub status: FeedStatus,
    /// Whether it leaves its time free.
    pub transparent: bool,
    /// When; the first time, for a series. An event without an end (RFC 5545, 3.6.1) ends as it starts.
    pub time: EntryTime,
    /// Whether it says when it ends, in a way that can be: later than it begins.
    pub ends: bool,
    /// Who asks others to come, by their mail address in lower case.
    pub organizer: Option<String>,
    /// Who is asked to come, by their mail addresses in lower case.
    pub attendees: Vec<(String, AttendeeStatus)>,
    pub sequence: i64,
    /// When it was last changed.
    pub last_modified: Option<DateTime<Utc>>,
    /// What makes it a series.
    pub recurrence: Option<Box<Recurrence>>,
    /// The properties that begin with `X-`, by their names as written.
    pub(super) extensions: Vec<(String, String)>,
    /// LAST-MODIFIED, or else DTSTAMP.
    pub(super) stamp: Option<DateTime<Utc>>,
    pub(super) start: LocalTime,
    pub(super) length: EventDuration,
    /// The zone in which a person reads it.
    pub(super) shown: Tz,
    pub(super) replaces: Option<Box<LocalTime>>,
    /// Whether it stands for all that follow, too (RANGE=THISANDFUTURE).
    pub(super) and_future: bool,
}

impl ReadEvent {
    /// The text of the first property of this name, which must begin with `X-`, in any case.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, text)| text.as_str())
    }
}

/// What makes an event a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    pub(super) rules: Vec<BoundedRule>,
    pub(super) exrules: Vec<BoundedRule>,
    /// RDATE, each with its own length if it is a period.
    pub(super) extra: Vec<(LocalTime, Option<EventDuration>)>,
    /// EXDATE: of the start's kind, or dates on which nothing takes place.
    pub(super) except: BTreeSet<IcalTime>,
}

/// A rule and its last moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BoundedRule {
    pub(super) rule: ExpandableRule,
    pub(super) until: Option<Until>,
}

/// The last moment at which an instance may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// By the clock of the series.
    Wall(NaiveDateTime),
    Instant(DateTime<Utc>),
}
