//! Tells people what happened: all that they have not been told of yet, in one mail, when they want it.
//!
//! `deliver` is the job that gathers what is open of a business, plans for each of its people by what they have chosen
//! (`recipients`), and writes the mails. `alerts` sees what becomes of what fails. `NoticeContent` is how a notice comes to be;
//! the words of each are here too, so that they read alike; those of channels are in `channels::notices`.

pub mod alerts;
pub mod customer;
pub(crate) mod deliver;
mod events;
pub(crate) mod outbox;
mod recipients;
pub(crate) mod send;
pub(crate) mod sign_in;

use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    ids::{AlertId, BusinessId, CalendarId, ConnectionId, StaffId},
    notice::NoticeKind,
    sync::{remote_change::RemoteChangeState, remote_change_text::RemoteChangeText},
    webhook::EventType,
};
use concord_storage::{
    StorageError, Tx,
    alerts::{NewFailure, note_export_healthy, note_failure, unclosed_of_connection},
    connections,
    jobs::JobRef,
    notices::{self, Audience, NewNotice},
    remote_changes::{NewRemoteChange, notice_key},
};
use uuid::Uuid;

pub use self::{
    deliver::waiting_digest,
    outbox::{enqueue_test_mail, invite},
};
use crate::{
    Context,
    job::ConnectionAccount,
    language::{NOTICE_LANGUAGE, TextKey, text},
};

/// What happened, before it is known who is told.
pub(crate) struct NoticeContent {
    pub(crate) kind: NoticeKind,
    pub(crate) subject: (HistorySubject, Uuid),
    pub(crate) headline: String,
    pub(crate) detail: String,
    pub(crate) link: String,
    /// It is told once while one with this key is open.
    pub(crate) dedupe_key: String,
    /// Which alert it is of, if any.
    pub(crate) alert: Option<AlertId>,
}

impl NoticeContent {
    fn to(&self, context: &Context, business: BusinessId, audience: Audience) -> NewNotice<'_> {
        NewNotice {
            business,
            kind: self.kind,
            audience,
            subject: self.subject,
            headline: &self.headline,
            named_headline: None,
            detail: &self.detail,
            link: &self.link,
            dedupe_key: &self.dedupe_key,
            wait: if self.kind.is_urgent() { Duration::zero() } else { context.mail.digest },
            alert: self.alert,
        }
    }

    /// Tells the managers alone. It waits for others, so that there is nothing to push. Returns whether it is news.
    pub(crate) async fn raise_to_managers(
        &self,
        tx: &mut Tx,
        context: &Context,
        business: BusinessId,
    ) -> Result<bool, StorageError> {
        let new = self.to(context, business, Audience::Managers);
        Ok(notices::raise(tx, &new, context.clock.now()).await?.is_some())
    }

    /// Tells the staff member and the managers. The caller pushes what this returns after the commit. With it: whether it is
    /// news.
    async fn raise(
        &self,
        tx: &mut Tx,
        context: &Context,
        (business, staff): (BusinessId, StaffId),
    ) -> Result<(Vec<JobRef>, bool), StorageError> {
        let (mut enqueued, mut is_news) = (Vec::new(), false);
        for audience in [Audience::Staff(staff), Audience::Managers] {
            let new = self.to(context, business, audience);
            let raised = notices::raise(tx, &new, context.clock.now()).await?;
            is_news |= raised.is_some();
            // What is not due yet the sweep brings.
            enqueued.extend(raised.filter(|_| new.wait.is_zero()));
        }
        Ok((enqueued, is_news))
    }
}

/// What people are told of what a staff member did in their calendar. It waits for others, so that there is nothing to
/// push once it is raised.
pub(crate) struct RemoteChangeNotice {
    business: BusinessId,
    staff: StaffId,
    content: NoticeContent,
}

impl RemoteChangeNotice {
    /// `words`: those for mails, which say nothing of customers.
    pub(crate) fn of(change: &NewRemoteChange<'_>, staff: StaffId, words: &RemoteChangeText<'_>) -> Self {
        let times = words.times().map(|times| format!("{}.", capitalize(&times)));
        let advice = match change.state {
            RemoteChangeState::Open => Some(TextKey::RemoteChangeOpen),
            RemoteChangeState::Followed => Some(TextKey::RemoteChangeFollowed),
            RemoteChangeState::Revert | RemoteChangeState::Overtaken | RemoteChangeState::Undone => None,
        };
        let advice = advice.map(|advice| text(NOTICE_LANGUAGE, advice, []));
        let lines: Vec<String> = times.into_iter().chain([words.outcome()]).chain(advice).collect();
        let content = NoticeContent {
            kind: NoticeKind::RemoteChange,
            subject: (HistorySubject::Booking, change.booking.0),
            headline: words.deed(),
            detail: lines.join("\n"),
            link: format!("/bookings/{}", change.booking),
            dedupe_key: notice_key(change.id),
            alert: None,
        };
        Self { business: change.business, staff, content }
    }

    /// To be raised in the transaction that writes the change down.
    pub(crate) fn notices(&self, context: &Context) -> [NewNotice<'_>; 2] {
        [Audience::Staff(self.staff), Audience::Managers]
            .map(|audience| self.content.to(context, self.business, audience))
    }
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn reconnect_key(connection: ConnectionId) -> String {
    format!("reconnect:{connection}")
}

/// The grant of a connection has died.
pub(crate) async fn needs_reconnect(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
) -> Result<Vec<JobRef>, StorageError> {
    let ConnectionAccount { business, connection, provider } = account;
    let Some(owner) = connections::owner(tx, business, connection).await? else { return Ok(Vec::new()) };
    let provider = provider.name();
    let named = [("person", owner.staff_name.as_str().into()), ("provider", provider.into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::ReconnectHeadline, named);
    let named = [("provider", provider.into()), ("account", owner.account_email.as_str().into())];
    let content = NoticeContent {
        kind: NoticeKind::Reconnect,
        subject: (HistorySubject::Connection, connection.0),
        headline,
        detail: text(NOTICE_LANGUAGE, TextKey::ReconnectDetail, named),
        link: link_to(connection),
        dedupe_key: reconnect_key(connection),
        alert: None,
    };
    let (mut enqueued, _) = content.raise(tx, context, (business, owner.staff_id)).await?;
    let kind = EventType::ConnectionNeedsReconnect;
    enqueued.extend(events::connection(tx, context, (account, &owner), kind, Some(&content.headline)).await?);
    Ok(enqueued)
}

/// An entry could not be written, for `reason`, and its tries are used up.
pub(crate) async fn sync_failed(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
    reason: &str,
) -> Result<(), StorageError> {
    let ConnectionAccount { business, connection, provider } = account;
    let Some(owner) = connections::owner(tx, business, connection).await? else { return Ok(()) };
    let named = [("person", owner.staff_name.as_str().into()), ("provider", provider.name().into())];
    let failure = NewFailure {
        subject: alerts::export_of(account),
        staff: Some(owner.staff_id),
        headline: &text(NOTICE_LANGUAGE, TextKey::FailedSyncHeadline, named),
        cause: &text(NOTICE_LANGUAGE, TextKey::FailedSyncDetail, [("reason", reason.into())]),
        link: &link_to(connection),
    };
    // What tells other systems, the sweep brings.
    if note_failure(tx, &failure, context.clock.now()).await? {
        events::connection(tx, context, (account, &owner), EventType::SyncFailed, Some(reason)).await?;
    }
    Ok(())
}

/// The busy times of a calendar could not be read, for `reason`, and the tries are used up.
pub(crate) async fn import_failed(
    tx: &mut Tx,
    context: &Context,
    (account, calendar): (ConnectionAccount, CalendarId),
    reason: &str,
) -> Result<(), StorageError> {
    let ConnectionAccount { business, connection, provider } = account;
    let Some(owner) = connections::owner(tx, business, connection).await? else { return Ok(()) };
    let named = [("person", owner.staff_name.as_str().into()), ("provider", provider.name().into())];
    let failure = NewFailure {
        subject: alerts::import_of(business, calendar),
        staff: Some(owner.staff_id),
        headline: &text(NOTICE_LANGUAGE, TextKey::FailedImportHeadline, named),
        cause: &text(NOTICE_LANGUAGE, TextKey::FailedImportDetail, [("reason", reason.into())]),
        link: &link_to(connection),
    };
    note_failure(tx, &failure, context.clock.now()).await.map(drop)
}

fn link_to(connection: ConnectionId) -> String {
    format!("/calendars/{connection}")
}

/// Entries of the connection are written again.
pub(crate) async fn sync_succeeded(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
) -> Result<(), StorageError> {
    let (whose, now) = ((account.business, account.connection), context.clock.now());
    if note_export_healthy(tx, whose, now).await? {
        events::of(tx, context, account, EventType::SyncRecovered).await?;
    }
    Ok(())
}

/// The account is connected, or connected again. The caller pushes what this returns after the commit.
pub async fn connected(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
) -> Result<Vec<JobRef>, StorageError> {
    let now = context.clock.now();
    notices::close(tx, account.business, &reconnect_key(account.connection), now).await?;
    events::of(tx, context, account, EventType::ConnectionConnected).await
}

/// The connection is over, and all that was to be told of it. The caller pushes what this returns after the commit.
pub async fn disconnected(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
) -> Result<Vec<JobRef>, StorageError> {
    let now = context.clock.now();
    notices::close(tx, account.business, &reconnect_key(account.connection), now).await?;
    for alert in unclosed_of_connection(tx, account.business, account.connection).await? {
        alerts::end(tx, alert.subject(), now).await?;
    }
    events::of(tx, context, account, EventType::ConnectionDisconnected).await
}
