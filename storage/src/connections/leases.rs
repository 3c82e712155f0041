//! One writer and one refresher of a connection at a time, across processes. Who dies loses the right by time.

use chrono::{DateTime, Utc};
use concord_domain::ids::ConnectionId;

use crate::{Db, StorageError, Tx, on_db};

const TAKE_WRITE_LEASE: &str = "
    UPDATE connections SET write_lease_until = $3, write_leased_by = $2
    WHERE id = $1 AND (write_lease_until IS NULL OR write_lease_until <= $4 OR write_leased_by = $2)";
const RELEASE_WRITE_LEASE: &str = "
    UPDATE connections SET write_lease_until = NULL, write_leased_by = NULL
    WHERE id = $1 AND write_leased_by = $2";

/// Becomes the connection's one writer until then. `false`: somebody else is.
pub async fn take_write_lease(
    db: &Db,
    id: ConnectionId,
    holder: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let mut tx = db.begin_forgettable().await?;
    let rows = on_db!(tx, c => sqlx::query(TAKE_WRITE_LEASE)
        .bind(id)
        .bind(holder)
        .bind(until)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

const EXTEND_WRITE_LEASE: &str =
    "UPDATE connections SET write_lease_until = $3 WHERE id = $1 AND write_leased_by = $2";

/// Stays the one writer until then. `false`: somebody else has become it meanwhile.
pub async fn extend_write_lease(
    db: &Db,
    id: ConnectionId,
    holder: &str,
    until: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let mut tx = db.begin_forgettable().await?;
    let rows = on_db!(tx, c => sqlx::query(EXTEND_WRITE_LEASE)
        .bind(id)
        .bind(holder)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Lets the next writer in. `false`: the lease had run out and somebody else has taken it.
pub async fn release_write_lease(tx: &mut Tx, id: ConnectionId, holder: &str) -> Result<bool, StorageError> {
    let rows = on_db!(tx, c => sqlx::query(RELEASE_WRITE_LEASE)
        .bind(id)
        .bind(holder)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

const RELEASE_FORMER: &str = "
    UPDATE connections SET write_lease_until = NULL, write_leased_by = NULL, refresh_lease_until = NULL,
        refresh_leased_by = NULL
    WHERE write_leased_by IS NOT NULL OR refresh_lease_until IS NOT NULL";

/// Ends everybody's right to write and to refresh: for the start of a process that is the only one.
pub async fn release_former_leases(tx: &mut Tx) -> Result<(), StorageError> {
    on_db!(tx, c => sqlx::query(RELEASE_FORMER).execute(c).await.map(drop))?;
    Ok(())
}

const TAKE_REFRESH_LEASE: &str = "
    UPDATE connections SET refresh_lease_until = $2, refresh_leased_by = $4
    WHERE id = $1 AND (refresh_lease_until IS NULL OR refresh_lease_until <= $3)";
const RELEASE_REFRESH_LEASE: &str = "
    UPDATE connections SET refresh_lease_until = NULL, refresh_leased_by = NULL
    WHERE id = $1 AND refresh_leased_by = $2";

/// Becomes the one who refreshes the token. `false`: somebody is at it, wait and read again.
pub async fn take_refresh_lease(
    db: &Db,
    id: ConnectionId,
    holder: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let mut tx = db.begin().await?;
    let rows = on_db!(tx, c => sqlx::query(TAKE_REFRESH_LEASE)
        .bind(id)
        .bind(until)
        .bind(now)
        .bind(holder)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Gives up a refresh that brought nothing; `store_tokens` ends one that did. Where it took so long that somebody else is at
/// it by now, it is theirs.
pub async fn release_refresh_lease(db: &Db, id: ConnectionId, holder: &str) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    on_db!(tx, c => sqlx::query(RELEASE_REFRESH_LEASE).bind(id).bind(holder).execute(c).await.map(drop))?;
    tx.commit().await
}

const RELEASE_WRITES_OF: &str = "
    UPDATE connections SET write_lease_until = NULL, write_leased_by = NULL WHERE write_leased_by LIKE $1";
const RELEASE_REFRESHES_OF: &str = "
    UPDATE connections SET refresh_lease_until = NULL, refresh_leased_by = NULL WHERE refresh_leased_by LIKE $1";

/// Ends the rights of a worker that stops: what the leases of its writes and of its refreshes begin with.
pub async fn release_leases_of(tx: &mut Tx, (writer, refresher): (&str, &str)) -> Result<(), StorageError> {
    for (text, holder) in [(RELEASE_WRITES_OF, writer), (RELEASE_REFRESHES_OF, refresher)] {
        let begins = format!("{holder}#%");
        on_db!(tx, c => sqlx::query(text).bind(begins).execute(c).await.map(drop))?;
    }
    Ok(())
}
