//! What people are told without having asked: each thing once while it lasts, to whom it concerns.
//!
//! A notice is raised in the transaction that notes what happened. `jobs::notify` gathers those that one person has not
//! been told of into one mail. What has closed by then is not told any more.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    ids::{BusinessId, ConnectionId, NoticeId, StaffId},
    job::{ABANDON_AFTER, JobKind, QueueClass},
    notice::NoticeKind,
};
use uuid::Uuid;

use crate::{
    Db, Result, Tx,
    jobs::{self, JobRef, NewJob},
};

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

    /// What the job to tell them is about: the staff member, or the business.
    pub fn subject(self, business: BusinessId) -> Uuid {
        self.staff().map_or(business.0, |staff| staff.0)
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
    /// What happened, in a few plain words.
    pub headline: &'a str,
    /// Whether anything was lost, and what to do, in plain sentences, each a line; no secret, no customer's data.
    pub detail: &'a str,
    /// A path of ours where it can be seen to.
    pub link: &'a str,
    /// While a notice with this key is open, the same people are not told again.
    pub dedupe_key: &'a str,
    /// How long others are waited for, to be told with it.
    pub wait: Duration,
}

/// A notice as it is told.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Notice {
    pub id: NoticeId,
    pub kind: NoticeKind,
    /// In a few plain words.
    pub headline: String,
    /// In plain sentences, each a line.
    pub detail: String,
    /// A path of ours.
    pub link: String,
    pub dedupe_key: String,
    /// When it was raised.
    pub created_at: DateTime<Utc>,
}

const RAISE: &str = "
    INSERT INTO notices (id, business_id, kind, staff_id, subject_kind, subject_id, headline, detail, link,
        dedupe_key, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING";

/// Raises a notice, once while one with its key is open, and the job to tell of it; the caller pushes that after the
/// commit. `None`: they have been told, or will be.
pub async fn raise(tx: &mut Tx, new: &NewNotice<'_>, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    if changed!(tx, RAISE;
        NoticeId::new(now), new.business, new.kind, new.audience.staff(), new.subject.0, new.subject.1,
        new.headline, new.detail, new.link, new.dedupe_key, now
    )? == 0
    {
        return Ok(None);
    }
    let job = NewJob {
        business: Some(new.business),
        kind: JobKind::Notify,
        subject: new.audience.subject(new.business),
        queue: QueueClass::Poll,
        due_at: now + new.wait,
    };
    jobs::enqueue(tx, job, now).await.map(Some)
}

const CLOSE: &str = "
    UPDATE notices SET closed_at = $3 WHERE business_id = $1 AND dedupe_key = $2 AND closed_at IS NULL";

/// It is over: when it happens again, people are told again. Returns how many notices it closed.
pub async fn close(tx: &mut Tx, business: BusinessId, dedupe_key: &str, now: DateTime<Utc>) -> Result<u64> {
    changed!(tx, CLOSE, business, dedupe_key, now)
}

const CLOSE_UNLESS_FAILING: &str = "
    UPDATE notices SET closed_at = $3 WHERE business_id = $1 AND dedupe_key = $2 AND closed_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM entries e JOIN bookings b ON b.id = e.booking_id
        WHERE e.connection_id = $4 AND e.state = 'failed' AND b.ends_at > $5)";

/// As `close`, unless there still are entries of the connection that could not be written and that somebody cares for:
/// else one booking that is refused for good would have people told anew after each other one that is written.
pub async fn close_unless_failing(
    tx: &mut Tx,
    (business, connection): (BusinessId, ConnectionId),
    dedupe_key: &str,
    now: DateTime<Utc>,
) -> Result<u64> {
    changed!(tx, CLOSE_UNLESS_FAILING, business, dedupe_key, now, connection, now - ABANDON_AFTER)
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

macro_rules! unsent {
    ($whose:literal) => {
        concat!(
            "SELECT id, kind, headline, detail, link, dedupe_key, created_at FROM notices
             WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL AND ",
            $whose,
            " ORDER BY created_at, id LIMIT $2"
        )
    };
}

const LIST_UNSENT_TO_STAFF: &str = unsent!("staff_id = $3");
const LIST_UNSENT_TO_MANAGERS: &str = unsent!("staff_id IS NULL");

/// What is open and was not sent to these people yet, the oldest first.
pub async fn unsent(db: &Db, business: BusinessId, audience: Audience, limit: u32) -> Result<Vec<Notice>> {
    let limit = i64::from(limit);
    Ok(match audience {
        Audience::Staff(staff) => all!(db, LIST_UNSENT_TO_STAFF, business, limit, staff)?,
        Audience::Managers => all!(db, LIST_UNSENT_TO_MANAGERS, business, limit)?,
    })
}

const OPEN_KEYS_OF_STAFF: &str = "
    SELECT dedupe_key FROM notices WHERE business_id = $1 AND staff_id = $2 AND closed_at IS NULL";

/// The keys of what is open for a staff member: who is a manager too is told once.
pub async fn open_keys_of_staff(db: &Db, business: BusinessId, staff: StaffId) -> Result<Vec<String>> {
    scalars!(db, OPEN_KEYS_OF_STAFF, business, staff)
}

const MARK_SENT: &str =
    "UPDATE notices SET notified_at = $3 WHERE business_id = $1 AND id = $2 AND notified_at IS NULL";

/// They are told of it by a mail that is written in the same transaction. `false`: somebody else told them.
pub async fn mark_sent(tx: &mut Tx, business: BusinessId, id: NoticeId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, MARK_SENT, business, id, now)? == 1)
}

const COUNT_UNSENT: &str = "
    SELECT COUNT(*) FROM notices WHERE business_id = $1 AND closed_at IS NULL AND notified_at IS NULL";

/// How many open notices of a business wait to be told.
pub async fn count_unsent(db: &Db, business: BusinessId) -> Result<i64> {
    scalar!(db, COUNT_UNSENT, business)
}
