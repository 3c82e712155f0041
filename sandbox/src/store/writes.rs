//! Changes to entries: what they do to the series around them, and how they are numbered. What may be asked for, and
//! under which conditions, is the provider's business.

use chrono::{DateTime, Utc};

use super::draft::EntryDraft;
use super::entry::{EntryStatus, FormerSeries, StoredEntry, StoredEntryAction};
use super::occurrences;
use super::provider_store::ProviderStore;
use super::records::{StoreRecord, StoredCalendar};
use super::refusal::StoreError;

/// Where an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryLocation {
    pub(crate) calendar: String,
    pub(crate) id: String,
}

/// Who changes an entry, by which call, when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteAuthor<'a> {
    pub(crate) account: &'a str,
    pub(crate) action: StoredEntryAction,
    pub(crate) now: DateTime<Utc>,
}

impl ProviderStore {
    /// Stores a new entry and says where; its id must be free.
    pub(crate) fn write_new(
        &mut self,
        calendar_id: &str,
        (id, ical_uid): (String, String),
        draft: EntryDraft,
        author: WriteAuthor<'_>,
    ) -> Result<EntryLocation, StoreError> {
        let place = EntryLocation { calendar: calendar_id.into(), id: id.clone() };
        let entry = StoredEntry {
            id,
            seq: self.seq + 1,
            created: author.now,
            updated: author.now,
            status: draft.status.unwrap_or(EntryStatus::Confirmed),
            sequence: draft.sequence.unwrap_or(0),
            ical_uid,
            creator: author.account.into(),
            start: draft.start,
            end: draft.end,
            recurrence: draft.recurrence,
            occurrence_of: None,
            former: Vec::new(),
            moves: 0,
            purged: false,
            fields: draft.fields,
            series: None,
            history: Vec::new(),
        };
        self.commit_numbered(vec![written(calendar_id, entry, author.action)])?;
        Ok(place)
    }

    /// Makes `old` what the draft says, and tombstones of the changed occurrences that have no place any more.
    pub(crate) fn write_change(
        &mut self,
        calendar_id: &str,
        old: &StoredEntry,
        draft: EntryDraft,
        author: WriteAuthor<'_>,
    ) -> Result<(), StoreError> {
        let recurrence = if old.occurrence_of.is_some() { Vec::new() } else { draft.recurrence };
        let status = draft.status.unwrap_or(if old.cancelled() {
            EntryStatus::Cancelled
        } else {
            EntryStatus::Confirmed
        });
        let moved = (draft.start, draft.end) != (old.start, old.end) || recurrence != old.recurrence;
        let restored = old.cancelled() && status != EntryStatus::Cancelled;
        let mut new = StoredEntry {
            updated: author.now,
            status,
            sequence: draft
                .sequence
                .unwrap_or(0)
                .max(old.sequence + i64::from(moved || status != old.status)),
            start: draft.start,
            end: draft.end,
            recurrence,
            moves: old.moves + u32::from(restored),
            purged: old.purged && !restored,
            fields: draft.fields,
            series: draft.series.filter(|_| old.occurrence_of.is_none()),
            ..old.clone()
        };
        if !old.recurrence.is_empty() && moved {
            let (start, recurrence) = (old.start, old.recurrence.clone());
            new.former.push(FormerSeries { start: start.when, zone: start.zone, recurrence });
        }
        self.write(calendar_id, new, author)
    }

    /// Makes a tombstone of `old`, and of its changed occurrences.
    pub(crate) fn write_tombstone(
        &mut self,
        calendar_id: &str,
        old: &StoredEntry,
        author: WriteAuthor<'_>,
    ) -> Result<(), StoreError> {
        self.write(calendar_id, tombstone(old, author.now), author)
    }

    /// Writes a changed entry, and what that does to the series around it.
    fn write(
        &mut self,
        calendar_id: &str,
        new: StoredEntry,
        author: WriteAuthor<'_>,
    ) -> Result<(), StoreError> {
        let calendar = self.calendar(calendar_id)?;
        let mut records = orphans(calendar, &new, author);
        records.extend(self.series_of(calendar, &new, author));
        records.insert(0, written(calendar_id, new, author.action));
        self.commit_numbered(records)
    }

    /// Leaves nothing of `old`, which was deleted.
    pub(crate) fn write_purge(
        &mut self,
        calendar_id: &str,
        old: &StoredEntry,
        author: WriteAuthor<'_>,
    ) -> Result<(), StoreError> {
        let new = StoredEntry { purged: true, updated: author.now, ..old.clone() };
        self.commit_numbered(vec![written(calendar_id, new, author.action)])
    }

    /// The series of which `occurrence` is one, at another version, where such a change is its own.
    fn series_of(
        &self,
        calendar: &StoredCalendar,
        occurrence: &StoredEntry,
        author: WriteAuthor<'_>,
    ) -> Option<StoreRecord> {
        let of = occurrence.occurrence_of.as_ref().filter(|_| self.dialect().series_changes_as_one())?;
        let master = calendar.entries.get(&of.master)?;
        let master = StoredEntry { updated: author.now, ..master.clone() };
        Some(written(&calendar.info.id, master, author.action))
    }

    /// Puts `old` into another calendar of the same mailbox: there it is the same entry, here a tombstone.
    pub(crate) fn write_move(
        &mut self,
        (from, to): (&str, &str),
        old: &StoredEntry,
        author: WriteAuthor<'_>,
    ) -> Result<(), StoreError> {
        self.calendar(to)?;
        let new = StoredEntry { updated: author.now, moves: old.moves + 1, ..old.clone() };
        let calendar = self.calendar(from)?;
        let gone = StoredEntry { purged: true, ..tombstone(old, author.now) };
        let mut records = orphans(calendar, &gone, author);
        records.insert(0, written(from, gone, author.action));
        records.push(written(to, new, author.action));
        self.commit_numbered(records)
    }

    /// The calendar with this id, whoever owns it.
    pub(crate) fn calendar(&self, id: &str) -> Result<&StoredCalendar, StoreError> {
        self.calendars.get(id).ok_or(StoreError::NotFound)
    }

    /// Gives each write its own number, and with it its etag.
    fn commit_numbered(&mut self, mut records: Vec<StoreRecord>) -> Result<(), StoreError> {
        let mut seq = self.seq;
        for record in &mut records {
            if let StoreRecord::Written { entry, change, .. } = record {
                seq += 1;
                entry.seq = seq;
                change.etag = self.dialect().etag(seq);
            }
        }
        self.commit(records)
    }
}

/// The entry `id` as it is stored, or the occurrence that the id means.
pub(crate) fn standing(calendar: &StoredCalendar, id: &str) -> Option<StoredEntry> {
    if let Some(entry) = calendar.entries.get(id) {
        return Some(entry.clone());
    }
    let (master, original) = occurrences::find(calendar, id)?;
    Some(occurrences::materialize(master, original))
}

fn tombstone(old: &StoredEntry, now: DateTime<Utc>) -> StoredEntry {
    StoredEntry { status: EntryStatus::Cancelled, updated: now, sequence: old.sequence + 1, ..old.clone() }
}

/// Changed occurrences whose place in the series of `master` is no more: they go with it.
fn orphans(calendar: &StoredCalendar, master: &StoredEntry, author: WriteAuthor<'_>) -> Vec<StoreRecord> {
    let zone = master.start.zone.unwrap_or(calendar.info.zone);
    let still_there = |entry: &StoredEntry| {
        let original = entry.occurrence_of.as_ref().map(|one| one.original.when);
        !master.cancelled()
            && original.zip(master.series.as_ref()).is_some_and(|(original, series)| {
                let after = original.instant(zone) + chrono::Duration::seconds(1);
                series.starts(master.start.when, zone, after).contains(&original)
            })
    };
    occurrences::exceptions(calendar, master)
        .into_iter()
        .filter(|entry| !entry.cancelled() && !still_there(entry))
        .map(|entry| written(&calendar.info.id, tombstone(entry, author.now), author.action))
        .collect()
}

fn written(calendar: &str, entry: StoredEntry, action: StoredEntryAction) -> StoreRecord {
    let change = entry.change(action);
    StoreRecord::Written { calendar: calendar.into(), entry: Box::new(entry), change }
}
