//! How the databases would answer what the queries ask, where there are very many rows: each statement that a test has run
//! is explained on a database that holds them, and none may walk through a large table.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Debug,
    fs::File,
    path::Path,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{
    TestDb,
    many::{LargeFixture, write_many},
    monday, open, server, template,
};
use crate::{Db, secret};

/// Tables that have many rows.
const LARGE: [&str; 15] = [
    "bookings",
    "booking_staff",
    "occupancy",
    "entries",
    "jobs",
    "notices",
    "sync_log",
    "history",
    "busy_times",
    "remote_changes",
    "mails",
    "channel_runs",
    "channel_items",
    "channel_published",
    "idempotency_keys",
];

/// Indexes of the few rows of a large table that wait for something, or that workers have in hand: to walk one of them is to
/// read what is asked for.
const FEW: [&str; 7] = [
    "occupancy_unallocated",
    "remote_changes_open",
    "remote_changes_open_by_entry",
    "notices_unsent",
    "notices_open",
    "jobs_leased",
    "jobs_leased_by_key",
];

/// What may walk all the same: a table, words of the statement, and why.
const MAY_WALK: &[(&str, &str, &str)] = &[
    ("jobs", "GROUP BY kind, queue, state", "the metrics count all of them, by an index alone"),
    ("jobs", "leased_by LIKE", "once, when a worker stops"),
    ("jobs", "WHERE leased_by IS NOT NULL", "once, when a process starts"),
    ("jobs", "subject_id IN (SELECT id FROM entries", "SQLite skips from one of the few kinds to the next"),
    (
        "idempotency_keys",
        "SET lease_until = created_at WHERE",
        "once, when a process starts; a day of them is kept",
    ),
    ("entries", "-COUNT(*)", "counts all of them, by an index alone"),
    ("bookings", "search_text LIKE", "looks for words in all of them"),
    ("bookings", "booking_staff s", "a list of all bookings of a person, from the first one on"),
    ("sync_log", "outcome = $", "a page of a log by a person's filter, the newest first until it is full"),
    (
        "remote_changes",
        "OR o.state = $",
        "a page of a list by a person's filter, the newest first until it is full",
    ),
    ("sync_log", "DELETE", "the oldest first, by ids that begin with their time"),
    ("sync_log", "l.id >= $1", "the last hour, by ids that begin with their time"),
    ("mails", "DELETE", "the oldest first, by ids that begin with their time"),
    ("notices", "DELETE", "the oldest first, by ids that begin with their time"),
    ("history", "DELETE", "the oldest first, by ids that begin with their time"),
    ("remote_changes", "DELETE", "the oldest first, by ids that begin with their time"),
    ("channel_runs", "DELETE", "the oldest first, by ids that begin with their time"),
    ("channel_items", "DELETE", "once an hour; a month of them is kept"),
    ("channel_published", "DELETE", "once an hour; a month of them is kept"),
    (
        "entries",
        "IN ($2, $3, $4, $5, $6, $7, $8, $9,",
        "hundreds at once by their ids: PostgreSQL rather reads a small table whole",
    ),
    (
        "bookings",
        "AND id IN ($2, $3, $4, $5, $6, $7, $8, $9,",
        "hundreds at once by their ids: PostgreSQL rather reads those of a small business by an index alone",
    ),
];

static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static LEFT_OUT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RECORDING: Once = Once::new();
/// How many of them ran.
static RAN: AtomicU64 = AtomicU64::new(0);

/// Takes down, from now on, the text of each statement that this process runs, if it is that of the contract suite, which
/// runs every query. Whether it is: then `check` is to be asked at the end.
pub fn watch(crate_name: &str) -> bool {
    let watches = crate_name == "contract";
    if watches {
        RECORDING.call_once(|| {
            tracing::subscriber::set_global_default(StatementRecorder)
                .expect("nobody else listens in this suite");
        });
    }
    watches
}

static IN_ORDER: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Takes down, from now on, each statement that this process runs on a database that it opens afterwards, in order.
///
/// # Panics
/// If somebody else listens.
pub fn take_down() {
    *locked(&IN_ORDER) = Some(Vec::new());
    RECORDING.call_once(|| {
        tracing::subscriber::set_global_default(StatementRecorder).expect("nobody else listens");
    });
}

/// What was taken down since this was last asked.
pub fn taken_down() -> Vec<String> {
    locked(&IN_ORDER).as_mut().map(std::mem::take).unwrap_or_default()
}

/// How many statements this process has run since it was watched.
pub fn statements() -> u64 {
    RAN.load(Ordering::SeqCst)
}

/// Whether sqlx is to tell of each statement.
pub(crate) fn is_watching() -> bool {
    RECORDING.is_completed()
}

/// A statement of a test's own.
pub fn leave_out(statement: &str) {
    locked(&LEFT_OUT).insert(in_one_line(statement));
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Explains what was run since the last time.
///
/// # Panics
/// If a statement walks through a large table, or cannot be explained.
pub async fn check(db: &TestDb) {
    let statements = std::mem::take(&mut *locked(&SEEN));
    let own = locked(&LEFT_OUT).clone();
    let asked: Vec<String> =
        statements.into_iter().filter(|text| !own.contains(text) && concerns(text)).collect();
    if asked.is_empty() {
        return;
    }
    let mut walks = Vec::new();
    match &**db {
        Db::Sqlite { .. } => {
            let large = large_sqlite().await;
            for text in asked {
                let walked = walked_sqlite(&large, &text).await;
                walks.extend(walked.into_iter().map(|(table, how)| (table, how, text.clone())));
            }
            large.close().await;
        }
        Db::Postgres(_) => {
            let mut large = large_postgres().await;
            for text in asked {
                let walked = walked_postgres(&mut large, &text).await;
                walks.extend(walked.into_iter().map(|(table, how)| (table, how, text.clone())));
            }
        }
    }
    walks.retain(|(table, how, text)| {
        !MAY_WALK.iter().any(|(known, words, _)| known == table && text.contains(words))
            && !FEW.iter().any(|index| how.contains(index))
    });
    let told: Vec<String> =
        walks.iter().map(|(table, how, text)| format!("{table}: {how}\n    in {text}")).collect();
    assert!(told.is_empty(), "these walk through a large table (see MAY_WALK):\n{}", told.join("\n"));
}

/// Whether it reads or writes a large table.
fn concerns(text: &str) -> bool {
    let verb = text.split(' ').next().unwrap_or_default();
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&verb)
        && words(text).any(|word| LARGE.contains(&word))
        && !text.contains("_sqlx_migrations")
        && !text.contains(" FROM \"")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The large tables of a statement by the names that it gives them.
fn aliases(text: &str) -> BTreeMap<String, &'static str> {
    let words: Vec<&str> = words(text).collect();
    let mut named = BTreeMap::new();
    for (place, word) in words.iter().enumerate() {
        let Some(table) = LARGE.iter().find(|table| *table == word) else { continue };
        named.insert((*table).to_owned(), *table);
        let next = match words.get(place + 1) {
            Some(next) if next.eq_ignore_ascii_case("as") => words.get(place + 2),
            next => next,
        };
        if let Some(next) = next.filter(|next| next.chars().all(|c| c.is_lowercase() || c == '_')) {
            named.insert((*next).to_owned(), *table);
        }
    }
    named
}

// ---- SQLite

/// A file with very many rows, made once for all tests of a version of the tables and of this module.
async fn large_sqlite() -> Db {
    let folder = env::temp_dir();
    let name = format!("concord-many-{}.db", version(&crate::migrations::SQLITE_MIGRATIONS));
    let path = folder.join(&name);
    let lock = File::create(folder.join(format!("{name}.lock"))).expect("a file to wait at");
    lock.lock().expect("it can be waited for");
    if !path.exists() {
        let draft = folder.join(format!("{name}.draft-{}", super::random_name()));
        let db = open(&format!("sqlite:{}", draft.display())).await;
        db.migrate().await.expect("an empty file can be migrated");
        write_many(&db, many()).await;
        db.close().await;
        forget_former(&folder);
        std::fs::rename(draft, &path).expect("it gets its name when it is complete");
    }
    drop(lock);
    open(&format!("sqlite:{}", path.display())).await
}

/// Files of versions that nobody has made use of since yesterday.
fn forget_former(folder: &Path) {
    let is_old = |path: &Path| {
        let made = path.metadata().and_then(|file| file.modified());
        made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > Duration::from_hours(24)))
    };
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("concord-many-") && is_old(&entry.path()) {
            let _somebody_was_faster = std::fs::remove_file(entry.path());
        }
    }
}

async fn walked_sqlite(db: &Db, text: &str) -> Vec<(&'static str, String)> {
    let Db::Sqlite { read, .. } = db else { unreachable!() };
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(read).await;
    let rows = rows.unwrap_or_else(|error| panic!("{text}: {error}"));
    let steps: Vec<String> = rows.iter().map(|row| row.get::<String, _>("detail")).collect();
    let named = aliases(text);
    let in_order =
        text.contains("LIMIT") && !steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
    let mut walked = Vec::new();
    for step in &steps {
        let mut parts = step.split(' ');
        let (way, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Some(table) = named.get(name) else { continue };
        let by = step.rsplit_once('(').map(|(_, by)| by.trim_end_matches(')')).unwrap_or_default();
        let is_walk = match way {
            "SCAN" => !in_order,
            "SEARCH" => by == "business_id=?" && !in_order || step.contains("ANY(") || is_range_of_ids(by),
            _ => false,
        };
        if is_walk {
            walked.push((*table, step.clone()));
        }
    }
    walked
}

fn is_range_of_ids(by: &str) -> bool {
    ["id>?", "id<?"].contains(&by)
}

// ---- PostgreSQL

/// A database with very many rows on the tests' server, made once for all tests of a version of the tables and of this
/// module.
async fn large_postgres() -> PgConnection {
    let options = server();
    let name = format!("concord_test_many_{}", version(&crate::migrations::POSTGRES_MIGRATIONS));
    let empty = template(&options).await;
    let mut waiting = options.connect().await.expect("the PostgreSQL server can be reached");
    // Held until the connection closes.
    super::execute(&mut waiting, "SELECT pg_advisory_lock(8232020)".to_owned()).await;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut waiting)
        .await
        .expect("the databases can be listed");
    if !known {
        let draft = format!("concord_test_{}", super::random_name());
        super::execute(&mut waiting, format!("CREATE DATABASE {draft} TEMPLATE {empty}")).await;
        let db = open(options.clone().database(&draft).to_url_lossy().as_str()).await;
        write_many(&db, many()).await;
        db.close().await;
        super::execute(&mut waiting, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    waiting.close().await.expect("a connection closes");
    options.database(&name).connect().await.expect("the database is there")
}

/// Enough that no planner reads a table whole to save itself an index.
fn many() -> LargeFixture {
    LargeFixture { businesses: 2, bookings: 20_000, now: monday(), first: None }
}

/// A name for what a large database holds.
fn version(migrations: &sqlx::migrate::Migrator) -> String {
    let mut known: Vec<u8> = migrations.iter().flat_map(|one| one.checksum.to_vec()).collect();
    known.extend(include_bytes!("many.rs"));
    secret::digest_bytes(&known)[..16].to_owned()
}

async fn walked_postgres(server: &mut PgConnection, text: &str) -> Vec<(&'static str, String)> {
    super::execute(server, format!("PREPARE asked AS {}", given(text))).await;
    let types: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(t.kind AS text) FROM pg_prepared_statements s, unnest(s.parameter_types) WITH ORDINALITY AS t (kind, place)
         WHERE s.name = 'asked' ORDER BY t.place",
    )
    .fetch_all(&mut *server)
    .await
    .expect("the parameters are known");
    let values: Vec<String> =
        types.iter().enumerate().map(|(place, kind)| value(text, place, kind)).collect();
    let arguments = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) EXECUTE asked{arguments}"));
    let plan: Value = sqlx::query_scalar(explain)
        .fetch_one(&mut *server)
        .await
        .unwrap_or_else(|error| panic!("{text} {arguments}: {error}"));
    super::execute(server, "DEALLOCATE asked".to_owned()).await;
    let mut walked = Vec::new();
    walk(&plan[0]["Plan"], false, &mut walked);
    walked
}

/// The text where each parameter that may be NULL is given, if it narrows what is asked for: of such a one alone the server
/// cannot tell the type.
fn given(text: &str) -> String {
    let uses = |parameter: &str| {
        text.split(|c: char| !(c.is_ascii_digit() || c == '$')).filter(|word| *word == parameter).count()
    };
    let mut parts = text.split(" IS NULL");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for after in parts {
        let parameter = made.rfind('$').filter(|at| made[at + 1..].chars().all(|c| c.is_ascii_digit()));
        match parameter.map(|at| (at, made[at..].to_owned())) {
            Some((at, name)) if uses(&name) > 1 => made.replace_range(at.., "FALSE"),
            // It narrows nothing.
            Some((at, name)) => made.replace_range(at.., &format!("CAST({name} AS text) IS NOT NULL")),
            None => made.push_str(" IS NULL"),
        }
        made.push_str(after);
    }
    made
}

/// What a parameter could be: the business first, an instant that is now.
fn value(text: &str, place: usize, kind: &str) -> String {
    match kind {
        "uuid" if place == 0 => format!("'{}'", LargeFixture::business(0).0),
        "uuid" => format!("'{}'", LargeFixture::resource(3, 0)),
        // What is deleted is old.
        "timestamp with time zone" if text.starts_with("DELETE") => "'2020-01-01T00:00:00Z'".to_owned(),
        "timestamp with time zone" => format!("'{}'", monday().to_rfc3339()),
        "date" => "'2027-03-01'".to_owned(),
        "bigint" | "integer" | "smallint" | "numeric" => "50".to_owned(),
        "boolean" => "TRUE".to_owned(),
        "jsonb" | "json" => "'{}'".to_owned(),
        _ => "'many'".to_owned(),
    }
}

/// `in_order`: only as much of the rows is read as is wanted.
fn walk(plan: &Value, in_order: bool, walked: &mut Vec<(&'static str, String)>) {
    let text = |key: &str| plan[key].as_str().unwrap_or_default();
    let node = text("Node Type");
    let in_order = match node {
        "Limit" => true,
        "Sort" | "Incremental Sort" | "Aggregate" | "Hash" | "HashAggregate" | "WindowAgg"
        | "Materialize" => false,
        _ => in_order,
    };
    let table = LARGE.iter().find(|table| **table == text("Relation Name"));
    if let Some(table) = table {
        let by = if node == "Bitmap Heap Scan" { text("Recheck Cond") } else { text("Index Cond") };
        let only_business =
            by.matches(" = ").count() == 1 && by.contains("business_id = ") && !by.contains(" AND ");
        let only_ids = (by.contains("(id > ") || by.contains("(id < ")) && !by.contains(" AND ");
        let is_walk = match node {
            "Seq Scan" => !in_order || !text("Filter").is_empty(),
            "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" => {
                (by.is_empty() || only_business) && !in_order || only_ids
            }
            _ => false,
        };
        if is_walk {
            walked.push((table, format!("{node} {} {by} {}", text("Index Name"), text("Filter"))));
        }
    }
    for part in plan["Plans"].as_array().into_iter().flatten() {
        let own = part["Parent Relationship"] == "Outer" || node == "Append" || node == "Subquery Scan";
        walk(part, in_order && own, walked);
    }
}

// ---- what sqlx tells of each statement

struct StatementRecorder;

impl Subscriber for StatementRecorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = RecordedStatement::default();
        event.record(&mut statement);
        // The text is left out where the summary is all of it.
        let text = if statement.text.is_empty() { statement.summary } else { statement.text };
        RAN.fetch_add(1, Ordering::SeqCst);
        if let Some(all) = locked(&IN_ORDER).as_mut() {
            all.push(in_one_line(&text));
        }
        locked(&SEEN).insert(in_one_line(&text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct RecordedStatement {
    summary: String,
    text: String,
}

impl Visit for RecordedStatement {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.text),
            _ => {}
        }
    }
}
