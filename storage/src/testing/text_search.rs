//! Looking for a text in all that a database holds: every column of every table, as the schema has them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Row};

use super::plans;
use crate::Db;

/// What is no table of ours.
const FOREIGN: [&str; 1] = ["_sqlx_migrations"];

const SQLITE_COLUMNS: &str = "
    SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid";
const POSTGRES_COLUMNS: &str = "
    SELECT CAST(table_name AS text), CAST(column_name AS text) FROM information_schema.columns
    WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position";

/// Where any of these texts is, in any case of letters: each `table.column`, with what of them it has.
///
/// # Panics
/// If the database cannot be read.
pub async fn find_texts(db: &Db, texts: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let wanted: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut columns = 0;
    for (table, column) in all_columns(db).await {
        if FOREIGN.contains(&table.as_str()) {
            continue;
        }
        columns += 1;
        for value in values(db, &table, &column).await {
            let value = String::from_utf8_lossy(&value).to_lowercase();
            let has = wanted.iter().filter(|text| value.contains(text.as_str()));
            for text in has {
                found.entry(format!("{table}.{column}")).or_default().insert(text.clone());
            }
        }
    }
    assert!(columns > 200, "only {columns} columns were found");
    found
}

async fn all_columns(db: &Db) -> Vec<(String, String)> {
    for statement in [SQLITE_COLUMNS, POSTGRES_COLUMNS] {
        plans::leave_out(statement);
    }
    match db {
        Db::Sqlite { write, .. } => sqlx::query_as(SQLITE_COLUMNS).fetch_all(write).await,
        Db::Postgres(pool) => sqlx::query_as(POSTGRES_COLUMNS).fetch_all(pool).await,
    }
    .expect("the schema can be read")
}

/// All that stands in a column, as it is written or, where it is no text, as the database writes it.
async fn values(db: &Db, table: &str, column: &str) -> Vec<Vec<u8>> {
    match db {
        Db::Sqlite { write, .. } => {
            let text =
                format!(r#"SELECT CAST("{column}" AS BLOB) FROM "{table}" WHERE "{column}" IS NOT NULL"#);
            let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(write).await.expect("a column can be read");
            rows.iter().map(|row| row.get::<Vec<u8>, _>(0)).collect()
        }
        Db::Postgres(pool) => {
            let text =
                format!(r#"SELECT CAST("{column}" AS text) FROM "{table}" WHERE "{column}" IS NOT NULL"#);
            let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(pool).await.expect("a column can be read");
            rows.iter().map(|row| row.get::<String, _>(0).into_bytes()).collect()
        }
    }
}
