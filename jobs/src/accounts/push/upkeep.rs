//! Sees to it that a provider tells of the changes of a calendar as long as somebody wants to know them.
//!
//! Plans by `concord_domain::push` from the push subscriptions that there are, and carries that out; comes back
//! when the next of them is due. A subscription is written down before it is asked for, and whatever changed between the last
//! read and its opening is read once it is open.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    ids::PushSubscriptionId,
    job::QueueClass,
    push::{KnownSubscription, PushState, PushSubscriptionAction, next_check_at, plan, renewal},
};
use concord_providers::{
    ActivePushSubscription, ProviderError, PushProvider, PushSubscriptionRequest, RemotePushSubscription,
};
use concord_storage::{
    StorageError,
    calendars::Calendar,
    connections::Connection,
    in_tx,
    jobs::{ClaimedJob, JobOutcome},
    push_subscriptions::{self, AgreedSubscription, PushSubscription},
    secret, sync_log,
};
use url::Url;

use super::address;
use crate::{
    Context,
    accounts::{access::with_access, limits::take_turn},
    enqueue,
    job::{ConnectionAccount, JobError, find_calendar, jitter, keep},
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let Some((calendar, connection)) = find_calendar(context, job).await? else {
        return Ok(JobOutcome::Done);
    };
    // The disconnection ends all of them itself; and with a dead grant nothing can be asked for.
    if matches!(connection.state, ConnectionState::Disconnected | ConnectionState::NeedsReconnect) {
        return Ok(JobOutcome::Done);
    }
    let Some(push) = context.providers.push(connection.provider) else { return Ok(JobOutcome::Done) };
    let keeping =
        SubscriptionUpkeep { context, job, calendar: &calendar, connection: &connection, push: &**push };
    keeping.run().await
}

/// The care for the subscriptions of one calendar.
struct SubscriptionUpkeep<'a> {
    context: &'a Context,
    job: &'a ClaimedJob,
    calendar: &'a Calendar,
    connection: &'a Connection,
    push: &'a dyn PushProvider,
}

impl SubscriptionUpkeep<'_> {
    async fn run(&self) -> Result<JobOutcome, JobError> {
        let address = address(self.context, self.connection.provider);
        let subscriptions = self.subscriptions().await?;
        let before = known(&subscriptions, address.as_ref());
        let wanted = self.is_read() && address.is_some();
        for step in plan(wanted, self.push.renews(), &before, self.context.clock.now()) {
            keep(self.context, self.job).await?;
            match (step, &address) {
                (PushSubscriptionAction::Open, Some(address)) => self.open(&subscriptions, address).await?,
                (PushSubscriptionAction::Open, None) => {}
                (PushSubscriptionAction::Renew(id), _) => self.renew(&subscriptions, id).await?,
                (PushSubscriptionAction::Close(id), _) => self.close(&subscriptions, id).await?,
                (PushSubscriptionAction::Forget(id), _) => self.forget(id, None).await?,
            }
        }
        let after = known(&self.subscriptions().await?, address.as_ref());
        let next = next_check_at(&after, self.context.clock.now());
        Ok(next.map_or(JobOutcome::Done, JobOutcome::Again))
    }

    async fn subscriptions(&self) -> Result<Vec<PushSubscription>, StorageError> {
        let Calendar { business_id, id, .. } = *self.calendar;
        push_subscriptions::of_calendar(&self.context.db, business_id, id).await
    }

    fn is_read(&self) -> bool {
        self.calendar.reads
            && self.calendar.missing_since.is_none()
            && self.connection.direction.reads()
            && self.connection.state == ConnectionState::Active
    }

    fn account(&self) -> ConnectionAccount {
        self.connection.into()
    }

    async fn open(&self, subscriptions: &[PushSubscription], address: &Url) -> Result<(), JobError> {
        let context = self.context;
        take_turn(context, self.account(), QueueClass::Poll).await?;
        let secret = secret::new_token("");
        let mut tx = context.db.begin().await?;
        let digest = secret::digest(&secret);
        let place = (address.as_str(), digest.as_str());
        let provider = self.connection.provider;
        let id =
            push_subscriptions::begin(&mut tx, self.calendar, provider, place, context.clock.now()).await?;
        tx.commit().await?;
        let (push, calendar) = (self.push, self.calendar.external_id.as_str());
        let wanted = &PushSubscriptionRequest { id, secret, address: address.clone() };
        let opened = with_access!(context, self.account(), access => push.open(&access, calendar, wanted));
        match opened {
            Ok(opened) => self.agreed(id, &opened, !subscriptions.iter().any(is_open)).await,
            Err(error) if is_rejection(&error) => self.refused(id, subscriptions, &error).await,
            Err(error) => {
                self.forget(id, Some(&error.user_message(self.connection.provider.name()))).await?;
                Err(error)
            }
        }
    }

    /// Of one that cannot be renewed the calendar is told by a new one.
    async fn renew(
        &self,
        subscriptions: &[PushSubscription],
        id: PushSubscriptionId,
    ) -> Result<(), JobError> {
        let Some(subscription) = subscriptions.iter().find(|one| one.id == id) else { return Ok(()) };
        let Some(remote) = remote(subscription) else { return Ok(()) };
        take_turn(self.context, self.account(), QueueClass::Poll).await?;
        let (push, remote) = (self.push, &remote);
        match with_access!(self.context, self.account(), access => push.renew(&access, remote)) {
            Ok(opened) => self.agreed(id, &opened, false).await,
            Err(JobError::Provider(ProviderError::NotFound | ProviderError::Rejected(_))) => {
                self.forget(id, Some("the provider had ended it")).await?;
                let others: Vec<_> = subscriptions.iter().filter(|one| one.id != id).cloned().collect();
                match address(self.context, self.connection.provider) {
                    Some(address) => self.open(&others, &address).await,
                    None => Ok(()),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// `first`: until now nobody told of changes, so they must be looked for once more.
    async fn agreed(
        &self,
        id: PushSubscriptionId,
        opened: &ActivePushSubscription,
        first: bool,
    ) -> Result<(), JobError> {
        let context = self.context;
        let now = context.clock.now();
        let ActivePushSubscription { subscription, expires_at } = opened;
        let agreed = AgreedSubscription {
            remote_id: &subscription.remote_id,
            resource_id: subscription.resource_id.as_deref(),
            expires_at: *expires_at,
            due_at: renewal(now, *expires_at, jitter(self.job.id, low_bits(now))),
        };
        let mut tx = context.db.begin().await?;
        push_subscriptions::opened(&mut tx, id, &agreed, now).await?;
        let mut enqueued = Vec::new();
        if first {
            enqueued.push(enqueue::import(&mut tx, context, self.calendar, QueueClass::Poll).await?);
        }
        context.commit(tx, &enqueued).await?;
        tracing::info!(calendar = %self.calendar.id, subscription = %id, until = %expires_at, "told of changes");
        Ok(())
    }

    /// Said once, however often it is refused; tried again less and less, and each day at least.
    async fn refused(
        &self,
        id: PushSubscriptionId,
        subscriptions: &[PushSubscription],
        error: &JobError,
    ) -> Result<(), JobError> {
        let context = self.context;
        let now = context.clock.now();
        let words = match error {
            JobError::Provider(ProviderError::Rejected(reason)) => reason.clone(),
            other => other.user_message(self.connection.provider.name()),
        };
        let before =
            subscriptions.iter().filter(|one| one.state == PushState::Refused).max_by_key(|one| one.id);
        let refusals = before.map_or(0, |before| before.refusals) + 1;
        let tries = u32::try_from(refusals).unwrap_or(u32::MAX);
        let due_at = context.settings.retry.after_rejection(tries, now, jitter(self.job.id, tries));
        let mut tx = context.db.begin().await?;
        push_subscriptions::refused(&mut tx, id, (refusals, &words), due_at, now).await?;
        if before.and_then(|before| before.last_error.as_deref()) != Some(words.as_str()) {
            let detail = format!(
                "{}: instant updates unavailable, checking on schedule instead: {words}",
                self.calendar.name
            );
            let line = self.account().log_entry(("push", SyncOutcome::Nothing), &detail, now);
            sync_log::append(&mut tx, &line).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn close(
        &self,
        subscriptions: &[PushSubscription],
        id: PushSubscriptionId,
    ) -> Result<(), JobError> {
        match subscriptions.iter().find(|one| one.id == id) {
            Some(subscription) => close(self.context, self.account(), self.push, subscription).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, id: PushSubscriptionId, why: Option<&str>) -> Result<(), StorageError> {
        forget(self.context, id, why).await
    }
}

/// Ends all subscriptions of a connection that is over, as long as it can be spoken for.
pub(crate) async fn close_all(context: &Context, connection: &Connection) -> Result<(), JobError> {
    let account = ConnectionAccount::from(connection);
    let push = context.providers.push(connection.provider);
    for subscription in
        push_subscriptions::of_connection(&context.db, account.business, account.connection).await?
    {
        match push {
            Some(push) => close(context, account, &**push, &subscription).await?,
            None => forget(context, subscription.id, Some("the provider is not set up")).await?,
        }
    }
    Ok(())
}

/// What the provider will not end ends by itself.
async fn close(
    context: &Context,
    account: ConnectionAccount,
    push: &dyn PushProvider,
    subscription: &PushSubscription,
) -> Result<(), JobError> {
    let mut why = None;
    if let Some(remote) = remote(subscription).filter(|_| is_open(subscription)) {
        take_turn(context, account, QueueClass::Poll).await?;
        let remote = &remote;
        match with_access!(context, account, access => push.close(&access, remote)) {
            Ok(()) => {}
            Err(error) if is_rejection(&error) => why = Some(error.user_message(account.provider.name())),
            Err(JobError::Provider(ProviderError::GrantDead(_) | ProviderError::Unauthorized)) => {
                why = Some("access had ended before".to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    forget(context, subscription.id, why.as_deref()).await?;
    Ok(())
}

async fn forget(context: &Context, id: PushSubscriptionId, why: Option<&str>) -> Result<(), StorageError> {
    in_tx!(context.db, tx => push_subscriptions::closed(&mut tx, id, why, context.clock.now()).await)
}

fn is_open(subscription: &PushSubscription) -> bool {
    subscription.state == PushState::Open
}

fn remote(subscription: &PushSubscription) -> Option<RemotePushSubscription> {
    let remote_id = subscription.remote_id.clone()?;
    Some(RemotePushSubscription { remote_id, resource_id: subscription.resource_id.clone() })
}

/// Whether it would be rejected again: what is not there, nobody can be told of.
fn is_rejection(error: &JobError) -> bool {
    error.is_rejection() || matches!(error, JobError::Provider(ProviderError::NotFound))
}

fn known(subscriptions: &[PushSubscription], address: Option<&Url>) -> Vec<KnownSubscription> {
    let known = |one: &PushSubscription| KnownSubscription {
        id: one.id,
        state: one.state,
        is_ours: address.is_some_and(|address| address.as_str() == one.address),
        due_at: one.due_at,
        expires_at: one.expires_at,
    };
    subscriptions.iter().map(known).collect()
}

fn low_bits(now: DateTime<Utc>) -> u32 {
    u32::try_from(now.timestamp_millis() & 0xffff_ffff).unwrap_or(0)
}
