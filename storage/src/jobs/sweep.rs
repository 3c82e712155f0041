//! What the sweep finds: leases that have run out, and what is due.

use chrono::{DateTime, Utc};
use concord_domain::{ids::JobId, job::QueueClass};

use super::{
    JobRef,
    keys::{least_urgent, next},
    urgency,
};
use crate::{Db, Result};

const HAS_EXPIRED: &str =
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE lease_until <= $1 AND leased_by IS NOT NULL)";
const RELEASE_EXPIRED: &str =
    "UPDATE jobs SET lease_until = NULL, leased_by = NULL WHERE lease_until <= $1 AND leased_by IS NOT NULL";

/// Ends the leases that have run out: whoever held them was dead or frozen for so long. The tries that ended with them
/// count: one of them may be what they died of. Returns how many.
pub async fn release_expired(db: &Db, now: DateTime<Utc>) -> Result<u64> {
    // Nearly always there is none, and SQLite's one writer need not be waited for.
    if !scalar!(db, HAS_EXPIRED, now)? {
        return Ok(0);
    }
    in_tx!(db, async_commit, tx => changed!(tx, RELEASE_EXPIRED, now))
}

macro_rules! in_turn {
    () => {
        concat!(
            "j.id, j.kind, j.queue, j.version, j.key_id, j.business_id, j.due_at, ",
            urgency!("j.queue"),
            " AS urgency"
        )
    };
}

// Jobs of keys are many where a provider is away: of them only an index is read, by which keys have something due; of each
// key one job is enough, as whoever comes for it takes the others too. The businesses take turns.
const LIST_DUE: &str = concat!(
    "WITH in_turn AS (
        SELECT ",
    in_turn!(),
    " FROM (SELECT DISTINCT key_id FROM jobs WHERE due_at <= $2 AND key_id IS NOT NULL) i
        JOIN jobs j ON j.id = (",
    next!("i.key_id", "d.id", ""),
    ")
        UNION ALL
        SELECT ",
    in_turn!(),
    " FROM jobs j
        WHERE j.due_at <= $2 AND j.key_id IS NULL AND j.state <> 'done' AND j.leased_by IS NULL
    )
    SELECT id, kind, queue, version, key_id FROM (
        SELECT id, kind, queue, version, key_id, due_at, urgency,
            ROW_NUMBER() OVER (PARTITION BY business_id, urgency ORDER BY due_at, id) AS of_business
        FROM in_turn
    ) turns ORDER BY urgency, of_business, due_at, id LIMIT $1"
);

/// What is due and unclaimed, of each key its most urgent job: what people wait for first, then the longest due, a job of
/// each business in turn.
pub async fn due(db: &Db, now: DateTime<Utc>, limit: u32) -> Result<Vec<JobRef>> {
    all!(db, LIST_DUE, i64::from(limit), now, least_urgent(QueueClass::Bulk), None::<JobId>)
}
