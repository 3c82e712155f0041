//! Which workers live, as PostgreSQL sees it: each holds a lock for as long as its connection is open, and the system closes
//! the connections of a process however it ends. So what a dead worker had leased is free within seconds and need not run out.
//! A worker that is frozen, or whose machine is gone without a word, keeps its lock for a while: its leases run out.
//!
//! SQLite has one process that works, and what the one before it had leased is given back at its start.

use sqlx::{ConnectOptions, PgConnection};

use crate::{Db, Result};

// Locks of two numbers: the first says what for (`entries::rounds` has 1), the second whose. Two names that fall on one number
// share a lock: as long as one of the two lives, the leases of the other have to run out.
const LOCK_WORKER: &str = "SELECT pg_try_advisory_lock(2, hashtext($1))";
// Whoever shares a lock for the length of a statement holds up nobody who looks, and finds it taken while its worker lives.
// Its own it would always be given.
const LIST_ABSENT: &str = "
    SELECT worker FROM (
        SELECT DISTINCT split_part(leased_by, '#', 1) AS worker FROM jobs d WHERE d.leased_by IS NOT NULL
    ) holders
    WHERE hashtext(worker) <> hashtext($1) AND pg_try_advisory_xact_lock_shared(2, hashtext(worker))";
// A worker that has come back since somebody looked keeps its leases, and one that is being written is not waited for.
const RELEASE_ABSENT: &str = "
    UPDATE jobs d SET lease_until = NULL, leased_by = NULL
    WHERE d.id IN (
        SELECT id FROM jobs
        WHERE leased_by IS NOT NULL AND split_part(leased_by, '#', 1) = $1
        FOR UPDATE SKIP LOCKED
    ) AND (SELECT pg_try_advisory_xact_lock_shared(2, hashtext($1)))";

/// A connection that holds a worker's lock: the worker lives for others until this is dropped.
#[derive(Debug)]
pub struct WorkerPresence {
    connection: PgConnection,
    worker: String,
}

impl WorkerPresence {
    /// Opens a connection of its own, beside those of the pool and without a turn among those who wait for one, and takes the
    /// lock. `worker`: what the worker's leases begin with. `None`: SQLite.
    pub async fn announce(db: &Db, worker: &str) -> Result<Option<Self>> {
        let Db::Postgres(pool) = db else { return Ok(None) };
        let connection = pool.connect_options().connect().await?;
        let mut presence = Self { connection, worker: worker.to_owned() };
        presence.hold().await?;
        Ok(Some(presence))
    }

    /// The workers that hold leases and no lock. Who is absent once is not yet dead: a worker that has lost its connection has
    /// another one within a second. Takes its own lock first where it has not got it. An error: this connection is of no more
    /// use.
    pub async fn absent(&mut self) -> Result<Vec<String>> {
        self.hold().await?;
        Ok(sqlx::query_scalar(LIST_ABSENT).bind(&self.worker).fetch_all(&mut self.connection).await?)
    }

    async fn hold(&mut self) -> Result<()> {
        // It may not be given: the worker's last connection has not ended for the server yet, or somebody looks at this moment.
        sqlx::query(LOCK_WORKER).bind(&self.worker).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Ends the leases of a worker that is dead, unless it holds its lock by now. The tries that ended with them count: one of
    /// them may be what it died of. Returns how many leases.
    pub async fn release(&mut self, dead: &str) -> Result<u64> {
        let done = sqlx::query(RELEASE_ABSENT).bind(dead).execute(&mut self.connection).await?;
        Ok(done.rows_affected())
    }
}
