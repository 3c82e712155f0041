//! The single occurrences of recurring events: their ids, and what stands in a window of time.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

use super::entry::{Entry, EventTime, FormerSeries};
use super::records::Calendar;
use crate::recurrence::Series;
use crate::timing::When;

/// How far an endless series is shown if no end is asked for: from now or the window's start, whichever is later.
const DEFAULT_REACH: Duration = Duration::days(730);

/// Something that a list shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// A stored event.
    Whole(&'a Entry),
    /// An occurrence of a recurring event that nobody has touched.
    Occurrence { master: &'a Entry, original: When },
    /// An occurrence that is no more.
    Vanished { master: &'a Entry, original: When },
}

impl Shown<'_> {
    /// Start and end.
    pub(crate) fn span(&self) -> (When, When) {
        match self {
            Shown::Whole(entry) => (entry.start.when, entry.end.when),
            Shown::Occurrence { master, original } | Shown::Vanished { master, original } => {
                (*original, original.plus(master.length()))
            }
        }
    }

    /// The event that its fields come from.
    pub(crate) fn entry(&self) -> &Entry {
        match self {
            Shown::Whole(entry) => entry,
            Shown::Occurrence { master, .. } | Shown::Vanished { master, .. } => master,
        }
    }

    pub(crate) fn id(&self) -> String {
        match self {
            Shown::Whole(entry) => entry.id.clone(),
            Shown::Occurrence { master, original } | Shown::Vanished { master, original } => {
                occurrence_id(&master.id, *original)
            }
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        matches!(self, Shown::Vanished { .. }) || self.entry().cancelled()
    }
}

/// `{id}_{yyyymmddThhmmssZ}`, or `{id}_{yyyymmdd}` for whole days: from the start that the rule gives, also after a move.
pub(crate) fn occurrence_id(master: &str, original: When) -> String {
    match original {
        When::At(at) => format!("{master}_{}", at.format("%Y%m%dT%H%M%SZ")),
        When::On(day) => format!("{master}_{}", day.format("%Y%m%d")),
    }
}

/// The recurring event and the start that the occurrence id `id` means, if there is such an occurrence.
pub(crate) fn find<'a>(calendar: &'a Calendar, id: &str) -> Option<(&'a Entry, When)> {
    let (master, suffix) = id.rsplit_once('_')?;
    let original = match NaiveDate::parse_from_str(suffix, "%Y%m%d") {
        Ok(day) => When::On(day),
        Err(_) => When::At(NaiveDateTime::parse_from_str(suffix, "%Y%m%dT%H%M%SZ").ok()?.and_utc()),
    };
    let master = calendar.entries.get(master).filter(|entry| !entry.cancelled())?;
    let after = original.instant(calendar.info.zone) + Duration::seconds(1);
    starts(calendar, master, after).contains(&original).then_some((master, original))
}

/// An occurrence as an event of its own: what a change to it starts from.
pub(crate) fn standing_alone(master: &Entry, original: When) -> Entry {
    let start = EventTime { when: original, ..master.start };
    Entry {
        id: occurrence_id(&master.id, original),
        start,
        end: EventTime { when: original.plus(master.length()), ..master.end },
        recurrence: Vec::new(),
        occurrence_of: Some(super::entry::Occurrence { master: master.id.clone(), original: start }),
        former: Vec::new(),
        series: None,
        history: Vec::new(),
        ..master.clone()
    }
}

/// All starts of a recurring event before `end`.
pub(crate) fn starts(calendar: &Calendar, master: &Entry, end: DateTime<Utc>) -> Vec<When> {
    let zone = master.start.zone.unwrap_or(calendar.info.zone);
    master.series.as_ref().map_or_else(Vec::new, |series| series.starts(master.start.when, zone, end))
}

/// A window of time, open where it has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

impl Window {
    /// Whether something from `start` to `end` is partly inside; touching is not.
    pub(crate) fn meets(self, (start, end): (When, When), zone: chrono_tz::Tz) -> bool {
        self.to.is_none_or(|to| start.instant(zone) < to)
            && self.from.is_none_or(|from| end.instant(zone) > from)
    }

    fn reach(self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.to.unwrap_or_else(|| self.from.unwrap_or(now).max(now) + DEFAULT_REACH)
    }
}

/// What a recurring event and its changed occurrences come to within `window`.
pub(crate) fn expand<'a>(
    calendar: &'a Calendar,
    master: &'a Entry,
    window: Window,
    now: DateTime<Utc>,
) -> Vec<Shown<'a>> {
    let exceptions = exceptions(calendar, master);
    let replaced = |start: &When| {
        let stands_for =
            |entry: &&Entry| entry.occurrence_of.as_ref().is_some_and(|one| one.original.when == *start);
        exceptions.iter().any(stands_for)
    };
    // An exception may have been moved into or out of the window, so these are looked at one by one.
    let untouched = starts(calendar, master, window.reach(now))
        .into_iter()
        .filter(|start| !replaced(start))
        .map(|original| Shown::Occurrence { master, original });
    let zone = calendar.info.zone;
    let all = untouched.chain(exceptions.iter().map(|entry| Shown::Whole(entry)));
    all.filter(|shown| window.meets(shown.span(), zone)).collect()
}

/// Everything that stands in `calendar` within `window`, recurring events as their occurrences, nothing cancelled.
pub(crate) fn standing_between<'a>(
    calendar: &'a Calendar,
    window: Window,
    now: DateTime<Utc>,
) -> Vec<Shown<'a>> {
    let zone = calendar.info.zone;
    let of_entry = |entry: &'a Entry| match entry {
        Entry { series: Some(_), .. } => expand(calendar, entry, window, now),
        // Changed occurrences come with their series.
        Entry { occurrence_of: Some(_), .. } => Vec::new(),
        _ => vec![Shown::Whole(entry)],
    };
    let entries = calendar.entries.values().filter(|entry| !entry.cancelled());
    entries
        .flat_map(of_entry)
        .filter(|shown| !shown.cancelled() && window.meets(shown.span(), zone))
        .collect()
}

/// The occurrences that `master` had before it was changed or deleted and has no more.
pub(crate) fn vanished<'a>(
    calendar: &'a Calendar,
    master: &'a Entry,
    window: Window,
    now: DateTime<Utc>,
) -> Vec<Shown<'a>> {
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
        if let Ok(series) = Series::parse(&old.recurrence, zone) {
            gone.extend(
                series.starts(old.start, zone, end).into_iter().filter(|start| !current.contains(start)),
            );
        }
    }
    let zone = calendar.info.zone;
    let all = gone.into_iter().map(|original| Shown::Vanished { master, original });
    all.filter(|shown| window.meets(shown.span(), zone)).collect()
}

/// The stored events that stand in place of occurrences of `master`.
pub(crate) fn exceptions<'a>(calendar: &'a Calendar, master: &Entry) -> Vec<&'a Entry> {
    let ids = calendar.exceptions.get(&master.id).into_iter().flatten();
    ids.filter_map(|id| calendar.entries.get(id)).collect()
}
