//! What the databases know of how much their tables hold.

use std::time::Duration;

use concord_storage::{
    Db, statistics,
    testing::{
        TestDb,
        many::{LargeFixture, write_rows},
        monday,
    },
};
use sqlx::{PgPool, SqlitePool};
use tokio::time::timeout;

async fn many_rows_at_once(db: &TestDb) {
    db.spoil().await;
    write_rows(db, LargeFixture { businesses: 1, bookings: 4_000, now: monday(), first: None }).await;
    match &**db {
        Db::Sqlite { write, .. } => are_not_looked_at(db, write).await,
        Db::Postgres(pool) => are_noticed(db, pool).await,
    }
}

/// How many rows PostgreSQL believes the notices to be; `None`: it has never looked.
async fn believed(pool: &PgPool) -> Option<i64> {
    let text = "SELECT CAST(reltuples AS bigint) FROM pg_class WHERE relname = 'notices'";
    let rows: i64 = sqlx::query_scalar(text).fetch_one(pool).await.unwrap();
    Some(rows).filter(|rows| *rows > 0)
}

async fn are_noticed(db: &Db, pool: &PgPool) {
    assert_eq!(believed(pool).await, None);
    // The server counts changes a moment after they were made, each connection's and table's by itself.
    let looked = async {
        while statistics::refresh(db).await.unwrap() > 0 || believed(pool).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), looked).await.expect("what did not change is not looked at again");
    let rows = believed(pool).await.unwrap();
    assert!((1_000..=4_000).contains(&rows), "of 2,000 it believes {rows}");
}

/// Nearly all jobs are done: SQLite, if it knew that, would read all of them to find those that have failed; and if it knew
/// nothing, all bookings of a business to find two.
async fn are_not_looked_at(db: &Db, write: &SqlitePool) {
    let plans = async || {
        let mut plans = String::new();
        for text in [
            "EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE business_id = x'00' AND state = 'failed'",
            "EXPLAIN QUERY PLAN SELECT title FROM bookings WHERE business_id = x'00' AND id IN (x'01', x'02')",
        ] {
            let lines: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(write).await.unwrap();
            plans.extend(lines.into_iter().map(|line| line.3 + ";"));
        }
        plans
    };
    let by_index = "SEARCH jobs USING INDEX jobs_by_business (business_id=? AND state=?);\
                    SEARCH bookings USING INDEX sqlite_autoindex_bookings_1 (id=?);";
    assert_eq!(plans().await, by_index);
    sqlx::query("ANALYZE").execute(write).await.unwrap();
    assert_ne!(plans().await, by_index);
    let samples = async || -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_stat4").fetch_one(write).await.unwrap()
    };
    assert_ne!(samples().await, 0);
    statistics::refresh(db).await.unwrap();
    assert_eq!((plans().await, samples().await), (by_index.to_owned(), 0));
}

concord_storage::on_both_databases!(many_rows_at_once);
