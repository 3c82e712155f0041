//! What was written, or could not be.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::EntryState,
    ids::{CalendarId, EntryId},
    sync::outside::Shape,
};
use sqlx::types::Json;

use crate::{Db, StorageError, Tx, on_db};

const BEGIN_WRITE: &str = "UPDATE entries SET attempted = TRUE, content_hash = NULL, in_doubt = TRUE, external_id = $2 WHERE id = $1";

/// Before a call that writes: its answer may be lost, and then nobody knows what stands there.
/// `external_id`: by what it is found if the answer is lost; ours, where the provider is to give out a new one.
pub async fn begin_write(db: &Db, id: EntryId, external_id: &str) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    on_db!(tx, c => sqlx::query(BEGIN_WRITE).bind(id).bind(external_id).execute(c).await.map(drop))?;
    tx.commit().await
}

const END_DOUBT: &str = "UPDATE entries SET in_doubt = FALSE WHERE id = $1";

/// The write that was begun was refused: what stands there is not ours.
pub async fn end_doubt(db: &Db, id: EntryId) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    on_db!(tx, c => sqlx::query(END_DOUBT).bind(id).execute(c).await.map(drop))?;
    tx.commit().await
}

/// What a write left behind.
#[derive(Clone, Debug)]
pub struct WrittenEntry<'a> {
    /// The provider's id of it: ours, or one that the provider gave it.
    pub external_id: &'a str,
    /// For the next conditional write.
    pub etag: &'a str,
    /// The digest of what was written.
    pub content_hash: &'a str,
    /// Of the booking.
    pub version: i64,
    /// What it says now.
    pub shape: &'a Shape,
}

/// The state says `synced` only if nothing newer waits: the booking may have been cancelled while it was written.
const RECORD_WRITTEN: &str = "
    UPDATE entries SET external_id = $7, base = $8, etag = $2, content_hash = $3, written_version = $4, written_at = $5, attempted = TRUE, in_doubt = FALSE,
        last_error = NULL,
        state = CASE WHEN wanted AND $4 >= (SELECT version FROM bookings WHERE id = entries.booking_id)
            THEN 'synced' ELSE 'pending' END
    WHERE id = $1 AND calendar_id = $6";

/// It stands at the provider as written, in `calendar`. If it belongs into another one by now, nothing is known of it.
pub async fn record_written(
    tx: &mut Tx,
    (id, calendar): (EntryId, CalendarId),
    written: &WrittenEntry<'_>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(RECORD_WRITTEN)
        .bind(id)
        .bind(written.etag)
        .bind(written.content_hash)
        .bind(written.version)
        .bind(now)
        .bind(calendar)
        .bind(written.external_id)
        .bind(Json(written.shape))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const RECORD_REMOVED: &str = "
    UPDATE entries SET etag = NULL, base = NULL, in_doubt = FALSE, content_hash = $2, written_version = NULL, written_at = $3, last_error = NULL,
        state = CASE WHEN wanted THEN 'pending' ELSE 'removed' END
    WHERE id = $1 AND calendar_id = $4";

/// It no longer stands in `calendar`. `content_hash` is the plan's mark of that.
pub async fn record_removed(
    tx: &mut Tx,
    (id, calendar): (EntryId, CalendarId),
    content_hash: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(RECORD_REMOVED)
        .bind(id)
        .bind(content_hash)
        .bind(now)
        .bind(calendar)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const NOTE_SEEN: &str = "
    UPDATE entries SET etag = $3, base = $4, content_hash = CASE WHEN $5 THEN content_hash END
    WHERE id = $1 AND etag IS NOT DISTINCT FROM $2";

/// What a person left there is known by now: the same is not dealt with again, and the next write names its version.
/// `shape`: what it says, `None` if it is gone. `is_as_written`: nothing that we write was changed. `false`: it was written
/// since it was seen at `before`, and what was seen is no more.
pub async fn note_seen(
    tx: &mut Tx,
    id: EntryId,
    before: Option<&str>,
    (etag, shape): (Option<&str>, Option<&Shape>),
    is_as_written: bool,
) -> Result<bool, StorageError> {
    let rows = on_db!(tx, c => sqlx::query(NOTE_SEEN)
        .bind(id)
        .bind(before)
        .bind(etag)
        .bind(shape.map(Json))
        .bind(is_as_written)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

const LET_BE: &str = "
    UPDATE entries SET wanted = FALSE, state = 'removed', in_doubt = FALSE, etag = NULL, base = NULL, content_hash = NULL, last_error = NULL
    WHERE id = $1";

/// It is gone, and nobody misses it: the booking is over. It is written again if the booking changes.
pub async fn let_be(tx: &mut Tx, id: EntryId) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(LET_BE).bind(id).execute(c).await.map(drop))?;
    Ok(())
}

const UNWANT: &str = "
    UPDATE entries SET wanted = FALSE
    WHERE id = $1 AND EXISTS (SELECT 1 FROM connections c WHERE c.id = entries.connection_id AND c.state = 'disconnected')";

/// It goes with its connection, whatever the booking wants; unless that has been connected again.
pub async fn unwant(tx: &mut Tx, id: EntryId) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(UNWANT).bind(id).execute(c).await.map(drop))?;
    Ok(())
}

const RECORD_FAILURE: &str = "UPDATE entries SET state = $2, last_error = $3, in_doubt = $4 WHERE id = $1";

/// A try failed; `state` says whether for good, and `in_doubt` whether a write may have been carried out all the same.
pub async fn record_failure(
    tx: &mut Tx,
    id: EntryId,
    state: EntryState,
    reason: &str,
    in_doubt: bool,
) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(RECORD_FAILURE).bind(id).bind(state).bind(reason).bind(in_doubt).execute(c).await.map(drop))?;
    Ok(())
}
