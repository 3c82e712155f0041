//! What people are told without having asked: each thing once while it lasts, to whom it concerns.
//!
//! A notice is raised in the transaction that notes what happened. `jobs::notify` gathers those that one person has not
//! been told of into one mail. What has closed by then is not told any more. Who was sent it is in
//! `crate::notifications`; it is settled once nobody waits for it.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    ids::{AlertId, BusinessId, NoticeId, StaffId},
    notice::NoticeKind,
};
use uuid::Uuid;

use crate::{Db, Result, Tx, jobs::JobRef, notifications};

/// Who a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Staff(StaffId),
    /// All managers of the business.
    Managers,
}

impl Audience {
    fn staff(self) -> Option<StaffId> {
        match self {
            Self::Staff(id) => Some(id),
            Self::Managers => None,
        }
    }
}

/// Something that people should know.
#[derive(Clone, Copy, Debug)]
pub struct NewNotice<'a> {
    pub business: BusinessId,
    pub kind: NoticeKind,
    pub audience: Audience,
    /// What it is about.
    pub subject: (HistorySubject, Uuid),
    /// What happened, in a few plain words; no customer's data.
    pub headline: &'a str,
    /// The same with the name of the customer whose deed it is, which an erasure takes away; `None`: nobody's.
    pub named_headline: Option<&'a str>,
    /// Whether anything was lost, and what to do, in plain sentences, each a line; no secret, no customer's data.
    pub detail: &'a str,
    /// A path of ours where it can be seen to.
    pub link: &'a str,
    /// While a notice with this key is open, the same people are not told again.
    pub dedupe_key: &'a str,
    /// How long others are waited for, to be told with it.
    pub wait: Duration,
    /// Which alert it is of, if any.
    pub alert: Option<AlertId>,
}

/// A notice as it is told.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Notice {
    pub id: NoticeId,
    /// Who is told; `None`: all managers.
    pub staff_id: Option<StaffId>,
    pub kind: NoticeKind,
    /// In a few plain words.
    pub headline: String,
    /// Whether the headline names a customer.
    pub is_named: bool,
    /// In plain sentences, each a line.
    pub detail: String,
    /// A path of ours.
    pub link: String,
    pub dedupe_key: String,
    /// Which alert it is of.
    pub alert_id: Option<AlertId>,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
}

const RAISE: &str = "
    INSERT INTO notices (id, business_id, kind, staff_id, subject_kind, subject_id, headline, detail, link,
        dedupe_key, created_at, alert_id, named_headline)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT DO NOTHING";

/// Raises a notice, once while one with its key is open, and the job to tell of it; the caller pushes that after the
/// commit. `None`: they have been told, or will be.
pub async fn raise(tx: &mut Tx, new: &NewNotice<'_>, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    if changed!(tx, RAISE;
        NoticeId::new(now), new.business, new.kind, new.audience.staff(), new.subject.0, new.subject.1,
        new.headline, new.detail, new.link, new.dedupe_key, now, new.alert, new.named_headline
    )? == 0
    {
        return Ok(None);
    }
    notifications::enqueue(tx, new.business, now + new.wait, now).await.map(Some)
}

/// Raises notices of which none is due at once, so that there is nothing to push.
pub(crate) async fn raise_all(tx: &mut Tx, all: &[NewNotice<'_>], now: DateTime<Utc>) -> Result<()> {
    for new in all {
        raise(tx, new, now).await?;
    }
    Ok(())
}

const CLOSE: &str = "
    UPDATE notices SET closed_at = $3 WHERE business_id = $1 AND dedupe_key = $2 AND closed_at IS NULL";

/// It is over: when it happens again, people are told again. Returns how many notices it closed.
pub async fn close(tx: &mut Tx, business: BusinessId, dedupe_key: &str, now: DateTime<Utc>) -> Result<u64> {
    changed!(tx, CLOSE, business, dedupe_key, now)
}

const CLOSE_OF_ALERT: &str = "
    UPDATE notices SET closed_at = $3 WHERE business_id = $1 AND alert_id = $2 AND closed_at IS NULL";

/// What was said of an alert is out of date: it is over, or has got worse.
pub async fn close_of_alert(
    tx: &mut Tx,
    business: BusinessId,
    alert: AlertId,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, CLOSE_OF_ALERT, business, alert, now)
}

const CLOSE_PAST_CONFLICTS: &str = "
    UPDATE notices SET closed_at = $2 WHERE business_id = $1 AND kind = 'conflict' AND closed_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM occupancy o
        WHERE o.source_id = notices.subject_id AND o.business_id = notices.business_id AND o.unit IS NULL
          AND o.ends_at > $2)";

/// Closes what was told of bookings that have found room by now, were cancelled, or are over.
pub async fn close_past_conflicts(tx: &mut Tx, business: BusinessId, now: DateTime<Utc>) -> Result<u64> {
    changed!(tx, CLOSE_PAST_CONFLICTS, business, now)
}

const CLOSE_DECIDED: &str = "
    UPDATE notices SET closed_at = $2 WHERE business_id = $1 AND kind = 'pending_booking' AND closed_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM bookings b
        WHERE b.id = notices.subject_id AND b.business_id = notices.business_id AND b.status = 'pending'
          AND b.ends_at > $2)";

/// Closes what was told of bookings that no longer wait for approval.
pub async fn close_decided_bookings(tx: &mut Tx, business: BusinessId, now: DateTime<Utc>) -> Result<u64> {
    changed!(tx, CLOSE_DECIDED, business, now)
}

macro_rules! columns {
    () => {
        "id, staff_id, kind, COALESCE(named_headline, headline) AS headline, named_headline IS NOT NULL AS is_named, detail,
         link, dedupe_key, alert_id, created_at"
    };
}

const UNSETTLED: &str = select!(
    "FROM notices WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL
     ORDER BY created_at DESC, id DESC LIMIT $2"
);

/// What is open and waits for somebody to be sent it, the oldest first; the newest of them, where there are more: what waits for
/// the day of a digest hides nothing that is told at once.
pub async fn unsettled(db: &Db, business: BusinessId, limit: u32) -> Result<Vec<Notice>> {
    let mut newest: Vec<Notice> = all!(db, UNSETTLED, business, i64::from(limit))?;
    newest.reverse();
    Ok(newest)
}

const UNSENT_TO_STAFF: &str = select!(
    "FROM notices WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL AND staff_id = $3
     ORDER BY created_at, id LIMIT $2"
);
const UNSENT_TO_MANAGERS: &str = select!(
    "FROM notices WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL AND staff_id IS NULL
     ORDER BY created_at, id LIMIT $2"
);

/// The same of one audience.
pub async fn unsent(db: &Db, business: BusinessId, audience: Audience, limit: u32) -> Result<Vec<Notice>> {
    let limit = i64::from(limit);
    Ok(match audience {
        Audience::Staff(staff) => all!(db, UNSENT_TO_STAFF, business, limit, staff)?,
        Audience::Managers => all!(db, UNSENT_TO_MANAGERS, business, limit)?,
    })
}

const IS_NAMED: &str = "SELECT named_headline IS NOT NULL FROM notices WHERE id = $1";
const LOCK_NAMED: &str = "SELECT named_headline IS NOT NULL FROM notices WHERE id = $1 FOR NO KEY UPDATE";

/// Keeps the name in a notice until the end of the transaction, in which a mail is written with it. `false`: whoever it names
/// was erased meanwhile.
pub async fn hold_named(tx: &mut Tx, id: NoticeId) -> Result<bool> {
    let is_named: Option<bool> = optional_scalar!(tx, either(IS_NAMED, LOCK_NAMED), id)?;
    Ok(is_named == Some(true))
}

const SETTLE: &str =
    "UPDATE notices SET notified_at = $3 WHERE business_id = $1 AND id = $2 AND notified_at IS NULL";

/// Nobody waits for it any more: each was sent it, or wants no mail of it.
pub async fn settle(tx: &mut Tx, business: BusinessId, id: NoticeId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, SETTLE, business, id, now)
}

const COUNT_UNSENT: &str = "
    SELECT COUNT(*) FROM notices WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL";

/// How many open notices of a business wait to be told.
pub async fn count_unsent(db: &Db, business: BusinessId) -> Result<i64> {
    scalar!(db, COUNT_UNSENT, business)
}
