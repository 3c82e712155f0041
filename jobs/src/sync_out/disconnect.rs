//! Finishes a disconnection: removes the entries if that was chosen, ends the push subscriptions and the grant,
//! forgets the tokens.
//!
//! Keyed by the connection, which is `disconnected` already, so that nobody else begins to write to it. What it has
//! removed stays removed: a run that was stopped is begun again with what is left. If the person connects the account
//! again meanwhile, it stops: their new consent, and what they want to have there, is not its business.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    ids::{ConnectionId, EntryId},
    job::QueueClass,
    sync::{plan::EntryWriteState, unknown_writes::UnknownWrite},
};
use concord_providers::{CalendarProvider, ProviderError, RemoveOutcome};
use concord_storage::{
    StorageError,
    connections::{self, StoredTokens},
    entries::{self, Entry},
    jobs::{ClaimedJob, JobOutcome},
    sync_log,
};
use uuid::Uuid;

use super::pending_write;
use crate::{
    Context,
    accounts::{
        access::{Access, CallError, with_open},
        limits::take_turn,
        push,
    },
    job::{ConnectionAccount, JobError, JobLease, find_connection, require_business},
    sync_in::entry_search::{self, EntrySearch, SearchOutcome},
};

/// Entries in one look.
const BATCH_SIZE: u32 = 50;
/// How soon those come back who meet somebody else's change.
const RETRY_DELAY: Duration = Duration::seconds(1);

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let id = ConnectionId(job.subject_id);
    // Perhaps connected again meanwhile.
    let Some(connection) = find_connection(context, job, ConnectionState::Disconnected).await? else {
        return Ok(JobOutcome::Done);
    };
    let account = ConnectionAccount::from(&connection);
    let ending = Disconnection { context, account, over_since: connection.state_changed_at };
    // Before anything else: what is ended at the provider is this consent, and none that comes later.
    let tokens = connections::tokens(&context.db, &context.ring, business, id).await?;
    let mut message = "access revoked".to_owned();
    if connection.remove_entries {
        let mut lease = JobLease::of(context, job);
        message = match ending.remove_entries(&mut lease).await {
            Ok(RemovalOutcome::ConnectedAgain) => return Ok(JobOutcome::Done),
            Ok(RemovalOutcome::Ended { refused }) if refused.is_empty() => {
                "entries deleted, access revoked".to_owned()
            }
            Ok(RemovalOutcome::Ended { refused }) => ending.leftover_message(&refused.join("; ")).await?,
            // The mailbox is gone, or nobody may use the application any more: no calendar of the account will do it.
            Err(JobError::Provider(ProviderError::AccountUnusable(reason))) => {
                ending.leftover_message(&reason).await?
            }
            // With a dead grant nobody can remove them any more but the calendar's owner.
            Err(JobError::Provider(ProviderError::GrantDead(_))) => {
                "access had already ended; the entries are kept".to_owned()
            }
            Err(error) => return Err(error),
        };
    }
    if !ending.is_still_disconnected().await? {
        return Ok(JobOutcome::Done);
    }
    push::close_all(context, &connection).await?;
    ending.revoke(tokens).await?;
    ending.forget(&message).await?;
    Ok(JobOutcome::Done)
}

/// The end of one connection.
struct Disconnection<'a> {
    context: &'a Context,
    account: ConnectionAccount,
    /// Which of its ends this is.
    over_since: DateTime<Utc>,
}

/// How far the removal of the entries came.
enum RemovalOutcome {
    /// Through all of them.
    Ended {
        /// Why some of them stay, one reason for each calendar.
        refused: Vec<String>,
    },
    /// Stopped because the person reconnected.
    ConnectedAgain,
}

impl Disconnection<'_> {
    /// Whether nobody has connected it again.
    async fn is_still_disconnected(&self) -> Result<bool, StorageError> {
        let ConnectionAccount { business, connection, .. } = self.account;
        let found = connections::find(&self.context.db, business, connection).await?;
        Ok(found.is_some_and(|one| {
            one.state == ConnectionState::Disconnected && one.state_changed_at == self.over_since
        }))
    }

    /// Removes all that may stand. The others of a calendar that refused are not asked for.
    async fn remove_entries(&self, lease: &mut JobLease<'_>) -> Result<RemovalOutcome, JobError> {
        let Self { context, account, .. } = *self;
        let first = EntryId(Uuid::nil());
        if entries::list_present(&context.db, account.business, account.connection, first, 1)
            .await?
            .is_empty()
        {
            return Ok(RemovalOutcome::Ended { refused: Vec::new() });
        }
        let provider = context.provider(account.provider).map_err(|_| {
            let name = account.provider.name();
            JobError::Permanent(format!("{name} is not set up, so the entries are kept"))
        })?;
        let mut refused: BTreeMap<String, String> = BTreeMap::new();
        let mut after = first;
        loop {
            let ids =
                entries::list_present(&context.db, account.business, account.connection, after, BATCH_SIZE)
                    .await?;
            let Some(last) = ids.last() else {
                return Ok(RemovalOutcome::Ended { refused: refused.into_values().collect() });
            };
            after = *last;
            for id in ids {
                let Some(entry) = entries::find(&context.db, account.business, id).await? else {
                    continue;
                };
                if refused.contains_key(&entry.calendar_external_id) {
                    continue;
                }
                take_turn(context, account, QueueClass::Bulk).await?;
                if !self.is_still_disconnected().await? {
                    return Ok(RemovalOutcome::ConnectedAgain);
                }
                if let Some(reason) = self.remove(provider.as_ref(), lease, id).await? {
                    refused.insert(entry.calendar_external_id, reason);
                }
            }
        }
    }

    /// Removes one entry. Returns why its calendar refuses.
    async fn remove(
        &self,
        provider: &dyn CalendarProvider,
        lease: &mut JobLease<'_>,
        id: EntryId,
    ) -> Result<Option<String>, JobError> {
        let mut access = Access::open(self.context, self.account).await?;
        lease.keep().await?;
        let Some((mut entry, earlier)) = self.begin_removal(lease, id).await? else { return Ok(None) };
        let (calendar, name) = (entry.calendar_external_id.as_str(), entry.external_id.as_str());
        let call = async { with_open!(access, held => provider.remove(&held, calendar, name)) };
        let failed = match lease.during(Box::pin(call)).await {
            Ok(RemoveOutcome::Before) => {
                pending_write::refuse(self.context, &mut entry, earlier).await?;
                if self.follow_if_moved(lease, &mut entry).await? {
                    return Box::pin(self.remove(provider, lease, id)).await;
                }
                return self.record_removed(&entry).await.map(|()| None);
            }
            Ok(RemoveOutcome::Now)
            | Err(CallError { error: JobError::Provider(ProviderError::NotFound), .. }) => {
                return self.record_removed(&entry).await.map(|()| None);
            }
            Err(failed) => failed,
        };
        if !failed.is_unknown {
            pending_write::refuse(self.context, &mut entry, earlier).await?;
        }
        match failed.error {
            JobError::Provider(ProviderError::Rejected(reason)) => Ok(Some(reason)),
            error => Err(error),
        }
    }

    /// Stores that the entry may be gone from now on: somebody may connect again before the answer has come, and would be
    /// asked about a deletion. Returns the entry as it is then, and what was unknown before.
    async fn begin_removal(
        &self,
        lease: &JobLease<'_>,
        id: EntryId,
    ) -> Result<Option<(Entry, Vec<UnknownWrite>)>, JobError> {
        let found = entries::find(&self.context.db, self.account.business, id).await?;
        let Some(mut entry) = found else { return Ok(None) };
        let (name, etag) = (entry.external_id.clone(), entry.etag.clone());
        let at = (name.as_str(), etag.as_deref());
        let held = (self.context, lease.job);
        let earlier = pending_write::begin(held, &mut entry, UnknownWrite::Removed, at, None).await?;
        let being_changed =
            || JobError::snooze(&self.context.clock, RETRY_DELAY, "its entries are being updated");
        Ok(Some((entry, earlier.ok_or_else(being_changed)?)))
    }

    /// Looks for what was gone from its calendar in the others of the account. Returns whether it is there.
    async fn follow_if_moved(&self, lease: &mut JobLease<'_>, entry: &mut Entry) -> Result<bool, JobError> {
        let search =
            EntrySearch::begin(self.context, entry, (entry_search::prior_state(entry), false)).await?;
        match search.run_under_lease(self.context, (self.account, QueueClass::Bulk), lease, entry).await? {
            SearchOutcome::There(found) => entry_search::follow(self.context, entry, &found).await,
            SearchOutcome::Nowhere | SearchOutcome::OutOfReach => Ok(false),
        }
    }

    async fn record_removed(&self, entry: &Entry) -> Result<(), JobError> {
        let gone = EntryWriteState::new(entry.external_id.as_str()).removed();
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        entries::mark_undesired(&mut tx, entry.id).await?;
        let here = (entry.id, entry.calendar_id, entry.revision);
        let mut again = None;
        if !entries::record_removed(&mut tx, here, gone.hash.as_deref(), now).await? {
            let write = vec![UnknownWrite::Removed];
            again = entries::look_again(&mut tx, (entry.id, entry.calendar_id), write, now).await?;
        }
        self.context.commit(tx, again.as_slice()).await?;
        Ok(())
    }

    /// A grant that is dead already is as good as revoked; one that cannot be reached is tried again. An account that is
    /// connected a second time keeps its grant: Google ends all that an application may do with an account at once.
    async fn revoke(&self, tokens: StoredTokens) -> Result<(), JobError> {
        let ConnectionAccount { business, connection, provider } = self.account;
        if connections::is_account_shared(&self.context.db, business, connection).await? {
            return Ok(());
        }
        // A password is the person's own: forgotten here, it goes on there.
        if tokens.username.is_some() {
            return Ok(());
        }
        let Some(token) = tokens.refresh.or(tokens.access) else { return Ok(()) };
        let oauth = self.context.providers.oauth(provider).ok_or_else(|| {
            JobError::Permanent(format!("{} is not set up, so access was not revoked", provider.name()))
        })?;
        match oauth.revoke(&token).await {
            Ok(()) | Err(ProviderError::GrantDead(_) | ProviderError::Unauthorized) => Ok(()),
            Err(ProviderError::Rejected(reason) | ProviderError::AccountUnusable(reason)) => {
                tracing::warn!(%connection, reason, "the provider refused the revocation");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// For people: access ends though entries stay, and why they do.
    async fn leftover_message(&self, reason: &str) -> Result<String, StorageError> {
        let ConnectionAccount { business, connection, .. } = self.account;
        let left = entries::count_present(&self.context.db, business, connection).await?;
        Ok(format!("access ended; {left} could not be deleted: {reason}"))
    }

    async fn forget(&self, message: &str) -> Result<(), StorageError> {
        let connection = self.account.connection;
        let mut tx = self.context.db.begin().await?;
        if !connections::delete_tokens(&mut tx, connection, self.over_since).await? {
            return Ok(());
        }
        let line = self.account.log_entry(("disconnect", SyncOutcome::Ok), message, self.context.clock.now());
        sync_log::append(&mut tx, &line).await?;
        tx.commit().await
    }
}
