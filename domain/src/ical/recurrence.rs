//! What takes place in a window: single events, and series with what stands in the place of their instances.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::{
    calendar::{BoundedRule, ParsedCalendar, ReadEvent, Recurrence, Until},
    feed::FeedStatus,
    limits::{ReadError, ReadLimits},
    recurrence_rule::{Budget, walls},
    values::{EventDuration, LocalTime, entry_time},
    writer::IcalTime,
    zones::Zone,
};
use crate::{
    entry::EntryTime,
    interval::{Interval, start_of_day},
};

/// Something that takes place.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence<'a> {
    /// What it says: the event, the series, or what stands in the place of this instance.
    pub event: &'a ReadEvent,
    /// When this one takes place.
    pub time: EntryTime,
    /// The same whenever it is read: empty for a single event, else the place in the series as in RECURRENCE-ID, in
    /// UTC (`20261203T090000Z`) or as a date (`20261203`).
    pub id: String,
    /// Whether it is one of a series.
    pub recurring: bool,
}

impl ParsedCalendar {
    /// All that takes place in `window`, by start; days of all-day events begin at midnight in `zone`. What is
    /// cancelled is left out. An event of no length counts where it starts.
    pub fn occurrences(
        &self,
        window: Interval,
        zone: Tz,
        limits: &ReadLimits,
    ) -> Result<Vec<Occurrence<'_>>, ReadError> {
        let mut expansion = Expansion { window, zone, budget: Budget::of(limits), found: Vec::new() };
        for group in groups(&self.events) {
            expansion.group(group)?;
        }
        let mut found = expansion.found;
        found.sort_by_cached_key(|occurrence| begin(&occurrence.time, zone));
        Ok(found)
    }
}

fn begin(time: &EntryTime, zone: Tz) -> DateTime<Utc> {
    match time {
        EntryTime::Timed { starts_at, .. } => *starts_at,
        EntryTime::AllDay { from, .. } => start_of_day(*from, zone),
    }
}

/// All of one UID.
#[derive(Default)]
struct UidGroup<'a> {
    master: Option<&'a ReadEvent>,
    /// By the place that each takes.
    overrides: BTreeMap<IcalTime, &'a ReadEvent>,
}

/// The events by UID, in the order of the file. Of two versions the one with the higher SEQUENCE counts, then the
/// younger one, then the later in the file. Two events of one UID and SEQUENCE that start at different times are no
/// versions of each other: some write one UID for all that they have.
fn groups(events: &[ReadEvent]) -> Vec<UidGroup<'_>> {
    let mut groups: Vec<UidGroup<'_>> = Vec::with_capacity(events.len());
    let mut by_uid: HashMap<&str, usize> = HashMap::with_capacity(events.len());
    let mut siblings: HashMap<(&str, IcalTime), usize> = HashMap::new();
    for event in events {
        let new = groups.len();
        let mut index = if event.uid.is_empty() { new } else { *by_uid.entry(&event.uid).or_insert(new) };
        if event.recurrence_id.is_none()
            && let Some(first) = groups.get(index).and_then(|group| group.master)
            && first.start != event.start
        {
            let start = (event.uid.as_str(), event.start.moment());
            index = match siblings.get(&start) {
                Some(sibling) => *sibling,
                None if first.sequence == event.sequence => *siblings.entry(start).or_insert(new),
                None => index,
            };
        }
        if index == new {
            groups.push(UidGroup::default());
        }
        let group = &mut groups[index];
        let newer = |old: &&ReadEvent| (event.sequence, event.stamp) >= (old.sequence, old.stamp);
        match event.recurrence_id {
            None if group.master.as_ref().is_none_or(newer) => group.master = Some(event),
            Some(place) if group.overrides.get(&place).is_none_or(newer) => {
                group.overrides.insert(place, event);
            }
            _ => {}
        }
    }
    groups
}

struct Expansion<'a> {
    window: Interval,
    zone: Tz,
    budget: Budget,
    found: Vec<Occurrence<'a>>,
}

impl<'a> Expansion<'a> {
    fn group(&mut self, mut group: UidGroup<'a>) -> Result<(), ReadError> {
        if let Some(master) = group.master {
            let mut gone = BTreeSet::new();
            for (place, event) in &group.overrides {
                if event.sequence < master.sequence && !self.has(master, event)? {
                    gone.insert(*place);
                }
            }
            group.overrides.retain(|place, _| !gone.contains(place));
        }
        if let Some(master) = group.master
            && master.status != FeedStatus::Cancelled
        {
            match &master.recurrence {
                Some(recurrence) => self.series(master, recurrence, &group.overrides)?,
                None if is_overridden(&group.overrides, &master.start) => {}
                None => self.take(master, &master.start, master.length, String::new())?,
            }
        }
        for (place, event) in &group.overrides {
            self.take(event, &event.start, event.length, recurrence_id_text(*place))?;
        }
        Ok(())
    }

    /// Whether a series that was changed after this override still has the place that it takes.
    fn has(&mut self, master: &ReadEvent, event: &ReadEvent) -> Result<bool, ReadError> {
        let (Some(place), Some(recurrence)) = (&event.replaces, &master.recurrence) else { return Ok(false) };
        let day = Duration::days(1);
        // The same place in another zone is less than a day away on the wall.
        let (Some(from), Some(to)) =
            (place.wall().checked_sub_signed(day), place.wall().checked_add_signed(day * 2))
        else {
            return Ok(false);
        };
        let instances = self.instances(master, recurrence, from, to)?;
        Ok(instances.values().any(|(start, _)| {
            let here = match (&**place, start) {
                (LocalTime::At(..), LocalTime::At(..)) => place.moment() == start.moment(),
                _ => place.wall().date() == start.wall().date(),
            };
            here && !excepted(&recurrence.except, start)
        }))
    }

    /// Takes what lies in the window and is not cancelled.
    fn take(
        &mut self,
        event: &'a ReadEvent,
        start: &LocalTime,
        length: EventDuration,
        id: String,
    ) -> Result<(), ReadError> {
        if event.status == FeedStatus::Cancelled {
            return Ok(());
        }
        let Some(time) = entry_time(start, length, event.shown) else { return Ok(()) };
        let (begin, end) = match time {
            EntryTime::Timed { starts_at, ends_at, .. } => (starts_at, ends_at),
            EntryTime::AllDay { from, until } => {
                (start_of_day(from, self.zone), start_of_day(until, self.zone))
            }
        };
        let inside = begin < self.window.end && (end > self.window.start || begin >= self.window.start);
        if inside {
            if self.found.len() >= self.budget.most {
                return Err(ReadError::TooManyOccurrences);
            }
            self.found.push(Occurrence { event, time, recurring: !id.is_empty(), id });
        }
        Ok(())
    }

    fn series(
        &mut self,
        master: &'a ReadEvent,
        recurrence: &Recurrence,
        overrides: &BTreeMap<IcalTime, &'a ReadEvent>,
    ) -> Result<(), ReadError> {
        let changes: Vec<FutureOverride<'a>> =
            overrides.values().filter_map(|event| FutureOverride::of(event, master)).collect();
        let (from, to) = self.reach(master, recurrence, &changes);
        // A series of days may have overrides of times.
        let days: BTreeSet<NaiveDate> = overrides
            .values()
            .filter_map(|event| event.replaces.as_ref())
            .map(|place| place.wall().date())
            .collect();
        let on_day = |start: &LocalTime| matches!(start, LocalTime::On(date) if days.contains(date));
        let instances = self.instances(master, recurrence, from, to)?;
        for (place, (start, length)) in instances {
            self.budget.spend(changes.len() as u64)?;
            if is_overridden(overrides, &start) || on_day(&start) || excepted(&recurrence.except, &start) {
                continue;
            }
            let length = length.unwrap_or(master.length);
            match changes.iter().rev().find(|change| change.reaches(&start)) {
                None => self.take(master, &start, length, recurrence_id_text(place))?,
                Some(change) => {
                    let start = change.moved(&start);
                    self.take(change.event, &start, change.event.length, recurrence_id_text(place))?;
                }
            }
        }
        Ok(())
    }

    /// The wall times between which an instance must start to touch the window.
    fn reach(
        &self,
        master: &ReadEvent,
        recurrence: &Recurrence,
        changes: &[FutureOverride<'_>],
    ) -> (NaiveDateTime, NaiveDateTime) {
        let zone = match &master.start {
            LocalTime::At(_, zone) => zone.clone(),
            LocalTime::On(_) => Zone::Named(self.zone),
        };
        let own = recurrence.extra.iter().filter_map(|(_, length)| *length);
        let lengths = changes.iter().map(|change| change.event.length).chain(own);
        let longest =
            lengths.map(EventDuration::upper_bound).fold(master.length.upper_bound(), Duration::max);
        let moved = changes.iter().map(|change| change.by.abs()).fold(Duration::zero(), Duration::max);
        // A day more on either side: zones differ by no more.
        let (before, after) = (longest + moved + Duration::days(1), moved + Duration::days(2));
        (
            zone.local(self.window.start).checked_sub_signed(before).unwrap_or(NaiveDateTime::MIN),
            zone.local(self.window.end).checked_add_signed(after).unwrap_or(NaiveDateTime::MAX),
        )
    }

    /// The instances that start between two wall times, before overrides and exceptions.
    fn instances(
        &mut self,
        master: &ReadEvent,
        recurrence: &Recurrence,
        from: NaiveDateTime,
        to: NaiveDateTime,
    ) -> Result<BTreeMap<IcalTime, (LocalTime, Option<EventDuration>)>, ReadError> {
        self.budget.spend(recurrence.extra.len() as u64)?;
        let first = master.start.wall();
        let mut instances = BTreeMap::new();
        if recurrence.rules.is_empty() && (from..to).contains(&first) {
            instances.insert(master.start.moment(), (master.start.clone(), None));
        }
        for ruled in &recurrence.rules {
            for start in self.ruled(master, ruled, from, to)? {
                instances.insert(start.moment(), (start, None));
            }
        }
        for (start, length) in &recurrence.extra {
            if (from..to).contains(&start.wall()) {
                // A series of days has days.
                let start = match &master.start {
                    LocalTime::On(_) => LocalTime::On(start.wall().date()),
                    LocalTime::At(..) => match start {
                        LocalTime::On(date) => master.start.at(date.and_time(first.time())),
                        at @ LocalTime::At(..) => at.clone(),
                    },
                };
                instances.insert(start.moment(), (start, *length));
            }
        }
        for ruled in &recurrence.exrules {
            for start in self.ruled(master, ruled, from, to)? {
                if start.wall() != first {
                    instances.remove(&start.moment());
                }
            }
        }
        Ok(instances)
    }

    fn ruled(
        &mut self,
        master: &ReadEvent,
        ruled: &BoundedRule,
        from: NaiveDateTime,
        to: NaiveDateTime,
    ) -> Result<Vec<LocalTime>, ReadError> {
        let day = Duration::days(1);
        let first = master.start.wall();
        let last = match ruled.until {
            None => to,
            Some(Until::Wall(until)) => to.min(until.checked_add_signed(day).unwrap_or(to)),
            Some(Until::Instant(until)) => {
                to.min(until.naive_utc().checked_add_signed(day * 2).unwrap_or(to))
            }
        };
        let within = |start: &LocalTime| match (ruled.until, start.moment()) {
            (Some(Until::Wall(until)), _) => start.wall() <= until,
            (Some(Until::Instant(until)), IcalTime::At(at)) => at <= until,
            _ => true,
        };
        let walls = walls(&ruled.rule, first, from, last, &mut self.budget)?;
        Ok(walls.into_iter().map(|wall| master.start.at(wall)).filter(within).collect())
    }
}

/// An override that stands for all that follow, too.
struct FutureOverride<'a> {
    event: &'a ReadEvent,
    place: &'a LocalTime,
    /// How far it moves them, on the wall.
    by: Duration,
    zone: Option<Zone>,
}

impl<'a> FutureOverride<'a> {
    fn of(event: &'a ReadEvent, master: &ReadEvent) -> Option<Self> {
        let place = event.replaces.as_deref().filter(|_| event.and_future)?;
        let (by, zone) = match (&master.start, event.start.moment(), place.moment()) {
            (LocalTime::At(_, zone), IcalTime::At(to), IcalTime::At(from)) => {
                (zone.local(to) - zone.local(from), Some(zone.clone()))
            }
            _ => (event.start.wall() - place.wall(), None),
        };
        Some(Self { event, place, by, zone })
    }

    /// Whether an instance comes after the place where the change began, or is that place.
    fn reaches(&self, start: &LocalTime) -> bool {
        match (self.place.moment(), start.moment()) {
            (IcalTime::At(place), IcalTime::At(start)) => place <= start,
            _ => self.place.wall().date() <= start.wall().date(),
        }
    }

    fn moved(&self, start: &LocalTime) -> LocalTime {
        let wall = start.wall().checked_add_signed(self.by).unwrap_or(start.wall());
        match &self.zone {
            Some(zone) => LocalTime::At(wall, zone.clone()),
            None => self.event.start.at(wall),
        }
    }
}

/// Whether an override takes the place of an instance: its instant, or its date.
fn is_overridden(overrides: &BTreeMap<IcalTime, &ReadEvent>, start: &LocalTime) -> bool {
    overrides.contains_key(&start.moment()) || overrides.contains_key(&IcalTime::On(start.wall().date()))
}

fn excepted(except: &BTreeSet<IcalTime>, start: &LocalTime) -> bool {
    except.contains(&start.moment()) || except.contains(&IcalTime::On(start.wall().date()))
}

/// The place of an instance in its series, as in [`Occurrence::id`].
pub(crate) fn recurrence_id_text(place: IcalTime) -> String {
    match place {
        IcalTime::At(instant) => instant.format("%Y%m%dT%H%M%SZ").to_string(),
        IcalTime::On(date) => date.format("%Y%m%d").to_string(),
    }
}

#[cfg(test)]
#[path = "recurrence_tests.rs"]
mod tests;
