//! The crash test: while bookings change, a fifth of all calls to the providers goes wrong (a sandbox's Google and
//! Microsoft, and a real Radicale), and so does the installation itself (`trouble`). When that ends, every living booking
//! must have exactly one entry in the calendar of each of its people, and no other booking any, within a minute; nobody
//! is asked about a change that nobody made; and whatever was sent with an idempotency key, and repeated until there
//! was an answer, was done once.
//!
//! Two forms: `grown_up` (web and two workers over PostgreSQL and Redis, one worker's clock 90 s ahead; all of them are
//! killed, a worker is frozen for longer than its leases hold, PostgreSQL ends at once, Redis ends or forgets everything)
//! and `all_in_one` (`concord serve` over SQLite with the queue in its process; it is killed as a whole, frozen, and its
//! disk is full). Whoever changes bookings asks again until they have an answer.
//!
//! The seed of a run is printed; `CONCORD_CHAOS_SEED` sets it. What changes is then the same; the moments are not, since
//! they are those of real processes. `CONCORD_CHAOS_CHANGES` sets how many times a booking changes; `make crash` takes
//! 1,000.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test whose surroundings fail has failed, and its seed and figures are for people"
)]

mod event_log;
mod faults;
mod idempotency;
mod people;
mod postgres;
mod webhooks;

use std::{cell::RefCell, time::Duration};

use concord_storage::testing;
use concord_testing::{
    app::{cluster, cluster_requests},
    process,
};
use tokio::time::{Instant, sleep};

use crate::{
    event_log::EventLog,
    faults::{ChaosFault, Deployment, FaultCounts},
    idempotency::RepeatCounts,
    people::CalendarUsers,
    postgres::PostgresProcess,
    process::Redis,
};

/// How many times a booking changes, unless `CONCORD_CHAOS_CHANGES` says otherwise.
const CHANGES: u64 = 300;
/// From one change to the next: a busy business. With it the changes take about as long as twenty kills.
const PACE: Duration = Duration::from_millis(50);
/// Before so many kills, and so many calls at each provider that went wrong, the changes go on.
const LEAST_KILLS: u32 = 5;
const LEAST_FAULTS: u64 = 10;
/// From the end of the faults until all is well.
const RECOVERY: Duration = Duration::from_mins(1);

/// By how much a worker's clock is ahead of the others'.
const AHEAD: [(&str, &str); 1] = [("CONCORD_TEST_CLOCK_AHEAD_SECONDS", "90")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grown_up() {
    let seed = seed();
    let (server, db) = PostgresProcess::start().await;
    let redis = Redis::start().await;
    let people = CalendarUsers::connect_all(&db, Some(&redis.url())).await;
    let mut installation = Deployment {
        front: people.cluster.concord("web", &["web"]),
        workers: vec![
            people.cluster.concord("first", &["worker"]),
            people.cluster.concord_with("second", &["worker"], &AHEAD),
        ],
        redis: Some(redis),
        server: Some(server),
    };
    people.cluster.is_ready().await;
    storm(&people, seed, &mut installation).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one() {
    let seed = seed();
    let db = testing::sqlite().await;
    let people = CalendarUsers::connect_all(&db, None).await;
    let front = people.cluster.concord("serve", &["serve"]);
    let mut installation = Deployment { front, workers: vec![], redis: None, server: None };
    people.cluster.is_ready().await;
    storm(&people, seed, &mut installation).await;
}

fn seed() -> u64 {
    let seed = given("CONCORD_CHAOS_SEED").unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    println!("CONCORD_CHAOS_SEED={seed}");
    seed
}

fn given(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Whether enough has gone wrong.
async fn enough(people: &CalendarUsers<'_>, happened: &RefCell<FaultCounts>) -> bool {
    let is_much = {
        let happened = happened.borrow();
        let last = if happened.contains_key(&ChaosFault::QueueFlush) { 5 } else { 3 };
        happened.get(&ChaosFault::Kill).is_some_and(|kills| *kills >= LEAST_KILLS) && happened.len() >= last
    };
    is_much && people.hits().await.values().all(|hits| *hits >= LEAST_FAULTS)
}

/// All that goes wrong, then the verdict.
async fn storm(people: &CalendarUsers<'_>, seed: u64, installation: &mut Deployment) {
    let wanted_changes = given("CONCORD_CHAOS_CHANGES").unwrap_or(CHANGES);
    people.faults(seed).await;
    let began = Instant::now();
    let mut event_log = EventLog::new(seed);
    let happened = RefCell::new(FaultCounts::new());
    let mut repeats = RepeatCounts::default();
    let mut changed = 0;
    // On a slow machine less goes wrong in the same time; all is not well because nothing went wrong.
    let changes = async {
        while changed < wanted_changes || (changed < 10 * wanted_changes && !enough(people, &happened).await)
        {
            people.send(&event_log.change()).await;
            changed += 1;
            sleep(PACE).await;
        }
    };
    let count = |trouble| *happened.borrow_mut().entry(trouble).or_default() += 1;
    tokio::select! {
        () = changes => {}
        () = faults::inject(&people.cluster, installation, seed, count) => unreachable!("it goes on for ever"),
        () = idempotency::send(&people.cluster, &mut repeats) => unreachable!("it goes on for ever"),
    }
    installation.restart_all().await;
    let stormed = began.elapsed();
    let hits = people.hits().await;
    let is_enough = enough(people, &happened).await;
    people.end_faults().await;
    let happened = happened.into_inner();
    assert!(is_enough, "{happened:?}, {hits:?}");

    let calm = Instant::now();
    let wanted = event_log.entries();
    loop {
        let found = people.entries().await;
        if found == wanted {
            break;
        }
        assert!(calm.elapsed() < RECOVERY, "{}", people.report(&wanted, &found).await);
        sleep(Duration::from_millis(200)).await;
    }
    println!(
        "{changed} changes in {stormed:.1?}, {happened:?}, calls that went wrong {hits:?}; {} entries right {:.1?} later",
        wanted.len(),
        calm.elapsed()
    );
    idempotency::settle(&people.cluster, &mut repeats).await;
    println!("{repeats:?}, none of them done twice");
    people.is_quiet().await;
    assert_eq!(people.entries().await, wanted, "and it stays so");
    assert_eq!(
        people.cluster.questions().await,
        Vec::<serde_json::Value>::new(),
        "nobody did anything by hand"
    );
}
