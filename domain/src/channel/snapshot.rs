//! What a feed says now, as a plan takes it.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    booking::BookingTime,
    entry::EntryTime,
    ical::{self, FeedStatus, Occurrence, ParsedCalendar, ReadError, ReadEvent, ReadLimits},
    ids::BookingId,
    interval::{Interval, start_of_day, stay},
    platform::{EventKind, Platform},
};

/// One event of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEvent {
    /// The same whenever the same event is seen, if the platform keeps its UIDs; never empty, once in a snapshot.
    pub key: String,
    /// When, as it is told.
    pub time: BookingTime,
    /// The same in UTC; days are those of the resource's zone.
    pub interval: Interval,
    /// What the platform says that it is.
    pub told: EventKind,
    pub summary: String,
    /// Lines separated by `\n`.
    pub description: String,
    /// Who comes, where the platform tells.
    pub guest: Option<String>,
    /// Whether the platform says that it is not agreed on yet.
    pub tentative: bool,
    /// Whether it says when it ends. A date without an end is taken for a day (RFC 5545, 3.6.1).
    pub ends: bool,
    /// The booking whose UID of ours it bears, in any of our feeds; see [`Snapshot::mark_ours`].
    pub names: Option<BookingId>,
    /// Whether that is a booking of this business: then it is ours, whatever it is called.
    pub ours: bool,
}

/// An event that takes no time, or none that is read, because it does not say when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWithoutEnd {
    pub key: String,
    pub start: DateTime<Utc>,
}

/// A feed as it was read, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub events: Vec<SnapshotEvent>,
    /// The UIDs of what it says was called off: their absence is no accident.
    pub called_off: BTreeSet<String>,
    /// How many events could not be read: what is missing may be one of them.
    pub left_out: usize,
    /// What takes no time as it stands, or none since the window began: its end is missing, no later than its start, or
    /// unreadable.
    pub endless: Vec<EventWithoutEnd>,
}

impl Snapshot {
    /// The bookings whose UIDs of ours are in it.
    pub fn named(&self) -> Vec<BookingId> {
        let named: BTreeSet<BookingId> = self.events.iter().filter_map(|event| event.names).collect();
        named.into_iter().collect()
    }

    /// Says which of [`Snapshot::named`] are bookings of the business: their events are ours. The host of a UID says nothing,
    /// since an installation may have moved, and may serve businesses that read each other.
    pub fn mark_ours(&mut self, ours: &HashSet<BookingId>) {
        for event in &mut self.events {
            event.ours = event.names.is_some_and(|named| ours.contains(&named));
        }
    }
}

/// Takes what a plan needs from a calendar that was read: what takes place in `window`, with days in `zone`.
///
/// `tell`: what an event is and who comes; `None`: it takes no time, such as one that is marked as free.
pub fn snapshot<'a>(
    calendar: &'a ParsedCalendar,
    window: Interval,
    zone: Tz,
    limits: &ReadLimits,
    tell: impl Fn(&'a ReadEvent) -> Option<(EventKind, Option<String>)>,
) -> Result<Snapshot, ReadError> {
    let occurrences = calendar.occurrences(window, zone, limits)?;
    let mut keys = EventKeys { given: HashMap::with_capacity(occurrences.len()) };
    let mut endless = Vec::new();
    let mut events = Vec::with_capacity(occurrences.len());
    for occurrence in occurrences {
        let Some((told, guest)) = tell(occurrence.event) else { continue };
        let Some((time, interval)) = event_time(&occurrence.time, zone) else {
            endless.extend(event_without_end(&occurrence));
            continue;
        };
        let Some(key) = keys.of(&occurrence, interval) else { continue };
        events.push(SnapshotEvent {
            key,
            time,
            interval,
            told,
            summary: occurrence.event.summary.clone(),
            description: occurrence.event.description.clone(),
            guest,
            tentative: occurrence.event.status == FeedStatus::Tentative,
            ends: occurrence.event.ends,
            names: ical::booking_of(&occurrence.event.uid),
            ours: false,
        });
    }
    endless.extend(events_without_end_before(calendar, window, zone, &keys, &tell));
    let called_off = calendar.events.iter().filter(|event| event.status == FeedStatus::Cancelled);
    Ok(Snapshot {
        events,
        called_off: called_off.map(|event| event.uid.clone()).collect(),
        left_out: calendar.left_out,
        endless,
    })
}

/// What a platform says that an event is, and who comes; `None`: it takes no time.
pub fn told_by(platform: &Platform, event: &ReadEvent) -> Option<(EventKind, Option<String>)> {
    // Platforms mark what they like as free; calendars of people mean it.
    let tells_apart = !platform.reservation.is_empty() || !platform.block.is_empty();
    if event.transparent && !tells_apart {
        return None;
    }
    let told = platform.tell(&event.summary, &event.description);
    Some((told, platform.guest_of(&event.summary)))
}

fn event_without_end(occurrence: &Occurrence<'_>) -> Option<EventWithoutEnd> {
    let EntryTime::Timed { starts_at, .. } = occurrence.time else { return None };
    let key = event_key(&occurrence.event.uid, &occurrence.id, starts_at);
    (!occurrence.event.ends).then_some(EventWithoutEnd { key, start: starts_at })
}

/// Events that do not say when they end, and would be over before the window: what is known of them may last until now.
fn events_without_end_before<'a>(
    calendar: &'a ParsedCalendar,
    window: Interval,
    zone: Tz,
    keys: &EventKeys,
    tell: &impl Fn(&'a ReadEvent) -> Option<(EventKind, Option<String>)>,
) -> Vec<EventWithoutEnd> {
    let open = calendar.events.iter().filter(|event| {
        !event.ends
            && event.status != FeedStatus::Cancelled
            && event.recurrence.is_none()
            && tell(event).is_some()
    });
    let before = open.filter_map(|event| {
        let (start, end) = match event.time {
            EntryTime::Timed { starts_at, ends_at, .. } => (starts_at, ends_at),
            EntryTime::AllDay { from, until } => (start_of_day(from, zone), start_of_day(until, zone)),
        };
        let place = event.recurrence_id.map(ical::recurrence_id_text).unwrap_or_default();
        let key = event_key(&event.uid, &place, start);
        // What is in the window says more, under the same name.
        let is_before = start < window.start && end <= window.start && !keys.given.contains_key(&key);
        is_before.then_some(EventWithoutEnd { key, start })
    });
    before.collect()
}

fn event_key(uid: &str, place: &str, start: DateTime<Utc>) -> String {
    match (uid, place) {
        // An event without a UID is known by its time alone.
        ("", _) => format!("@{}", start.timestamp()),
        (uid, "") => uid.to_owned(),
        (uid, place) => format!("{uid} {place}"),
    }
}

/// `None`: it takes no time.
fn event_time(time: &EntryTime, zone: Tz) -> Option<(BookingTime, Interval)> {
    let interval = match *time {
        EntryTime::Timed { starts_at, ends_at, .. } => Interval::new(starts_at, ends_at)?,
        EntryTime::AllDay { from, until } => stay(from, until, zone)?,
    };
    Some((BookingTime::from(time), interval))
}

/// Gives each event a key of its own.
struct EventKeys {
    /// For when each was wanted: first, and then.
    given: HashMap<String, (Interval, Vec<Interval>)>,
}

impl EventKeys {
    /// `None`: the same event stands in the feed twice.
    fn of(&mut self, occurrence: &Occurrence<'_>, interval: Interval) -> Option<String> {
        let mut key = event_key(&occurrence.event.uid, &occurrence.id, interval.start);
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
