//! What time the database has: that of its server, by which processes on many machines agree.

use chrono::{DateTime, Utc};

use crate::{Db, Result};

const NOW: &str = "SELECT clock_timestamp()";

/// The server's instant. `None`: SQLite's file is on this machine, whose clock is that of all who share it.
pub async fn now(db: &Db) -> Result<Option<DateTime<Utc>>> {
    match db {
        Db::Sqlite { .. } => Ok(None),
        Db::Postgres(pool) => Ok(Some(sqlx::query_scalar(NOW).fetch_one(pool).await?)),
    }
}
