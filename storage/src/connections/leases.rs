//! One refresher of a connection's token at a time, across processes. Who dies loses the right by time. Its one writer is who
//! holds the lease of its key (`jobs`).

use chrono::{DateTime, Utc};
use concord_domain::ids::ConnectionId;

use crate::{Db, Result, Tx};

const RELEASE_ALL_REFRESH_LEASES: &str = "
    UPDATE connections SET refresh_lease_until = NULL, refresh_leased_by = NULL WHERE refresh_lease_until IS NOT NULL";

/// Ends everybody's right to refresh: for the start of a process that is the only one.
pub async fn release_all_refresh_leases(tx: &mut Tx) -> Result<()> {
    exec!(tx, RELEASE_ALL_REFRESH_LEASES)
}

const ACQUIRE_REFRESH_LEASE: &str = "
    UPDATE connections SET refresh_lease_until = $2, refresh_leased_by = $4
    WHERE id = $1 AND (refresh_lease_until IS NULL OR refresh_lease_until <= $3)";
const RELEASE_REFRESH_LEASE: &str = "
    UPDATE connections SET refresh_lease_until = NULL, refresh_leased_by = NULL
    WHERE id = $1 AND refresh_leased_by = $2";

/// Becomes the one who refreshes the token. `false`: somebody is at it, wait and read again.
pub async fn acquire_refresh_lease(
    db: &Db,
    id: ConnectionId,
    holder: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let rows = in_tx!(db, tx => changed!(tx, ACQUIRE_REFRESH_LEASE, id, until, now, holder))?;
    Ok(rows == 1)
}

/// Gives up a refresh that brought nothing; `store_tokens` ends one that did. Where it took so long that somebody else is at
/// it by now, it is theirs.
pub async fn release_refresh_lease(db: &Db, id: ConnectionId, holder: &str) -> Result<()> {
    in_tx!(db, tx => exec!(tx, RELEASE_REFRESH_LEASE, id, holder))
}

const RELEASE_REFRESH_LEASES_OF_PROCESS: &str = "
    UPDATE connections SET refresh_lease_until = NULL, refresh_leased_by = NULL WHERE refresh_leased_by LIKE $1";

/// Ends the right to refresh of a process that stops: what the leases of its refreshes begin with.
pub async fn release_refresh_leases_of_process(tx: &mut Tx, process: &str) -> Result<()> {
    let begins = format!("{process}#%");
    exec!(tx, RELEASE_REFRESH_LEASES_OF_PROCESS, begins)
}
