//! Finishes a disconnection: removes the entries if that was chosen, ends the channels by which the provider tells of
//! changes and the grant, forgets the tokens.
//!
//! Claims the connection, which is `disconnected` already, so that nobody else begins to write to it. What it has
//! removed stays removed: a run that was stopped is begun again with what is left. If the person connects the account
//! again meanwhile, it stops: their new consent, and what they want to have there, is not its business.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ConnectionState,
    duty::QueueClass,
    ids::{ConnectionId, EntryId},
    record::SyncOutcome,
    sync::plan::Known,
};
use concord_providers::{CalendarProvider, ProviderError};
use concord_storage::{
    StorageError,
    connections::{self, StoredTokens},
    duties::{ClaimedDuty, Outcome},
    entries::{self, Entry},
    sync_log::{self, NewLine},
};
use uuid::Uuid;

use crate::{
    Context,
    access::{Access, Account},
    duty::{JobError, business_of},
    limits::take_turn,
    push,
    write_lease::WriteLease,
};

/// Entries in one look.
const PART: u32 = 50;

pub(crate) async fn run(context: &Context, duty: &ClaimedDuty) -> Result<Outcome, JobError> {
    let business = business_of(duty)?;
    let id = ConnectionId(duty.subject_id);
    let Some(connection) = connections::find(&context.db, business, id).await? else {
        return Ok(Outcome::Done);
    };
    // Connected again meanwhile.
    if connection.state != ConnectionState::Disconnected {
        return Ok(Outcome::Done);
    }
    let account = Account { business, connection: id, provider: connection.provider };
    let ending = Ending { context, account, over_since: connection.state_changed_at };
    // Before anything else: what is ended at the provider is this consent, and none that comes later.
    let tokens = connections::tokens(&context.db, &context.ring, business, id).await?;
    let mut said = "access ended".to_owned();
    if connection.remove_entries {
        // Under the lease: a write that was under way when the connection ended comes before this, not after it.
        let mut lease = WriteLease::take(context, duty, id).await?;
        let removal = ending.remove_entries(&mut lease).await;
        lease.release().await;
        said = match removal {
            Ok(Removal::ConnectedAgain) => return Ok(Outcome::Done),
            Ok(Removal::Ended { refused }) if refused.is_empty() => {
                "entries removed, access ended".to_owned()
            }
            Ok(Removal::Ended { refused }) => {
                let left = entries::count_standing(&context.db, business, id).await?;
                format!("access ended; {left} could not be removed: {}", refused.join("; "))
            }
            // With a dead grant nobody can remove them any more but the calendar's owner.
            Err(JobError::Provider(ProviderError::GrantDead(_))) => {
                "access had ended before; the entries stay".to_owned()
            }
            Err(error) => return Err(error),
        };
    }
    if !ending.still_over().await? {
        return Ok(Outcome::Done);
    }
    push::close_all(context, &connection).await?;
    ending.revoke(tokens).await?;
    ending.forget(&said).await?;
    Ok(Outcome::Done)
}

/// The end of one connection.
struct Ending<'a> {
    context: &'a Context,
    account: Account,
    /// Which of its ends this is.
    over_since: DateTime<Utc>,
}

/// How far the removal of the entries came.
enum Removal {
    /// Through all of them.
    Ended {
        /// Why some of them stay, one reason for each calendar.
        refused: Vec<String>,
    },
    /// To the moment when the person wanted them back.
    ConnectedAgain,
}

impl Ending<'_> {
    /// Whether nobody has connected it again.
    async fn still_over(&self) -> Result<bool, StorageError> {
        let Account { business, connection, .. } = self.account;
        let found = connections::find(&self.context.db, business, connection).await?;
        Ok(found.is_some_and(|one| {
            one.state == ConnectionState::Disconnected && one.state_changed_at == self.over_since
        }))
    }

    /// Removes all that may stand. The others of a calendar that refused are not asked for.
    async fn remove_entries(&self, lease: &mut WriteLease<'_>) -> Result<Removal, JobError> {
        let Self { context, account, .. } = *self;
        let first = EntryId(Uuid::nil());
        if entries::standing(&context.db, account.business, account.connection, first, 1).await?.is_empty() {
            return Ok(Removal::Ended { refused: Vec::new() });
        }
        let provider = context.providers.get(account.provider).ok_or_else(|| {
            JobError::Hopeless(format!("{} is not set up, so the entries stay", account.provider.name()))
        })?;
        let mut refused: BTreeMap<String, String> = BTreeMap::new();
        let mut after = first;
        loop {
            let ids =
                entries::standing(&context.db, account.business, account.connection, after, PART).await?;
            let Some(last) = ids.last() else {
                return Ok(Removal::Ended { refused: refused.into_values().collect() });
            };
            after = *last;
            for id in ids {
                let Some(entry) = entries::find(&context.db, account.business, id).await? else { continue };
                if refused.contains_key(&entry.calendar_external_id) {
                    continue;
                }
                take_turn(context, account, QueueClass::Bulk).await?;
                if !self.still_over().await? {
                    return Ok(Removal::ConnectedAgain);
                }
                match lease.during(Box::pin(self.remove(provider.as_ref(), &entry))).await? {
                    Ok(()) | Err(ProviderError::NotFound) => self.record_removed(&entry).await?,
                    Err(ProviderError::Rejected(reason)) => {
                        refused.insert(entry.calendar_external_id, reason);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// What the calendar says to it; what stands in the way of asking it is another matter.
    async fn remove(
        &self,
        provider: &dyn CalendarProvider,
        entry: &Entry,
    ) -> Result<Result<(), ProviderError>, JobError> {
        let mut access = Access::open(self.context, self.account).await?;
        loop {
            let credentials = access.credentials();
            let removed =
                provider.remove(&credentials, &entry.calendar_external_id, &entry.external_id).await;
            if !access.may_renew(&removed) {
                return access.answered(removed).await;
            }
            access.renew().await?;
        }
    }

    async fn record_removed(&self, entry: &Entry) -> Result<(), StorageError> {
        let gone = Known::new(entry.external_id.as_str()).removed();
        let mut tx = self.context.db.begin().await?;
        entries::unwant(&mut tx, entry.id).await?;
        let here = (entry.id, entry.calendar_id);
        entries::record_removed(&mut tx, here, gone.hash.as_deref(), self.context.clock.now()).await?;
        tx.commit().await
    }

    /// A grant that is dead already is as good as revoked; one that cannot be reached is tried again. An account that is
    /// connected a second time keeps its grant: Google ends all that an application may do with an account at once.
    async fn revoke(&self, tokens: StoredTokens) -> Result<(), JobError> {
        let Account { business, connection, provider } = self.account;
        if connections::is_shared(&self.context.db, business, connection).await? {
            return Ok(());
        }
        // A password is the person's own: forgotten here, it goes on there.
        if tokens.username.is_some() {
            return Ok(());
        }
        let Some(token) = tokens.refresh.or(tokens.access) else { return Ok(()) };
        let oauth = self.context.providers.oauth(provider).ok_or_else(|| {
            JobError::Hopeless(format!("{} is not set up, so access goes on", provider.name()))
        })?;
        match oauth.revoke(&token).await {
            Ok(()) | Err(ProviderError::GrantDead(_) | ProviderError::Unauthorized) => Ok(()),
            Err(ProviderError::Rejected(reason)) => {
                tracing::warn!(%connection, reason, "the provider refused the revocation");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn forget(&self, said: &str) -> Result<(), StorageError> {
        let Account { business, connection, .. } = self.account;
        let mut tx = self.context.db.begin().await?;
        if !connections::forget_tokens(&mut tx, connection, self.over_since).await? {
            return Ok(());
        }
        let line = NewLine {
            business,
            connection: Some(connection),
            booking: None,
            channel: None,
            operation: "disconnect",
            outcome: SyncOutcome::Ok,
            detail: said,
            duration_ms: 0,
            at: self.context.clock.now(),
        };
        sync_log::append(&mut tx, &line).await?;
        tx.commit().await
    }
}
