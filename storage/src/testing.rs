//! Throw-away databases for tests, real ones: a SQLite file, and a database of its own on a PostgreSQL server.
//!
//! A test is an async function that takes a `&TestDb`; `on_both_databases!` runs it on each:
//!
//! ```ignore
//! async fn a_slug_is_taken_once(db: &TestDb) { ... }
//!
//! concord_storage::on_both_databases!(a_slug_is_taken_once);
//! ```
#![expect(clippy::expect_used, reason = "a test whose database cannot be made has failed")]

mod database;
mod faults;
mod fixtures;
pub mod many;
pub mod plans;
mod pool;
mod text_search;

use chrono::{DateTime, Duration, Utc};
use sqlx::AssertSqlSafe;

pub(crate) use self::faults::after_commit;
pub use self::{
    database::{POSTGRES_URL, TestDb, postgres, postgres_at, postgres_with, sqlite},
    faults::{crash_after, crash_this_task_after, did_not_crash, fill_the_disk, until_locked_out},
    fixtures::{booking, business, calendar, connection, draft, keyring, resource, staff, tokens},
    text_search::find_texts,
};
use crate::{Db, Tx, jobs::waits_until, occupancy, resources::Resource};

/// Runs test functions `async fn(&TestDb)` on both databases, as `sqlite::name` and `postgres::name`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let watched = $crate::testing::plans::watch(env!("CARGO_CRATE_NAME"));
                    let db = $crate::testing::sqlite().await;
                    super::$test(&db).await;
                    if watched {
                        $crate::testing::plans::check(&db).await;
                    }
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let watched = $crate::testing::plans::watch(env!("CARGO_CRATE_NAME"));
                    let db = $crate::testing::postgres().await;
                    super::$test(&db).await;
                    if watched {
                        $crate::testing::plans::check(&db).await;
                    }
                }
            )+
        }
    };
}

/// When tests begin: a Monday morning, well away from any change of clocks.
pub fn monday() -> DateTime<Utc> {
    DateTime::from_timestamp(1_803_888_000, 0).expect("2027-03-01T08:00:00Z is an instant")
}

/// That many minutes after `monday`.
pub fn at(minutes: i64) -> DateTime<Utc> {
    monday() + Duration::minutes(minutes)
}

/// Begins a transaction.
///
/// # Panics
/// If the database does not let it.
pub async fn begin(db: &Db) -> Tx {
    db.begin().await.expect("a transaction begins")
}

/// Ends a transaction.
///
/// # Panics
/// If the database does not let it.
pub async fn commit(tx: Tx) {
    tx.commit().await.expect("a transaction commits");
}

// What has no key, most of it by far, is asked of the index: a test that plays a month asks tens of thousands of times.
const NEXT_DUE: &str = concat!(
    "SELECT MIN(at) FROM (
        SELECT MIN(due_at) AS at FROM jobs WHERE due_at IS NOT NULL AND key_id IS NULL AND state <> 'done'
        UNION ALL
        SELECT MIN(CASE WHEN ",
    waits_until!(),
    " > d.due_at THEN ",
    waits_until!(),
    " ELSE d.due_at END) FROM jobs d LEFT JOIN job_keys k ON k.id = d.key_id
        WHERE d.due_at IS NOT NULL AND d.key_id IS NOT NULL AND d.state <> 'done') first"
);

/// When the next job is or was due: how far a test's clock must be moved.
///
/// # Panics
/// If the jobs cannot be read.
pub async fn next_due(db: &Db) -> Option<DateTime<Utc>> {
    plans::leave_out(NEXT_DUE);
    on_db!(db, c => sqlx::query_scalar(NEXT_DUE).fetch_one(c).await).expect("the jobs can be read")
}

/// How PostgreSQL would find what stands within the hour after `monday`: a plan for each query of `occupancy` that looks
/// for overlaps.
///
/// # Panics
/// If the server cannot be asked, or is none.
pub async fn plans_of_overlaps(db: &Db, resource: &Resource) -> Vec<String> {
    let Db::Postgres(pool) = db else { panic!("only PostgreSQL is asked for its plans") };
    let (business, subject, from, until) = (resource.business_id, resource.id, at(0), at(60));
    let explain = |text: &str| sqlx::query_scalar::<_, String>(AssertSqlSafe(format!("EXPLAIN {text}")));
    let [overlapping, units_of_others, standing, conflicts, double_bookings] =
        occupancy::postgres_statements();
    let mut plans = Vec::new();
    for query in [
        explain(overlapping).bind(subject).bind(from).bind(until),
        explain(units_of_others).bind(business).bind(subject).bind(from).bind(until).bind("A-1"),
        explain(standing).bind(business).bind(subject).bind(from).bind(until),
        explain(conflicts).bind(business).bind(from),
        explain(double_bookings).bind(business).bind(from),
    ] {
        plans.push(query.fetch_all(pool).await.expect("a plan is told").join("\n"));
    }
    plans
}

/// Runs one statement that no query function offers. Returns how many rows it changed.
///
/// # Panics
/// If it fails.
pub async fn raw(db: &Db, statement: &'static str) -> u64 {
    plans::leave_out(statement);
    let done = match db {
        Db::Sqlite { write, .. } => {
            sqlx::query(statement).execute(write).await.map(|done| done.rows_affected())
        }
        Db::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(|done| done.rows_affected()),
    };
    done.expect("the statement is carried out")
}
