//! How many statements a booking costs from the claim of its job to its end. To see them:
//! `cargo test -p concord-jobs --test sync statements -- --nocapture`.

use concord_storage::{
    duties,
    testing::{self, TestDb, plans},
};

use crate::world::{ANA, World};

/// A synced booking costs no more than that.
const MOST: usize = 8;
const MANY: usize = 10;

/// What begins the first statement of a job and the last.
const CLAIM: &str = "UPDATE duties SET lease_until = $6";
const FINISH: &str = "UPDATE duties SET lease_until = NULL, leased_by = NULL, finished_at";

/// The statements of each job that was done, from its claim to its end.
fn of_each_job(all: &[String]) -> Vec<&[String]> {
    let mut jobs = Vec::new();
    let mut claimed = None;
    for (number, statement) in all.iter().enumerate() {
        if statement.starts_with(FINISH) {
            let from: usize = claimed.take().expect("it was claimed");
            jobs.push(&all[from..=number]);
        } else if statement.starts_with(CLAIM) {
            claimed = Some(number);
        }
    }
    jobs
}

/// Runs what is due, once.
async fn work(world: &World<'_>) -> Vec<String> {
    let due = duties::due(world.db, world.clock.now(), 100).await.unwrap();
    plans::taken_down();
    for duty in due {
        world.jobs.run(duty).await.unwrap();
    }
    plans::taken_down()
}

async fn booking_costs_few_statements(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    world.put("A-0", &world.draft(&[&world.ana], 0, 30)).await;
    world.settle().await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 90)).await;
    let alone = work(&world).await;
    for number in 2..2 + MANY {
        let from = i64::try_from(number).unwrap() * 60;
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], from, from + 30)).await;
    }
    let many = work(&world).await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 2 + MANY);

    println!("{}: {} statements for one booking, from the first to the last:", db.kind(), alone.len());
    alone.iter().for_each(|statement| println!("  {}", statement.chars().take(110).collect::<String>()));
    println!("  {} for {MANY} bookings one after the other", many.len());
    let jobs: Vec<usize> = of_each_job(&alone).iter().chain(&of_each_job(&many)).map(|job| job.len()).collect();
    println!("  from claim to end: {jobs:?}");
    assert_eq!(jobs.len(), 1 + MANY);
    assert!(jobs.iter().all(|statements| *statements <= MOST), "{jobs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    plans::take_down();
    booking_costs_few_statements(&testing::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    plans::take_down();
    booking_costs_few_statements(&testing::postgres().await).await;
}
