//! Compares what stands in a connection's calendars with what should: every night, and when a person wants to know.
//!
//! Keyed by the connection. Reads every calendar that is written or holds entries, in full over the window of the imports,
//! and keeps of it only what is ours. Plans by `concord_domain::sync::drift`, notes the figures on the connection, and
//! deals with each entry that differs as with what a person did: a missing one may be somebody's deletion, and is asked
//! about and not silently written again. Where nobody did anything that matters, the entry is looked at and written anew.
//! Sets its own next time: it is a poll.

mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::{ConnectionState, EntryState},
    entry::ObservedEntry,
    ids::{CalendarId, EntryId},
    interval::Interval,
    job::QueueClass,
    sync::{
        drift::{
            Drift, EntryExpectation, ExpectedState, HOLD, MarkedEvent, compare, is_believed,
            next_nightly_compare,
        },
        read_sequence::ReadSequence,
    },
};
use concord_providers::{NextPage, ProviderError, SyncPosition};
use concord_storage::{
    StorageError, businesses,
    calendars::{self, Calendar},
    connections::{self as store, Connection, DriftFigures},
    entries::{self, ComparedEntry},
    in_tx,
    jobs::{ClaimedJob, JobOutcome},
    sync_log::{self, NewSyncLogEntry},
};

use self::report::{DriftKind, DriftResolution, EntryDifference};
use super::{
    found_entries::{self, CalendarReading, ComparedEntries, FoundEntry},
    remote_change::RemoteChangeOutcome,
};
use crate::{
    Context,
    accounts::{access::with_access, calendar_list, limits::acquire_waiting},
    enqueue,
    job::{ConnectionAccount, JobError, commit_held, find_connection, jitter, keep, require_business},
};

/// A server that gives page after page must not keep us for ever.
const MAX_PAGES: usize = 1_000;

/// Sees to it that every connection that is served is compared; called when a process starts.
pub(crate) async fn ensure(context: &Context) -> Result<(), StorageError> {
    let now = context.clock.now();
    let found = store::list_never_compared(&context.db).await?;
    let mut tx = context.db.begin().await?;
    for connection in found {
        enqueue::first_compare(&mut tx, connection, now).await?;
    }
    tx.commit().await
}

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let Some(connection) = find_connection(context, job, ConnectionState::Active).await? else {
        return Ok(JobOutcome::Done);
    };
    let zone = businesses::find(&context.db, business).await?.ok_or(StorageError::NotFound)?.zone;
    let (settings, now) = (&context.settings, context.clock.now());
    let window = Interval { start: now - settings.window_past, end: now + settings.window_future };
    let compare = DriftCheck { context, job, connection, window, started_at: now };
    let again_soon = compare.run().await?;
    let now = context.clock.now();
    let next = if again_soon { now + HOLD } else { next_nightly_compare(now, zone, jitter(job.id, 0)) };
    Ok(JobOutcome::Again(next))
}

struct DriftCheck<'a> {
    context: &'a Context,
    job: &'a ClaimedJob,
    connection: Connection,
    window: Interval,
    started_at: DateTime<Utc>,
}

/// What of ours the calendars show.
struct ObservedCalendars {
    /// Its number was taken before the first call.
    reading: ReadSequence,
    seen: Vec<MarkedEvent>,
    /// As the provider showed it and in which calendar, by what the calendar calls it.
    observed: HashMap<String, (String, ObservedEntry)>,
    /// The calendars that were read.
    calendars: BTreeMap<CalendarId, Calendar>,
}

impl DriftCheck<'_> {
    fn account(&self) -> ConnectionAccount {
        (&self.connection).into()
    }

    /// Returns whether it is to be done again soon: to see a second time, or whether it has been repaired.
    async fn run(&self) -> Result<bool, JobError> {
        let before = found_entries::rows(self.context, &self.connection, self.window).await?;
        let mut sights = self.read(&before).await?;
        let after = found_entries::rows(self.context, &self.connection, self.window).await?;
        let known: Vec<EntryExpectation> =
            after.values().filter_map(|row| self.known(row, &before, &sights)).collect();
        let marks: Vec<EntryId> = sights.seen.iter().filter_map(|one| one.mark).collect();
        let elsewhere: BTreeSet<EntryId> =
            entries::of_anybody(&self.context.db, &marks).await?.into_iter().collect();
        let drift = compare(&known, &sights.seen, &elsewhere);
        let now = self.context.clock.now();
        let lost_since = drift.lost_since(self.connection.drift.held_since, now);
        let believed = is_believed(lost_since, now);
        self.record(&drift, lost_since, believed).await?;
        let mut differences = Self::unknown(&drift, &sights);
        if !believed {
            differences.extend(Self::to_recheck(&drift, &after, &sights));
            self.record_differences(&differences).await?;
            return Ok(true);
        }
        let repaired = self.repair(&drift, &after, &mut sights, &mut differences).await;
        // Those too that were dealt with before something went wrong.
        self.record_differences(&differences).await?;
        let repaired = repaired?;
        let was_told = self.connection.drift.checked_at.is_some_and(|at| now - at < Duration::hours(1));
        Ok(repaired > 0 && !was_told)
    }

    async fn read(&self, rows: &ComparedEntries) -> Result<ObservedCalendars, JobError> {
        let (business, id) = (self.connection.business_id, self.connection.id);
        let holding: BTreeSet<CalendarId> = rows.values().map(|row| row.calendar_id).collect();
        let names: BTreeMap<&str, CalendarId> =
            rows.values().map(|row| (row.external_id.as_str(), row.calendar_id)).collect();
        let reading = store::begin_reading(&self.context.db, id).await?;
        let mut sights = ObservedCalendars {
            reading,
            seen: Vec::new(),
            observed: HashMap::new(),
            calendars: BTreeMap::new(),
        };
        for calendar in calendars::of_connection(&self.context.db, business, id).await? {
            let is_ours =
                (calendar.writes && self.connection.direction.writes()) || holding.contains(&calendar.id);
            if !is_ours || calendar.missing_since.is_some() {
                continue;
            }
            match self.read_calendar(&calendar, &names, &mut sights).await {
                Ok(()) => drop(sights.calendars.insert(calendar.id, calendar)),
                Err(JobError::Provider(ProviderError::NotFound)) => {
                    // If it is gone, its bookings move; none of that is drift.
                    let listed = calendar_list::refresh(self.context, self.account()).await?;
                    if listed.lists(&calendar.external_id) {
                        return Err(ProviderError::NotFound.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sights)
    }

    /// Keeps what carries our mark or a name that we gave: a calendar may hold much else.
    async fn read_calendar(
        &self,
        calendar: &Calendar,
        names: &BTreeMap<&str, CalendarId>,
        sights: &mut ObservedCalendars,
    ) -> Result<(), JobError> {
        let (context, window) = (self.context, self.window);
        let provider = context.provider(self.connection.provider)?;
        let mut from = SyncPosition::Start;
        for _ in 0..MAX_PAGES {
            acquire_waiting(context, self.account(), QueueClass::Bulk, self.job).await?;
            let (id, from_here) = (calendar.external_id.as_str(), &from);
            let page = with_access!(context, self.account(), access => provider.changes(&access, id, window, from_here))?;
            keep(self.context, self.job).await?;
            for entry in page.entries.into_iter().filter(|entry| !entry.deleted) {
                let seen = MarkedEvent::from(&entry);
                match names.get(seen.name.as_str()) {
                    Some(of) if *of == calendar.id => {}
                    None if seen.mark.is_some() => {}
                    // What has the name of an entry of another calendar was copied or moved from there, and is found when
                    // that one is missed.
                    Some(_) | None => continue,
                }
                sights.observed.insert(seen.name.clone(), (calendar.name.clone(), entry));
                sights.seen.push(seen);
            }
            match page.next {
                NextPage::Cursor(_) => return Ok(()),
                NextPage::Page(page) => from = SyncPosition::Page { page, cursor: None },
            }
        }
        Err(ProviderError::Transient("the provider's list of events does not end".into()).into())
    }

    /// How an entry should stand, if its calendar was read.
    fn known(
        &self,
        row: &ComparedEntry,
        before: &ComparedEntries,
        sights: &ObservedCalendars,
    ) -> Option<EntryExpectation> {
        sights.calendars.get(&row.calendar_id)?;
        let expected = match (row.desired, row.state) {
            (true, EntryState::Synced) => ExpectedState::Stands,
            (false, EntryState::Removed) => ExpectedState::Gone,
            _ => ExpectedState::Unsettled,
        };
        Some(found_entries::known(row, before, self.window, expected))
    }

    async fn record(
        &self,
        drift: &Drift,
        lost_since: Option<DateTime<Utc>>,
        believed: bool,
    ) -> Result<(), JobError> {
        let now = self.context.clock.now();
        let figures = DriftFigures {
            checked_at: Some(now),
            standing: number(drift.standing),
            missing: number(drift.missing.len()),
            extra: number(drift.unwanted.len() + drift.unknown.len()),
            different: number(drift.different.len()),
            held_since: lost_since,
        };
        let (business, connection) = (self.connection.business_id, self.connection.id);
        let mut tx = self.context.db.begin().await?;
        store::record_drift(&mut tx, (business, connection), &figures).await?;
        let outcome = if believed { SyncOutcome::Ok } else { SyncOutcome::Held };
        let message = report::summary_message(drift, believed);
        let line = NewSyncLogEntry {
            duration_ms: (now - self.started_at).num_milliseconds(),
            ..self.account().log_entry(("compare", outcome), &message, now)
        };
        sync_log::append(&mut tx, &line).await?;
        commit_held(self.context, self.job, tx).await.map(drop)
    }

    async fn record_differences(&self, differences: &[EntryDifference]) -> Result<(), JobError> {
        in_tx!(self.context.db, tx =>
            report::write_down(&mut tx, self.account(), differences, self.context.clock.now()).await
        )?;
        Ok(())
    }

    fn unknown(drift: &Drift, sights: &ObservedCalendars) -> Vec<EntryDifference> {
        let is_unknown =
            |entry: &ObservedEntry| entry.entry.is_some_and(|mark| drift.unknown.contains(&mark));
        let mut unknown: Vec<_> = sights.observed.values().filter(|(_, seen)| is_unknown(seen)).collect();
        unknown.sort_by(|(_, one), (_, other)| one.external_id.cmp(&other.external_id));
        unknown.into_iter().map(|(calendar, seen)| EntryDifference::unknown(seen, calendar)).collect()
    }

    fn to_recheck(drift: &Drift, rows: &ComparedEntries, sights: &ObservedCalendars) -> Vec<EntryDifference> {
        let difference = |(how, id): (DriftKind, &EntryId)| {
            let row = rows.get(id)?;
            let calendar = sights.calendars.get(&row.calendar_id)?;
            Some(EntryDifference::of(row.booking_id, &calendar.name, how, DriftResolution::Recheck))
        };
        differing(drift).filter_map(difference).collect()
    }

    /// Deals with each entry that differs, and notes what became of it. Returns how many are being put right.
    async fn repair(
        &self,
        drift: &Drift,
        rows: &ComparedEntries,
        sights: &mut ObservedCalendars,
        differences: &mut Vec<EntryDifference>,
    ) -> Result<usize, JobError> {
        let mut repaired = 0;
        let gone = drift.missing.len();
        for (how, id) in differing(drift) {
            let Some(row) = rows.get(id) else { continue };
            let Some(calendar) = sights.calendars.get(&row.calendar_id) else { continue };
            let seen = sights.observed.remove(&row.external_id).map(|(_, seen)| seen);
            let is_missing = seen.is_none();
            let found = FoundEntry { external_id: row.external_id.clone(), seen };
            let place = CalendarReading {
                account: self.account(),
                calendar: &calendar.external_id,
                reading: sights.reading,
            };
            keep(self.context, self.job).await?;
            let Some((entry, outcome)) =
                found_entries::handle(self.context, (place, QueueClass::Bulk, self.job), *id, found, gone)
                    .await?
            else {
                continue;
            };
            let fate = match outcome {
                // Since the compare began somebody is asked.
                RemoteChangeOutcome::Echo if entry.is_asked_about => {
                    DriftResolution::Handled(RemoteChangeOutcome::Asked)
                }
                // A calendar that is read may be changed by its owner in what a booking does not follow, such as a
                // colour: what they wrote there stays until the next write.
                RemoteChangeOutcome::Echo
                    if entry.desired && !is_missing && self.connection.direction.reads() =>
                {
                    DriftResolution::Left
                }
                // Nobody did anything that matters; it is looked at again by whoever writes it.
                RemoteChangeOutcome::Echo => {
                    self.write_again(*id).await?;
                    DriftResolution::Anew
                }
                outcome => DriftResolution::Handled(outcome),
            };
            repaired += usize::from(matches!(
                fate,
                DriftResolution::Anew
                    | DriftResolution::Handled(
                        RemoteChangeOutcome::Followed | RemoteChangeOutcome::Revert(..)
                    )
            ));
            differences.push(EntryDifference::of(row.booking_id, &calendar.name, how, fate));
        }
        Ok(repaired)
    }

    async fn write_again(&self, id: EntryId) -> Result<(), JobError> {
        let mut tx = self.context.db.begin().await?;
        let enqueued =
            entries::enqueue_rewrite(&mut tx, self.connection.business_id, id, self.context.clock.now())
                .await?;
        self.context.commit(tx, &[enqueued]).await?;
        Ok(())
    }
}

/// What a person may have done comes first.
fn differing(drift: &Drift) -> impl Iterator<Item = (DriftKind, &EntryId)> {
    let missing = drift.missing.iter().map(|id| (DriftKind::Missing, id));
    let changed = drift.different.iter().map(|id| (DriftKind::Changed, id));
    missing.chain(changed).chain(drift.unwanted.iter().map(|id| (DriftKind::Unwanted, id)))
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
