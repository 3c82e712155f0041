//! What of an entry people change and bookings follow: its title and its time.

use serde::{Deserialize, Serialize};

use crate::entry::{EntryContent, EntryTime, ObservedEntry};

/// What of an entry a person changes and a booking follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncedFields {
    pub title: String,
    pub time: EntryTime,
}

impl From<&EntryContent> for SyncedFields {
    fn from(content: &EntryContent) -> Self {
        Self { title: content.title.clone(), time: content.time.clone() }
    }
}

impl SyncedFields {
    /// Whether both are to be read alike.
    pub fn tells(&self, other: &Self) -> bool {
        self.is_when(other) && self.says(other)
    }

    /// Whether both are at the same time. In which zone a time is shown says nothing about when it is.
    pub fn is_when(&self, other: &Self) -> bool {
        match (&self.time, &other.time) {
            (
                EntryTime::Timed { starts_at, ends_at, .. },
                EntryTime::Timed { starts_at: other_start, ends_at: other_end, .. },
            ) => starts_at == other_start && ends_at == other_end,
            (one, other) => one == other,
        }
    }

    /// Whether both have the same words. Providers trim, and some of them join spaces.
    pub fn says(&self, other: &Self) -> bool {
        self.title.split_whitespace().eq(other.title.split_whitespace())
    }
}

/// What stands at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteEntry {
    /// Nothing, or a tombstone.
    Gone,
    /// It takes place many times.
    Recurring,
    /// An entry. A provider that does not say when, says nothing of a change either.
    There { title: String, time: Option<EntryTime> },
    /// Something that cannot be understood: what was done to it, if anything, is not known.
    Unreadable,
}

impl From<&ObservedEntry> for RemoteEntry {
    fn from(entry: &ObservedEntry) -> Self {
        if entry.unreadable {
            Self::Unreadable
        } else if entry.deleted {
            Self::Gone
        } else if entry.series.is_some() {
            Self::Recurring
        } else {
            Self::There { title: entry.title.clone(), time: entry.time.clone() }
        }
    }
}

impl RemoteEntry {
    /// Whether an entry stands there that is to be read like this.
    pub fn is(&self, shape: &SyncedFields) -> bool {
        self.is_when(shape) && self.says(shape)
    }

    /// Whether an entry stands there at that time, as far as the provider says.
    pub fn is_when(&self, shape: &SyncedFields) -> bool {
        self.synced_fields(Some(shape)).is_some_and(|seen| seen.is_when(shape))
    }

    /// Whether an entry stands there with these words.
    pub fn says(&self, shape: &SyncedFields) -> bool {
        self.synced_fields(Some(shape)).is_some_and(|seen| seen.says(shape))
    }

    /// What it says; where no time is shown, at that of `known`. `None`: there is no entry, it recurs or cannot be
    /// understood, or nobody knows when it is.
    pub fn synced_fields(&self, known: Option<&SyncedFields>) -> Option<SyncedFields> {
        let Self::There { title, time } = self else { return None };
        let time = time.as_ref().or_else(|| known.map(|known| &known.time))?;
        Some(SyncedFields { title: title.clone(), time: time.clone() })
    }
}
