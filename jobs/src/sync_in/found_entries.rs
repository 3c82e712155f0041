//! Entries of ours that are not as we left them: each is looked at where that is needed, and dealt with as what a person
//! did. Both who reads the changes of a calendar and who compares all of it come by them.

use std::collections::BTreeMap;

use concord_domain::{
    entry::ObservedEntry,
    ids::EntryId,
    interval::Interval,
    job::QueueClass,
    sync::{
        drift::{EntryExpectation, ExpectedState, is_inside_window},
        plan::Observation,
        read_sequence::ReadSequence,
        remote_change::NOT_COUNTED,
    },
};
use concord_storage::{
    StorageError,
    connections::Connection,
    entries::{self, ComparedEntry, Entry},
    jobs::ClaimedJob,
};

use super::{
    entry_search::{self, EntrySearch, SearchOutcome, SearchStep},
    remote_change::{self, RemoteChangeOutcome},
};
use crate::{
    Context,
    accounts::{access::with_access, limits::acquire_waiting},
    job::{ConnectionAccount, JobError},
};

/// A calendar of an account, as a reading has shown it.
#[derive(Clone, Copy)]
pub(crate) struct CalendarReading<'a> {
    pub(crate) account: ConnectionAccount,
    /// The provider's id of the calendar.
    pub(crate) calendar: &'a str,
    /// Its number was taken before the first call.
    pub(crate) reading: ReadSequence,
}

/// An entry as it was found.
#[derive(Debug)]
pub(crate) struct FoundEntry {
    /// What its calendar calls it.
    pub(crate) external_id: String,
    /// What was shown; `None` where it was only seen not to be there.
    pub(crate) seen: Option<ObservedEntry>,
}

/// The entries of a connection in a window, before or after its calendars are read.
pub(crate) type ComparedEntries = BTreeMap<EntryId, ComparedEntry>;

/// The entries of a connection in a window, as they are now.
pub(crate) async fn rows(
    context: &Context,
    connection: &Connection,
    window: Interval,
) -> Result<ComparedEntries, StorageError> {
    let (business, id) = (connection.business_id, connection.id);
    let rows = entries::compared(&context.db, business, id, window).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// How an entry should be, as a read of all that its calendar holds in the window is to show it, if it should be as
/// `expected`. What was written while it was read, or somebody is asked about, is not judged.
pub(crate) fn known(
    row: &ComparedEntry,
    before: &ComparedEntries,
    window: Interval,
    expected: ExpectedState,
) -> EntryExpectation {
    let time = Interval { start: row.starts_at, end: row.ends_at };
    let is_settled = before.get(&row.id) == Some(row)
        && !row.has_unknown
        && !row.is_asked_about
        && is_inside_window(time, window);
    EntryExpectation {
        id: row.id,
        external_id: row.external_id.clone(),
        etag: row.etag.clone(),
        expected: if is_settled { expected } else { ExpectedState::Unsettled },
    }
}

/// Deals with it, as a part of that job, at the pace of that class. `gone_at_once`: how many of the calendar are seen to be
/// gone together with it. `None`: the entry is not ours, or belongs into another calendar by now.
pub(crate) async fn handle(
    context: &Context,
    at: (CalendarReading<'_>, QueueClass, &ClaimedJob),
    id: EntryId,
    found: FoundEntry,
    gone_at_once: usize,
) -> Result<Option<(Entry, RemoteChangeOutcome)>, JobError> {
    let found_there = entries::find(&context.db, at.0.account.business, id).await?;
    let Some(mut entry) = found_there.filter(|entry| entry.calendar_external_id == at.0.calendar) else {
        return Ok(None);
    };
    let mut observation = match found.seen {
        Some(seen) if !seen.unreadable && at.0.reading.is_newer_than(entry.reading) => {
            Observation::Found(seen)
        }
        // A list may garble what its own address gives whole. And written since the reading began, it may be shown as it was
        // before; moved to where the reading does not look, it is not gone. None of these may be left to the next reading,
        // whose cursor may have passed what a person did: ask by its name.
        Some(_) | None => look(context, at, &found.external_id).await?,
    };
    let mut gone_at_once = gone_at_once;
    if entry_search::may_be_moved(&entry, &observation) {
        match search(context, at, &entry).await? {
            SearchOutcome::Nowhere => {}
            SearchOutcome::OutOfReach => gone_at_once = NOT_COUNTED,
            SearchOutcome::There(found) if entry_search::follow(context, &mut entry, &found).await? => {
                observation = Observation::Found(found.seen);
            }
            SearchOutcome::There(_) => return Ok(Some((entry, RemoteChangeOutcome::Outdated))),
        }
    }
    let (outcome, enqueued) = remote_change::handle(context, &mut entry, &observation, gone_at_once).await?;
    context.push(&enqueued).await;
    Ok(Some((entry, outcome)))
}

/// Looks for what is gone in the other calendars of its account.
async fn search(
    context: &Context,
    (place, class, job): (CalendarReading<'_>, QueueClass, &ClaimedJob),
    entry: &Entry,
) -> Result<SearchOutcome, JobError> {
    let account = place.account;
    let provider = context.provider(account.provider)?;
    let mut search = EntrySearch::begin(context, entry, (entry_search::prior_state(entry), false)).await?;
    while let Some(question) = search.next_question() {
        acquire_waiting(context, account, class, job).await?;
        let SearchStep::Calendar(calendar) = question else {
            search.list(context, account).await?;
            continue;
        };
        let (elsewhere, former) = (calendar.external_id.as_str(), entry.external_id.as_str());
        let found = with_access!(context, account, access => provider.find_moved(&access, elsewhere, entry.id, former));
        search.answered(*calendar, found)?;
    }
    Ok(search.end())
}

/// What stands under that name.
pub(crate) async fn look(
    context: &Context,
    (place, class, job): (CalendarReading<'_>, QueueClass, &ClaimedJob),
    external_id: &str,
) -> Result<Observation, JobError> {
    let CalendarReading { account, calendar, .. } = place;
    let provider = context.provider(account.provider)?;
    acquire_waiting(context, account, class, job).await?;
    let found = with_access!(context, account, access => provider.find(&access, calendar, external_id))?;
    Ok(found.map_or(Observation::Missing, Observation::Found))
}
