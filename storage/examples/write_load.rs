//! What SQLite's one writer gets done with more and more clients: an overload is to be turned away, not to slow all down.
//!
//! `cargo run --release -p concord-storage --example write_load [SECONDS]`, SECONDS being how long each number of clients
//! writes in all (10 if it is not given), in short turns. Each client writes bookings as fast as it can, as a request does;
//! beside them a batch writes all the time. Fails if 32 clients get less than 0.8 of the best done.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first failure"
)]

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    task::Poll,
    time::{Duration, Instant},
};

use concord_domain::people::Actor;
use concord_storage::{
    ChangeContext, Db, StorageError, WriteCaller,
    bookings::{self, PutError},
    on_behalf_of,
    resources::{self, Resource},
    testing,
};

const CLIENTS: [usize; 6] = [1, 4, 8, 16, 32, 128];
/// Each number of clients has so many turns a second that it writes: short ones, so that a machine that grows faster or
/// slower meanwhile does so for all of them.
const TURNS: u32 = 2;
/// Of the best, with 32 clients.
const LEAST: f64 = 0.8;

static HOURS: AtomicI64 = AtomicI64::new(0);

/// What came of the writing.
#[derive(Default)]
struct WriteCounts {
    done: AtomicU64,
    turned_away: AtomicU64,
    batches: AtomicU64,
    slowest_micros: AtomicU64,
    /// How long it took: what is under way at the end of a turn is waited for.
    took_millis: AtomicU64,
}

impl WriteCounts {
    fn a_second(&self, count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed) * 1_000 / self.took_millis.load(Ordering::Relaxed).max(1)
    }
}

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    let db = testing::sqlite().await;
    let business = testing::business(&db).await;
    let room = testing::resource(&db, &business, 1_000).await;
    let all: Vec<(usize, WriteCounts)> =
        CLIENTS.iter().map(|clients| (*clients, WriteCounts::default())).collect();
    for _ in 0..seconds * TURNS {
        for (clients, counts) in &all {
            measure(&db, &room, *clients, counts).await;
        }
    }
    for (clients, counts) in &all {
        println!(
            "{clients:4} clients: {:5} bookings/s, slowest {:5} ms, {} turned away, {} batches/s beside",
            counts.a_second(&counts.done),
            counts.slowest_micros.load(Ordering::Relaxed) / 1_000,
            counts.turned_away.load(Ordering::Relaxed),
            counts.a_second(&counts.batches),
        );
    }
    let done = |counts: &WriteCounts| counts.a_second(&counts.done);
    let best = all.iter().map(|(_, counts)| done(counts)).max().unwrap();
    let under_load = all.iter().find(|(clients, _)| *clients == 32).map(|(_, counts)| done(counts)).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let part = under_load as f64 / best as f64;
    println!("32 clients get {part:.2} of the best done (at least {LEAST})");
    assert!(part >= LEAST, "an overload costs too much");
}

/// Lets so many clients write for a turn.
async fn measure(db: &Db, room: &Resource, clients: usize, counts: &WriteCounts) {
    let (began, end) = (Instant::now(), AtomicBool::new(false));
    let mut running: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for client in 0..clients {
        let client = format!("{clients}-{client}");
        running.push(Box::pin(on_behalf_of(WriteCaller::Request, book(db, room, client, counts, &end))));
    }
    running.push(Box::pin(on_behalf_of(WriteCaller::BulkJob, batch(db, room, counts, &end))));
    running.push(Box::pin(async {
        tokio::time::sleep(Duration::from_secs(1) / TURNS).await;
        end.store(true, Ordering::Relaxed);
    }));
    std::future::poll_fn(|context| {
        running.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    counts.took_millis.fetch_add(u64::try_from(began.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
}

async fn book(db: &Db, room: &Resource, client: String, counts: &WriteCounts, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        // An hour of its own for each, so that none is dearer than another.
        let number = HOURS.fetch_add(1, Ordering::Relaxed);
        let change =
            ChangeContext { business: room.business_id, actor: Actor::System, now: testing::monday() };
        let draft = testing::draft(room, number * 60, number * 60 + 30);
        let began = Instant::now();
        match bookings::put(db, &change, &format!("{client}-{number}"), &draft, None).await {
            Ok(_) => {
                counts.done.fetch_add(1, Ordering::Relaxed);
            }
            Err(PutError::Storage(StorageError::Overloaded)) => {
                counts.turned_away.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => panic!("{error}"),
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap();
        counts.slowest_micros.fetch_max(took, Ordering::Relaxed);
    }
}

async fn batch(db: &Db, room: &Resource, counts: &WriteCounts, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        let mut tx = db.begin().await.unwrap();
        resources::bump_revision(&mut tx, room.business_id, room.id).await.unwrap();
        tx.commit().await.unwrap();
        counts.batches.fetch_add(1, Ordering::Relaxed);
    }
}
