//! Entries that their owner has put into another calendar of the account: looked for before they count as deleted, and
//! followed. What was done to one at the same time is found there like any other change (`remote_change`).

use concord_domain::{
    audit::SyncOutcome,
    entry::ObservedEntry,
    ids::CalendarId,
    job::QueueClass,
    sync::{
        entry_moves::{MoveOutcome, OtherCalendarMatch, PriorState, resolve_move},
        plan::Observation,
        synced_fields::RemoteEntry,
        unknown_writes::UnknownWrite,
    },
};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, busy_times,
    calendars::{self, Calendar},
    entries::{self, Entry, MovedEntry},
    people,
    sync_log::{self, NewSyncLogEntry},
};

use crate::{
    Context,
    accounts::{
        access::{Access, with_open},
        calendar_list,
        limits::take_turn,
    },
    job::{ConnectionAccount, JobError, JobLease},
};

/// An entry as another calendar shows it.
#[derive(Debug)]
pub(crate) struct MovedObservation {
    pub(crate) calendar: Calendar,
    pub(crate) seen: ObservedEntry,
}

/// What has come of a search.
#[derive(Debug)]
pub(crate) enum SearchOutcome {
    /// It is nowhere that we know of.
    Nowhere,
    There(Box<MovedObservation>),
    /// It stands where we may not write.
    OutOfReach,
}

/// What is known of an entry before it is looked for.
pub(crate) fn prior_state(entry: &Entry) -> PriorState {
    PriorState::new(entry.base.as_ref(), &entry.unknown_writes, entry.is_asked_about)
}

/// Whether what was looked for in its calendar may be in another one: it is gone, and is known to have stood there. Where a
/// create may have happened that was not answered, it hardly ever has, and the other calendars are not asked each time.
pub(crate) fn may_be_moved(entry: &Entry, observation: &Observation) -> bool {
    match observation {
        Observation::Missing => entry.base.is_some() || entry.is_asked_about,
        Observation::Found(seen) => RemoteEntry::from(seen) == RemoteEntry::Gone,
    }
}

/// The calendars that are to be asked, one after the other, for an entry that is gone from its own.
#[derive(Debug)]
pub(crate) struct EntrySearch {
    prior: PriorState,
    external_id: String,
    left: std::vec::IntoIter<Calendar>,
    known: Vec<CalendarId>,
    found: Option<MovedObservation>,
    is_out_of_reach: bool,
    is_list_fresh: bool,
}

/// What a search asks the provider.
#[derive(Debug)]
pub(crate) enum SearchStep {
    /// Whether the entry stands in this calendar: [`EntrySearch::answered`].
    Calendar(Box<Calendar>),
    /// Which calendars there are by now: [`EntrySearch::list`].
    List,
}

impl EntrySearch {
    /// In the other calendars of its account, as far as they are listed, and either we write to them or their busy times are
    /// read. `with_own`: in its own too, which may call it otherwise.
    pub(crate) async fn begin(
        context: &Context,
        entry: &Entry,
        (prior, with_own): (PriorState, bool),
    ) -> Result<Self, StorageError> {
        let all = calendars::of_connection(&context.db, entry.business_id, entry.connection_id).await?;
        // One that was missing and is listed again is asked like a new one.
        let is_known = |one: &&Calendar| is_of_use(one) || one.id == entry.calendar_id;
        let known = all.iter().filter(is_known).map(|calendar| calendar.id).collect();
        let is_asked =
            |one: &Calendar| prior.has_stood && is_of_use(one) && (with_own || one.id != entry.calendar_id);
        let left: Vec<Calendar> = all.into_iter().filter(is_asked).collect();
        Ok(Self {
            prior,
            external_id: entry.external_id.clone(),
            left: left.into_iter(),
            known,
            found: None,
            is_out_of_reach: false,
            is_list_fresh: false,
        })
    }

    /// Asks the provider which calendars there are: those that we did not know are to be asked too.
    pub(crate) async fn list(
        &mut self,
        context: &Context,
        account: ConnectionAccount,
    ) -> Result<(), JobError> {
        self.is_list_fresh = true;
        match calendar_list::refresh(context, account).await {
            // Whoever does not answer that has nothing to add.
            Err(JobError::Provider(ProviderError::NotFound | ProviderError::Rejected(_))) => return Ok(()),
            found => found.map(drop)?,
        }
        let all = calendars::of_connection(&context.db, account.business, account.connection).await?;
        let is_new = |one: &Calendar| is_of_use(one) && !self.known.contains(&one.id);
        self.left = all.into_iter().filter(is_new).collect::<Vec<_>>().into_iter();
        Ok(())
    }

    /// What to ask next; `None`: all has been asked that need be.
    pub(crate) fn next_question(&mut self) -> Option<SearchStep> {
        let is_surely_it = |found: &MovedObservation| found.seen.external_id == self.external_id;
        if self.found.as_ref().is_some_and(is_surely_it) {
            return None;
        }
        if let Some(calendar) = self.left.next() {
            return Some(SearchStep::Calendar(Box::new(calendar)));
        }
        // The provider may by now have more than those that we know: their owner may have made one to put the entry there.
        let needs_list = self.prior.has_stood && self.found.is_none() && !self.is_list_fresh;
        needs_list.then_some(SearchStep::List)
    }

    /// What it has answered. One that refuses to answer, or is gone, does not have it as far as we can know.
    pub(crate) fn answered(
        &mut self,
        calendar: Calendar,
        answer: Result<Option<ObservedEntry>, JobError>,
    ) -> Result<(), JobError> {
        let seen = match answer {
            Err(JobError::Provider(ProviderError::NotFound | ProviderError::Rejected(_))) => None,
            answer => answer?,
        };
        let Some(seen) = seen else { return Ok(()) };
        let elsewhere = OtherCalendarMatch {
            has_its_id: seen.external_id == self.external_id,
            is_writable: calendar.writable,
        };
        match resolve_move(self.prior, &RemoteEntry::Gone, Some(elsewhere)) {
            MoveOutcome::Moved if elsewhere.has_its_id || self.found.is_none() => {
                self.found = Some(MovedObservation { calendar, seen });
            }
            MoveOutcome::OutOfReach => self.is_out_of_reach = true,
            MoveOutcome::Moved | MoveOutcome::Here | MoveOutcome::Gone => {}
        }
        Ok(())
    }

    /// Asks them all, as the one writer of the connection.
    pub(crate) async fn run_under_lease(
        mut self,
        context: &Context,
        (account, class): (ConnectionAccount, QueueClass),
        lease: &mut JobLease<'_>,
        entry: &Entry,
    ) -> Result<SearchOutcome, JobError> {
        let provider = context.provider(account.provider)?;
        while let Some(question) = self.next_question() {
            take_turn(context, account, class).await?;
            let SearchStep::Calendar(calendar) = question else {
                lease.keep().await?;
                lease.during(Box::pin(self.list(context, account))).await?;
                continue;
            };
            // What keeps us from asking is no answer.
            let mut held = Access::open(context, account).await?;
            lease.keep().await?;
            let (elsewhere, former) = (calendar.external_id.as_str(), entry.external_id.as_str());
            let call = async {
                with_open!(held, access => provider.find_moved(&access, elsewhere, entry.id, former))
            };
            let found = lease.during(Box::pin(call)).await.map_err(JobError::from);
            self.answered(*calendar, found)?;
        }
        Ok(self.end())
    }

    /// What has come of it.
    pub(crate) fn end(self) -> SearchOutcome {
        match self.found {
            Some(found) => SearchOutcome::There(Box::new(found)),
            None if self.is_out_of_reach => SearchOutcome::OutOfReach,
            None => SearchOutcome::Nowhere,
        }
    }
}

/// Whether an entry that stands there would be written on, or be seen as its owner's busy time.
fn is_of_use(calendar: &Calendar) -> bool {
    calendar.missing_since.is_none() && (calendar.writable || calendar.reads)
}

/// From now on the entry is the one in that calendar, and not its owner's busy time there. `false`: somebody has stored
/// something else of it meanwhile.
pub(crate) async fn follow(
    context: &Context,
    entry: &mut Entry,
    MovedObservation { calendar, seen }: &MovedObservation,
) -> Result<bool, JobError> {
    let (db, business, now) = (&context.db, entry.business_id, context.clock.now());
    let name = seen.series.as_ref().unwrap_or(&seen.external_id);
    // It stands, so that none of our removals has happened.
    let unknown: Vec<UnknownWrite> =
        entry.unknown_writes.iter().filter(|write| **write != UnknownWrite::Removed).cloned().collect();
    let taken_for_busy = busy_times::within(db, business, calendar.id, name).await?;
    let mut tx = db.begin().await?;
    if !taken_for_busy.is_empty() {
        people::lock(&mut tx, business, entry.staff_id).await?;
    }
    for event in taken_for_busy {
        busy_times::remove(&mut tx, (business, entry.staff_id), event.id, context.clock.now()).await?;
    }
    let moved = MovedEntry { to: calendar.id, external_id: name, unknown: &unknown };
    if !entries::move_to(&mut tx, (entry.id, entry.calendar_id, entry.revision), &moved).await? {
        return Ok(false);
    }
    let detail = format!("it was moved to {} and is synced there from now on", calendar.name);
    let whose = (business, entry.connection_id);
    let line = NewSyncLogEntry {
        booking: Some(entry.booking_id),
        ..NewSyncLogEntry::of_connection(whose, ("follow", SyncOutcome::Ok), &detail, now)
    };
    sync_log::append(&mut tx, &line).await?;
    tx.commit().await?;
    entry.calendar_id = calendar.id;
    entry.calendar_external_id.clone_from(&calendar.external_id);
    entry.external_id.clone_from(name);
    (entry.etag, entry.unknown_writes) = (None, unknown);
    entry.revision += 1;
    Ok(true)
}
