//! The crash test: while bookings change, the real program is killed again and again, a fifth of all calls to the
//! providers goes wrong (a sandbox's Google and Microsoft, and a real Radicale), and the queue is emptied. When that ends,
//! every living booking must have exactly one entry in the calendar of each of its people, and no other booking any,
//! within a minute.
//!
//! Two forms: `grown_up` (web and two workers over PostgreSQL and Redis; the workers are killed, Redis is flushed) and
//! `all_in_one` (`concord serve` over SQLite with the queue in its process; it is killed as a whole, and whoever changes
//! bookings asks again until it has an answer).
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

mod diary;
mod house;
mod people;
mod processes;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use concord_storage::testing;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::{
    diary::Diary,
    people::People,
    processes::{Process, Redis},
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grown_up() {
    let seed = seed();
    let db = testing::postgres().await;
    let redis = Redis::start().await;
    let people = People::move_in(&db, Some(&redis.url())).await;
    let _web = people.house.concord("web", &["web"]);
    people.house.is_ready().await;
    let mut workers = ["first", "second"].map(|name| people.house.concord(name, &["worker"]));
    storm(&people, seed, &mut workers, Some(&redis)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one() {
    let seed = seed();
    let db = testing::sqlite().await;
    let people = People::move_in(&db, None).await;
    let mut serve = [people.house.concord("serve", &["serve"])];
    people.house.is_ready().await;
    storm(&people, seed, &mut serve, None).await;
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
async fn enough(people: &People<'_>, kills: &AtomicU32) -> bool {
    kills.load(Ordering::Relaxed) >= LEAST_KILLS
        && people.hits().await.values().all(|hits| *hits >= LEAST_FAULTS)
}

/// All that goes wrong, then the verdict.
async fn storm(people: &People<'_>, seed: u64, victims: &mut [Process], redis: Option<&Redis>) {
    let wanted_changes = given("CONCORD_CHAOS_CHANGES").unwrap_or(CHANGES);
    people.faults(seed).await;
    let began = Instant::now();
    let mut diary = Diary::new(seed);
    let kills = AtomicU32::new(0);
    let mut changed = 0;
    // On a slow machine less goes wrong in the same time; all is not well because nothing went wrong.
    let changes = async {
        while changed < wanted_changes || (changed < 10 * wanted_changes && !enough(people, &kills).await) {
            people.send(&diary.change()).await;
            changed += 1;
            sleep(PACE).await;
        }
    };
    let mut random = StdRng::seed_from_u64(seed);
    let trouble = async {
        loop {
            sleep(Duration::from_millis(random.random_range(500..2_000))).await;
            let victim = random.random_range(0..victims.len());
            victims[victim].kill();
            kills.fetch_add(1, Ordering::Relaxed);
            if let Some(redis) = redis.filter(|_| random.random_bool(0.4)) {
                redis.flush().await;
            }
            victims[victim].start();
        }
    };
    tokio::select! {
        () = changes => {}
        () = trouble => unreachable!("it goes on for ever"),
    }
    // One last kill of all at the worst moment: nothing is left but what the database says.
    victims.iter_mut().for_each(Process::kill);
    victims.iter_mut().for_each(Process::start);
    let stormed = began.elapsed();
    let hits = people.hits().await;
    people.end_faults().await;
    let kills = kills.into_inner();
    assert!(
        kills >= LEAST_KILLS && hits.values().all(|hits| *hits >= LEAST_FAULTS),
        "{kills} kills, {hits:?}"
    );

    let calm = Instant::now();
    let wanted = diary.entries();
    loop {
        let found = people.entries().await;
        if found == wanted {
            break;
        }
        assert!(calm.elapsed() < RECOVERY, "{}", people.report(&wanted, &found).await);
        sleep(Duration::from_millis(200)).await;
    }
    println!(
        "{changed} changes in {stormed:.1?}, {kills} kills, calls that went wrong {hits:?}; {} entries right {:.1?} \
         later",
        wanted.len(),
        calm.elapsed()
    );
    people.is_quiet().await;
    assert_eq!(people.entries().await, wanted, "and it stays so");
}
