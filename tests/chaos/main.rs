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
mod processes;

use std::time::Duration;

use concord_storage::testing;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::{
    diary::Diary,
    house::House,
    processes::{Process, Redis},
};

/// How many times a booking changes, unless `CONCORD_CHAOS_CHANGES` says otherwise.
const CHANGES: u64 = 300;
/// From one change to the next: a busy business. With it the changes take about as long as twenty kills.
const PACE: Duration = Duration::from_millis(50);
/// From the end of the faults until all is well.
const RECOVERY: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grown_up() {
    let seed = seed();
    let db = testing::postgres().await;
    let redis = Redis::start().await;
    let house = House::furnish(&db, Some(&redis.url())).await;
    let _web = house.concord("web", &["web"]);
    house.is_ready().await;
    let mut workers = ["first", "second"].map(|name| house.concord(name, &["worker"]));
    storm(&house, seed, &mut workers, Some(&redis)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one() {
    let seed = seed();
    let db = testing::sqlite().await;
    let house = House::furnish(&db, None).await;
    let mut serve = [house.concord("serve", &["serve"])];
    house.is_ready().await;
    storm(&house, seed, &mut serve, None).await;
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

/// All that goes wrong, then the verdict.
async fn storm(house: &House<'_>, seed: u64, victims: &mut [Process], redis: Option<&Redis>) {
    let wanted_changes = given("CONCORD_CHAOS_CHANGES").unwrap_or(CHANGES);
    house.faults(seed).await;
    let began = Instant::now();
    let mut diary = Diary::new(seed);
    let changes = async {
        for _ in 0..wanted_changes {
            house.send(&diary.change()).await;
            sleep(PACE).await;
        }
    };
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    let trouble = async {
        loop {
            sleep(Duration::from_millis(random.random_range(500..2_000))).await;
            let victim = random.random_range(0..victims.len());
            victims[victim].kill();
            kills += 1;
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
    let hits = house.end_faults().await;
    // Otherwise all is well because nothing went wrong.
    assert!(kills >= 5, "only {kills} kills: is the program too fast to be killed?");
    assert!(hits.values().all(|hits| *hits >= 10), "too few calls went wrong: {hits:?}");

    let calm = Instant::now();
    let wanted = diary.entries();
    loop {
        let found = house.entries().await;
        if found == wanted {
            break;
        }
        assert!(calm.elapsed() < RECOVERY, "{}", house.report(&wanted, &found).await);
        sleep(Duration::from_millis(200)).await;
    }
    println!(
        "{wanted_changes} changes in {stormed:.1?}, {kills} kills, calls that went wrong {hits:?}; {} entries right {:.1?} \
         later",
        wanted.len(),
        calm.elapsed()
    );
    house.is_quiet().await;
    assert_eq!(house.entries().await, wanted, "and it stays so");
}
