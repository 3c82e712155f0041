//! A calendar of others as it was read: its events, what was not understood, and what is too much.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    feed::FeedStatus,
    recurrence::Recurrence,
    values::{EventDuration, LocalTime},
    writer::IcalTime,
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
pub(super) const MAX_WARNINGS: usize = 50;

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
    /// They will come.
    Accepted,
    /// They will not.
    Declined,
    /// Perhaps.
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
    /// Whether it says when it ends, in a way that can be: later than it begins.
    pub ends: bool,
    /// Who asks others to come, by their mail address in lower case.
    pub organizer: Option<String>,
    /// Who is asked to come, by their mail addresses in lower case.
    pub attendees: Vec<(String, AttendeeStatus)>,
    /// Counts its changes.
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
    /// RECURRENCE-ID as written.
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
