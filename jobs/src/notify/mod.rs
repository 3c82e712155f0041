//! Tells a person, or the managers, what happened: all that they have not been told of yet, in one mail.
//!
//! Its subject is a staff member, or the business for its managers. Gathers their open notices, writes a mail to each of them and
//! marks the notices as sent, in one transaction. `NoticeContent` is how a notice comes to be; the words of each are here too,
//! so that they read alike; those of channels are in `channels::notices`.

pub mod customer;
mod events;
pub(crate) mod outbox;
pub(crate) mod send;
pub(crate) mod sign_in;

use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    ids::{BusinessId, ConnectionId, StaffId},
    mail::MailKind,
    notice::NoticeKind,
    people::Role,
    sync::{remote_change::RemoteChangeState, remote_change_text::RemoteChangeText},
    webhook::EventType,
};
use concord_storage::{
    StorageError, Tx, businesses, connections, in_tx,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    notices::{self, Audience, NewNotice, Notice},
    people,
    remote_changes::{NewRemoteChange, notice_key},
};
use uuid::Uuid;

pub use self::outbox::{enqueue_test_mail, invite};
use self::send::wait_for_server;
use crate::{
    Context,
    job::{ConnectionAccount, JobError, require_business},
    language::{NOTICE_LANGUAGE, TextKey, text},
    mail::{Recipient, render},
};

/// Notices in one mail; whoever has more gets another mail for the rest.
const MAX_NOTICES: u32 = 500;

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let audience = if job.subject_id == business.0 {
        Audience::Managers
    } else {
        Audience::Staff(StaffId(job.subject_id))
    };
    // What is over by now need not be told.
    in_tx!(context.db, tx => notices::close_past_conflicts(&mut tx, business, context.clock.now()).await)?;
    let unsent = notices::unsent(&context.db, business, audience, MAX_NOTICES).await?;
    if unsent.is_empty() {
        return Ok(JobOutcome::Done);
    }
    let now = context.clock.now();
    // While no mail server is set up, nothing is written: what has closed by the time there is one need not be told.
    if context.mail.mailer.is_none() {
        return Ok(wait_for_server(now));
    }
    let digests = digests(context, business, audience, &unsent).await?;
    if digests.is_empty() {
        // Nobody has an address. They are told with what happens next, if somebody has one by then.
        tracing::info!(%business, "nobody with an email address to notify");
        return Ok(JobOutcome::Done);
    }
    write(context, business, &unsent, &digests).await?;
    let more = unsent.len() >= MAX_NOTICES as usize;
    Ok(if more { JobOutcome::Again(now) } else { JobOutcome::Done })
}

type Digest<'a> = (Recipient, Vec<&'a Notice>);

/// To each of the audience what concerns them: managers who are staff too are told once.
async fn digests<'a>(
    context: &Context,
    business: BusinessId,
    audience: Audience,
    unsent: &'a [Notice],
) -> Result<Vec<Digest<'a>>, StorageError> {
    let db = &context.db;
    let users = people::list_users(db, business).await?;
    let mut digests = Vec::new();
    match audience {
        Audience::Staff(id) => {
            let staff = people::find_staff(db, business, id).await?;
            let Some(staff) = staff.filter(|staff| staff.archived_at.is_none()) else { return Ok(digests) };
            let own = Some(staff.email).filter(|email| !email.is_empty());
            let signs_in = || users.into_iter().find(|user| user.staff_id == Some(id)).map(|user| user.email);
            if let Some(address) = own.or_else(signs_in) {
                digests.push((Recipient { address, name: staff.name }, unsent.iter().collect()));
            }
        }
        Audience::Managers => {
            for user in users.into_iter().filter(|user| user.role == Role::Manager) {
                let as_staff = match user.staff_id {
                    Some(staff) => notices::open_keys_of_staff(db, business, staff).await?,
                    None => Vec::new(),
                };
                let theirs: Vec<&Notice> =
                    unsent.iter().filter(|notice| !as_staff.contains(&notice.dedupe_key)).collect();
                digests.push((Recipient { address: user.email, name: user.name }, theirs));
            }
        }
    }
    Ok(digests)
}

async fn write(
    context: &Context,
    business: BusinessId,
    unsent: &[Notice],
    digests: &[Digest<'_>],
) -> Result<(), JobError> {
    let name = businesses::find(&context.db, business).await?.ok_or(StorageError::NotFound)?.name;
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    for notice in unsent {
        // Another worker has taken this for abandoned and told them: nothing of ours is written.
        if !notices::mark_sent(&mut tx, business, notice.id, now).await? {
            return Ok(());
        }
    }
    let mut enqueued = Vec::new();
    for (to, notices) in digests {
        let Some(newest) = notices.last() else { continue };
        let kind = if notices.len() == 1 { MailKind::Notice } else { MailKind::Digest };
        let rendered = render::digest(NOTICE_LANGUAGE, &name, &context.mail, notices);
        let key = format!("notice:{}:{}", newest.id, to.address);
        enqueued.extend(outbox::write(&mut tx, context, (business, kind), to, &rendered, &key).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(())
}

/// What happened, before it is known who is told.
pub(crate) struct NoticeContent {
    pub(crate) kind: NoticeKind,
    pub(crate) subject: (HistorySubject, Uuid),
    pub(crate) headline: String,
    pub(crate) detail: String,
    pub(crate) link: String,
    /// It is told once while one with this key is open.
    pub(crate) dedupe_key: String,
}

impl NoticeContent {
    fn to(&self, context: &Context, business: BusinessId, audience: Audience) -> NewNotice<'_> {
        NewNotice {
            business,
            kind: self.kind,
            audience,
            subject: self.subject,
            headline: &self.headline,
            detail: &self.detail,
            link: &self.link,
            dedupe_key: &self.dedupe_key,
            wait: if self.kind.is_urgent() { Duration::zero() } else { context.mail.digest },
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

fn failed_sync_key(connection: ConnectionId) -> String {
    format!("failed_sync:{connection}")
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
    let content = NoticeContent {
        kind: NoticeKind::FailedSync,
        subject: (HistorySubject::Connection, connection.0),
        headline: text(NOTICE_LANGUAGE, TextKey::FailedSyncHeadline, named),
        detail: text(NOTICE_LANGUAGE, TextKey::FailedSyncDetail, [("reason", reason.into())]),
        link: link_to(connection),
        dedupe_key: failed_sync_key(connection),
    };
    // It waits for others, so that there is nothing to push; what tells other systems, the sweep brings.
    let (_, is_news) = content.raise(tx, context, (business, owner.staff_id)).await?;
    if is_news {
        events::connection(tx, context, (account, &owner), EventType::SyncFailed, Some(reason)).await?;
    }
    Ok(())
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
    let whose = (account.business, account.connection);
    let key = failed_sync_key(account.connection);
    let closed = notices::close_unless_failing(tx, whose, &key, context.clock.now()).await?;
    if closed > 0 {
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
    for key in [reconnect_key(account.connection), failed_sync_key(account.connection)] {
        notices::close(tx, account.business, &key, now).await?;
    }
    events::of(tx, context, account, EventType::ConnectionDisconnected).await
}
