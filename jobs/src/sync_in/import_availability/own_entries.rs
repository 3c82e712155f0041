//! Entries of ours among what a calendar holds: they are no busy times, and what people did to them has its own way.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::Duration;
use concord_domain::{
    entry::ObservedEntry,
    ids::EntryId,
    interval::Interval,
    sync::{
        drift::{EntryExpectation, ExpectedState},
        entry_moves::{MoveOutcome, OtherCalendarMatch, resolve_move},
        plan::Observation,
        read_sequence::ReadSequence,
        remote_change::NOT_COUNTED,
        synced_fields::RemoteEntry,
    },
};
use concord_providers::ProviderError;
use concord_storage::{
    entries::{self, ComparedEntry, Entry, NamedEntry, PresentEntry},
    jobs::ClaimedJob,
};

use super::{AvailabilityImport, ReadPages};
use crate::{
    job::{JobError, keep},
    sync_in::{
        entry_search::{self, MovedObservation},
        found_entries::{self, CalendarReading, ComparedEntries, FoundEntry},
        remote_change::RemoteChangeOutcome,
    },
};

/// How soon a page is read again that shows an entry which is being written.
const REREAD_DELAY: Duration = Duration::seconds(3);

/// Entries of ours that are not as we left them.
#[derive(Debug, Default)]
pub(super) struct TouchedEntries(BTreeMap<EntryId, FoundEntry>);

impl AvailabilityImport<'_> {
    /// Marks what is ours among `entries`, and only that: what another business, or another installation, has written
    /// there keeps its owner from our bookings like anything else, and so does a copy that a person made of an entry of
    /// ours. Returns those that somebody has touched; an entry of which `resources` tell in whole, and that is not among
    /// `entries`, is gone.
    pub(super) async fn mark_own_entries(
        &self,
        during: (&ClaimedJob, ReadSequence),
        entries: &mut [ObservedEntry],
        resources: &[String],
    ) -> Result<TouchedEntries, JobError> {
        let (db, business) = (&self.context.db, self.calendar.business_id);
        let names: Vec<&str> = external_ids_in(entries, resources).collect();
        let named = entries::named(db, business, self.calendar.id, &names).await?;
        let by_name: HashMap<&str, &NamedEntry> =
            named.iter().map(|one| (one.external_id.as_str(), one)).collect();
        let marked: Vec<EntryId> = entries.iter().filter_map(|entry| entry.entry).collect();
        let ours: HashMap<EntryId, NamedEntry> =
            entries::ours(db, business, &marked).await?.into_iter().map(|one| (one.id, one)).collect();
        let mut touched = TouchedEntries::default();
        for one in resources.iter().filter_map(|name| by_name.get(name.as_str())) {
            touched.note_gone(one);
        }
        for entry in entries {
            let here = by_name.get(entry.external_id.as_str()).copied();
            let of_series = entry.series.as_deref().and_then(|series| by_name.get(series).copied());
            let marked = entry.entry.and_then(|id| ours.get(&id));
            if let Some(one) = here.or(of_series) {
                touched.note(one, entry);
                entry.entry = Some(one.id);
                continue;
            }
            let is_elsewhere = |one: &&NamedEntry| {
                one.connection_id == self.connection.id && one.calendar_id != self.calendar.id
            };
            if let Some(one) = marked.filter(is_elsewhere) {
                let is_here = !entry.deleted && self.is_moved_here(during, one.id, entry).await?;
                entry.entry = is_here.then_some(one.id);
                if is_here {
                    touched.note_moved(one.id, entry);
                }
                continue;
            }
            // Written, but its id is not known yet: it was given out by the provider in a write whose answer is still
            // on its way.
            entry.entry = marked.filter(|one| one.etag.is_none()).map(|one| one.id);
        }
        Ok(touched)
    }

    /// Whether what carries the mark of an entry of another calendar is that entry, which is followed here then, and no copy
    /// beside it.
    async fn is_moved_here(
        &self,
        (job, reading): (&ClaimedJob, ReadSequence),
        id: EntryId,
        seen: &ObservedEntry,
    ) -> Result<bool, JobError> {
        let context = self.context;
        let Some(mut entry) = entries::find(&context.db, self.calendar.business_id, id).await? else {
            return Ok(false);
        };
        if entry.calendar_id == self.calendar.id {
            return Ok(true);
        }
        let known = entry_search::prior_state(&entry);
        if !known.has_stood || !self.calendar.writable {
            return Ok(false);
        }
        keep(context, job).await?;
        let place =
            CalendarReading { account: self.account(), calendar: &entry.calendar_external_id, reading };
        let original = match found_entries::look(context, (place, job.queue, job), &entry.external_id).await {
            // Its calendar is gone as a whole, which is another matter.
            Err(JobError::Provider(ProviderError::NotFound)) => return Ok(false),
            original => original?,
        };
        let here = match &original {
            Observation::Missing => RemoteEntry::Gone,
            Observation::Found(seen) => RemoteEntry::from(seen),
        };
        let name = seen.series.as_ref().unwrap_or(&seen.external_id);
        let has_its_id = *name == entry.external_id;
        let elsewhere = OtherCalendarMatch { has_its_id, is_writable: self.calendar.writable };
        if resolve_move(known, &here, Some(elsewhere)) != MoveOutcome::Moved {
            return Ok(false);
        }
        let moved = MovedObservation { calendar: self.calendar.clone(), seen: seen.clone() };
        if entry_search::follow(context, &mut entry, &moved).await? {
            return Ok(true);
        }
        Err(JobError::snooze(&context.clock, REREAD_DELAY, "an entry is being written"))
    }

    /// Asks for what was written since the calendar was last read and this read does not name: what was written and is gone
    /// again between the two is named by nothing. Each is asked for once.
    pub(super) async fn recheck_missed(
        &self,
        (job, reading): (&ClaimedJob, ReadSequence),
        completed: ReadSequence,
        pages: &ReadPages,
        touched: &mut TouchedEntries,
    ) -> Result<(), JobError> {
        let (context, business, id) = (self.context, self.calendar.business_id, self.calendar.id);
        let named: HashSet<&str> = external_ids_in(&pages.entries, &pages.resources).collect();
        let place =
            CalendarReading { account: self.account(), calendar: &self.calendar.external_id, reading };
        for entry in entries::list_stored_since(&context.db, business, id, completed).await? {
            if !reading.may_have_missed(entry.reading, completed)
                || named.contains(entry.external_id.as_str())
            {
                continue;
            }
            keep(context, job).await?;
            let observation =
                found_entries::look(context, (place, job.queue, job), &entry.external_id).await?;
            touched.note_look(entry, observation);
        }
        Ok(())
    }

    /// The entries of the calendar in the window, as they are now.
    pub(super) async fn rows(&self, window: Interval) -> Result<ComparedEntries, JobError> {
        let mut rows = found_entries::rows(self.context, &self.connection, window).await?;
        rows.retain(|_, row| row.calendar_id == self.calendar.id);
        Ok(rows)
    }

    /// How a full read of the window is to show them. What waits to be written is expected too, for a person's deletion
    /// comes before whatever is written; but not what a write of ours may be about to change.
    pub(super) async fn expected(
        &self,
        before: &ComparedEntries,
        window: Interval,
    ) -> Result<Vec<EntryExpectation>, JobError> {
        let after = self.rows(window).await?;
        Ok(after.values().map(|row| found_entries::known(row, before, window, expected_of(row))).collect())
    }

    /// Deals with what people did. Before the cursor moves on: what goes wrong here is read again.
    /// `is_suspicious`: so much is gone that no deletion is followed without a word.
    pub(super) async fn handle_touched(
        &self,
        job: &ClaimedJob,
        (touched, reading): (TouchedEntries, ReadSequence),
        is_suspicious: bool,
    ) -> Result<usize, JobError> {
        let context = self.context;
        let gone = touched.0.values().filter(|found| found.seen.is_none()).count();
        let gone = if is_suspicious { NOT_COUNTED } else { gone };
        let (mut followed, mut is_unclear) = (0, false);
        let place =
            CalendarReading { account: self.account(), calendar: &self.calendar.external_id, reading };
        for (id, found) in touched.0 {
            keep(context, job).await?;
            let at = (place, job.queue, job);
            let Some((entry, outcome)) = found_entries::handle(context, at, id, found, gone).await? else {
                continue;
            };
            followed += usize::from(!matches!(
                outcome,
                RemoteChangeOutcome::Echo
                    | RemoteChangeOutcome::Unclear
                    | RemoteChangeOutcome::Outdated
                    | RemoteChangeOutcome::Unreadable
            ));
            is_unclear |= outcome == RemoteChangeOutcome::Outdated
                || (outcome == RemoteChangeOutcome::Unclear && self.is_being_written(&entry).await?);
        }
        if is_unclear {
            tracing::debug!(calendar = %self.calendar.id, "entries are being written: the page is read again");
            // The cursor would pass what was seen and could not be dealt with.
            return Err(JobError::snooze(&context.clock, REREAD_DELAY, "an entry is being written"));
        }
        Ok(followed)
    }

    /// Whether the answer to a write may still come, or has come since the entry was looked up.
    async fn is_being_written(&self, entry: &Entry) -> Result<bool, JobError> {
        let (db, now) = (&self.context.db, self.context.clock.now());
        // The lease first: it is given back after the answer was stored.
        if entries::is_being_written(db, entry.id, now).await? {
            return Ok(true);
        }
        let current = entries::find(db, entry.business_id, entry.id).await?;
        Ok(current.is_some_and(|current| current.revision != entry.revision))
    }
}

/// What a reading names: entries, what they are occurrences of, and what it tells of in whole.
fn external_ids_in<'a>(
    entries: &'a [ObservedEntry],
    resources: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let of_entry = |entry: &'a ObservedEntry| [Some(entry.external_id.as_str()), entry.series.as_deref()];
    entries.iter().flat_map(of_entry).flatten().chain(resources.iter().map(String::as_str))
}

fn expected_of(row: &ComparedEntry) -> ExpectedState {
    if row.desired && row.stands && !row.has_unknown {
        ExpectedState::Stands
    } else {
        ExpectedState::Unsettled
    }
}

impl TouchedEntries {
    /// Until it is seen after all.
    fn note_gone(&mut self, one: &NamedEntry) {
        if one.stands || one.has_unknown {
            self.0.insert(one.id, FoundEntry { external_id: one.external_id.clone(), seen: None });
        }
    }

    /// What was moved here from another calendar.
    fn note_moved(&mut self, id: EntryId, entry: &ObservedEntry) {
        let external_id = entry.series.as_ref().unwrap_or(&entry.external_id).clone();
        self.0.insert(id, FoundEntry { external_id, seen: Some(entry.clone()) });
    }

    /// What was asked for by its name.
    fn note_look(&mut self, entry: PresentEntry, observation: Observation) {
        let seen = match observation {
            Observation::Found(seen) if !seen.deleted => Some(seen),
            Observation::Found(_) | Observation::Missing => None,
        };
        let is_as_left = seen.as_ref().is_some_and(|seen| seen.series.is_none() && seen.etag == entry.etag);
        if !is_as_left {
            self.0.insert(entry.id, FoundEntry { external_id: entry.external_id, seen });
        }
    }

    /// What a full read should have named.
    pub(super) fn note_missing(&mut self, missing: &[EntryId], rows: &ComparedEntries) {
        for row in missing.iter().filter_map(|id| rows.get(id)) {
            self.0.insert(row.id, FoundEntry { external_id: row.external_id.clone(), seen: None });
        }
    }

    /// The last sight of an entry holds; of one that recurs any will do.
    fn note(&mut self, one: &NamedEntry, entry: &ObservedEntry) {
        let is_instance = entry.external_id != one.external_id;
        if !is_instance && !entry.deleted && entry.etag.is_some() && entry.etag == one.etag {
            self.0.remove(&one.id);
            return;
        }
        // What we have removed ourselves, or an instance that was taken out of what recurs.
        if entry.deleted && (is_instance || !(one.stands || one.has_unknown)) {
            return;
        }
        let seen = (!entry.deleted).then(|| entry.clone());
        self.0.insert(one.id, FoundEntry { external_id: one.external_id.clone(), seen });
    }
}
