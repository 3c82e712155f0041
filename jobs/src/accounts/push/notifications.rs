//! What providers tell: who may believe it, and what follows.
//!
//! A notification comes without a login, from anywhere, again and again. It is believed if it brings the secret of
//! the subscription that it names, and all that follows from it is that a job is enqueued. Where that import is going to
//! begin anyhow, nothing is written: ten thousand notifications cost as many reads and a write an import.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    job::{JobKind, QueueClass},
    push::PushState,
};
use concord_providers::{PushNotification, PushNotificationKind};
use concord_storage::{
    StorageError, calendars,
    jobs::{self, NewJob},
    push_subscriptions::{self, NotificationTarget},
    secret,
};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

use crate::{Context, enqueue};

/// From the beginning of one import that is enqueued by notifications to that of the next.
const MIN_IMPORT_INTERVAL: Duration = Duration::seconds(1);

/// Calendars that share a place wait for each other now and then.
const LOCK_SHARDS: usize = 64;

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationOutcome {
    /// It has enqueued a job.
    Enqueued,
    /// An import that has not begun yet will find what it is about.
    Covered,
    /// It says nothing that matters: the subscription stands, is over, or has told of something later.
    Nothing,
    /// It is not believed, for this reason.
    Refused(&'static str),
}

/// Judges notifications. One for each process; clones share it.
#[derive(Clone, Debug)]
pub struct NotificationHandler {
    context: Context,
    /// Who enqueues a job of a calendar, so that a flood in this process enqueues it once.
    enqueuing: Arc<[Mutex<()>]>,
}

impl NotificationHandler {
    /// The notifications that this process receives.
    pub fn new(context: Context) -> Self {
        Self { context, enqueuing: (0..LOCK_SHARDS).map(|_| Mutex::new(())).collect() }
    }

    /// Judges a notification and enqueues what follows from it. An error: it is not known whether it is true, and it should
    /// be sent again.
    pub async fn hear(&self, notification: &PushNotification) -> Result<NotificationOutcome, StorageError> {
        let db = &self.context.db;
        let found = push_subscriptions::listen(db, notification.subscription).await?;
        if let Some(heard) = judge(notification, found.as_ref(), self.context.clock.now()) {
            return Ok(heard);
        }
        // Whoever was first has enqueued it by the time that the next one looks again.
        let place = notification.subscription.0.as_u128() % LOCK_SHARDS as u128;
        let _turn = self.enqueuing[usize::try_from(place).unwrap_or(0)].lock().await;
        let found = push_subscriptions::listen(db, notification.subscription).await?;
        match (judge(notification, found.as_ref(), self.context.clock.now()), found) {
            (Some(heard), _) => Ok(heard),
            (None, Some(listening)) => self.follow(notification, &listening).await,
            (None, None) => Ok(NotificationOutcome::Nothing),
        }
    }

    async fn follow(
        &self,
        notification: &PushNotification,
        listening: &NotificationTarget,
    ) -> Result<NotificationOutcome, StorageError> {
        let context = &self.context;
        let now = context.clock.now();
        let subscription = &listening.subscription;
        let mut tx = context.db.begin().await?;
        let (mut enqueued, mut later) = (Vec::new(), None);
        match notification.kind {
            PushNotificationKind::RenewNow => {
                push_subscriptions::renew_soon(&mut tx, subscription.id, now).await?;
            }
            PushNotificationKind::Ended => {
                push_subscriptions::closed(&mut tx, subscription.id, Some("the provider has ended it"), now)
                    .await?;
            }
            PushNotificationKind::Missed => {
                calendars::forget_cursor(&mut tx, subscription.calendar_id).await?;
            }
            PushNotificationKind::Opened | PushNotificationKind::Changed => {}
        }
        if matches!(notification.kind, PushNotificationKind::RenewNow | PushNotificationKind::Ended) {
            enqueued.push(
                enqueue::push_renewal_of(
                    &mut tx,
                    context,
                    subscription.business_id,
                    subscription.calendar_id,
                )
                .await?,
            );
        }
        if notification.kind != PushNotificationKind::RenewNow {
            let due_at = listening.import_began_at.map_or(now, |began| now.max(began + MIN_IMPORT_INTERVAL));
            let import = NewJob {
                business: Some(subscription.business_id),
                kind: JobKind::ImportAvailability,
                subject: subscription.calendar_id.0,
                queue: QueueClass::Poll,
                due_at,
            };
            let job = jobs::enqueue(&mut tx, import, now).await?;
            push_subscriptions::heard(&mut tx, subscription.id, notification.number, now).await?;
            if due_at <= now {
                enqueued.push(job);
            } else {
                later = Some((job, due_at));
            }
        }
        context.commit(tx, &enqueued).await?;
        if let Some((job, due_at)) = later {
            context.push_at(job, due_at);
        }
        if notification.kind != PushNotificationKind::Changed {
            tracing::info!(subscription = %subscription.id, kind = ?notification.kind, "a provider told of a subscription");
        }
        Ok(NotificationOutcome::Enqueued)
    }
}

/// What becomes of a notification; `None`: what it says has consequences.
///
/// One that is not believed is refused the same way whether or not there is such a subscription: its digest is made and
/// compared in any case.
fn judge(
    notification: &PushNotification,
    found: Option<&NotificationTarget>,
    now: DateTime<Utc>,
) -> Option<NotificationOutcome> {
    let brought = secret::digest(&notification.secret);
    let expected = found.map_or("", |found| found.secret_digest.as_str());
    let is_known = bool::from(brought.as_bytes().ct_eq(expected.as_bytes()));
    let Some(found) = found else {
        return Some(NotificationOutcome::Refused("there is no such subscription"));
    };
    let subscription = &found.subscription;
    if !is_known || subscription.provider != notification.provider {
        return Some(NotificationOutcome::Refused("its secret is wrong"));
    }
    if differ(subscription.remote_id.as_deref(), notification.remote_id.as_deref())
        || differ(subscription.resource_id.as_deref(), notification.resource_id.as_deref())
    {
        return Some(NotificationOutcome::Refused("it is about another subscription or resource"));
    }
    let is_live = matches!(subscription.state, PushState::Opening | PushState::Open);
    let is_old = notification
        .number
        .is_some_and(|number| found.last_message_number.is_some_and(|last| number <= last));
    match notification.kind {
        _ if !is_live => Some(NotificationOutcome::Nothing),
        PushNotificationKind::Opened => Some(NotificationOutcome::Nothing),
        PushNotificationKind::Changed if is_old => Some(NotificationOutcome::Nothing),
        PushNotificationKind::Changed if is_covered(found, now) => Some(NotificationOutcome::Covered),
        PushNotificationKind::Changed
        | PushNotificationKind::RenewNow
        | PushNotificationKind::Ended
        | PushNotificationKind::Missed => None,
    }
}

/// What we do not know yet, or the notification does not say, differs from nothing.
fn differ(ours: Option<&str>, theirs: Option<&str>) -> bool {
    matches!((ours, theirs), (Some(ours), Some(theirs)) if ours != theirs)
}

/// Whether an import will begin after this moment, and soon or as soon as it makes sense: then it finds all that has
/// happened until now. One that somebody has in hand may have read already, but begins again if it was enqueued since.
fn is_covered(found: &NotificationTarget, now: DateTime<Utc>) -> bool {
    if found.import_in_hand {
        return found.import_enqueued_again;
    }
    let Some(due) = found.import_due_at else { return false };
    due <= now + MIN_IMPORT_INTERVAL || found.import_failed
}

#[cfg(test)]
mod tests {
    use concord_domain::{
        connection::ProviderKind,
        ids::{BusinessId, CalendarId, ConnectionId, PushSubscriptionId},
    };
    use concord_storage::push_subscriptions::PushSubscription;
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(20_000)
    }

    fn listening() -> NotificationTarget {
        NotificationTarget {
            subscription: PushSubscription {
                id: PushSubscriptionId(Uuid::nil()),
                business_id: BusinessId(Uuid::nil()),
                calendar_id: CalendarId(Uuid::nil()),
                connection_id: ConnectionId(Uuid::nil()),
                provider: ProviderKind::Google,
                address: String::new(),
                state: PushState::Open,
                remote_id: Some("theirs".to_owned()),
                resource_id: Some("r-1".to_owned()),
                due_at: None,
                expires_at: None,
                refusals: 0,
                last_error: None,
                heard: 0,
                last_notified_at: None,
            },
            secret_digest: secret::digest(&"hush".into()),
            last_message_number: Some(10),
            import_due_at: Some(now() + Duration::minutes(15)),
            import_began_at: None,
            import_in_hand: false,
            import_enqueued_again: false,
            import_failed: false,
        }
    }

    fn notification() -> PushNotification {
        PushNotification {
            provider: ProviderKind::Google,
            subscription: PushSubscriptionId(Uuid::nil()),
            secret: "hush".into(),
            remote_id: None,
            resource_id: Some("r-1".to_owned()),
            number: Some(11),
            kind: PushNotificationKind::Changed,
        }
    }

    fn becomes(notification: &PushNotification, found: &NotificationTarget) -> Option<NotificationOutcome> {
        judge(notification, Some(found), now())
    }

    #[test]
    fn only_who_knows_its_secret_is_believed() {
        assert_eq!(becomes(&notification(), &listening()), None);
        for forged in [
            PushNotification { secret: "hush!".into(), ..notification() },
            PushNotification { secret: "".into(), ..notification() },
            PushNotification { provider: ProviderKind::Microsoft, ..notification() },
            PushNotification { resource_id: Some("r-2".to_owned()), ..notification() },
            PushNotification { remote_id: Some("another".to_owned()), ..notification() },
        ] {
            assert!(
                matches!(becomes(&forged, &listening()), Some(NotificationOutcome::Refused(_))),
                "{forged:?}"
            );
        }
        assert!(matches!(judge(&notification(), None, now()), Some(NotificationOutcome::Refused(_))));
    }

    #[test]
    fn an_old_number_says_nothing_new() {
        for (number, becomes_of_it) in
            [(9, Some(NotificationOutcome::Nothing)), (10, Some(NotificationOutcome::Nothing)), (11, None)]
        {
            let notification = PushNotification { number: Some(number), ..notification() };
            assert_eq!(becomes(&notification, &listening()), becomes_of_it, "{number}");
        }
    }

    #[test]
    fn a_subscription_that_is_over_says_nothing() {
        for state in [PushState::Closed, PushState::Refused] {
            let mut found = listening();
            found.subscription.state = state;
            assert_eq!(becomes(&notification(), &found), Some(NotificationOutcome::Nothing), "{state}");
        }
    }

    #[test]
    fn only_an_import_that_is_still_to_begin_covers_it() {
        let soon = Some(now() + MIN_IMPORT_INTERVAL);
        let later = Some(now() + Duration::minutes(15));
        for (due, in_hand, failed, covered) in [
            (soon, false, false, true),
            (Some(now() - Duration::hours(1)), false, false, true),
            (soon, true, false, false),
            (later, false, false, false),
            (later, false, true, true),
            (later, true, true, false),
            (None, false, false, false),
        ] {
            let found = NotificationTarget {
                import_due_at: due,
                import_in_hand: in_hand,
                import_failed: failed,
                ..listening()
            };
            let expected = covered.then_some(NotificationOutcome::Covered);
            assert_eq!(becomes(&notification(), &found), expected, "{due:?} {in_hand} {failed}");
        }
        let again = NotificationTarget { import_in_hand: true, import_enqueued_again: true, ..listening() };
        assert_eq!(becomes(&notification(), &again), Some(NotificationOutcome::Covered));
    }
}
