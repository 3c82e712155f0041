//! Where an entry is that its calendar does not show: in another calendar of the account, or gone with its own.

use concord_providers::ProviderError;

use super::{EntryRun, LOOK_AGAIN, Way};
use crate::{
    job::JobError,
    lease::Lease,
    moved::{self, Search, Sought},
};

pub(super) const CALENDAR_GONE: &str = "the calendar is gone at the provider; choose another one to write to";

impl EntryRun<'_> {
    /// Looks for what is gone in the other calendars of its account. Found there, it is written there from now on, by
    /// another run that sees it as it is.
    pub(super) async fn follow_if_moved(&self, lease: &mut Lease<'_>, way: &mut Way) -> Result<(), JobError> {
        let mut known = moved::prior_state(&way.entry);
        known.has_stood |= way.is_somewhere;
        let by = (self.account, self.class);
        let search = Search::begin(self.context, &way.entry, (known, way.is_somewhere)).await?;
        let Sought::There(found) = search.under_lease(self.context, by, lease, &way.entry).await? else {
            return Ok(());
        };
        moved::follow(self.context, &mut way.entry, &found).await?;
        Err(JobError::snooze(self.context, LOOK_AGAIN, "it was moved to another calendar"))
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
        let found = crate::connections::look_for_calendars(self.context, self.account).await?;
        if found.has_another_id(&self.entry.calendar_external_id) {
            return Err(JobError::snooze(self.context, LOOK_AGAIN, "its calendar has another id"));
        }
        Ok(found.lists(&self.entry.calendar_external_id))
    }
}
