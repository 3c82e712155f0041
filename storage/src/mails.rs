//! Mails: each to one person, written once by a key, sent by a job of its own.
//!
//! The row is written in the transaction that gives rise to it; sending and its outcome come later (`jobs::notify`).

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{AttendeeId, BusinessId, MailId, ReminderId},
    invitation::SentInvitation,
    job::JobKind,
    mail::{MailKind, MailState, one_line},
};
use secrecy::SecretString;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Db, Page, PageRequest, Result, Tx, attendees,
    jobs::{self, JobRef, NewJob},
    mail_secrets, reminders,
    seal::Keyring,
    sync_log::newest,
};

/// A mail that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct NewMail<'a> {
    pub business: BusinessId,
    /// What it is about.
    pub kind: MailKind,
    pub to_address: &'a str,
    /// For people; may be empty.
    pub to_name: &'a str,
    pub subject: &'a str,
    /// The part for those who read text.
    pub text: &'a str,
    /// The part for those who read HTML.
    pub html: &'a str,
    /// The domain of its Message-ID: one of ours.
    pub from_domain: &'a str,
    /// What is mailed once only has one key; unique in the business.
    pub dedupe_key: &'a str,
    /// Who it is from; `None`: the installation.
    pub sender: Option<MailSender<'a>>,
    /// What it does to the reader's calendar, if anything.
    pub invitation: Option<NewInvitation<'a>>,
    /// Which reminder it is, if any.
    pub reminder: Option<NewReminderMail<'a>>,
    /// After this it is not sent any more; `None`: it always is.
    pub useful_until: Option<DateTime<Utc>>,
}

/// What makes a mail a reminder.
#[derive(Clone, Copy, Debug)]
pub struct NewReminderMail<'a> {
    pub reminder: ReminderId,
    /// Where a mail program turns reminders off for its reader, by POST (RFC 8058); `None`: nowhere.
    pub unsubscribe_url: Option<&'a str>,
}

/// Whom a mail is from.
#[derive(Clone, Copy, Debug)]
pub struct MailSender<'a> {
    /// The name that people see.
    pub name: &'a str,
    pub address: &'a str,
    /// Where people's answers go; `None`: to the sender.
    pub reply_to: Option<&'a str>,
}

/// The calendar that a mail carries.
#[derive(Clone, Copy, Debug)]
pub struct NewInvitation<'a> {
    pub attendee: AttendeeId,
    /// What it does to the calendar of whoever reads it.
    pub message: &'a SentInvitation,
    /// The same as iCalendar.
    pub calendar: &'a str,
}

/// A mail as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct StoredMail {
    pub id: MailId,
    pub business_id: BusinessId,
    /// What it is about.
    pub kind: MailKind,
    pub to_address: String,
    /// For people; may be empty.
    pub to_name: String,
    pub subject: String,
    /// The part for those who read text.
    pub body_text: String,
    /// The part for those who read HTML.
    pub body_html: String,
    /// With its angle brackets; the same for every try.
    pub message_id: String,
    pub state: MailState,
    /// When the last try began.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When a mail server took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// Why the last try failed, for people.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Whom it is from, for people; `None`: from the installation.
    pub from_name: Option<String>,
    /// `None`: from the installation.
    pub from_address: Option<String>,
    /// Where people's answers go; `None`: to the sender.
    pub reply_to: Option<String>,
    /// The attendee whom it invites; `None`: it is no invitation.
    pub attendee_id: Option<AttendeeId>,
    /// What its calendar says.
    #[sqlx(json(nullable))]
    pub invitation: Option<SentInvitation>,
    /// The calendar that it carries, as iCalendar.
    pub calendar: Option<String>,
    /// After this it is not sent any more.
    pub useful_until: Option<DateTime<Utc>>,
    /// Which reminder it is.
    pub reminder_id: Option<ReminderId>,
    /// Where its reader turns reminders off by one click.
    pub unsubscribe_url: Option<String>,
}

const CREATE: &str = "
    INSERT INTO mails (id, business_id, kind, to_address, to_name, subject, body_text, body_html, message_id,
        dedupe_key, state, created_at, from_name, from_address, reply_to, attendee_id, invitation, calendar, useful_until,
        reminder_id, unsubscribe_url)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting', $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20)
    ON CONFLICT (business_id, dedupe_key) DO NOTHING";

/// Writes a mail and enqueues the job that sends it; the caller pushes that after the commit. `None`: a mail with this key
/// was written before.
pub async fn create(tx: &mut Tx, new: &NewMail<'_>, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    let Some(id) = insert(tx, new, now).await? else { return Ok(None) };
    enqueue(tx, new.business, (id, new.kind), now).await.map(Some)
}

const SET_UNSUBSCRIBE_URL: &str = "UPDATE mails SET unsubscribe_url = $2 WHERE id = $1";

/// The same for a digest: `unsubscribe_url` is where its reader turns digests off by one POST (RFC 8058).
pub async fn create_digest(
    tx: &mut Tx,
    new: &NewMail<'_>,
    unsubscribe_url: &str,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    let Some(id) = insert(tx, new, now).await? else { return Ok(None) };
    exec!(tx, SET_UNSUBSCRIBE_URL, id, unsubscribe_url)?;
    enqueue(tx, new.business, (id, new.kind), now).await.map(Some)
}

/// What a mail says and its text leaves out.
#[derive(Clone, Copy, Debug)]
pub struct NewMailSecrets<'a> {
    /// What stands for the first placeholder in the text, for the second, and so on.
    pub secrets: &'a [SecretString],
    /// When its links stop working: it is not sent any more.
    pub expires_at: DateTime<Utc>,
}

/// The same for a mail whose text has placeholders.
pub async fn create_with_secrets(
    tx: &mut Tx,
    ring: &Keyring,
    new: &NewMail<'_>,
    secrets: NewMailSecrets<'_>,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    let Some(id) = insert(tx, new, now).await? else { return Ok(None) };
    mail_secrets::keep(tx, ring, id, secrets.secrets, secrets.expires_at).await?;
    enqueue(tx, new.business, (id, new.kind), now).await.map(Some)
}

async fn insert(tx: &mut Tx, new: &NewMail<'_>, now: DateTime<Utc>) -> Result<Option<MailId>> {
    let id = MailId::new(now);
    let (sender, invitation) = (new.sender, new.invitation);
    let written = changed!(tx, CREATE;
        id, new.business, new.kind, one_line(new.to_address), one_line(new.to_name),
        one_line(new.subject), new.text, new.html, format!("<{}@{}>", id.0.simple(), new.from_domain),
        new.dedupe_key, now, sender.map(|sender| one_line(sender.name)),
        sender.map(|sender| one_line(sender.address)), sender.and_then(|sender| sender.reply_to),
        invitation.map(|it| it.attendee), invitation.map(|it| Json(it.message)), invitation.map(|it| it.calendar),
        new.useful_until, new.reminder.map(|it| it.reminder), new.reminder.and_then(|it| it.unsubscribe_url)
    )?;
    Ok((written == 1).then_some(id))
}

async fn enqueue(
    tx: &mut Tx,
    business: BusinessId,
    (id, about): (MailId, MailKind),
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let (kind, subject, queue) = (JobKind::SendMail, id.0, about.queue());
    let job = NewJob { business: Some(business), kind, subject, queue, due_at: now };
    jobs::enqueue(tx, job, now).await
}

macro_rules! columns {
    () => {
        "id, business_id, kind, to_address, to_name, subject, body_text, body_html, message_id, state, attempted_at,
         sent_at, last_error, created_at, from_name, from_address, reply_to, attendee_id, invitation, calendar,
         useful_until, reminder_id, unsubscribe_url"
    };
}

const FIND: &str = select!("FROM mails WHERE business_id = $1 AND id = $2");

/// One mail of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: MailId) -> Result<Option<StoredMail>> {
    optional!(db, FIND, business, id)
}

const LIST: &str = select!(
    "FROM mails WHERE business_id = $1 AND (created_at, id) < ($2, $3) AND ($5 IS NULL OR state = $5)
     ORDER BY created_at DESC, id DESC LIMIT $4"
);

/// The mails of a business, newest first; only those in a state, if one is given.
pub async fn list(
    db: &Db,
    business: BusinessId,
    state: Option<MailState>,
    ask: &PageRequest,
) -> Result<Page<StoredMail>> {
    let (at, id) = ask.after_key::<(DateTime<Utc>, Uuid)>()?.unwrap_or_else(newest);
    let rows = all!(db, LIST, business, at, id, ask.fetch(), state)?;
    Ok(Page::cut(rows, ask, |last: &StoredMail| (last.created_at, last.id.0)))
}

/// How the mails of a business stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct MailCounts {
    /// Those that are yet to be sent.
    pub waiting: i64,
    /// Those that were refused, or tried for too long.
    pub failed: i64,
}

const COUNTS: &str = "
    SELECT COUNT(CASE WHEN state = 'waiting' THEN 1 END) AS waiting,
           COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed
    FROM mails WHERE business_id = $1 AND state IN ('waiting', 'failed')";

/// How the mails stand that were not sent.
pub async fn counts(db: &Db, business: BusinessId) -> Result<MailCounts> {
    one!(db, COUNTS, business)
}

// Of one person's invitations the older is settled first: an update must not be overtaken by what it updates.
const BEGIN: &str = "
    UPDATE mails SET state = 'sending', attempted_at = $2
    WHERE id = $1 AND state IN ('waiting', 'sending') AND (useful_until IS NULL OR useful_until > $2)
      AND (attendee_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM mails older
        WHERE older.attendee_id = mails.attendee_id AND older.state IN ('waiting', 'sending') AND older.id < mails.id))";

/// Marks a mail as handed to a mail server, before it is: from here on it may have left. Returns `false` where it must not
/// be: it was taken back, or an older one to the same person is not settled.
pub async fn begin_sending(tx: &mut Tx, id: MailId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, BEGIN, id, now)? == 1)
}

const RECORD_SENT: &str = "UPDATE mails SET state = 'sent', sent_at = $2, last_error = NULL WHERE id = $1";

/// A mail server has taken it.
pub async fn record_sent(tx: &mut Tx, mail: &StoredMail, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, RECORD_SENT, mail.id, now)?;
    if let Some(reminder) = mail.reminder_id {
        reminders::record_sent(tx, reminder, now).await?;
    }
    record_may_have_left(tx, mail).await
}

const RECORD_FAILURE: &str =
    "UPDATE mails SET state = $2, last_error = $3 WHERE id = $1 AND state <> 'sent' AND to_address <> ''";

/// It is not known whether a mail server has taken it, and never will be: the attendee may have what it says.
pub async fn record_may_have_left(tx: &mut Tx, mail: &StoredMail) -> Result<()> {
    match (mail.attendee_id, &mail.invitation) {
        (Some(attendee), Some(invitation)) => attendees::record_sent(tx, attendee, invitation).await,
        _ => Ok(()),
    }
}

/// A try failed: the mail waits for the next one, may have left, or has failed. Returns `false` where nothing is written of it
/// any more: it was sent, or whom it was to was erased.
pub async fn record_failure(tx: &mut Tx, id: MailId, state: MailState, reason: &str) -> Result<bool> {
    Ok(changed!(tx, RECORD_FAILURE, id, state, reason)? == 1)
}

const RESEND: &str = "
    UPDATE mails SET state = 'waiting' WHERE business_id = $1 AND id = $2 AND state = 'failed' RETURNING kind";

/// Tries a failed mail again, by hand; the caller pushes what this returns after the commit. `NotFound`: there is no such
/// mail that has failed.
pub async fn send_again(tx: &mut Tx, business: BusinessId, id: MailId, now: DateTime<Utc>) -> Result<JobRef> {
    let kind: MailKind = scalar!(tx, RESEND, business, id)?;
    enqueue(tx, business, (id, kind), now).await
}
