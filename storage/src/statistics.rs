//! What the databases know of how much their tables hold, by which they choose between indexes.
//!
//! PostgreSQL looks by itself, but minutes after many rows came at once, as by an import, and not at all after a restore until
//! then.
//!
//! SQLite is told what a large installation holds, and never looks. It would keep averages alone: where nearly all rows of an
//! index are alike (all jobs done, all entries written) it takes the index for useless, and reads the whole table for the few
//! that are not. Connections that are open also keep what they read once, when the tables were small. And where it knows
//! nothing, it takes a whole business for ten rows. So its plans are the same for one row as for a hundred thousand.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection, SqlitePool};

use crate::{Db, Result};

// Half of what makes PostgreSQL itself look.
const LIST_STALE_TABLES: &str = "
    SELECT CAST(relname AS text) FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_mod_since_analyze > 1000 + n_live_tup / 20";

/// Tables of which there are some thousand rows at the most; of all others there may be a million.
const SMALL_TABLES: [&str; 18] = [
    "api_keys",
    "businesses",
    "calendars",
    "channels",
    "connections",
    "event_sequences",
    "feeds",
    "job_keys",
    "mail_secrets",
    "platform_settings",
    "push_subscriptions",
    "rate_limits",
    "resources",
    "sessions",
    "sign_in_requests",
    "staff",
    "users",
    "webhook_endpoints",
];

/// How many different values a column has. Of states those are asked for that few rows are in.
fn distinct(column: &str) -> u64 {
    match column {
        "business_id" | "kind" | "origin" | "outcome" | "platform" | "provider" | "queue" | "scope"
        | "state" | "status" => 10,
        // Hardly a row has the same.
        "attendee_id" | "booking_id" | "entry_id" | "event_id" | "source_id" | "subject_id" => 1_000_000,
        column if column.ends_with("_id") => 100,
        _ => 1_000_000,
    }
}

/// An index of a table, by its columns in their order.
struct TableIndex {
    table: String,
    name: String,
    is_unique: bool,
    is_partial: bool,
    columns: Vec<String>,
}

impl TableIndex {
    /// How many rows it has, and how many of them are alike in the first column, the first two, and so on: what SQLite
    /// keeps in `sqlite_stat1.stat`.
    fn assumed(&self) -> String {
        let mut alike: u64 = match (SMALL_TABLES.contains(&self.table.as_str()), self.is_partial) {
            (true, _) => 1_000,
            (false, true) => 10_000,
            (false, false) => 1_000_000,
        };
        let mut stat = alike.to_string();
        for (number, column) in self.columns.iter().enumerate() {
            let is_last = number + 1 == self.columns.len();
            alike = if self.is_unique && is_last { 1 } else { (alike / distinct(column)).max(2) };
            // A `String` takes whatever is written.
            let _ = write!(stat, " {alike}");
        }
        stat
    }
}

const COLUMNS: &str = "
    SELECT t.name, l.name, l.\"unique\", l.partial, COALESCE(i.name, '')
    FROM sqlite_schema t JOIN pragma_index_list(t.name) l JOIN pragma_index_info(l.name) i
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, l.name, i.seqno";
const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = $1)";
const KNOWN: &str = "SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl, idx";
// Samples of what columns hold (STAT4) make SQLite plan a statement anew each time that another value is bound to it
// (sqlite3_prepare_v3, on SQLITE_ENABLE_STAT4).
const HAS_SAMPLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_stat4)";
const FORGET_SAMPLES: &str = "DELETE FROM sqlite_stat4";
// Makes the table of statistics if it is not there, and reads what stands in it.
const READ: &str = "ANALYZE sqlite_schema";
const FORGET: &str = "DELETE FROM sqlite_stat1";
const ASSUME: &str = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)";

/// A line of `sqlite_stat1`: table, index, and what is assumed of it.
type StatisticsRow = (String, Option<String>, String);

async fn indexes(connection: &mut SqliteConnection) -> Result<Vec<TableIndex>> {
    let columns: Vec<(String, String, bool, bool, String)> =
        sqlx::query_as(COLUMNS).fetch_all(connection).await?;
    let mut indexes: Vec<TableIndex> = Vec::new();
    for (table, name, is_unique, is_partial, column) in columns {
        match indexes.last_mut() {
            Some(index) if index.name == name => index.columns.push(column),
            _ => indexes.push(TableIndex { table, name, is_unique, is_partial, columns: vec![column] }),
        }
    }
    Ok(indexes)
}

async fn has_samples(connection: &mut SqliteConnection) -> Result<bool> {
    Ok(sqlx::query_scalar(IS_THERE).bind("sqlite_stat4").fetch_one(&mut *connection).await?
        && sqlx::query_scalar(HAS_SAMPLES).fetch_one(connection).await?)
}

/// Whether it knows this, and nothing else.
async fn has_statistics(connection: &mut SqliteConnection, assumed: &[StatisticsRow]) -> Result<bool> {
    if !sqlx::query_scalar(IS_THERE).bind("sqlite_stat1").fetch_one(&mut *connection).await? {
        return Ok(false);
    }
    let known: Vec<StatisticsRow> = sqlx::query_as(KNOWN).fetch_all(&mut *connection).await?;
    Ok(known == assumed && !has_samples(connection).await?)
}

/// Tells SQLite what to assume, if it knows anything else. Connections that are open notice when they are opened anew.
pub(crate) async fn assume(write: &SqlitePool) -> Result<()> {
    let mut connection = write.acquire().await?;
    let indexes = indexes(&mut connection).await?;
    let line = |index: TableIndex| (index.table.clone(), Some(index.name.clone()), index.assumed());
    let assumed: Vec<StatisticsRow> = indexes.into_iter().map(line).collect();
    // Commands beside a server that writes need not line up for nothing.
    if has_statistics(&mut connection, &assumed).await? {
        return Ok(());
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(READ).execute(&mut *tx).await?;
    sqlx::query(FORGET).execute(&mut *tx).await?;
    if has_samples(&mut tx).await? {
        sqlx::query(FORGET_SAMPLES).execute(&mut *tx).await?;
    }
    for (table, index, stat) in assumed {
        sqlx::query(ASSUME).bind(table).bind(index).bind(stat).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    if let Err(error) = sqlx::query(READ).execute(&mut *connection).await {
        tracing::debug!(%error, "what is assumed is read when the database is opened next");
    }
    Ok(())
}

/// Lets PostgreSQL look at the tables that have changed much since it last did. SQLite is told again what to assume, where
/// somebody has let it look. Writers need not wait longer than for a small transaction. Returns how many tables PostgreSQL
/// looked at.
pub async fn refresh(db: &Db) -> Result<usize> {
    match db {
        Db::Sqlite { write, gate, .. } => {
            let _turn = gate.turn().await?;
            assume(write).await?;
            Ok(0)
        }
        Db::Postgres(pool) => {
            let tables: Vec<String> = sqlx::query_scalar(LIST_STALE_TABLES).fetch_all(pool).await?;
            for table in &tables {
                sqlx::query(AssertSqlSafe(format!("ANALYZE \"{table}\""))).execute(pool).await?;
            }
            Ok(tables.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_tells_a_business_from_a_row() {
        let stat = |table: &str, columns: &[&str], is_unique, is_partial| {
            let columns = columns.iter().map(|column| (*column).to_owned()).collect();
            TableIndex { table: table.to_owned(), name: String::new(), is_unique, is_partial, columns }
                .assumed()
        };
        assert_eq!(stat("bookings", &["id"], true, false), "1000000 1");
        assert_eq!(stat("bookings", &["business_id", "ends_at"], false, false), "1000000 100000 2");
        assert_eq!(stat("bookings", &["business_id", "reference"], true, false), "1000000 100000 1");
        assert_eq!(
            stat("jobs", &["business_id", "state", "kind"], false, false),
            "1000000 100000 10000 1000"
        );
        assert_eq!(stat("remote_changes", &["business_id", "seen_at"], false, true), "10000 1000 2");
        assert_eq!(stat("channels", &["business_id", "resource_id"], false, false), "1000 100 2");
    }
}
