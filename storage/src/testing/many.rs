//! Very many rows, written by the database itself: for measurements, and to see how queries would be answered.

use chrono::{DateTime, SecondsFormat, Utc};
use concord_domain::ids::BusinessId;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Db, statistics};

/// How much is written.
#[derive(Clone, Copy, Debug)]
pub struct LargeFixture {
    /// Businesses, each with all of the rest.
    pub businesses: u32,
    /// Bookings of each, on ten resources with ten people, each with an entry. All but [`Many::TO_COME`] are over.
    pub bookings: u32,
    /// What is now for them.
    pub now: DateTime<Utc>,
    /// One that is there already, which gets the rows of the first.
    pub first: Option<BusinessId>,
}

impl LargeFixture {
    /// Bookings of each business that have not begun.
    pub const TO_COME: u32 = 200;

    /// The id of the business of that number.
    pub fn business(number: u32) -> BusinessId {
        BusinessId(id(0, 0, number))
    }

    /// The reference of a booking of each.
    pub fn reference(number: u32) -> String {
        format!("MANY-{number}")
    }

    /// The id of the resource of that number, of ten.
    pub fn resource(number: u32, business: u32) -> Uuid {
        id(RESOURCE, number, business)
    }

    /// The id of the person of that number, of ten.
    pub fn staff(number: u32, business: u32) -> Uuid {
        id(STAFF, number, business)
    }
}

const STAFF: u16 = 1;
const RESOURCE: u16 = 2;

fn id(tag: u16, number: u32, business: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) << 96 | u128::from(tag) << 80 | u128::from(business))
}

/// A table, how many of a thousand bookings' rows it gets (0: ten in all), and its columns with what stands in them.
/// `{id TAG N}` is the id of row N of a table, `{at H}` the instant H hours from now, `i` the row's number from 0.
/// `{recent TAG N}` is the id of a row that retention keeps: it goes by the time in an id (RFC 9562, 5.7).
type FixtureTable = (&'static str, u32, &'static [(&'static str, &'static str)]);

const START: &str = "(i / 10 - ({bookings} - {to_come}) / 10) * 2";
const TABLES: &[FixtureTable] = &[
    (
        "staff",
        0,
        &[
            ("id", "{id 1 i}"),
            ("name", "'Person ' || i"),
            ("email", "'person' || i || '@many.example'"),
            ("trade", "'general'"),
            ("revision", "1"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "resources",
        0,
        &[
            ("id", "{id 2 i}"),
            ("name", "'Room ' || i"),
            ("capacity", "1"),
            ("buffer_before_minutes", "0"),
            ("buffer_after_minutes", "0"),
            ("revision", "1"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "connections",
        0,
        &[
            ("id", "{id 3 i}"),
            ("staff_id", "{id 1 i}"),
            ("provider", "'google'"),
            ("account_subject", "'account' || i"),
            ("account_email", "'person' || i || '@many.example'"),
            ("state", "'active'"),
            ("direction", "'both'"),
            ("coverage", "'assigned'"),
            ("is_default", "TRUE"),
            ("grant_number", "1"),
            ("remove_entries", "FALSE"),
            ("state_changed_at", "{at 0}"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "calendars",
        0,
        &[
            ("id", "{id 4 i}"),
            ("connection_id", "{id 3 i}"),
            ("external_id", "'primary' || i"),
            ("name", "'Calendar'"),
            ("writable", "TRUE"),
            ("is_primary", "TRUE"),
            ("reads", "TRUE"),
            ("writes", "TRUE"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "channels",
        0,
        &[
            ("id", "{id 12 i}"),
            ("resource_id", "{id 2 i}"),
            ("platform", "'airbnb'"),
            ("state", "'active'"),
            ("preference", "'ask'"),
            ("blocks", "'occupy'"),
            ("import_host", "''"),
            ("polled", "FALSE"),
            ("quarantined_items", "0"),
            ("quarantined_total", "0"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "bookings",
        1000,
        &[
            ("id", "{id 5 i}"),
            ("reference", "'MANY-' || i"),
            ("version", "1"),
            ("resource_id", "{id 2 i % 10}"),
            ("kind", "'booking'"),
            ("status", "CASE WHEN i % 20 = 0 THEN 'cancelled' ELSE 'confirmed' END"),
            ("starts_at", "{at START}"),
            ("ends_at", "{at START + 1}"),
            ("title", "'Booking ' || i"),
            ("customer_name", "'Maria Silva'"),
            ("customer_email", "'maria@example.com'"),
            ("customer_phone", "''"),
            ("quantity", "1"),
            ("location", "''"),
            ("notes", "''"),
            ("source", "'api'"),
            ("search_text", "'many-' || i || ' booking maria silva maria@example.com'"),
            ("created_at", "{at START - 48}"),
            ("updated_at", "{at START - 48}"),
        ],
    ),
    ("booking_staff", 1000, &[("booking_id", "{id 5 i}"), ("staff_id", "{id 1 i % 10}")]),
    (
        "occupancy",
        1000,
        &[
            ("id", "{id 6 i}"),
            ("subject_kind", "'resource'"),
            ("subject_id", "{id 2 i % 10}"),
            ("unit", "1"),
            ("starts_at", "{at START}"),
            ("ends_at", "{at START + 1}"),
            ("source", "'booking'"),
            ("source_id", "{id 5 i}"),
            ("part", "0"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    (
        "entries",
        1000,
        &[
            ("id", "{id 7 i}"),
            ("booking_id", "{id 5 i}"),
            ("connection_id", "{id 3 i % 10}"),
            ("calendar_id", "{id 4 i % 10}"),
            ("external_id", "'entry' || i"),
            ("wanted", "TRUE"),
            ("state", "'synced'"),
            ("attempted", "TRUE"),
            ("etag", "'etag'"),
            ("content_hash", "'hash'"),
            ("written_version", "1"),
            ("written_at", "{at START - 48}"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    (
        "jobs",
        1000,
        &[
            ("id", "{id 8 i}"),
            ("kind", "'sync_booking'"),
            ("subject_id", "{id 7 i}"),
            ("queue", "'interactive'"),
            ("version", "1"),
            ("state", "'done'"),
            ("attempts", "0"),
            ("enqueued_at", "{at 0 - i % 160}"),
            ("finished_at", "{at 0 - i % 160}"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    // Polls: each calendar has one that is due some day.
    (
        "jobs",
        100,
        &[
            ("id", "{id 18 i}"),
            ("kind", "'import_availability'"),
            ("subject_id", "{id 19 i}"),
            ("key_id", "{id 20 i / 10}"),
            ("queue", "'poll'"),
            ("version", "1"),
            ("state", "'waiting'"),
            ("due_at", "{at 1000 + i}"),
            ("attempts", "0"),
            ("enqueued_at", "{at 0 - i}"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    (
        "notices",
        500,
        &[
            ("id", "{recent 9 i}"),
            ("kind", "'sync_failed'"),
            ("subject_kind", "'connection'"),
            ("subject_id", "{id 3 i % 10}"),
            ("headline", "'It failed'"),
            ("detail", "''"),
            ("link", "'/'"),
            ("dedupe_key", "'sync_failed:' || i % 10"),
            ("created_at", "{at START}"),
            ("notified_at", "{at START}"),
            ("closed_at", "{at START + 1}"),
        ],
    ),
    (
        "sync_log",
        1000,
        &[
            ("id", "{recent 10 i}"),
            ("connection_id", "{id 3 i % 10}"),
            ("booking_id", "{id 5 i}"),
            ("operation", "'create'"),
            ("outcome", "'ok'"),
            ("detail", "''"),
            ("duration_ms", "1"),
            ("at", "{at START - 48}"),
        ],
    ),
    (
        "history",
        1000,
        &[
            ("id", "{recent 11 i}"),
            ("actor", r#"'{"kind":"system"}'"#),
            ("action", "'booking_created'"),
            ("subject_kind", "'booking'"),
            ("subject_id", "{id 5 i}"),
            ("detail", "'{}'"),
            ("at", "{at START - 48}"),
        ],
    ),
    (
        "busy_times",
        100,
        &[
            ("id", "{id 13 i}"),
            ("calendar_id", "{id 4 i % 10}"),
            ("external_id", "'busy' || i"),
            ("starts_at", "{at i}"),
            ("ends_at", "{at i + 1}"),
            ("tentative", "FALSE"),
            ("seen_at", "{at 0}"),
        ],
    ),
    (
        "mails",
        100,
        &[
            ("id", "{recent 14 i}"),
            ("kind", "'notice'"),
            ("to_address", "'ana@example.com'"),
            ("to_name", "'Ana'"),
            ("subject", "'It failed'"),
            ("body_text", "''"),
            ("body_html", "''"),
            ("message_id", "'<' || i || '@many>'"),
            ("dedupe_key", "'many' || i"),
            ("state", "'sent'"),
            ("sent_at", "{at 0 - i}"),
            ("created_at", "{at 0 - i}"),
        ],
    ),
    (
        "channel_runs",
        100,
        &[
            ("id", "{id 15 i}"),
            ("channel_id", "{id 12 i % 10}"),
            ("origin", "'poll'"),
            ("actor", r#"'{"kind":"system"}'"#),
            ("outcome", "'unchanged'"),
            ("message", "''"),
            ("imported", "0"),
            ("updated", "0"),
            ("cancelled", "0"),
            ("skipped", "0"),
            ("conflicts", "0"),
            ("duration_ms", "1"),
            ("at", "{at 0 - i}"),
        ],
    ),
    (
        "channel_items",
        100,
        &[
            ("id", "{id 16 i}"),
            ("channel_id", "{id 12 i % 10}"),
            ("item_key", "'key' || i"),
            ("kind", "'reservation'"),
            ("starts_at", "{at i}"),
            ("ends_at", "{at i + 1}"),
            ("summary", "'Reserved'"),
            ("contested", "FALSE"),
            ("pinned", "FALSE"),
            ("booking_id", "{id 5 i}"),
            ("found_run_id", "{id 15 i}"),
            ("removed_run_id", "CASE WHEN i % 2 = 0 THEN {id 15 i} END"),
            ("removed_at", "CASE WHEN i % 2 = 0 THEN {at 0} END"),
            ("removed_status", "CASE WHEN i % 2 = 0 THEN 'confirmed' END"),
            ("first_seen_at", "{at 0}"),
        ],
    ),
    (
        "channel_published",
        100,
        &[
            ("id", "{id 17 i}"),
            ("channel_id", "{id 12 i % 10}"),
            ("booking_id", "{id 5 i}"),
            ("starts_at", "{at i}"),
            ("ends_at", "{at i + 1}"),
            ("since_revision", "1"),
            ("until_revision", "CASE WHEN i % 2 = 0 THEN 2 END"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "remote_changes",
        100,
        &[
            ("id", "{recent 18 i}"),
            ("booking_id", "{id 5 i}"),
            ("entry_id", "{id 7 i}"),
            ("connection_id", "{id 3 i % 10}"),
            ("kind", "'moved'"),
            ("state", "'followed'"),
            ("detail", "''"),
            ("edit", r#"'{"kind":"moved","time":null,"title":null,"status":null}'"#),
            ("before", r#"'{"kind":"moved","time":null,"title":null,"status":null}'"#),
            ("booking_version", "1"),
            ("seen_at", "{at 0 - i}"),
        ],
    ),
    (
        "idempotency_keys",
        100,
        &[
            ("key", "'many' || i"),
            ("request_hash", "''"),
            ("status", "200"),
            ("response", "''"),
            ("created_at", "{at 0 - i % 24}"),
        ],
    ),
];

/// Writes it all and lets PostgreSQL look how much there is.
///
/// # Panics
/// If it cannot be written.
pub async fn write_many(db: &Db, many: LargeFixture) {
    write_rows(db, many).await;
    analyze(db).await;
}

/// The same, of which the database does not know yet how much there is.
///
/// # Panics
/// If it cannot be written.
pub async fn write_rows(db: &Db, many: LargeFixture) {
    for business in 0..many.businesses {
        let is_there = business == 0 && many.first.is_some();
        let settings = format!(
            "INSERT INTO businesses (id, name, slug, zone, entry_privacy, mark_cancelled, revision, created_at)
             VALUES ({}, 'Many {business}', 'many-{business}', 'Europe/Lisbon', 'minimal', FALSE, 1, {})",
            expanded(db, "{id 0 0}", many, business),
            expanded(db, "{at 0}", many, business),
        );
        if !is_there {
            execute(db, settings).await;
        }
        for table in TABLES {
            execute(db, insert(db, *table, many, business)).await;
        }
    }
}

/// Lets PostgreSQL look at what its tables hold.
///
/// # Panics
/// If it does not.
async fn analyze(db: &Db) {
    match db {
        Db::Sqlite { .. } => statistics::refresh(db).await.map(drop).expect("the file can be read"),
        // So that counting needs an index alone, as after a while of use.
        Db::Postgres(pool) => {
            sqlx::query("VACUUM (ANALYZE)").execute(pool).await.map(drop).expect("the tables are looked at");
        }
    }
}

/// In a transaction of its own: others may be writing.
async fn execute(db: &Db, statement: String) {
    let mut tx = db.begin().await.expect("a transaction begins");
    let text = AssertSqlSafe(statement.clone());
    let done = crate::on_db!(tx, c => sqlx::query(text).execute(c).await.map(drop));
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    tx.commit().await.expect("it is written");
}

fn insert(
    db: &Db,
    (table, per_thousand, columns): FixtureTable,
    many: LargeFixture,
    business: u32,
) -> String {
    let rows = if per_thousand == 0 { 10 } else { many.bookings / 1000 * per_thousand };
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(_, value)| expanded(db, &value.replace("START", START), many, business))
        .collect();
    let (numbers, from) = match db {
        Db::Sqlite { .. } => (
            format!(
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})",
                rows - 1
            ),
            "n".to_owned(),
        ),
        Db::Postgres(_) => (String::new(), format!("generate_series(0, {}) AS n (i)", rows - 1)),
    };
    format!(
        "INSERT INTO {table} (business_id, {}) {numbers} SELECT {}, {} FROM {from}",
        names.join(", "),
        expanded(db, "{id 0 0}", many, business),
        values.join(", "),
    )
}

/// Puts what the database calls it for each `{id TAG N}` and `{at HOURS}`.
fn expanded(db: &Db, text: &str, many: LargeFixture, business: u32) -> String {
    let text = text
        .replace("{bookings}", &many.bookings.to_string())
        .replace("{to_come}", &LargeFixture::TO_COME.to_string());
    let mut parts = text.split(['{', '}']);
    let mut made = parts.next().unwrap_or_default().to_owned();
    // What stands in braces and what follows them take turns.
    while let (Some(inside), Some(after)) = (parts.next(), parts.next()) {
        match inside.split_once(' ') {
            Some(("id", rest)) => {
                let (tag, number) = rest.split_once(' ').expect("a tag and a number");
                let of = (tag, business, many.first);
                made.push_str(&match of {
                    ("0", 0, Some(first)) => uuid_text(db, first.0),
                    _ => id_text(db, tag.parse().expect("a tag"), number, business),
                });
            }
            Some(("recent", rest)) => {
                let (tag, number) = rest.split_once(' ').expect("a tag and a number");
                // The upper 32 bits count 65.5 s: of 100,000 rows the first is 76 days old.
                let last = many.now.timestamp_millis() >> 16;
                let number = format!("({last} - {} + {number})", many.bookings);
                made.push_str(&id_text(db, tag.parse().expect("a tag"), &number, business));
            }
            Some(("at", hours)) => made.push_str(&instant_text(db, hours, many.now)),
            // JSON.
            _ => made.extend(["{", inside, "}"]),
        }
        made.push_str(after);
    }
    made
}

fn uuid_text(db: &Db, id: Uuid) -> String {
    match db {
        Db::Sqlite { .. } => format!("x'{}'", id.simple()),
        Db::Postgres(_) => format!("CAST('{id}' AS uuid)"),
    }
}

fn id_text(db: &Db, tag: u16, number: &str, business: u32) -> String {
    let rest = format!("{tag:04x}{business:020x}");
    match db {
        Db::Sqlite { .. } => format!("unhex(printf('%08x', {number}) || '{rest}')"),
        Db::Postgres(_) => {
            format!("CAST(lpad(to_hex(CAST({number} AS integer)), 8, '0') || '{rest}' AS uuid)")
        }
    }
}

fn instant_text(db: &Db, hours: &str, now: DateTime<Utc>) -> String {
    let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    match db {
        Db::Sqlite { .. } => {
            format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', '{now}', ({hours}) || ' hours')")
        }
        Db::Postgres(_) => {
            format!("(CAST('{now}' AS timestamptz) + make_interval(hours => CAST({hours} AS integer)))")
        }
    }
}
