//! Requests that may come twice: the answer to the first is the answer to all.
//!
//! `begin` before the work, `finish` after it, `forget` when it failed through no fault of the caller, so that they may
//! try again. `finish` has a transaction of its own, so nothing may stop a caller between the work and it: run all three
//! where neither a reader who hangs up nor a time limit ends them. A process that dies in between, or a database
//! that stays away, leaves a key that says "under way", which is taken over after `ABANDONED_AFTER`: only then is the
//! work done twice.

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::BusinessId;
use uuid::Uuid;

use crate::{
    Db, StorageError, Tx, on_db,
    seal::{Keyring, Place},
};

/// For how long an answer is kept.
pub const KEPT_FOR: Duration = Duration::hours(24);

/// After this time whoever began is taken for dead.
pub const ABANDONED_AFTER: Duration = Duration::seconds(60);

/// One request of a caller who gave a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyedRequest<'a> {
    /// The tenant.
    pub business: BusinessId,
    /// What the caller gave.
    pub key: &'a str,
    /// A digest of method, path and body.
    pub request_hash: &'a str,
    /// When this attempt began: it tells the attempts of one request apart.
    pub began_at: DateTime<Utc>,
}

/// Whether there is anything to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Do it.
    Fresh,
    /// It was done; answer this.
    Repeat {
        /// The HTTP status.
        status: u16,
        /// What `finish` was given.
        response: String,
    },
    /// Another one is doing it right now.
    UnderWay,
    /// The key was used for another request.
    Mismatch,
}

// An answer that is no longer kept is as none; an attempt that was given up may be taken over by the same request.
const BEGIN: &str = "
    INSERT INTO idempotency_keys (business_id, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (business_id, key) DO UPDATE SET
        request_hash = excluded.request_hash, status = NULL, response = NULL, created_at = excluded.created_at
    WHERE idempotency_keys.created_at <= $5
       OR (idempotency_keys.status IS NULL AND idempotency_keys.created_at <= $6
           AND idempotency_keys.request_hash = excluded.request_hash)";
const STANDING: &str = "
    SELECT request_hash, status, response FROM idempotency_keys WHERE business_id = $1 AND key = $2";

#[derive(sqlx::FromRow)]
struct Row {
    request_hash: String,
    status: Option<i64>,
    response: Option<String>,
}

/// Claims the key for this attempt, or says what became of an earlier one. Commit before the work: other attempts are
/// then told that it is under way instead of waiting.
pub async fn begin(tx: &mut Tx, request: &KeyedRequest<'_>) -> Result<Begun, StorageError> {
    let claimed = on_db!(tx, c => sqlx::query(BEGIN)
        .bind(request.business)
        .bind(request.key)
        .bind(request.request_hash)
        .bind(request.began_at)
        .bind(request.began_at - KEPT_FOR)
        .bind(request.began_at - ABANDONED_AFTER)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if claimed == 1 {
        return Ok(Begun::Fresh);
    }
    let row: Option<Row> = on_db!(tx, c => sqlx::query_as(STANDING)
        .bind(request.business)
        .bind(request.key)
        .fetch_optional(c)
        .await)?;
    // Forgotten between the two statements.
    let row = row.ok_or(StorageError::Busy)?;
    if row.request_hash != request.request_hash {
        return Ok(Begun::Mismatch);
    }
    let Some(status) = row.status else { return Ok(Begun::UnderWay) };
    let status = u16::try_from(status).map_err(|_| StorageError::Inconsistent { what: "stored answer" })?;
    Ok(Begun::Repeat { status, response: row.response.unwrap_or_default() })
}

const FINISH: &str = "
    UPDATE idempotency_keys SET status = $5, response = $6
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL";

/// Keeps the answer. `NotFound`: the attempt was taken for dead and another took over; roll back.
pub async fn finish(
    tx: &mut Tx,
    request: &KeyedRequest<'_>,
    status: u16,
    response: &str,
) -> Result<(), StorageError> {
    let kept = on_db!(tx, c => sqlx::query(FINISH)
        .bind(request.business)
        .bind(request.key)
        .bind(request.request_hash)
        .bind(request.began_at)
        .bind(i64::from(status))
        .bind(response)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if kept == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const FORGET: &str = "
    DELETE FROM idempotency_keys
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL";

/// The attempt came to nothing: the next one is fresh. Leaves alone what another attempt has taken over.
pub async fn forget(db: &Db, request: &KeyedRequest<'_>) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    on_db!(tx, c => sqlx::query(FORGET)
        .bind(request.business)
        .bind(request.key)
        .bind(request.request_hash)
        .bind(request.began_at)
        .execute(c)
        .await
        .map(drop))?;
    tx.commit().await
}

const DISCARD: &str = "
    DELETE FROM idempotency_keys
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND status IS NOT NULL AND response = $4";

/// Forgets an answer that nobody can read any more: the next attempt is fresh. Leaves alone any other answer.
pub async fn discard(db: &Db, request: &KeyedRequest<'_>, response: &str) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    on_db!(tx, c => sqlx::query(DISCARD)
        .bind(request.business)
        .bind(request.key)
        .bind(request.request_hash)
        .bind(response)
        .execute(c)
        .await
        .map(drop))?;
    tx.commit().await
}

/// What the answers of a business are sealed for.
pub fn place(business: BusinessId) -> Place {
    Place { column: "idempotency_keys.response", row: business.0 }
}

/// Answers are large: so many are held in memory at a time.
const RESEALED_AT_ONCE: i64 = 100;
const KEPT: &str = "
    SELECT business_id, key, response FROM idempotency_keys
    WHERE response IS NOT NULL AND (business_id, key) > ($1, $2) ORDER BY business_id, key LIMIT $3";
// Not if it has been done again meanwhile.
const RESEAL: &str =
    "UPDATE idempotency_keys SET response = $4 WHERE business_id = $1 AND key = $2 AND response = $3";

/// Seals again, with the current key, all answers that an older key sealed. Returns how many. Those that no key opens
/// are as good as not kept, and stay as they are.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64, StorageError> {
    let mut changed = 0;
    let mut after = (BusinessId(Uuid::nil()), String::new());
    loop {
        let rows: Vec<(BusinessId, String, String)> = on_db!(tx, c => sqlx::query_as(KEPT)
            .bind(after.0)
            .bind(&after.1)
            .bind(RESEALED_AT_ONCE)
            .fetch_all(c)
            .await)?;
        let Some((business, key, _)) = rows.last() else { return Ok(changed) };
        after = (*business, key.clone());
        for (business, key, sealed) in rows {
            let Some(again) = again(ring, business, &sealed) else { continue };
            changed += on_db!(tx, c => sqlx::query(RESEAL)
                .bind(business)
                .bind(key)
                .bind(sealed)
                .bind(again)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
        }
    }
}

fn again(ring: &Keyring, business: BusinessId, sealed: &str) -> Option<String> {
    if ring.is_current(sealed) {
        return None;
    }
    let answer = ring.open(sealed, place(business)).ok()?;
    Some(ring.seal(&answer, place(business)))
}
