//! PostgreSQL databases that tests are lent one after the other: to make one takes the server a second, to empty one a
//! moment.
//!
//! Whoever has one holds a lock on its number, by a connection to the server's own database. A process that was lent one
//! keeps the lock until it ends, and lends the database to no test but its own: whatever still runs when a test is over
//! cannot write into what another process has by then.

use std::sync::{Mutex, PoisonError};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use super::database::{open, random_name};
use crate::{Db, migrations::POSTGRES_MIGRATIONS, secret};

/// A database that nobody else has.
#[derive(Debug)]
pub(super) struct LentDatabase {
    /// Its name on the server.
    pub(super) name: String,
    /// The server, so that a process with two of them does not take one's for the other's.
    server: String,
    /// Held: its lock ends with it.
    _lock: PgConnection,
}

/// What tests of this process have given back.
static RETURNED: Mutex<Vec<LentDatabase>> = Mutex::new(Vec::new());

/// For the next test of this process.
pub(super) fn give_back(lent: LentDatabase) {
    RETURNED.lock().unwrap_or_else(PoisonError::into_inner).push(lent);
}

fn take_returned(server: &str) -> Option<LentDatabase> {
    let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = returned.iter().position(|lent| lent.server == server)?;
    Some(returned.swap_remove(place))
}

/// A migrated database, which may hold what a test before has left.
pub(super) async fn lend(options: &PgConnectOptions) -> LentDatabase {
    let url = options.to_url_lossy().to_string();
    let mut server = options.connect().await.expect("the PostgreSQL server can be reached");
    if let Some(lent) = take_returned(&url) {
        make_ready(options, &mut server, &lent.name).await;
        server.close().await.expect("a connection closes");
        return lent;
    }
    let version = version();
    let name = format!("concord_test_pool_{version}_{}", first_free(&mut server, &version).await);
    make_ready(options, &mut server, &name).await;
    LentDatabase { name, server: url, _lock: server }
}

/// The lowest number that nobody has: this connection has it now.
async fn first_free(server: &mut PgConnection, version: &str) -> i32 {
    for number in 1.. {
        let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1), $2)")
            .bind(version)
            .bind(number)
            .fetch_one(&mut *server)
            .await
            .expect("a lock can be tried");
        if locked {
            return number;
        }
    }
    unreachable!("there is always one more")
}

/// What a database bears that is not to be lent again.
const SPOILT: &str = "spoilt";
const FIND_DATABASE: &str = "
    SELECT shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM $2 FROM pg_database WHERE datname = $1";
/// Ends what a test that was killed has left connected, and waits until it has gone.
const HANG_UP: &str =
    "SELECT COUNT(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = $1";

/// Makes the database if there is none, or anew if it was spoilt.
async fn make_ready(options: &PgConnectOptions, server: &mut PgConnection, name: &str) {
    let spoilt: Option<bool> = sqlx::query_scalar(FIND_DATABASE)
        .bind(name)
        .bind(SPOILT)
        .fetch_optional(&mut *server)
        .await
        .expect("the databases can be listed");
    if spoilt == Some(false) {
        let hung_up = sqlx::query(HANG_UP).bind(name).execute(server).await;
        hung_up.expect("connections can be ended");
        return;
    }
    if spoilt == Some(true) {
        execute(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
    let template = template(options).await;
    execute(server, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
}

/// Says of a database that it is not to be lent again, also if this process should be killed.
pub(super) async fn spoil(db: &Db, lent: &LentDatabase) {
    let Db::Postgres(connections) = db else { return };
    let statement = AssertSqlSafe(format!("COMMENT ON DATABASE {} IS '{SPOILT}'", lent.name));
    sqlx::query(statement).execute(connections).await.expect("a database can be remarked on");
}

/// Deletes all rows, of tables that were made later first: few refer to one that was made after them, and those that do have
/// their turn once more. To truncate forty tables takes as long as to make a database.
const EMPTY: &str = "
    DO $$ DECLARE used text; is_left boolean := TRUE; BEGIN
        WHILE is_left LOOP
            is_left := FALSE;
            FOR used IN SELECT quote_ident(relname) FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '_sqlx_migrations'
                  AND pg_relation_size(oid) > 0
                ORDER BY oid DESC
            LOOP
                BEGIN EXECUTE 'DELETE FROM ' || used;
                EXCEPTION WHEN foreign_key_violation THEN is_left := TRUE; END;
            END LOOP;
        END LOOP;
    END $$";

/// Takes away what a test before has left.
pub(super) async fn empty(db: &Db) {
    let Db::Postgres(connections) = db else { return };
    super::plans::leave_out(EMPTY);
    sqlx::query(EMPTY).execute(connections).await.expect("tables can be emptied");
}

/// Tells one set of migrations from another.
fn version() -> String {
    let checksums: Vec<u8> = POSTGRES_MIGRATIONS.iter().flat_map(|one| one.checksum.to_vec()).collect();
    secret::digest_bytes(&checksums)[..16].to_owned()
}

/// The name of a migrated database to copy from, which is much faster than to migrate. All test processes share it;
/// its name tells the migrations apart, so that it is never an old one.
pub(super) async fn template(options: &PgConnectOptions) -> String {
    let name = format!("concord_test_template_{}", version());
    let mut server = options.connect().await.expect("the PostgreSQL server can be reached");
    // Held until the connection closes.
    execute(&mut server, "SELECT pg_advisory_lock(8232019)".to_owned()).await;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut server)
        .await
        .expect("the databases can be listed");
    if !known {
        // It gets its name when it is complete.
        let draft = format!("concord_test_{}", random_name());
        execute(&mut server, format!("CREATE DATABASE {draft}")).await;
        let db = open(options.clone().database(&draft).to_url_lossy().as_str()).await;
        db.migrate().await.expect("an empty database can be migrated");
        db.close().await;
        execute(&mut server, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    server.close().await.expect("a connection closes");
    name
}

pub(super) async fn execute(server: &mut PgConnection, statement: String) {
    let done = sqlx::query(AssertSqlSafe(statement.as_str())).execute(server).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}
