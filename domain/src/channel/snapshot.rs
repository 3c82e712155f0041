//! What a feed says now, as a plan takes it.

use std::collections::{BTreeSet, HashMap};

use chrono_tz::Tz;

use crate::{
    booking::BookingTime,
    entry::EntryTime,
    ical::{Calendar, FeedStatus, Occurrence, ReadError, ReadEvent, ReadLimits},
    interval::{Interval, stay},
    platform::{EventKind, Platform},
};

/// One event of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The same whenever the same event is seen, if the platform keeps its UIDs; never empty, once in a snapshot.
    pub key: String,
    /// When, as it is told.
    pub time: BookingTime,
    /// The same in UTC; days are those of the resource's zone.
    pub interval: Interval,
    /// What the platform says that it is.
    pub told: EventKind,
    /// One line.
    pub summary: String,
    /// Lines separated by `\n`.
    pub description: String,
    /// Who comes, where the platform tells.
    pub guest: Option<String>,
}

/// A whole feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By start.
    pub events: Vec<Observed>,
    /// The UIDs of what it says was called off: their absence is no accident.
    pub called_off: BTreeSet<String>,
    /// How many events could not be read: what is missing may be one of them.
    pub left_out: usize,
}

/// Takes what a plan needs from a calendar that was read: what takes place in `window`, with days in `zone`.
///
/// `tell`: what an event is and who comes; `None`: it takes no time, such as one that is marked as free.
pub fn snapshot<'a>(
    calendar: &'a Calendar,
    window: Interval,
    zone: Tz,
    limits: &ReadLimits,
    tell: impl Fn(&'a ReadEvent) -> Option<(EventKind, Option<String>)>,
) -> Result<Snapshot, ReadError> {
    let occurrences = calendar.occurrences(window, zone, limits)?;
    let mut keys = Keys { given: HashMap::with_capacity(occurrences.len()) };
    let mut events = Vec::with_capacity(occurrences.len());
    for occurrence in occurrences {
        let Some((told, guest)) = tell(occurrence.event) else { continue };
        let Some((time, interval)) = when(&occurrence.time, zone) else { continue };
        let Some(key) = keys.of(&occurrence, interval) else { continue };
        events.push(Observed {
            key,
            time,
            interval,
            told,
            summary: occurrence.event.summary.clone(),
            description: occurrence.event.description.clone(),
            guest,
        });
    }
    let called_off = calendar.events.iter().filter(|event| event.status == FeedStatus::Cancelled);
    Ok(Snapshot {
        events,
        called_off: called_off.map(|event| event.uid.clone()).collect(),
        left_out: calendar.left_out,
    })
}

/// What a platform says that an event is, and who comes; `None`: it takes no time.
pub fn told_by(platform: &Platform, event: &ReadEvent) -> Option<(EventKind, Option<String>)> {
    // Platforms mark what they like as free; calendars of people mean it.
    let tells_apart = !platform.reservation.is_empty() || !platform.block.is_empty();
    if event.transparent && !tells_apart {
        return None;
    }
    let told = platform.classify(&event.summary, &event.description);
    Some((told, platform.guest_of(&event.summary)))
}

/// `None`: it takes no time.
fn when(time: &EntryTime, zone: Tz) -> Option<(BookingTime, Interval)> {
    let interval = match *time {
        EntryTime::Timed { starts_at, ends_at, .. } => Interval::new(starts_at, ends_at)?,
        EntryTime::AllDay { from, until } => stay(from, until, zone)?,
    };
    Some((BookingTime::from(time), interval))
}

/// Gives each event a key of its own.
struct Keys {
    /// For when each was wanted: first, and then.
    given: HashMap<String, (Interval, Vec<Interval>)>,
}

impl Keys {
    /// `None`: the same event stands in the feed twice.
    fn of(&mut self, occurrence: &Occurrence<'_>, interval: Interval) -> Option<String> {
        let uid = occurrence.event.uid.as_str();
        let mut key = match (uid, occurrence.id.as_str()) {
            // An event without a UID is known by its time alone.
            ("", _) => format!("@{}", interval.start.timestamp()),
            (uid, "") => uid.to_owned(),
            (uid, place) => format!("{uid} {place}"),
        };
        if let Some((first, then)) = self.given.get_mut(&key) {
            if *first == interval || then.contains(&interval) {
                return None;
            }
            then.push(interval);
            // Some write one UID for all that they have.
            key = format!("{key} @{}-{}", interval.start.timestamp(), interval.end.timestamp());
        } else {
            self.given.insert(key.clone(), (interval, Vec::new()));
        }
        Some(key)
    }
}
