//! What the databases know of how much their tables hold, by which they choose between indexes.
//!
//! PostgreSQL looks by itself, but minutes after many rows came at once, as by an import, and not at all after a restore until
//! then. SQLite is to know nothing: it would keep averages alone, and where nearly all rows of an index are alike (all jobs
//! done, all entries written) it takes the index for useless and reads the whole table for the few that are not. Connections
//! that are open also keep what they have read of it once, when the tables were small. Without it, it goes by the indexes,
//! which are made for the queries: for one row as for a hundred thousand.

use sqlx::{AssertSqlSafe, SqlitePool};

use crate::{Db, StorageError};

// Half of what makes PostgreSQL itself look.
const CHANGED_MUCH: &str = "
    SELECT CAST(relname AS text) FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_mod_since_analyze > 1000 + n_live_tup / 20";

// Somebody may have let it look by hand. The table is there once anybody has.
const HAS_LOOKED: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1')";
const KNOWS: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_stat1)";
const FORGET: &str = "DELETE FROM sqlite_stat1";
const READ_AGAIN: &str = "ANALYZE sqlite_schema";

/// Lets SQLite forget what it knows. Connections that are open notice when they are opened anew.
async fn forget(write: &SqlitePool) -> Result<(), StorageError> {
    if !sqlx::query_scalar::<_, bool>(HAS_LOOKED).fetch_one(write).await?
        || !sqlx::query_scalar::<_, bool>(KNOWS).fetch_one(write).await?
    {
        return Ok(());
    }
    sqlx::query(FORGET).execute(write).await?;
    sqlx::query(READ_AGAIN).execute(write).await?;
    Ok(())
}

/// Lets PostgreSQL look at the tables that have changed much since it last did, and SQLite forget what it has seen. Writers
/// need not wait longer than for a small transaction. Returns how many tables PostgreSQL looked at.
pub async fn refresh(db: &Db) -> Result<usize, StorageError> {
    match db {
        Db::Sqlite { write, gate, .. } => {
            let _turn = gate.turn().await?;
            forget(write).await?;
            Ok(0)
        }
        Db::Postgres(pool) => {
            let tables: Vec<String> = sqlx::query_scalar(CHANGED_MUCH).fetch_all(pool).await?;
            for table in &tables {
                sqlx::query(AssertSqlSafe(format!("ANALYZE \"{table}\""))).execute(pool).await?;
            }
            Ok(tables.len())
        }
    }
}
