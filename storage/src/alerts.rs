//! What fails for longer than a moment. `concord_domain::alert` decides what becomes of it.
//!
//! A row is written at the first failure, and people are told of it later (`level`). While it is not closed there is one for
//! each subject.

use chrono::{DateTime, Utc};
use concord_domain::{
    alert::{AlertKind, AlertState, FailureState, OPEN_AFTER},
    ids::{AlertId, BusinessId, ConnectionId, StaffId},
    job::{ABANDON_AFTER, JobKind, QueueClass},
};
use uuid::Uuid;

use crate::{
    Db, Page, PageRequest, Result, StorageError, Tx,
    column::sqlx,
    jobs::{self, JobRef, NewJob},
    sync_log::newest,
};

/// Something that fails, or has failed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Alert {
    pub id: AlertId,
    pub business_id: BusinessId,
    pub kind: AlertKind,
    /// What its kind says.
    pub subject_id: Uuid,
    /// Whose it is, if it is a calendar.
    pub staff_id: Option<StaffId>,
    /// What fails, in a few plain words.
    pub headline: String,
    /// Why, in plain sentences, each a line.
    pub cause: String,
    /// A path of ours where it can be dealt with.
    pub link: String,
    /// Since when, how bad, and whether it still does.
    #[sqlx(flatten, try_from = "FailureColumns")]
    pub failure: FailureState,
    /// When people were first told; `None`: they were not.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub closed_at: Option<DateTime<Utc>>,
    /// When somebody was last sent a mail about it.
    pub last_mail_at: Option<DateTime<Utc>>,
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct FailureColumns {
    since: DateTime<Utc>,
    level: i64,
    healthy_since: Option<DateTime<Utc>>,
}

impl TryFrom<FailureColumns> for FailureState {
    type Error = StorageError;

    fn try_from(columns: FailureColumns) -> Result<Self> {
        let level = u32::try_from(columns.level).map_err(|_| StorageError::Inconsistent { what: "alert" })?;
        Ok(Self { since: columns.since, level, healthy_since: columns.healthy_since })
    }
}

impl Alert {
    /// By what it is looked up while it is not closed.
    pub fn subject(&self) -> AlertSubject {
        AlertSubject { business: self.business_id, kind: self.kind, id: self.subject_id }
    }

    /// Whether it is over.
    pub fn state(&self) -> AlertState {
        if self.closed_at.is_some() { AlertState::Closed } else { AlertState::Open }
    }
}

/// Which work of a business fails.
#[derive(Clone, Copy, Debug)]
pub struct AlertSubject {
    pub business: BusinessId,
    pub kind: AlertKind,
    /// What the kind says.
    pub id: Uuid,
}

/// A failure, as it is noted.
#[derive(Clone, Copy, Debug)]
pub struct NewFailure<'a> {
    pub subject: AlertSubject,
    /// Whose it is, if it is a calendar.
    pub staff: Option<StaffId>,
    /// What fails, in a few plain words.
    pub headline: &'a str,
    /// Why, in plain sentences, each a line; no secret, no customer's data.
    pub cause: &'a str,
    /// A path of ours where it can be dealt with.
    pub link: &'a str,
}

const RELAPSE: &str = "
    UPDATE alerts SET healthy_since = NULL, headline = $4, cause = $5,
        since = CASE WHEN level = 0 THEN $6 ELSE since END
    WHERE business_id = $1 AND kind = $2 AND subject_id = $3 AND closed_at IS NULL AND healthy_since IS NOT NULL
    RETURNING id";
const CREATE: &str = "
    INSERT INTO alerts (id, business_id, kind, subject_id, staff_id, headline, cause, link, since, level)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)
    ON CONFLICT DO NOTHING";
const UPDATE_CAUSE: &str = "
    UPDATE alerts SET cause = $4
    WHERE business_id = $1 AND kind = $2 AND subject_id = $3 AND closed_at IS NULL AND cause <> $4";

/// Notes that something has failed, for good or until it is tried again. Returns whether it is news: all went well until now.
/// What people hear of it comes later.
pub async fn note_failure(tx: &mut Tx, new: &NewFailure<'_>, now: DateTime<Utc>) -> Result<bool> {
    let AlertSubject { business, kind, id: subject } = new.subject;
    let relapsed: Option<AlertId> =
        optional_scalar!(tx, RELAPSE, business, kind, subject, new.headline, new.cause, now)?;
    if let Some(id) = relapsed {
        enqueue_check(tx, business, id, (now + OPEN_AFTER, now)).await?;
        return Ok(true);
    }
    let id = AlertId::new(now);
    let created = changed!(tx, CREATE;
        id, business, kind, subject, new.staff, new.headline, new.cause, new.link, now
    )?;
    if created == 1 {
        enqueue_check(tx, business, id, (now + OPEN_AFTER, now)).await?;
        return Ok(true);
    }
    exec!(tx, UPDATE_CAUSE, business, kind, subject, new.cause)?;
    Ok(false)
}

/// Enqueues the job that sees what has become of it.
async fn enqueue_check(
    tx: &mut Tx,
    business: BusinessId,
    id: AlertId,
    (due_at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<JobRef> {
    let job = NewJob {
        business: Some(business),
        kind: JobKind::CheckAlert,
        subject: id.0,
        queue: QueueClass::Poll,
        due_at,
    };
    jobs::enqueue(tx, job, now).await
}

const NOTE_HEALTHY: &str = "
    UPDATE alerts SET healthy_since = $4
    WHERE business_id = $1 AND kind = $2 AND subject_id = $3 AND closed_at IS NULL AND healthy_since IS NULL
    RETURNING id";

/// Notes that all went well. Returns whether it is news: it had failed.
pub async fn note_healthy(tx: &mut Tx, subject: AlertSubject, now: DateTime<Utc>) -> Result<bool> {
    let AlertSubject { business, kind, id } = subject;
    let healed: Option<AlertId> = optional_scalar!(tx, NOTE_HEALTHY, business, kind, id, now)?;
    check_healed(tx, business, healed, now).await
}

async fn check_healed(
    tx: &mut Tx,
    business: BusinessId,
    healed: Option<AlertId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Some(id) = healed else { return Ok(false) };
    enqueue_check(tx, business, id, (now, now)).await?;
    Ok(true)
}

const NOTE_EXPORT_HEALTHY: &str = "
    UPDATE alerts SET healthy_since = $3
    WHERE business_id = $1 AND kind = 'calendar_export' AND subject_id = $2 AND closed_at IS NULL
      AND healthy_since IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM entries e JOIN bookings b ON b.id = e.booking_id
        WHERE e.connection_id = $2 AND e.state = 'failed' AND b.ends_at > $4)
    RETURNING id";

/// The same for the entries of a connection, unless there still are some that could not be written and that somebody cares
/// for: else one booking that is refused for good would have people told anew after each other one that is written.
pub async fn note_export_healthy(
    tx: &mut Tx,
    (business, connection): (BusinessId, ConnectionId),
    now: DateTime<Utc>,
) -> Result<bool> {
    let cared_for = now - ABANDON_AFTER;
    let healed: Option<AlertId> =
        optional_scalar!(tx, NOTE_EXPORT_HEALTHY, business, connection, now, cared_for)?;
    check_healed(tx, business, healed, now).await
}

macro_rules! columns {
    () => {
        "id, business_id, kind, subject_id, staff_id, headline, cause, link, since, level, healthy_since, opened_at,
         closed_at, (SELECT MAX(d.sent_at) FROM notices n JOIN notice_deliveries d ON d.notice_id = n.id
            WHERE n.alert_id = alerts.id) AS last_mail_at"
    };
}

const FIND: &str = select!("FROM alerts WHERE business_id = $1 AND id = $2");

/// One failure of a business; `None` if there is none, or it was forgotten.
pub async fn find(tx: &mut Tx, business: BusinessId, id: AlertId) -> Result<Option<Alert>> {
    optional!(tx, FIND, business, id)
}

const FIND_UNCLOSED: &str =
    select!("FROM alerts WHERE business_id = $1 AND kind = $2 AND subject_id = $3 AND closed_at IS NULL");

/// What is not over of a subject.
pub async fn find_unclosed(tx: &mut Tx, subject: AlertSubject) -> Result<Option<Alert>> {
    optional!(tx, FIND_UNCLOSED, subject.business, subject.kind, subject.id)
}

const UNCLOSED_OF_CONNECTION: &str = select!(
    "FROM alerts WHERE business_id = $1 AND closed_at IS NULL AND kind IN ('calendar_export', 'calendar_import')
       AND (subject_id = $2 OR subject_id IN (SELECT c.id FROM calendars c WHERE c.connection_id = $2))"
);

/// What is not over of a connection and its calendars.
pub async fn unclosed_of_connection(
    tx: &mut Tx,
    business: BusinessId,
    connection: ConnectionId,
) -> Result<Vec<Alert>> {
    all!(tx, UNCLOSED_OF_CONNECTION, business, connection)
}

const UNCLOSED_OF_KIND: &str =
    select!("FROM alerts WHERE kind = $1 AND closed_at IS NULL AND id > $2 ORDER BY id LIMIT 500");

/// What is not over of one kind, of all businesses.
pub async fn unclosed_of_kind(db: &Db, kind: AlertKind) -> Result<Vec<Alert>> {
    let mut listed: Vec<Alert> = Vec::new();
    loop {
        let after = listed.last().map_or(Uuid::nil(), |last| last.id.0);
        let mut rows: Vec<Alert> = all!(db, UNCLOSED_OF_KIND, kind, after)?;
        if rows.is_empty() {
            return Ok(listed);
        }
        listed.append(&mut rows);
    }
}

const LIST: &str = select!(
    "FROM alerts WHERE business_id = $1 AND level > 0 AND (since, id) < ($2, $3)
       AND ($5 IS NULL OR ($5 = 'closed') = (closed_at IS NOT NULL)) AND ($6 IS NULL OR staff_id = $6)
     ORDER BY since DESC, id DESC LIMIT $4"
);

/// What people of a business were told of, the newest first; only in one state or of one staff member, if given.
pub async fn list(
    db: &Db,
    business: BusinessId,
    (state, staff): (Option<AlertState>, Option<StaffId>),
    ask: &PageRequest,
) -> Result<Page<Alert>> {
    let (at, id) = ask.after_key::<(DateTime<Utc>, Uuid)>()?.unwrap_or_else(newest);
    let rows = all!(db, LIST, business, at, id, ask.fetch(), state, staff)?;
    Ok(Page::cut(rows, ask, |last: &Alert| (last.failure.since, last.id.0)))
}

const OPEN: &str = select!(
    "FROM alerts WHERE business_id = $1 AND closed_at IS NULL AND level > 0 AND ($2 IS NULL OR staff_id = $2)
     ORDER BY since, id LIMIT 100"
);

/// What people were told of and is not over, the oldest first, at most a hundred; of one staff member, if given.
pub async fn open(db: &Db, business: BusinessId, staff: Option<StaffId>) -> Result<Vec<Alert>> {
    all!(db, OPEN, business, staff)
}

const TELL: &str = "
    UPDATE alerts SET level = $3, opened_at = COALESCE(opened_at, $4)
    WHERE business_id = $1 AND id = $2 AND level < $3 AND closed_at IS NULL AND healthy_since IS NULL";

/// People are told that it is this bad. `false`: another worker has told them, or it is over.
pub async fn tell(
    tx: &mut Tx,
    (business, id): (BusinessId, AlertId),
    level: u32,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, TELL, business, id, i64::from(level), now)? == 1)
}

const CLOSE: &str = "
    UPDATE alerts SET closed_at = $3
    WHERE business_id = $1 AND id = $2 AND closed_at IS NULL AND healthy_since IS NOT NULL";

/// It has healed. `false`: it is over already, or has failed again meanwhile.
pub async fn close(tx: &mut Tx, business: BusinessId, id: AlertId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, CLOSE, business, id, now)? == 1)
}

const END: &str = "UPDATE alerts SET closed_at = $3 WHERE business_id = $1 AND id = $2 AND closed_at IS NULL";

/// What it is of is no more, whether it fails or not. `false`: it was over before.
pub async fn end(tx: &mut Tx, business: BusinessId, id: AlertId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, END, business, id, now)? == 1)
}

// What is read, written or delivered to as long as it is so.
const HAS_SUBJECT: &str = "
    SELECT CASE kind
        WHEN 'calendar_export' THEN EXISTS (
            SELECT 1 FROM connections c WHERE c.id = subject_id AND c.state <> 'disconnected')
        WHEN 'calendar_import' THEN EXISTS (
            SELECT 1 FROM calendars k JOIN connections c ON c.id = k.connection_id
            WHERE k.id = subject_id AND c.state <> 'disconnected')
        WHEN 'webhook' THEN EXISTS (
            SELECT 1 FROM webhook_endpoints w WHERE w.id = subject_id AND w.state = 'active')
        WHEN 'mailbox' THEN TRUE
        ELSE EXISTS (SELECT 1 FROM channels n WHERE n.id = subject_id AND n.removed_at IS NULL) END
    FROM alerts WHERE business_id = $1 AND id = $2";

/// Whether there still is what fails: who was busy with it when it was ended may have noted a failure after that.
pub async fn has_subject(tx: &mut Tx, business: BusinessId, id: AlertId) -> Result<bool> {
    scalar!(tx, HAS_SUBJECT, business, id)
}

const FORGET: &str = "
    DELETE FROM alerts
    WHERE business_id = $1 AND id = $2 AND level = 0 AND closed_at IS NULL AND healthy_since IS NOT NULL";

/// It is over, and nobody was told of it.
pub async fn forget(tx: &mut Tx, business: BusinessId, id: AlertId) -> Result<()> {
    exec!(tx, FORGET, business, id)
}

const CORRECT: &str = "
    UPDATE alerts SET since = CASE WHEN since > $3 THEN $3 ELSE since END,
        healthy_since = CASE WHEN healthy_since > $3 THEN $3 ELSE healthy_since END
    WHERE business_id = $1 AND id = $2 AND closed_at IS NULL";

/// What was noted by a clock that was ahead is taken to be from now.
pub async fn correct(tx: &mut Tx, business: BusinessId, id: AlertId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, CORRECT, business, id, now)
}
