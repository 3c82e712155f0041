//! What a read of a connected calendar changes in the busy times that we know of its owner.
//!
//! Only times are kept: what people do in their own hours is nobody's business.
//!
//! A full read names everything that stands in the window, so what it does not name is gone; it is also where a fault
//! of the provider could free half a diary at one blow. What such a read takes away is quarantined until the next one takes
//! it away too; what it brings is written at once, since nobody is to be booked over it meanwhile. An incremental read
//! names what changed, and only that is touched. Where what recurs changes as a whole, it names the whole, and what is
//! no longer among its instances is gone.
//!
//! Entries of ours are no busy times, but a full read that does not name one of them tells of a deletion as a change
//! would have: somebody made it while there was no cursor that would have shown it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::drift::{EntryExpectation, MarkedEvent, compare};
use crate::{
    entry::{EntryTime, ObservedEntry},
    ids::EntryId,
    interval::{Interval, stay},
    words,
};

/// A busy time of a calendar, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBusyTime {
    /// The provider's id of it.
    pub external_id: String,
    /// The provider's id of what it is an instance of.
    pub series: Option<String>,
    /// The version it was read at.
    pub etag: Option<String>,
    /// When its owner is busy, in full even where it reaches out of the window.
    pub interval: Interval,
    /// Whether its owner has not accepted it for sure.
    pub tentative: bool,
}

/// What is stored of a calendar.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredCalendarState<'a> {
    /// Its busy times: of an incremental read those that it concerns will do.
    pub busy: &'a [ObservedBusyTime],
    /// The entries of ours that a full read should name.
    pub ours: &'a [EntryExpectation],
}

/// What sort of read it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// Everything in the window.
    Full,
    /// What changed since the last read.
    Incremental,
}

/// The circumstances of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarRead {
    pub kind: ReadKind,
    /// What is kept; events that do not touch it are not.
    pub window: Interval,
    /// The calendar's zone, which says when its whole days begin.
    pub zone: Tz,
    /// Tells future from past.
    pub now: DateTime<Utc>,
}

words! {
    /// Why a busy time goes.
    RemovalReason {
        /// Deleted or cancelled there.
        Deleted = "deleted",
        /// Its owner is free then, or has declined.
        Free = "free",
        /// It was moved to where we do not look, or time has passed over it.
        ImportWindow = "import_window",
        /// A full read does not name it.
        Vanished = "vanished",
        /// It is an entry of ours.
        Ours = "ours",
    }
}

/// A busy time that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyTimeRemoval {
    /// The provider's id of it.
    pub external_id: String,
    pub reason: RemovalReason,
}

/// The rows to write, in the order of their ids; what did not change is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusyTimeChanges {
    pub upserts: Vec<ObservedBusyTime>,
    pub removals: Vec<BusyTimeRemoval>,
}

impl BusyTimeChanges {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

/// Why a full read is not believed at first sight in what it takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarQuarantineReason {
    #[error("the calendar was returned empty, though {known} future busy times were known")]
    Empty {
        /// How many there were.
        known: usize,
    },
    /// Too much is gone at once.
    #[error("{gone} of {known} known future busy times disappeared at once")]
    Shrunk {
        /// How many would go.
        gone: usize,
        /// Out of how many.
        known: usize,
    },
}

/// What follows from a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyTimePlan {
    pub changes: BusyTimeChanges,
    /// Entries of ours that should stand there and that a full read does not name. None while the read is quarantined.
    pub missing: Vec<EntryId>,
    /// What is not believed yet: remember it, and read in full again soon.
    pub held: Option<CalendarQuarantine>,
}

/// Busy times that a full read took away and that are kept for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarQuarantine {
    /// Why it is not believed.
    pub reason: CalendarQuarantineReason,
    /// What to hand to the plan of the next full read.
    pub quarantined: QuarantinedIds,
}

/// The busy times that the full read before took away and that were kept; its text is what is stored of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantinedIds(BTreeSet<String>);

impl QuarantinedIds {
    /// From the text that was stored. Of any other text nothing is quarantined that there is.
    pub fn from_text(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    /// One id a line.
    pub fn to_text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// From how many known future busy times on the loss of more than half of them is suspicious.
pub const MIN_GUARDED_EVENTS: usize = 10;

/// What a read changes. `pages` are all pages of the read, in the order in which they came: of two mentions of an event
/// the later one holds. `resources` are the ids that the read tells of in whole: what is known under one of them, as itself
/// or as an instance, and is not in the pages, is gone. `quarantined` is what the full read before took away and was not
/// believed in: seen a second time, it is.
pub fn plan_import<'e>(
    StoredCalendarState { busy: known, ours }: StoredCalendarState<'_>,
    pages: impl IntoIterator<Item = &'e ObservedEntry>,
    resources: &[String],
    read: &CalendarRead,
    quarantined: &QuarantinedIds,
) -> BusyTimePlan {
    let observed: BTreeMap<&str, &ObservedEntry> =
        pages.into_iter().map(|entry| (entry.external_id.as_str(), entry)).collect();
    let mut stored: BTreeMap<&str, &ObservedBusyTime> =
        known.iter().map(|event| (event.external_id.as_str(), event)).collect();
    let mut changes = BusyTimeChanges::default();
    let mut unclear = BTreeSet::new();

    for (&external_id, entry) in &observed {
        let before = stored.remove(external_id);
        match (classify(entry, read), before) {
            (BusyClass::Busy(event), Some(before)) if event == *before => {}
            (BusyClass::Busy(event), _) => changes.upserts.push(event),
            (BusyClass::Not(reason), Some(_)) => {
                changes.removals.push(BusyTimeRemoval { external_id: external_id.to_owned(), reason });
            }
            (BusyClass::Unclear, _) => {
                unclear.insert(external_id);
            }
            (BusyClass::Not(_), None) => {}
        }
    }
    let told: BTreeSet<&str> = resources.iter().map(String::as_str).collect();
    let within = |ids: &BTreeSet<&str>, event: &ObservedBusyTime| {
        ids.contains(event.external_id.as_str()) || event.series.as_deref().is_some_and(|id| ids.contains(id))
    };
    // What does not say when it takes place keeps its instances, too.
    stored.retain(|_, event| !within(&unclear, event));
    if read.kind == ReadKind::Incremental {
        stored.retain(|_, event| within(&told, event));
    }
    for (external_id, event) in stored {
        let reason = match read.kind {
            _ if !event.interval.overlaps(&read.window) => RemovalReason::ImportWindow,
            ReadKind::Full => RemovalReason::Vanished,
            ReadKind::Incremental => RemovalReason::Deleted,
        };
        changes.removals.push(BusyTimeRemoval { external_id: external_id.to_owned(), reason });
    }
    changes.removals.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    let mut held = None;
    if read.kind == ReadKind::Full {
        let (believed, new): (Vec<_>, Vec<_>) =
            changes.removals.drain(..).partition(|removal| quarantined.0.contains(&removal.external_id));
        changes.removals = believed;
        if let Some(reason) = quarantine_reason(known, observed.is_empty(), (&changes.removals, &new), read) {
            let quarantined = QuarantinedIds(new.into_iter().map(|removal| removal.external_id).collect());
            held = Some(CalendarQuarantine { reason, quarantined });
        } else {
            changes.removals.extend(new);
            changes.removals.sort_by(|a, b| a.external_id.cmp(&b.external_id));
        }
    }
    let missing = match (read.kind, &held) {
        (ReadKind::Full, None) => missing_entries(ours, observed.into_values()),
        _ => Vec::new(),
    };
    BusyTimePlan { changes, missing, held }
}

/// The entries of ours that should stand there and are not named. Marks do not count here: a copy that a person made of
/// an entry of ours is not that entry.
fn missing_entries<'e>(
    ours: &[EntryExpectation],
    named: impl Iterator<Item = &'e ObservedEntry>,
) -> Vec<EntryId> {
    let seen: Vec<MarkedEvent> = named.filter(|entry| !entry.deleted).map(MarkedEvent::from).collect();
    compare(ours, &seen, &BTreeSet::new()).missing
}

enum BusyClass {
    Busy(ObservedBusyTime),
    Not(RemovalReason),
    /// It is there, but does not say when: leave what is known.
    Unclear,
}

fn classify(entry: &ObservedEntry, read: &CalendarRead) -> BusyClass {
    if entry.entry.is_some() {
        // A booking occupies its staff by its own row; its entry coming back is an echo.
        return BusyClass::Not(RemovalReason::Ours);
    }
    if entry.deleted {
        return BusyClass::Not(RemovalReason::Deleted);
    }
    if !entry.busy {
        return BusyClass::Not(RemovalReason::Free);
    }
    let interval = match &entry.time {
        None => return BusyClass::Unclear,
        Some(EntryTime::Timed { starts_at, ends_at, .. }) => Interval::new(*starts_at, *ends_at),
        Some(EntryTime::AllDay { from, until }) => stay(*from, *until, read.zone),
    };
    match interval {
        // An entry of no length takes nobody's time.
        None => BusyClass::Not(RemovalReason::Free),
        Some(interval) if !interval.overlaps(&read.window) => BusyClass::Not(RemovalReason::ImportWindow),
        Some(interval) => BusyClass::Busy(ObservedBusyTime {
            external_id: entry.external_id.clone(),
            series: entry.series.clone(),
            etag: entry.etag.clone(),
            interval,
            tentative: entry.tentative,
        }),
    }
}

/// Counts what is still to come and inside the window: the past leaves by itself. `believed` is no longer known then.
fn quarantine_reason(
    known: &[ObservedBusyTime],
    empty: bool,
    (believed, new): (&[BusyTimeRemoval], &[BusyTimeRemoval]),
    read: &CalendarRead,
) -> Option<CalendarQuarantineReason> {
    fn ids(removals: &[BusyTimeRemoval]) -> BTreeSet<&str> {
        removals.iter().map(|removal| removal.external_id.as_str()).collect()
    }
    let (believed, gone) = (ids(believed), ids(new));
    let future = || {
        known.iter().filter(|event| {
            event.interval.end > read.now
                && event.interval.overlaps(&read.window)
                && !believed.contains(event.external_id.as_str())
        })
    };
    let known = future().count();
    if empty && known > 0 {
        return Some(CalendarQuarantineReason::Empty { known });
    }
    let gone = future().filter(|event| gone.contains(event.external_id.as_str())).count();
    (known >= MIN_GUARDED_EVENTS && gone * 2 > known)
        .then_some(CalendarQuarantineReason::Shrunk { gone, known })
}

#[cfg(test)]
#[path = "busy_times_tests.rs"]
mod tests;
