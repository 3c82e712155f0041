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

pub mod many;
pub mod plans;

use std::{
    collections::HashMap,
    env,
    ops::Deref,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    connection::ProviderKind,
    ids::{CalendarId, ConnectionId},
    people::{Actor, Trade},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangeRules,
};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;

use crate::{
    Db, DbOptions, Tx, bookings,
    businesses::{self, Business, BusinessSettings},
    calendars::{self, ListedCalendar},
    connections::{self, ConnectionTokens, NewConnection},
    idempotency,
    jobs::waits_until,
    migrations::POSTGRES_MIGRATIONS,
    occupancy, on_db,
    people::{self, Staff, StaffSettings},
    resources::{self, Resource, ResourceSettings},
    seal::{Keyring, MasterKey},
    secret,
};

/// Names the PostgreSQL server that tests may make databases on.
pub const POSTGRES_URL: &str = "CONCORD_TEST_POSTGRES_URL";

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
    Server {
        options: Box<PgConnectOptions>,
        database: String,
    },
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
        let TestDbLocation::Server { options, database } = &self.place else { return };
        let (options, statement) =
            (options.clone(), format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
        // A runtime of its own: this one may be the only thread of the test's, or be about to end.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async {
                let mut server = options.connect().await?;
                sqlx::query(AssertSqlSafe(statement)).execute(&mut server).await?;
                server.close().await
            })
        });
        // A database that is left behind spoils no test.
        let _left_behind = dropping.join();
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

/// A database of its own on the server that `CONCORD_TEST_POSTGRES_URL` names.
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
    let template = template(&options).await;
    let database = format!("concord_test_{}", random_name());
    let mut server = options.connect().await.expect("the PostgreSQL server can be reached");
    execute(&mut server, format!("CREATE DATABASE {database} TEMPLATE {template}")).await;
    let url = options.clone().database(&database).to_url_lossy().to_string();
    TestDb {
        db: open(&url).await,
        url,
        place: TestDbLocation::Server { options: Box::new(options), database },
    }
}

fn server() -> PgConnectOptions {
    let Ok(url) = env::var(POSTGRES_URL) else {
        panic!(
            "{POSTGRES_URL} is not set, and this test needs a PostgreSQL server that it may make databases on: run \
             `make test`, which starts one, or start one and set {POSTGRES_URL}=postgres://user@host:5432/postgres"
        );
    };
    url.parse().unwrap_or_else(|error| panic!("{POSTGRES_URL}: {error}"))
}

/// The name of a migrated database to copy from, which is much faster than to migrate. All test processes share it;
/// its name tells the migrations apart, so that it is never an old one.
async fn template(options: &PgConnectOptions) -> String {
    let checksums: Vec<u8> = POSTGRES_MIGRATIONS.iter().flat_map(|one| one.checksum.to_vec()).collect();
    let name = format!("concord_test_template_{}", &secret::digest_bytes(&checksums)[..16]);
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

async fn execute(server: &mut PgConnection, statement: String) {
    let done = sqlx::query(AssertSqlSafe(statement.as_str())).execute(server).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Hexadecimal, so that it needs no quotes.
fn random_name() -> String {
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

async fn open(url: &str) -> Db {
    open_with(url, 12).await
}

/// Tests need no safety from a loss of power.
async fn open_with(url: &str, max_connections: u32) -> Db {
    let options = DbOptions { durable: false, max_connections, ..DbOptions::new(url) };
    Db::open_url(&options).await.expect("the database can be opened")
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

/// Keys of requests in the work of which a crash is wanted, and after how many commits.
static CRASHES: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

fn crashes() -> MutexGuard<'static, HashMap<String, u32>> {
    CRASHES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the work for that idempotency key end, once, as if its process had been killed after so many commits.
pub fn crash_after(key: &str, commits: u32) {
    crashes().insert(key.to_owned(), commits);
}

/// Whether the crash that was wanted has not come, and no longer will.
pub fn did_not_crash(key: &str) -> bool {
    crashes().remove(key).is_some()
}

#[expect(clippy::panic, reason = "nothing else ends a task wherever it is")]
pub(crate) fn after_commit() {
    let work = idempotency::IdempotentWork::current();
    let Some(key) = work.key() else { return };
    let mut crashes = crashes();
    let Some(left) = crashes.get_mut(key) else { return };
    *left -= 1;
    if *left == 0 {
        crashes.remove(key);
        drop(crashes);
        panic!("the crash that a test wants");
    }
}

/// From here on the file may not grow, for the connection that writes: until it is opened anew.
///
/// # Panics
/// If it cannot be set.
pub async fn fill_the_disk(db: &Db) {
    let Db::Sqlite { write, .. } = db else { panic!("a server's disk is its own") };
    let pages: i64 =
        sqlx::query_scalar("PRAGMA max_page_count = 1").fetch_one(write).await.expect("it can be set");
    assert!(pages > 1, "never less than there are");
}

const NEXT_DUE: &str = concat!(
    "SELECT MIN(CASE WHEN ",
    waits_until!(),
    " > d.due_at THEN ",
    waits_until!(),
    " ELSE d.due_at END) FROM jobs d LEFT JOIN job_keys k ON k.id = d.key_id WHERE d.state <> 'done'"
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

const WAITING: &str = "
    SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Waits until so many transactions wait for a lock, which is to say: has them stopped where a test wants them. There is
/// none of it with SQLite, whose one writer is waited for in the process.
///
/// # Panics
/// If the server cannot be asked.
pub async fn until_locked_out(db: &Db, transactions: i64) {
    let Db::Postgres(pool) = db else { return };
    loop {
        let waiting: i64 =
            sqlx::query_scalar(WAITING).fetch_one(pool).await.expect("the server says who waits");
        if waiting >= transactions {
            return;
        }
        tokio::task::yield_now().await;
    }
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

/// A business in Lisbon with a slug of its own.
///
/// # Panics
/// If it cannot be written.
pub async fn business(db: &Db) -> Business {
    let slug = format!("harbour-{}", random_name());
    let settings = BusinessSettings {
        name: "Harbour House".to_owned(),
        zone: chrono_tz::Europe::Lisbon,
        entry_privacy: EntryPrivacy::Minimal,
        mark_cancelled: false,
        outside: RemoteChangeRules::default(),
    };
    let mut tx = begin(db).await;
    let made = businesses::create(&mut tx, &slug, &settings, monday()).await.expect("a business is made");
    commit(tx).await;
    made
}

/// A resource "Sea View" of the business, without buffers.
///
/// # Panics
/// If it cannot be written.
pub async fn resource(db: &Db, business: &Business, capacity: u32) -> Resource {
    let settings = ResourceSettings {
        name: "Sea View".to_owned(),
        zone: None,
        capacity,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
    };
    let mut tx = begin(db).await;
    let made = resources::create(&mut tx, business.id, &settings, monday()).await;
    commit(tx).await;
    made.expect("a resource is made")
}

/// A staff member of the business who serves customers.
///
/// # Panics
/// If they cannot be written.
pub async fn staff(db: &Db, business: &Business, name: &str) -> Staff {
    let settings = StaffSettings {
        name: name.to_owned(),
        email: format!("{}@harbour.example", name.to_lowercase()),
        trade: Trade::General,
    };
    let mut tx = begin(db).await;
    let made = people::create_staff(&mut tx, business.id, &settings, monday()).await;
    commit(tx).await;
    made.expect("a staff member is entered")
}

/// What a new account brings: tokens that hold for an hour from `monday` on.
pub fn tokens(access: &str, refresh: Option<&str>) -> ConnectionTokens {
    ConnectionTokens {
        access: access.into(),
        access_expires_at: at(60),
        refresh: refresh.map(SecretString::from),
    }
}

/// A keyring with one new key.
pub fn keyring() -> Keyring {
    Keyring::new(MasterKey::generate(), vec![])
}

/// A connected Google account of the staff member, named after them.
///
/// # Panics
/// If it cannot be written.
pub async fn connection(db: &Db, ring: &Keyring, staff: &Staff) -> ConnectionId {
    let new = NewConnection {
        business: staff.business_id,
        staff: staff.id,
        provider: ProviderKind::Google,
        account_subject: format!("google-{}", staff.name),
        account_email: staff.email.clone(),
        tokens: tokens("access", Some("refresh")),
    };
    let mut tx = begin(db).await;
    let made = connections::adopt(&mut tx, ring, &new, monday()).await;
    commit(tx).await;
    made.expect("a connection is made")
}

/// The main calendar of the connection, both read and written.
///
/// # Panics
/// If it cannot be written.
pub async fn calendar(db: &Db, staff: &Staff, connection: ConnectionId) -> CalendarId {
    let listed = ListedCalendar {
        external_id: staff.email.clone(),
        name: staff.name.clone(),
        colour: Some("#9fe1e7".to_owned()),
        zone: Some("Europe/Lisbon".to_owned()),
        owner: None,
        writable: true,
        is_primary: true,
    };
    let mut tx = begin(db).await;
    let taken = calendars::take_over(&mut tx, staff.business_id, connection, &[listed], monday()).await;
    commit(tx).await;
    taken.expect("a calendar is taken over");
    let calendars = calendars::of_connection(db, staff.business_id, connection).await;
    calendars.expect("calendars are listed").first().expect("the calendar is among them").id
}

/// A confirmed booking of one unit, from and to minutes after `monday`.
pub fn draft(resource: &Resource, from: i64, to: i64) -> BookingDraft {
    BookingDraft {
        resource: resource.id,
        kind: BookingKind::Booking,
        status: BookingStatus::Confirmed,
        time: BookingTime::Timed { starts_at: at(from), ends_at: at(to) },
        title: "Massage".to_owned(),
        customer: Customer {
            name: "Maria Silva".to_owned(),
            email: "maria@example.com".to_owned(),
            phone: "+351 900 000 000".to_owned(),
        },
        party_size: Some(2),
        quantity: 1,
        staff: vec![],
        location: String::new(),
        notes: String::new(),
        source: "api".to_owned(),
    }
}

/// Writes a booking.
///
/// # Panics
/// If there is no room, or anything else.
pub async fn booking(db: &Db, business: &Business, reference: &str, draft: &BookingDraft) -> Booking {
    let change = bookings::ChangeContext { business: business.id, actor: Actor::System, now: monday() };
    bookings::put(db, &change, reference, draft, None).await.expect("a booking is written").booking
}
