//! A database for one test.

use std::{env, ops::Deref};

use sqlx::{AssertSqlSafe, ConnectOptions, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::pool::{self, LentDatabase};
use crate::{Db, DbOptions, secret};

/// Names the PostgreSQL server that tests may make databases on.
pub const POSTGRES_URL: &str = "CONCORD_TEST_POSTGRES_URL";

/// A migrated, empty database that goes when this is dropped.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    url: String,
    place: TestDbLocation,
}

#[derive(Debug)]
enum TestDbLocation {
    /// Held for its `Drop`.
    Folder {
        _folder: TempDir,
    },
    Server(Option<LentDatabase>),
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl TestDb {
    /// For a second process, or a second `Db`, on the same database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// For a test that changes tables, what is known of migrations or what the planner knows: nobody is lent its database
    /// again.
    ///
    /// # Panics
    /// If the server cannot be told.
    pub async fn spoil(&self) {
        if let TestDbLocation::Server(Some(lent)) = &self.place {
            pool::spoil(&self.db, lent).await;
        }
    }

    /// Every row of every table as one line of text: to look for what must not stand there.
    ///
    /// # Panics
    /// If they cannot be read.
    pub async fn rows_as_text(&self) -> String {
        let mut rows: Vec<String> = Vec::new();
        match &self.db {
            Db::Sqlite { read, .. } => {
                let columns: Vec<(String, String)> = sqlx::query_as(
                    "SELECT t.name, GROUP_CONCAT('QUOTE(\"' || c.name || '\")', ' || '' '' || ')
                     FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' GROUP BY t.name",
                )
                .fetch_all(read)
                .await
                .expect("the tables can be listed");
                for (table, columns) in columns {
                    let query = AssertSqlSafe(format!("SELECT {columns} FROM \"{table}\""));
                    let found = sqlx::query_scalar(query).fetch_all(read).await;
                    rows.extend::<Vec<String>>(found.expect("rows can be read"));
                }
            }
            Db::Postgres(pool) => {
                let tables: Vec<String> = sqlx::query_scalar(
                    "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'",
                )
                .fetch_all(pool)
                .await
                .expect("the tables can be listed");
                for table in tables {
                    let query = AssertSqlSafe(format!("SELECT CAST(t AS TEXT) FROM \"{table}\" t"));
                    let found = sqlx::query_scalar(query).fetch_all(pool).await;
                    rows.extend::<Vec<String>>(found.expect("rows can be read"));
                }
            }
        }
        rows.join("\n")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let TestDbLocation::Server(lent) = &mut self.place else { return };
        if let Db::Postgres(connections) = &self.db {
            // From here on, whoever still has a clone of it is refused.
            drop(connections.close());
        }
        if let Some(lent) = lent.take() {
            pool::give_back(lent);
        }
    }
}

/// A SQLite file in a folder of its own.
///
/// # Panics
/// If it cannot be made.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = format!("sqlite:{}", folder.path().join("concord.db").display());
    let db = open(&url).await;
    db.migrate().await.expect("an empty file can be migrated");
    TestDb { db, url, place: TestDbLocation::Folder { _folder: folder } }
}

/// A database that nobody else has, on the server that `CONCORD_TEST_POSTGRES_URL` names.
///
/// # Panics
/// If the variable is missing, saying what to do, or if the database cannot be made.
pub async fn postgres() -> TestDb {
    postgres_on(server()).await
}

/// The same on another server, by its URL.
///
/// # Panics
/// If it is none, or the database cannot be made.
pub async fn postgres_at(url: &str) -> TestDb {
    postgres_on(url.parse().expect("the URL of a server")).await
}

async fn postgres_on(options: PgConnectOptions) -> TestDb {
    let lent = pool::lend(&options).await;
    let url = options.database(&lent.name).to_url_lossy().to_string();
    let db = open(&url).await;
    pool::empty(&db).await;
    TestDb { db, url, place: TestDbLocation::Server(Some(lent)) }
}

pub(super) fn server() -> PgConnectOptions {
    let Ok(url) = env::var(POSTGRES_URL) else {
        panic!(
            "{POSTGRES_URL} is not set, and this test needs a PostgreSQL server that it may make databases on: run \
             `make test`, which starts one, or start one and set {POSTGRES_URL}=postgres://user@host:5432/postgres"
        );
    };
    url.parse().unwrap_or_else(|error| panic!("{POSTGRES_URL}: {error}"))
}

/// Hexadecimal, so that it needs no quotes.
pub(super) fn random_name() -> String {
    let mut bytes = [0_u8; 8];
    secret::fill_random(&mut bytes);
    secret::digest_bytes(&bytes)[..16].to_owned()
}

/// The same with so many connections.
///
/// # Panics
/// As `postgres` does.
pub async fn postgres_with(max_connections: u32) -> TestDb {
    let mut made = postgres().await;
    made.db.close().await;
    made.db = open_with(&made.url, max_connections).await;
    made
}

pub(super) async fn open(url: &str) -> Db {
    open_with(url, 12).await
}

/// Tests need no safety from a loss of power.
async fn open_with(url: &str, max_connections: u32) -> Db {
    let options = DbOptions { durable: false, max_connections, ..DbOptions::new(url) };
    Db::open_url(&options).await.expect("the database can be opened")
}
