//! How fast allocations are given, against the same statements in raw SQL, and how fast overlaps are found.
//!
//! `cargo run --release -p concord-storage --example occupancy_bench [ROWS]`, ROWS being what stands there before (100,000
//! if it is not given). PostgreSQL is measured when `CONCORD_TEST_POSTGRES_URL` is set.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first failure")]

use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{BusinessId, OccupancyId, ResourceId},
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::{
    Db,
    occupancy::{self, OccupancyRequest, OccupancySubject},
    resources, testing,
};
use sqlx::{Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

/// Resources that the rows are spread over.
const RESOURCES: usize = 500;
/// Units that are allocated in a measurement.
const ALLOCATIONS: usize = 5_000;
/// Units in one transaction on SQLite, as in an import; on PostgreSQL each has its own.
const IN_ONE_TRANSACTION: usize = 100;
/// Clients at once on PostgreSQL.
const CLIENTS: usize = 8;

#[tokio::main]
async fn main() {
    let rows = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    say(&format!("{rows} rows on {RESOURCES} resources, {ALLOCATIONS} allocations a measurement"));
    let sqlite = testing::sqlite().await;
    let fixture = BenchFixture::build(&sqlite, rows).await;
    on_sqlite(&sqlite, sqlite.url(), &fixture).await;
    if std::env::var("CONCORD_TEST_POSTGRES_URL").is_ok() {
        let postgres = testing::postgres().await;
        let fixture = BenchFixture::build(&postgres, rows).await;
        on_postgres(&postgres, postgres.url(), &fixture).await;
    } else {
        say("PostgreSQL: not measured, CONCORD_TEST_POSTGRES_URL is not set");
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn say(line: &str) {
    println!("{line}");
}

struct BenchFixture {
    business: BusinessId,
    rooms: Vec<ResourceId>,
    /// How many hours are taken on each resource, one after the other.
    taken: usize,
}

impl BenchFixture {
    async fn build(db: &Db, rows: usize) -> Self {
        let business = testing::business(db).await;
        let mut rooms = Vec::new();
        for _ in 0..RESOURCES {
            rooms.push(testing::resource(db, &business, 1).await.id);
        }
        let fixture = Self { business: business.id, rooms, taken: rows / RESOURCES };
        let now = testing::monday();
        for room in &fixture.rooms {
            let mut tx = testing::begin(db).await;
            for hour in 0..fixture.taken {
                let allocated =
                    occupancy::allocate(&mut tx, &fixture.arrival(*room, hour), now).await.unwrap();
                assert!(allocated.is_ok(), "the bench's own rows do not overlap");
            }
            testing::commit(tx).await;
        }
        fixture
    }

    fn arrival(&self, room: ResourceId, hour: usize) -> OccupancyRequest {
        OccupancyRequest {
            business: self.business,
            subject: OccupancySubject { kind: SubjectKind::Resource, id: room.0, capacity: 1 },
            interval: hour_of(hour),
            source: OccupancySource::Booking,
            source_id: Uuid::new_v4(),
            quantity: 1,
        }
    }

    /// The `index`-th allocation of a round: the next free hour of some resource.
    fn place(&self, round: usize, index: usize) -> (ResourceId, usize) {
        let each = ALLOCATIONS / RESOURCES;
        (self.rooms[index % RESOURCES], self.taken + round * each + index / RESOURCES)
    }
}

fn hour_of(hour: usize) -> Interval {
    let start = testing::monday() + Duration::hours(i64::try_from(hour).unwrap());
    Interval { start, end: start + Duration::hours(1) }
}

async fn ours(db: &Db, fixture: &BenchFixture, round: usize, part: std::ops::Range<usize>, batch: usize) {
    let now = testing::monday();
    let indexes: Vec<usize> = part.collect();
    for batch in indexes.chunks(batch) {
        let mut tx = testing::begin(db).await;
        for index in batch {
            let (room, hour) = fixture.place(round, *index);
            resources::lock(&mut tx, fixture.business, room).await.unwrap();
            let allocated = occupancy::allocate(&mut tx, &fixture.arrival(room, hour), now).await.unwrap();
            assert!(allocated.is_ok(), "the hour is free");
        }
        testing::commit(tx).await;
    }
}

const LOCK: &str = "UPDATE resources SET revision = revision + 1 WHERE id = $1";
const TAKEN: &str =
    "SELECT COUNT(*) FROM occupancy WHERE subject_id = $1 AND unit = 1 AND starts_at < $3 AND ends_at > $2";
const TAKEN_POSTGRES: &str = "
    SELECT COUNT(*) FROM occupancy
    WHERE subject_id = $1 AND unit = 1 AND tstzrange(starts_at, ends_at, '[)') && tstzrange($2, $3, '[)')";
const INSERT: &str = "
    INSERT INTO occupancy
        (id, business_id, subject_kind, subject_id, unit, starts_at, ends_at, source, source_id, part, created_at)
    VALUES ($1, $2, 'resource', $3, 1, $4, $5, 'booking', $6, 0, $7)";

/// One allocation by hand: lock, look, insert.
macro_rules! raw_allocation {
    ($connection:expr, $taken:expr, $fixture:expr, $room:expr, $interval:expr, $now:expr) => {{
        let (room, interval, now): (ResourceId, Interval, DateTime<Utc>) = ($room, $interval, $now);
        sqlx::query(LOCK).bind(room).execute(&mut *$connection).await.unwrap();
        let taken: i64 = sqlx::query_scalar($taken)
            .bind(room)
            .bind(interval.start)
            .bind(interval.end)
            .fetch_one(&mut *$connection)
            .await
            .unwrap();
        assert_eq!(taken, 0, "the hour is free");
        sqlx::query(INSERT)
            .bind(OccupancyId::new(now))
            .bind($fixture.business)
            .bind(room)
            .bind(interval.start)
            .bind(interval.end)
            .bind(Uuid::new_v4())
            .bind(now)
            .execute(&mut *$connection)
            .await
            .unwrap();
    }};
}

async fn on_sqlite(db: &Db, url: &str, fixture: &BenchFixture) {
    let began = Instant::now();
    ours(db, fixture, 0, 0..ALLOCATIONS, IN_ONE_TRANSACTION).await;
    let ours_rate = rate(began);
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut connection).await.unwrap();
    let began = Instant::now();
    let indexes: Vec<usize> = (0..ALLOCATIONS).collect();
    for batch in indexes.chunks(IN_ONE_TRANSACTION) {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for index in batch {
            let (room, hour) = fixture.place(1, *index);
            raw_allocation!(tx, TAKEN, fixture, room, hour_of(hour), testing::monday());
        }
        tx.commit().await.unwrap();
    }
    report("SQLite", ours_rate, rate(began));
    find_overlaps(db, fixture, "SQLite").await;
}

async fn on_postgres(db: &Db, url: &str, fixture: &BenchFixture) {
    let began = Instant::now();
    let part = ALLOCATIONS / CLIENTS;
    futures_of((0..CLIENTS).map(|client| ours(db, fixture, 0, client * part..(client + 1) * part, 1))).await;
    let ours_rate = rate(began);
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query("SET synchronous_commit = off").execute(&mut connection).await.unwrap();
        connections.push(connection);
    }
    let began = Instant::now();
    let clients = connections.iter_mut().enumerate().map(|(client, connection)| async move {
        for index in client * part..(client + 1) * part {
            let (room, hour) = fixture.place(1, index);
            let mut tx = connection.begin().await.unwrap();
            raw_allocation!(tx, TAKEN_POSTGRES, fixture, room, hour_of(hour), testing::monday());
            tx.commit().await.unwrap();
        }
    });
    futures_of(clients).await;
    report("PostgreSQL", ours_rate, rate(began));
    find_overlaps(db, fixture, "PostgreSQL").await;
}

async fn futures_of<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn rate(began: Instant) -> f64 {
    ALLOCATIONS as f64 / began.elapsed().as_secs_f64()
}

fn report(name: &str, ours: f64, raw: f64) {
    say(&format!(
        "{name}: {ours:.0} allocations/s, raw SQL {raw:.0} allocations/s, {:.2} times as long as raw",
        raw / ours
    ));
}

async fn find_overlaps(db: &Db, fixture: &BenchFixture, name: &str) {
    let asked = 2_000_u32;
    let began = Instant::now();
    for index in 0..asked as usize {
        let room = fixture.rooms[index % RESOURCES];
        let found = occupancy::list_occupied(db, fixture.business, room.0, hour_of(index % fixture.taken))
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "each of these hours is taken once");
    }
    say(&format!("{name}: what stands in an hour is found in {:?}", began.elapsed() / asked));
}
