//! Where an entry is that its calendar does not show: in another calendar of the account, or gone with its own.

use concord_providers::ProviderError;

use super::{EntryRun, PlannedRun, RECHECK_DELAY};
use crate::{
    job::{JobError, JobLease},
    sync_in::entry_search::{self, EntrySearch, SearchOutcome},
};

pub(super) const CALENDAR_GONE: &str =
    "the calendar was deleted at the provider; choose another one for bookings";

impl EntryRun<'_> {
    /// Looks for what is gone in the other calendars of its account. Found there, it is written there from now on, by
    /// another run that sees it as it is.
    pub(super) async fn follow_if_moved(
        &self,
        lease: &mut JobLease<'_>,
        run: &mut PlannedRun,
    ) -> Result<(), JobError> {
        let mut known = entry_search::prior_state(&run.entry);
        known.has_stood |= run.is_somewhere;
        let by = (self.account, self.class);
        let search = EntrySearch::begin(self.context, &run.entry, (known, run.is_somewhere)).await?;
        let SearchOutcome::There(found) = search.run_under_lease(self.context, by, lease, &run.entry).await?
        else {
            return Ok(());
        };
        entry_search::follow(self.context, &mut run.entry, &found).await?;
        Err(JobError::snooze(&self.context.clock, RECHECK_DELAY, "it was moved to another calendar"))
    }

    /// Asks which calendars there are. If the entry's is not among them, its bookings move to the one that is written
    /// now, if there is one.
    pub(super) async fn calendar_gone(&self) -> JobError {
        match self.calendar_is_listed().await {
            Err(error) => error,
            Ok(true) => ProviderError::Transient("the calendar is listed, but cannot be found".into()).into(),
            Ok(false) => JobError::Permanent(CALENDAR_GONE.into()),
        }
    }

    pub(super) async fn calendar_is_listed(&self) -> Result<bool, JobError> {
        let found = crate::accounts::calendar_list::refresh(self.context, self.account).await?;
        if found.was_renumbered(&self.entry.calendar_external_id) {
            return Err(JobError::snooze(&self.context.clock, RECHECK_DELAY, "its calendar has another id"));
        }
        Ok(found.lists(&self.entry.calendar_external_id))
    }
}
