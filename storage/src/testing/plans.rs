//! How the databases would answer what the queries ask, where there are very many rows: each statement that a test has run
//! is explained on a database that holds them, and none may walk through a large table.

mod postgres;
mod recorder;
mod sqlite;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

pub(crate) use self::recorder::is_watching;
use self::recorder::{in_one_line, locked};
pub use self::recorder::{statements, take_down, taken_down, watch};
use super::{TestDb, many::LargeFixture, monday};
use crate::{Db, secret};

/// Tables that have many rows.
const LARGE: [&str; 22] = [
    "attendees",
    "bookings",
    "booking_addresses",
    "booking_staff",
    "occupancy",
    "entries",
    "jobs",
    "notices",
    "notice_deliveries",
    "alerts",
    "sync_log",
    "history",
    "busy_times",
    "remote_changes",
    "mails",
    "reminders",
    "channel_runs",
    "channel_items",
    "channel_published",
    "idempotency_keys",
    "events",
    "webhook_deliveries",
];

/// Indexes of the few rows of a large table that wait for something, or that workers have in hand: to walk one of them is to
/// read what is asked for.
const FEW: [&str; 12] = [
    "occupancy_unallocated",
    "remote_changes_open",
    "remote_changes_open_by_entry",
    "notices_unsent",
    "notices_open",
    "alerts_unclosed",
    "jobs_leased",
    "jobs_leased_by_key",
    "booking_addresses_with_former_key",
    "events_unnumbered",
    "webhook_deliveries_due",
    "webhook_deliveries_in_order",
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
    ("attendees", "token_sealed IS NOT NULL AND id > $1", "all of them, once, when keys are rotated"),
    ("alerts", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("mails", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("notices", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("history", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("sync_log", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("channel_runs", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("channel_items", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("jobs", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    ("events", "id > $2 AND business_id = $1", "an erasure reads all of a business, in slices by id"),
    (
        "webhook_deliveries",
        "LEFT JOIN webhook_deliveries d",
        "an erasure reads all of a business, in slices by id",
    ),
    (
        "bookings",
        "later.ends_at > $1",
        "those that ended long ago and name somebody, by an index of these alone",
    ),
    ("mails", "DELETE", "the oldest first, by ids that begin with their time"),
    ("notices", "DELETE", "the oldest first, by ids that begin with their time"),
    ("alerts", "DELETE", "the oldest first, by ids that begin with their time"),
    ("history", "DELETE", "the oldest first, by ids that begin with their time"),
    ("remote_changes", "DELETE", "the oldest first, by ids that begin with their time"),
    ("channel_runs", "DELETE", "the oldest first, by ids that begin with their time"),
    ("events", "DELETE", "the oldest first, by ids that begin with their time"),
    ("events", "e.kind <> 'webhook.test'", "somebody has a stretch of all events sent again, by hand"),
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

static LEFT_OUT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A statement of a test's own.
pub fn leave_out(statement: &str) {
    locked(&LEFT_OUT).insert(in_one_line(statement));
}

/// Explains what was run since the last time.
///
/// # Panics
/// If a statement walks through a large table, or cannot be explained.
pub async fn check(db: &TestDb) {
    let statements = recorder::take_seen();
    let own = locked(&LEFT_OUT).clone();
    let asked: Vec<String> =
        statements.into_iter().filter(|text| !own.contains(text) && concerns(text)).collect();
    if asked.is_empty() {
        return;
    }
    let mut walks = Vec::new();
    match &**db {
        Db::Sqlite { .. } => {
            let large = sqlite::large().await;
            for text in asked {
                let walked = sqlite::walked(&large, &text).await;
                walks.extend(walked.into_iter().map(|(table, how)| (table, how, text.clone())));
            }
            large.close().await;
        }
        Db::Postgres(_) => {
            let mut large = postgres::large().await;
            for text in asked {
                let walked = postgres::walked(&mut large, &text).await;
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

/// Enough that no planner reads a table whole to save itself an index.
fn many() -> LargeFixture {
    LargeFixture { businesses: 2, bookings: 20_000, now: monday(), first: None }
}

/// A name for what a large database holds.
fn version(migrations: &sqlx::migrate::Migrator) -> String {
    let mut known: Vec<u8> = migrations.iter().flat_map(|one| one.checksum.to_vec()).collect();
    known.extend(include_bytes!("many.rs"));
    known.extend(include_bytes!("many/tables.rs"));
    secret::digest_bytes(&known)[..16].to_owned()
}
