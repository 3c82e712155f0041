//! Who changed what, when. Nothing is ever changed in it; what is older than `retention.history_days` goes.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::HistorySubject,
    ids::{BusinessId, HistoryId},
    people::Actor,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Db, Page, PageRequest, Result, Tx, sync_log::newest, tx::idempotent_work};

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub struct NewHistoryEntry<'a> {
    pub business: BusinessId,
    pub actor: &'a Actor,
    /// What they did, such as `created`.
    pub action: &'a str,
    /// To what sort of thing.
    pub subject_kind: HistorySubject,
    pub subject: Uuid,
    /// What changed, for the page that shows it; no secrets.
    pub detail: &'a serde_json::Value,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, sqlx_macros::FromRow)]
pub struct HistoryEntry {
    pub id: HistoryId,
    #[sqlx(json)]
    pub actor: Actor,
    pub action: String,
    /// To what sort of thing.
    pub subject_kind: HistorySubject,
    pub subject_id: Uuid,
    #[sqlx(json)]
    pub detail: serde_json::Value,
    pub at: DateTime<Utc>,
}

const APPEND: &str = "
    INSERT INTO history (id, business_id, actor, action, subject_kind, subject_id, detail, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Writes a change down, in the transaction that makes it.
pub async fn append(tx: &mut Tx, line: &NewHistoryEntry<'_>, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, APPEND;
        HistoryId::new(now), line.business, Json(line.actor), line.action, line.subject_kind,
        line.subject, Json(line.detail), now
    )?;
    idempotent_work::names(line.subject_kind, line.subject);
    Ok(())
}

macro_rules! lines_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, actor, action, subject_kind, subject_id, detail, at FROM history WHERE business_id = $1
             AND (at, id) < ($2, $3) ",
            $condition,
            " ORDER BY at DESC, id DESC LIMIT $4"
        )
    };
}

const OF_BUSINESS: &str = lines_where!("");
const OF_SUBJECT: &str = lines_where!("AND subject_id = $5");

/// What was changed in a business, newest first.
pub async fn list(db: &Db, business: BusinessId, ask: &PageRequest) -> Result<Page<HistoryEntry>> {
    let (at, id) = ask.after_key::<(DateTime<Utc>, Uuid)>()?.unwrap_or_else(newest);
    let lines = all!(db, OF_BUSINESS, business, at, id, ask.fetch())?;
    Ok(Page::cut(lines, ask, cursor_key))
}

/// What was changed of one booking, resource ..., newest first.
pub async fn list_for_subject(
    db: &Db,
    business: BusinessId,
    subject: Uuid,
    ask: &PageRequest,
) -> Result<Page<HistoryEntry>> {
    let (at, id) = ask.after_key::<(DateTime<Utc>, Uuid)>()?.unwrap_or_else(newest);
    let lines = all!(db, OF_SUBJECT, business, at, id, ask.fetch(), subject)?;
    Ok(Page::cut(lines, ask, cursor_key))
}

fn cursor_key(line: &HistoryEntry) -> (DateTime<Utc>, Uuid) {
    (line.at, line.id.0)
}
