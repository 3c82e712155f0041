//! Requests that may come twice: they are done once, and the answer to the first is the answer to all.
//!
//! `begin` claims the key before the work. The work runs inside of `during`: its first transaction that commits marks the
//! key as done, so that both are true or neither is, whatever becomes of the process. `finish` keeps the answer after it;
//! `forget` gives the key back when nothing was done through no fault of the caller.
//!
//! A process that dies after the work and before the answer leaves a key that is done: who repeats the request is told so,
//! and what it was done to. One that dies before leaves a key that nobody renews: after `ABANDON_TIMEOUT` it is taken over,
//! and were its owner alive after all, frozen or with another clock, their commit would find that and never be.
//!
//! Work of several transactions, each of which finds out for itself whether it is done, runs `in_parts`.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{audit::HistorySubject, ids::BusinessId};
use uuid::Uuid;

pub use crate::tx::idempotent_work::{IdempotentWork, KeyedRequest};
use crate::{
    Db, Result, StorageError, Tx,
    seal::{AssociatedData, Keyring},
};

/// For how long an answer is kept.
pub const KEPT_FOR: Duration = Duration::hours(24);

/// After so long without a sign of life whoever began is taken for dead. However long a request takes, it gives signs.
pub const ABANDON_TIMEOUT: Duration = Duration::seconds(30);

/// That a request was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedRequest {
    /// When the attempt began that did it.
    pub at: DateTime<Utc>,
    /// What it was done to, as the history has it.
    pub subject: Option<(HistorySubject, Uuid)>,
}

/// Whether there is anything to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    Fresh,
    /// It was decided; answer this.
    Repeat {
        status: u16,
        /// What `finish` was given.
        response: String,
        /// `None`: nothing was done, such as by a request that was refused.
        done: Option<CompletedRequest>,
    },
    /// It was done, and its answer was lost.
    Done(CompletedRequest),
    /// Another one is doing it right now.
    UnderWay {
        /// When it is worth while to ask again: soon at first, later and later then, and when it would be taken over.
        ask_again: Duration,
    },
    /// The key was used for another request.
    Mismatch,
}

// An answer that is no longer kept is as none; an attempt that was given up may be taken over by the same request.
const BEGIN: &str = "
    INSERT INTO idempotency_keys (business_id, key, request_hash, created_at, lease_until)
    VALUES ($1, $2, $3, $4, $6)
    ON CONFLICT (business_id, key) DO UPDATE SET
        request_hash = excluded.request_hash, status = NULL, response = NULL, done_at = NULL, subject_kind = NULL,
        subject_id = NULL, created_at = excluded.created_at, lease_until = excluded.lease_until
    WHERE idempotency_keys.created_at <= $5
       OR (idempotency_keys.status IS NULL AND idempotency_keys.done_at IS NULL
           AND COALESCE(idempotency_keys.lease_until, idempotency_keys.created_at) <= excluded.created_at
           AND idempotency_keys.request_hash = excluded.request_hash)";
const FIND_CLAIM: &str = "
    SELECT request_hash, status, response, created_at, lease_until, done_at, subject_kind, subject_id
    FROM idempotency_keys WHERE business_id = $1 AND key = $2";

#[derive(sqlx_macros::FromRow)]
struct IdempotencyRow {
    request_hash: String,
    status: Option<i64>,
    response: Option<String>,
    created_at: DateTime<Utc>,
    lease_until: Option<DateTime<Utc>>,
    done_at: Option<DateTime<Utc>>,
    subject_kind: Option<HistorySubject>,
    subject_id: Option<Uuid>,
}

impl IdempotencyRow {
    fn done(&self) -> Option<CompletedRequest> {
        self.done_at.map(|at| CompletedRequest { at, subject: self.subject_kind.zip(self.subject_id) })
    }

    fn begun(self, now: DateTime<Utc>) -> Result<KeyClaim> {
        let done = self.done();
        if let Some(status) = self.status {
            let status =
                u16::try_from(status).map_err(|_| StorageError::Inconsistent { what: "stored answer" })?;
            return Ok(KeyClaim::Repeat { status, response: self.response.unwrap_or_default(), done });
        }
        let left = self.lease_until.unwrap_or(self.created_at) - now;
        match done {
            Some(done) if left <= Duration::zero() => Ok(KeyClaim::Done(done)),
            // What was done has its answer within a moment, or its process is dead.
            Some(_) | None => {
                let age = (now - self.created_at).clamp(Duration::seconds(1), ABANDON_TIMEOUT);
                Ok(KeyClaim::UnderWay { ask_again: age.min(left).max(Duration::seconds(1)) })
            }
        }
    }
}

/// Claims the key for this attempt, or says what became of an earlier one. Commit before the work: other attempts are
/// then told that it is under way instead of waiting.
pub async fn begin(tx: &mut Tx, request: &KeyedRequest) -> Result<KeyClaim> {
    if changed!(tx, BEGIN;
        request.business, &request.key, &request.request_hash, request.began_at,
        request.began_at - KEPT_FOR, request.began_at + ABANDON_TIMEOUT
    )? == 1
    {
        return Ok(KeyClaim::Fresh);
    }
    let row: Option<IdempotencyRow> = optional!(tx, FIND_CLAIM, request.business, &request.key)?;
    // Forgotten between the two statements.
    let row = row.ok_or(StorageError::Busy)?;
    if row.request_hash != request.request_hash {
        return Ok(KeyClaim::Mismatch);
    }
    row.begun(request.began_at)
}

const RENEW: &str = "
    UPDATE idempotency_keys SET lease_until = $5
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL";

/// A sign of life, to be given several times within `ABANDON_TIMEOUT`.
pub async fn renew(db: &Db, request: &KeyedRequest, now: DateTime<Utc>) -> Result<()> {
    in_tx!(db, async_commit, tx => set_alive(&mut tx, request, now + ABANDON_TIMEOUT).await)
}

async fn set_alive(tx: &mut Tx, request: &KeyedRequest, until: DateTime<Utc>) -> Result<()> {
    exec!(tx, RENEW, request.business, &request.key, &request.request_hash, request.began_at, until)
}

const RELEASE_FORMER: &str = "UPDATE idempotency_keys SET lease_until = created_at WHERE status IS NULL";

/// Takes all requests under way for dead, where no other process answers any. Returns how many.
pub async fn release_former(tx: &mut Tx) -> Result<u64> {
    changed!(tx, RELEASE_FORMER)
}

/// Does the work that a key stands for: the first transaction that it commits marks the key as done.
pub async fn during<T>(request: &KeyedRequest, work: impl Future<Output = T>) -> T {
    IdempotentWork::for_key(request).go_on(work).await
}

/// Does work that is more than one transaction, none of which does a second time what is done. A repetition after a crash
/// goes on where it ended.
pub async fn in_parts<T>(work: impl Future<Output = T>) -> T {
    IdempotentWork::current().in_parts().go_on(work).await
}

const FINISH: &str = "
    UPDATE idempotency_keys SET status = $5, response = $6
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL";

/// Keeps the answer. `NotFound`: the attempt was taken for dead and another took over; roll back.
pub async fn finish(tx: &mut Tx, request: &KeyedRequest, status: u16, response: &str) -> Result<()> {
    must_change!(tx, FINISH;
        request.business, &request.key, &request.request_hash, request.began_at, i64::from(status),
        response
    )
}

const ABANDON: &str = "
    DELETE FROM idempotency_keys
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL
        AND done_at IS NULL";

/// The attempt has ended without an answer to be kept. If nothing was done, the next one is fresh; else it is told that it
/// was done. Leaves alone what another attempt has taken over.
pub async fn forget(db: &Db, request: &KeyedRequest) -> Result<()> {
    let mut tx = db.begin().await?;
    exec!(tx, ABANDON, request.business, &request.key, &request.request_hash, request.began_at)?;
    set_alive(&mut tx, request, request.began_at).await?;
    tx.commit().await
}

const DISCARD: &str = "
    DELETE FROM idempotency_keys
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND status IS NOT NULL AND response = $4
        AND done_at IS NULL";

/// Forgets an answer that nobody can read any more, to a request by which nothing was done: the next attempt is fresh.
/// Leaves alone any other answer.
pub async fn discard(db: &Db, request: &KeyedRequest, response: &str) -> Result<()> {
    in_tx!(db, tx => exec!(tx, DISCARD, request.business, &request.key, &request.request_hash, response))
}

/// What the answers of a business are sealed for.
pub fn place(business: BusinessId) -> AssociatedData {
    AssociatedData { column: "idempotency_keys.response", row: business.0 }
}

/// Answers are large: so many are held in memory at a time.
const RESEAL_BATCH: i64 = 100;
const KEPT: &str = "
    SELECT business_id, key, response FROM idempotency_keys
    WHERE response IS NOT NULL AND (business_id, key) > ($1, $2) ORDER BY business_id, key LIMIT $3";
// Not if it has been done again meanwhile.
const RESEAL: &str =
    "UPDATE idempotency_keys SET response = $4 WHERE business_id = $1 AND key = $2 AND response = $3";

/// Seals again, with the current key, all answers that an older key sealed. Returns how many. Those that no key opens
/// are as good as not kept, and stay as they are.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let mut changed = 0;
    let mut after = (BusinessId(Uuid::nil()), String::new());
    loop {
        let rows: Vec<(BusinessId, String, String)> = all!(tx, KEPT, after.0, &after.1, RESEAL_BATCH)?;
        let Some((business, key, _)) = rows.last() else { return Ok(changed) };
        after = (*business, key.clone());
        for (business, key, sealed) in rows {
            let Ok(Some(again)) = ring.reseal(&sealed, place(business)) else { continue };
            changed += changed!(tx, RESEAL, business, key, sealed, again)?;
        }
    }
}
