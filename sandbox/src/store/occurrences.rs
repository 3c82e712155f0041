//! The single occurrences of recurring events: their ids, and what stands in a window of time.

use std::borrow::Cow;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

use super::entry::{EventTime, FormerSeries, StoredEntry};
use super::records::StoredCalendar;
use crate::recurrence::RecurrenceSet;
use crate::timing::DateOrDateTime;

/// How far an endless series is shown if no end is asked for: from now or the window's start, whichever is later.
const DEFAULT_HORIZON: Duration = Duration::days(730);

/// Something that a list shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ListedEvent<'a> {
    Whole(&'a StoredEntry),
    /// An occurrence of a recurring event that nobody has touched.
    Occurrence {
        master: &'a StoredEntry,
        original: DateOrDateTime,
    },
    /// An occurrence that is no more.
    Vanished {
        master: &'a StoredEntry,
        original: DateOrDateTime,
    },
}

impl ListedEvent<'_> {
    pub(crate) fn span(&self) -> (DateOrDateTime, DateOrDateTime) {
        match self {
            ListedEvent::Whole(entry) => (entry.start.when, entry.end.when),
            ListedEvent::Occurrence { master, original } | ListedEvent::Vanished { master, original } => {
                (*original, original.plus(master.length()))
            }
        }
    }

    /// The event that its fields come from.
    pub(crate) fn entry(&self) -> &StoredEntry {
        match self {
            ListedEvent::Whole(entry) => entry,
            ListedEvent::Occurrence { master, .. } | ListedEvent::Vanished { master, .. } => master,
        }
    }

    /// It as an event of its own.
    pub(crate) fn materialized(&self) -> Cow<'_, StoredEntry> {
        match self {
            ListedEvent::Whole(entry) => Cow::Borrowed(entry),
            ListedEvent::Occurrence { master, original } | ListedEvent::Vanished { master, original } => {
                Cow::Owned(materialize(master, *original))
            }
        }
    }

    pub(crate) fn id(&self) -> String {
        match self {
            ListedEvent::Whole(entry) => entry.id.clone(),
            ListedEvent::Occurrence { master, original } | ListedEvent::Vanished { master, original } => {
                occurrence_id(&master.id, *original)
            }
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        matches!(self, ListedEvent::Vanished { .. }) || self.entry().cancelled()
    }
}

/// `{id}_{yyyymmddThhmmssZ}`, or `{id}_{yyyymmdd}` for whole days: from the start that the rule gives, also after a move.
pub(crate) fn occurrence_id(master: &str, original: DateOrDateTime) -> String {
    match original {
        DateOrDateTime::At(at) => format!("{master}_{}", at.format("%Y%m%dT%H%M%SZ")),
        DateOrDateTime::On(day) => format!("{master}_{}", day.format("%Y%m%d")),
    }
}

/// The recurring event and the start that the occurrence id `id` means, if there is such an occurrence.
pub(crate) fn find<'a>(calendar: &'a StoredCalendar, id: &str) -> Option<(&'a StoredEntry, DateOrDateTime)> {
    let (master, suffix) = id.rsplit_once('_')?;
    let original = match NaiveDate::parse_from_str(suffix, "%Y%m%d") {
        Ok(day) => DateOrDateTime::On(day),
        Err(_) => DateOrDateTime::At(NaiveDateTime::parse_from_str(suffix, "%Y%m%dT%H%M%SZ").ok()?.and_utc()),
    };
    let master = calendar.entries.get(master).filter(|entry| !entry.cancelled())?;
    let after = original.instant(calendar.info.zone) + Duration::seconds(1);
    starts(calendar, master, after).contains(&original).then_some((master, original))
}

/// An occurrence as an event of its own: what a change to it starts from.
pub(crate) fn materialize(master: &StoredEntry, original: DateOrDateTime) -> StoredEntry {
    let start = EventTime { when: original, ..master.start };
    StoredEntry {
        id: occurrence_id(&master.id, original),
        start,
        end: EventTime { when: original.plus(master.length()), ..master.end },
        recurrence: Vec::new(),
        occurrence_of: Some(super::entry::OccurrenceRef { master: master.id.clone(), original: start }),
        former: Vec::new(),
        series: None,
        history: Vec::new(),
        ..master.clone()
    }
}

/// All starts of a recurring event before `end`.
pub(crate) fn starts(
    calendar: &StoredCalendar,
    master: &StoredEntry,
    end: DateTime<Utc>,
) -> Vec<DateOrDateTime> {
    let zone = master.start.zone.unwrap_or(calendar.info.zone);
    master.series.as_ref().map_or_else(Vec::new, |series| series.starts(master.start.when, zone, end))
}

/// A window of time, open where it has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ListWindow {
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

impl ListWindow {
    /// Whether something from `start` to `end` is partly inside; touching is not.
    pub(crate) fn meets(self, (start, end): (DateOrDateTime, DateOrDateTime), zone: chrono_tz::Tz) -> bool {
        self.to.is_none_or(|to| start.instant(zone) < to)
            && self.from.is_none_or(|from| end.instant(zone) > from)
    }

    fn reach(self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.to.unwrap_or_else(|| self.from.unwrap_or(now).max(now) + DEFAULT_HORIZON)
    }
}

/// What a recurring event and its changed occurrences come to within `window`.
pub(crate) fn expand<'a>(
    calendar: &'a StoredCalendar,
    master: &'a StoredEntry,
    window: ListWindow,
    now: DateTime<Utc>,
) -> Vec<ListedEvent<'a>> {
    let exceptions = exceptions(calendar, master);
    let replaced = |start: &DateOrDateTime| {
        let stands_for = |entry: &&StoredEntry| {
            entry.occurrence_of.as_ref().is_some_and(|one| one.original.when == *start)
        };
        exceptions.iter().any(stands_for)
    };
    // An exception may have been moved into or out of the window, so these are looked at one by one.
    let untouched = starts(calendar, master, window.reach(now))
        .into_iter()
        .filter(|start| !replaced(start))
        .map(|original| ListedEvent::Occurrence { master, original });
    let zone = calendar.info.zone;
    let all = untouched.chain(exceptions.iter().map(|entry| ListedEvent::Whole(entry)));
    all.filter(|shown| window.meets(shown.span(), zone)).collect()
}

/// Everything that stands in `calendar` within `window`, recurring events as their occurrences, nothing cancelled.
pub(crate) fn standing_between<'a>(
    calendar: &'a StoredCalendar,
    window: ListWindow,
    now: DateTime<Utc>,
) -> Vec<ListedEvent<'a>> {
    let zone = calendar.info.zone;
    let of_entry = |entry: &'a StoredEntry| match entry {
        StoredEntry { series: Some(_), .. } => expand(calendar, entry, window, now),
        // Changed occurrences come with their series.
        StoredEntry { occurrence_of: Some(_), .. } => Vec::new(),
        _ => vec![ListedEvent::Whole(entry)],
    };
    let entries = calendar.entries.values().filter(|entry| !entry.cancelled());
    entries
        .flat_map(of_entry)
        .filter(|shown| !shown.cancelled() && window.meets(shown.span(), zone))
        .collect()
}

/// The occurrences that `master` had before it was changed or deleted and has no more.
pub(crate) fn vanished<'a>(
    calendar: &'a StoredCalendar,
    master: &'a StoredEntry,
    window: ListWindow,
    now: DateTime<Utc>,
) -> Vec<ListedEvent<'a>> {
    let end = window.reach(now);
    let current = if master.cancelled() { Vec::new() } else { starts(calendar, master, end) };
    let mut gone = std::collections::BTreeSet::new();
    let mut former = master.former.clone();
    if master.cancelled() && !master.recurrence.is_empty() {
        let (start, recurrence) = (master.start, master.recurrence.clone());
        former.push(FormerSeries { start: start.when, zone: start.zone, recurrence });
    }
    for old in &former {
        let zone = old.zone.unwrap_or(calendar.info.zone);
        if let Ok(series) = RecurrenceSet::parse(&old.recurrence, zone) {
            gone.extend(
                series.starts(old.start, zone, end).into_iter().filter(|start| !current.contains(start)),
            );
        }
    }
    let zone = calendar.info.zone;
    let all = gone.into_iter().map(|original| ListedEvent::Vanished { master, original });
    all.filter(|shown| window.meets(shown.span(), zone)).collect()
}

/// The stored events that stand in place of occurrences of `master`.
pub(crate) fn exceptions<'a>(calendar: &'a StoredCalendar, master: &StoredEntry) -> Vec<&'a StoredEntry> {
    let ids = calendar.exceptions.get(&master.id).into_iter().flatten();
    ids.filter_map(|id| calendar.entries.get(id)).collect()
}
