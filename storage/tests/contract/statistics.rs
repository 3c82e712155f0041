//! What the databases know of how much their tables hold.

use std::time::Duration;

use concord_storage::{
    Db, statistics,
    testing::{
        TestDb,
        many::{Many, write_rows},
        monday,
    },
};
use tokio::time::timeout;

/// How many rows the database believes the notices to be; `None`: it has never looked.
async fn believed(db: &TestDb) -> Option<i64> {
    match &**db {
        Db::Sqlite { write, .. } => {
            // The number of rows of an index comes first; some hold a part of them.
            let text = "SELECT MAX(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = 'notices'";
            sqlx::query_scalar(text).fetch_one(write).await.ok()?
        }
        Db::Postgres(pool) => {
            let text = "SELECT CAST(reltuples AS bigint) FROM pg_class WHERE relname = 'notices'";
            let rows: i64 = sqlx::query_scalar(text).fetch_one(pool).await.unwrap();
            Some(rows).filter(|rows| *rows > 0)
        }
    }
}

async fn many_rows_at_once_are_noticed(db: &TestDb) {
    write_rows(db, Many { businesses: 1, bookings: 4_000, now: monday(), first: None }).await;
    assert_eq!(believed(db).await, None);
    // PostgreSQL's server counts changes a moment after they were made, each connection's and table's by itself.
    let looked = async {
        while statistics::refresh(db).await.unwrap() > 0 || believed(db).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), looked).await.expect("what did not change is not looked at again");
    let rows = believed(db).await.unwrap();
    assert!((1_000..=4_000).contains(&rows), "of 2,000 it believes {rows}");
}

concord_storage::on_both_databases!(many_rows_at_once_are_noticed);
