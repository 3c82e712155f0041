//! What people choose to be told of by mail, and what each of them was sent.
//!
//! A recipient is a user, or a staff member who is none; the business itself stands for those who have chosen nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{AlertId, BusinessId, NoticeId},
    job::{JobKind, QueueClass},
    notification::NotificationChoices,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Db, Result, Tx,
    jobs::{self, JobRef, NewJob},
};

const CHOICES: &str = "SELECT owner_id, choices FROM notification_choices WHERE business_id = $1";

#[derive(sqlx_macros::FromRow)]
struct ChoicesRow {
    owner_id: Uuid,
    #[sqlx(json)]
    choices: NotificationChoices,
}

/// What the people of a business and the business itself have chosen, by the ids of those who have.
pub async fn choices(db: &Db, business: BusinessId) -> Result<BTreeMap<Uuid, NotificationChoices>> {
    let rows: Vec<ChoicesRow> = all!(db, CHOICES, business)?;
    Ok(rows.into_iter().map(|row| (row.owner_id, row.choices)).collect())
}

const CHOICES_OF: &str = "
    SELECT owner_id, choices FROM notification_choices WHERE business_id = $1 AND owner_id = $2";

/// What one of them has chosen.
pub async fn choices_of(tx: &mut Tx, business: BusinessId, owner: Uuid) -> Result<NotificationChoices> {
    let row: Option<ChoicesRow> = optional!(tx, CHOICES_OF, business, owner)?;
    Ok(row.map(|row| row.choices).unwrap_or_default())
}

const SET_CHOICES: &str = "
    INSERT INTO notification_choices (business_id, owner_id, choices, changed_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (business_id, owner_id) DO UPDATE SET choices = excluded.choices, changed_at = excluded.changed_at";

/// Keeps what one of them has chosen, and plans what they are sent anew; the caller pushes what this returns after the
/// commit.
pub async fn set_choices(
    tx: &mut Tx,
    business: BusinessId,
    owner: Uuid,
    choices: &NotificationChoices,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    exec!(tx, SET_CHOICES, business, owner, Json(choices), now)?;
    enqueue(tx, business, now, now).await
}

/// Enqueues the job that tells the people of a business.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    business: BusinessId,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let job = NewJob {
        business: Some(business),
        kind: JobKind::Notify,
        subject: business.0,
        queue: QueueClass::Poll,
        due_at,
    };
    jobs::enqueue(tx, job, now).await
}

const LAST_DIGESTS: &str =
    "SELECT recipient_id, last_digest_at FROM digest_recipients WHERE business_id = $1";

/// When each who was ever sent a digest was last.
pub async fn last_digests(db: &Db, business: BusinessId) -> Result<BTreeMap<Uuid, DateTime<Utc>>> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = all!(db, LAST_DIGESTS, business)?;
    Ok(rows.into_iter().collect())
}

const RECORD_DIGEST: &str = "
    INSERT INTO digest_recipients (business_id, recipient_id, last_digest_at) VALUES ($1, $2, $3)
    ON CONFLICT (business_id, recipient_id) DO UPDATE SET last_digest_at = excluded.last_digest_at";
const CREATE_LINK: &str = "
    INSERT INTO digest_links (token_hash, business_id, recipient_id, created_at) VALUES ($1, $2, $3, $4)";

/// Notes that somebody is sent a digest, and the digest of the token by which they can turn them off.
pub async fn record_digest(
    tx: &mut Tx,
    business: BusinessId,
    recipient: Uuid,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, RECORD_DIGEST, business, recipient, now)?;
    exec!(tx, CREATE_LINK, token_hash, business, recipient, now)
}

/// Whose digests a link turns off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct DigestLink {
    pub business_id: BusinessId,
    /// A user, or a staff member who is none.
    pub recipient_id: Uuid,
}

const FIND_LINK: &str = "SELECT business_id, recipient_id FROM digest_links WHERE token_hash = $1";

/// Whose digests the link with this token's digest turns off; `None`: it is nobody's, or too old.
pub async fn find_digest_link(db: &Db, token_hash: &str) -> Result<Option<DigestLink>> {
    optional!(db, FIND_LINK, token_hash)
}

const DELIVERED: &str = "
    SELECT d.notice_id, d.recipient_id FROM notices n JOIN notice_deliveries d ON d.notice_id = n.id
    WHERE n.business_id = $1 AND n.closed_at IS NULL AND n.notified_at IS NULL";

/// Who was sent what of that which is open and somebody has not been sent yet.
pub async fn delivered(db: &Db, business: BusinessId) -> Result<BTreeSet<(NoticeId, Uuid)>> {
    let rows: Vec<(NoticeId, Uuid)> = all!(db, DELIVERED, business)?;
    Ok(rows.into_iter().collect())
}

const RECORD_DELIVERY: &str = "
    INSERT INTO notice_deliveries (notice_id, recipient_id, business_id, sent_at, mail_key)
    SELECT n.id, $3, n.business_id, $4, $5 FROM notices n WHERE n.business_id = $1 AND n.id = $2 AND n.closed_at IS NULL
    ON CONFLICT (notice_id, recipient_id) DO NOTHING";

/// Somebody is sent a notice by the mail of that key, which is written in the same transaction; `None`: they
/// have read the same in another one. `false`: it has closed, or another worker
/// has sent it.
pub async fn record_delivery(
    tx: &mut Tx,
    business: BusinessId,
    (notice, recipient): (NoticeId, Uuid),
    mail_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(changed!(tx, RECORD_DELIVERY, business, notice, recipient, now, mail_key)? == 1)
}

const TELL_AGAIN: &str = "
    UPDATE notices SET notified_at = NULL
    WHERE closed_at IS NULL AND id IN (SELECT notice_id FROM notice_deliveries WHERE mail_key = $1)";
// Who has read no digest since need not wait for the next day of theirs.
const FORGET_DIGEST: &str = "
    DELETE FROM digest_recipients
    WHERE business_id = $1 AND recipient_id IN (SELECT recipient_id FROM notice_deliveries WHERE mail_key = $2)";
const FORGET_DELIVERIES: &str = "DELETE FROM notice_deliveries WHERE mail_key = $1";

/// The mail of that key was taken back before it left: what it told is told by another one.
pub(crate) async fn tell_again(
    tx: &mut Tx,
    business: BusinessId,
    mail_key: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, TELL_AGAIN, mail_key)?;
    exec!(tx, FORGET_DIGEST, business, mail_key)?;
    exec!(tx, FORGET_DELIVERIES, mail_key)?;
    // The sweep brings it.
    enqueue(tx, business, now, now).await.map(drop)
}

const SENT_OF_ALERT: &str = "
    SELECT DISTINCT d.recipient_id FROM notices n JOIN notice_deliveries d ON d.notice_id = n.id
    WHERE n.alert_id = $2 AND n.business_id = $1";

/// Who was sent anything of an alert.
pub async fn sent_of_alert(db: &Db, business: BusinessId, alert: AlertId) -> Result<BTreeSet<Uuid>> {
    let rows: Vec<Uuid> = scalars!(db, SENT_OF_ALERT, business, alert)?;
    Ok(rows.into_iter().collect())
}
