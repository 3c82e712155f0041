//! Tells a person, or the managers, what happened: all that they have not been told of yet, in one mail.
//!
//! Claims a staff member, or the business for its managers. Gathers their open notices, writes a mail to each of them and
//! marks the notices as told, in one transaction. `raise` is how a notice comes to be; the words of each are here too, so
//! that they read alike.

mod outbox;
pub(crate) mod send;

use chrono::Duration;
use concord_domain::{
    audit::HistorySubject,
    ids::{BookingId, BusinessId, ConnectionId, StaffId},
    mail::MailKind,
    notice::NoticeKind,
    people::Role,
    sync::{remote_change::RemoteChangeState, remote_change_text::RemoteChangeText},
};
use concord_storage::{
    StorageError, Tx, businesses, connections,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    notices::{self, Audience, NewNotice, Notice},
    people,
    remote_changes::{NewRemoteChange, notice_key},
};
use uuid::Uuid;

pub use self::outbox::enqueue_test_mail;
use self::send::NO_SERVER;
use crate::{
    Context,
    job::{ConnectionAccount, JobError, require_business},
    language::{NOTICE_LANGUAGE, TextKey, text},
    mail::{Recipient, render},
};

/// Notices in one mail; whoever has more gets another mail for the rest.
const MAX_NOTICES: u32 = 500;
/// While no mail server is set up, nothing is written: what has closed by the time there is one need not be told.
const RECHECK_INTERVAL: Duration = Duration::minutes(15);

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let audience = if job.subject_id == business.0 {
        Audience::Managers
    } else {
        Audience::Staff(StaffId(job.subject_id))
    };
    let untold = notices::untold(&context.db, business, audience, MAX_NOTICES).await?;
    if untold.is_empty() {
        return Ok(JobOutcome::Done);
    }
    let now = context.clock.now();
    if context.mail.mailer.is_none() {
        return Ok(JobOutcome::Snooze { until: now + RECHECK_INTERVAL, reason: NO_SERVER.to_owned() });
    }
    let letters = letters(context, business, audience, &untold).await?;
    if letters.is_empty() {
        // Nobody has an address. They are told with what happens next, if somebody has one by then.
        tracing::info!(%business, "nobody with an email address to notify");
        return Ok(JobOutcome::Done);
    }
    write(context, business, &untold, &letters).await?;
    let more = untold.len() >= MAX_NOTICES as usize;
    Ok(if more { JobOutcome::Again(now) } else { JobOutcome::Done })
}

type Digest<'a> = (Recipient, Vec<&'a Notice>);

/// To each of the audience what concerns them: managers who are staff too are told once.
async fn letters<'a>(
    context: &Context,
    business: BusinessId,
    audience: Audience,
    untold: &'a [Notice],
) -> Result<Vec<Digest<'a>>, StorageError> {
    let db = &context.db;
    let users = people::list_users(db, business).await?;
    let mut letters = Vec::new();
    match audience {
        Audience::Staff(id) => {
            let staff = people::find_staff(db, business, id).await?;
            let Some(staff) = staff.filter(|staff| staff.archived_at.is_none()) else { return Ok(letters) };
            let own = Some(staff.email).filter(|email| !email.is_empty());
            let signs_in = || users.into_iter().find(|user| user.staff_id == Some(id)).map(|user| user.email);
            if let Some(address) = own.or_else(signs_in) {
                letters.push((Recipient { address, name: staff.name }, untold.iter().collect()));
            }
        }
        Audience::Managers => {
            for user in users.into_iter().filter(|user| user.role == Role::Manager) {
                let told = match user.staff_id {
                    Some(staff) => notices::open_keys_of_staff(db, business, staff).await?,
                    None => Vec::new(),
                };
                let theirs: Vec<&Notice> =
                    untold.iter().filter(|notice| !told.contains(&notice.dedupe_key)).collect();
                letters.push((Recipient { address: user.email, name: user.name }, theirs));
            }
        }
    }
    Ok(letters)
}

async fn write(
    context: &Context,
    business: BusinessId,
    untold: &[Notice],
    letters: &[Digest<'_>],
) -> Result<(), JobError> {
    let name = businesses::find(&context.db, business).await?.ok_or(StorageError::NotFound)?.name;
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    for notice in untold {
        // Another worker has taken this for abandoned and told them: nothing of ours is written.
        if !notices::mark_sent(&mut tx, business, notice.id, now).await? {
            return Ok(());
        }
    }
    let mut raised = Vec::new();
    for (to, told) in letters {
        let Some(newest) = told.last() else { continue };
        let kind = if told.len() == 1 { MailKind::Notice } else { MailKind::Digest };
        let rendered = render::told(NOTICE_LANGUAGE, &name, &context.mail, told);
        let key = format!("notice:{}:{}", newest.id, to.address);
        raised.extend(outbox::write(&mut tx, context, (business, kind), to, &rendered, &key).await?);
    }
    context.commit(tx, &raised).await?;
    Ok(())
}

/// What happened, before it is known who is told.
struct NoticeContent<'a> {
    kind: NoticeKind,
    subject: (HistorySubject, Uuid),
    headline: &'a str,
    detail: &'a str,
    link: &'a str,
    dedupe_key: &'a str,
}

impl<'a> NoticeContent<'a> {
    /// For the staff member and for the managers.
    fn notices(&self, context: &Context, (business, staff): (BusinessId, StaffId)) -> [NewNotice<'a>; 2] {
        let wait = if self.kind.is_urgent() { Duration::zero() } else { context.mail.digest };
        [Audience::Staff(staff), Audience::Managers].map(|audience| NewNotice {
            business,
            kind: self.kind,
            audience,
            subject: self.subject,
            headline: self.headline,
            detail: self.detail,
            link: self.link,
            dedupe_key: self.dedupe_key,
            wait,
        })
    }
}

/// Tells the staff member and the managers, once while it lasts. The caller pushes what this returns after the commit.
async fn raise(
    tx: &mut Tx,
    context: &Context,
    concerned: (BusinessId, StaffId),
    happened: &NoticeContent<'_>,
) -> Result<Vec<JobRef>, StorageError> {
    let mut raised = Vec::new();
    for new in happened.notices(context, concerned) {
        raised.extend(notices::raise(tx, &new, context.clock.now()).await?.filter(|_| new.wait.is_zero()));
    }
    // What is not due yet the sweep brings.
    Ok(raised)
}

/// What people are told of what a staff member did in their calendar. It waits for others, so that there is nothing to
/// push once it is raised.
pub(crate) struct RemoteChangeNotice {
    staff: StaffId,
    business: BusinessId,
    booking: BookingId,
    headline: String,
    detail: String,
    link: String,
    key: String,
}

impl RemoteChangeNotice {
    /// `told`: in the words for mails, which say nothing of customers.
    pub(crate) fn of(change: &NewRemoteChange<'_>, staff: StaffId, told: &RemoteChangeText<'_>) -> Self {
        let times = told.times().map(|times| format!("{}.", capitalize(&times)));
        let advice = match change.state {
            RemoteChangeState::Open => Some(TextKey::RemoteChangeOpen),
            RemoteChangeState::Followed => Some(TextKey::RemoteChangeFollowed),
            RemoteChangeState::Revert | RemoteChangeState::Overtaken | RemoteChangeState::Undone => None,
        };
        let advice = advice.map(|advice| text(NOTICE_LANGUAGE, advice, []));
        let lines: Vec<String> = times.into_iter().chain([told.outcome()]).chain(advice).collect();
        Self {
            staff,
            business: change.business,
            booking: change.booking,
            headline: told.deed(),
            detail: lines.join("\n"),
            link: format!("/bookings/{}", change.booking),
            key: notice_key(change.id),
        }
    }

    /// To be raised in the transaction that writes the change down.
    pub(crate) fn notices(&self, context: &Context) -> [NewNotice<'_>; 2] {
        let happened = NoticeContent {
            kind: NoticeKind::RemoteChange,
            subject: (HistorySubject::Booking, self.booking.0),
            headline: &self.headline,
            detail: &self.detail,
            link: &self.link,
            dedupe_key: &self.key,
        };
        happened.notices(context, (self.business, self.staff))
    }
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
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
    let named = [("person", owner.staff_name.into()), ("provider", provider.into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::ReconnectHeadline, named);
    let named = [("provider", provider.into()), ("account", owner.account_email.into())];
    let detail = text(NOTICE_LANGUAGE, TextKey::ReconnectDetail, named);
    let happened = NoticeContent {
        kind: NoticeKind::Reconnect,
        subject: (HistorySubject::Connection, connection.0),
        headline: &headline,
        detail: &detail,
        link: &link_to(connection),
        dedupe_key: &reconnect_key(connection),
    };
    raise(tx, context, (business, owner.staff_id), &happened).await
}

/// An entry could not be written, for `reason`, and its tries are used up.
pub(crate) async fn sync_failed(
    tx: &mut Tx,
    context: &Context,
    account: ConnectionAccount,
    reason: &str,
) -> Result<Vec<JobRef>, StorageError> {
    let ConnectionAccount { business, connection, provider } = account;
    let Some(owner) = connections::owner(tx, business, connection).await? else { return Ok(Vec::new()) };
    let named = [("person", owner.staff_name.into()), ("provider", provider.name().into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::FailedSyncHeadline, named);
    let detail = text(NOTICE_LANGUAGE, TextKey::FailedSyncDetail, [("reason", reason.into())]);
    let happened = NoticeContent {
        kind: NoticeKind::FailedSync,
        subject: (HistorySubject::Connection, connection.0),
        headline: &headline,
        detail: &detail,
        link: &link_to(connection),
        dedupe_key: &failed_sync_key(connection),
    };
    raise(tx, context, (business, owner.staff_id), &happened).await
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
    notices::close_unless_failing(tx, whose, &key, context.clock.now()).await.map(drop)
}

/// The account is connected again.
pub async fn reconnected(
    tx: &mut Tx,
    context: &Context,
    (business, connection): (BusinessId, ConnectionId),
) -> Result<(), StorageError> {
    notices::close(tx, business, &reconnect_key(connection), context.clock.now()).await.map(drop)
}

/// The connection is over, and all that was to be told of it.
pub async fn disconnected(
    tx: &mut Tx,
    context: &Context,
    (business, connection): (BusinessId, ConnectionId),
) -> Result<(), StorageError> {
    reconnected(tx, context, (business, connection)).await?;
    notices::close(tx, business, &failed_sync_key(connection), context.clock.now()).await.map(drop)
}
