//! Mails: each to one person, written once by a key, sent by a job of its own.
//!
//! The row is written in the transaction that gives rise to it; sending and its outcome come later (`jobs::notify`).

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, MailId},
    job::{JobKind, QueueClass},
    mail::{MailKind, MailState, one_line},
};
use uuid::Uuid;

use crate::{
    Db, Page, PageRequest, Result, Tx,
    jobs::{self, JobRef, NewJob},
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
}

const CREATE: &str = "
    INSERT INTO mails (id, business_id, kind, to_address, to_name, subject, body_text, body_html, message_id,
        dedupe_key, state, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting', $11)
    ON CONFLICT (business_id, dedupe_key) DO NOTHING";

/// Writes a mail and enqueues the job that sends it; the caller pushes that after the commit. `None`: a mail with this key
/// was written before.
pub async fn create(tx: &mut Tx, new: &NewMail<'_>, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    let id = MailId::new(now);
    if changed!(tx, CREATE;
        id, new.business, new.kind, one_line(new.to_address), one_line(new.to_name),
        one_line(new.subject), new.text, new.html, format!("<{}@{}>", id.0.simple(), new.from_domain),
        new.dedupe_key, now
    )? == 0
    {
        return Ok(None);
    }
    enqueue(tx, new.business, id, now).await.map(Some)
}

async fn enqueue(tx: &mut Tx, business: BusinessId, id: MailId, now: DateTime<Utc>) -> Result<JobRef> {
    let job = NewJob {
        business: Some(business),
        kind: JobKind::SendMail,
        subject: id.0,
        queue: QueueClass::Interactive,
        due_at: now,
    };
    jobs::enqueue(tx, job, now).await
}

macro_rules! columns {
    () => {
        "id, business_id, kind, to_address, to_name, subject, body_text, body_html, message_id, state, attempted_at,
         sent_at, last_error, created_at"
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

const RECORD_SENT: &str = "
    UPDATE mails SET state = 'sent', attempted_at = $2, sent_at = $3, last_error = NULL WHERE id = $1";

/// A mail server has taken it: the try began at `began`.
pub async fn record_sent(tx: &mut Tx, id: MailId, began: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, RECORD_SENT, id, began, now)
}

const RECORD_FAILURE: &str = "
    UPDATE mails SET state = $3, attempted_at = $2, last_error = $4 WHERE id = $1 AND state <> 'sent'";

/// A try failed that began at `began`: the mail waits for the next one, or has failed.
pub async fn record_failure(
    tx: &mut Tx,
    id: MailId,
    began: DateTime<Utc>,
    state: MailState,
    reason: &str,
) -> Result<()> {
    exec!(tx, RECORD_FAILURE, id, began, state, reason)
}

const RESEND: &str = "
    UPDATE mails SET state = 'waiting' WHERE business_id = $1 AND id = $2 AND state = 'failed'";

/// Tries a failed mail again, by hand; the caller pushes what this returns after the commit. `NotFound`: there is no such
/// mail that has failed.
pub async fn send_again(tx: &mut Tx, business: BusinessId, id: MailId, now: DateTime<Utc>) -> Result<JobRef> {
    must_change!(tx, RESEND, business, id)?;
    enqueue(tx, business, id, now).await
}
