//! What the databases know of how much their tables hold, by which they choose between indexes.
//!
//! PostgreSQL looks by itself, but minutes after many rows came at once, as by an import, and not at all after a restore until
//! then. SQLite looks when it is asked to.

use sqlx::{AssertSqlSafe, SqlitePool};

use crate::{Db, StorageError};

// All tables, those alone that have changed much since, and of each no more than tells enough.
const OPTIMIZE: &str = "PRAGMA optimize = 0x10012";

// Half of what makes PostgreSQL itself look.
const CHANGED_MUCH: &str = "
    SELECT CAST(relname AS text) FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_mod_since_analyze > 1000 + n_live_tup / 20";

// Samples of what columns hold (STAT4) make SQLite plan a statement anew each time that another value is bound to it
// (sqlite3_prepare_v3, on SQLITE_ENABLE_STAT4), which costs more than it gains: the numbers of rows are enough.
const SAMPLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4')";
const FORGET_SAMPLES: &str = "DELETE FROM sqlite_stat4";
const READ_AGAIN: &str = "ANALYZE sqlite_schema";

/// Lets SQLite look by this statement, and keep no samples.
pub(crate) async fn look(write: &SqlitePool, statement: &'static str) -> Result<(), StorageError> {
    let mut tx = write.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(statement).execute(&mut *tx).await?;
    if sqlx::query_scalar(SAMPLES).fetch_one(&mut *tx).await? {
        sqlx::query(FORGET_SAMPLES).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    sqlx::query(READ_AGAIN).execute(write).await?;
    Ok(())
}

/// Lets the database look at the tables that have changed much since it last did. Writers need not wait longer than for a
/// small transaction. Returns how many tables PostgreSQL looked at.
pub async fn refresh(db: &Db) -> Result<usize, StorageError> {
    match db {
        Db::Sqlite { write, gate, .. } => {
            let _turn = gate.turn().await?;
            look(write, OPTIMIZE).await?;
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
