//! What a process holds of jobs: kept while a long run lasts, and given back.

use chrono::{DateTime, Utc};

use super::{ClaimedJob, urgency};
use crate::{Db, Result, Tx};

const RENEW_LEASE: &str = concat!(
    "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND leased_by = $2
    RETURNING EXISTS (SELECT 1 FROM jobs d WHERE d.key_id = jobs.key_id AND d.state <> 'done' AND d.leased_by IS NULL
        AND d.kind IN ('sync_booking', 'delete_booking') AND d.due_at <= $4 AND ",
    urgency!("d.queue"),
    " = 0 AND NOT EXISTS (SELECT 1 FROM job_keys k WHERE k.id = d.key_id AND k.wait_until > $4))"
);

/// What has come of keeping a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRenewal {
    /// It was lost: stop.
    Lost,
    Held {
        /// Whether an entry of the key is to be written that somebody waits for.
        urgent_is_due: bool,
    },
}

impl LeaseRenewal {
    /// Whether the lease holds.
    pub fn is_held(self) -> bool {
        self != Self::Lost
    }
}

/// Keeps a long run's lease.
pub async fn extend(
    db: &Db,
    claimed: &ClaimedJob,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<LeaseRenewal> {
    in_tx!(db, async_commit, tx => renew_lease_in(&mut tx, claimed, lease_until, now).await)
}

/// The same in a transaction that writes what only who holds the lease may write: if it was lost, drop that.
pub async fn renew_lease_in(
    tx: &mut Tx,
    claimed: &ClaimedJob,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<LeaseRenewal> {
    let urgent_is_due: Option<bool> =
        optional_scalar!(tx, RENEW_LEASE, claimed.id, &claimed.leased_by, lease_until, now)?;
    Ok(urgent_is_due.map_or(LeaseRenewal::Lost, |urgent_is_due| LeaseRenewal::Held { urgent_is_due }))
}

const RELEASE: &str = "
    UPDATE jobs SET lease_until = NULL, leased_by = NULL,
        attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END
    WHERE leased_by LIKE $1 AND leased_by IS NOT NULL";

/// Gives back all that a worker holds, when it stops: `worker` is what its leases begin with.
pub async fn release_leases_of_worker(db: &Db, worker: &str) -> Result<u64> {
    in_tx!(db, tx => changed!(tx, RELEASE, format!("{worker}#%")))
}

const RELEASE_ALL_LEASES: &str = "
    UPDATE jobs SET lease_until = NULL, leased_by = NULL WHERE leased_by IS NOT NULL";

/// Gives back all that anybody holds: for the start of a process that is the only one, so that whoever held it is dead.
/// The tries that ended with them count: one of them may be what they died of.
pub async fn release_former(tx: &mut Tx) -> Result<u64> {
    changed!(tx, RELEASE_ALL_LEASES)
}
