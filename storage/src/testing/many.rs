//! Very many rows, written by the database itself: for measurements, and to see how queries would be answered.

mod event_tables;
mod tables;

use chrono::{DateTime, SecondsFormat, Utc};
use concord_domain::ids::BusinessId;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use self::{
    event_tables::EVENT_TABLES,
    tables::{FixtureTable, START, TABLES},
};
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
        for table in TABLES.iter().chain(EVENT_TABLES) {
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
    let done = on_db!(tx, c => sqlx::query(text).execute(c).await.map(drop));
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
