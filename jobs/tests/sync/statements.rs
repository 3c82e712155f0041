//! How many statements a booking costs from the claim of its job to its end. To see them:
//! `cargo test -p concord-jobs --test sync statements -- --nocapture`.

use chrono::Duration;
use concord_jobs::{
    dispatch::JobRunner,
    queue::{Queue, QueueConfig},
};
use concord_storage::{
    jobs,
    testing::{self, TestDb, plans},
};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};

/// A synced booking costs no more than that ...
const MOST: usize = 8;
/// ... and where nothing of its connection was done within a minute, so that its token is read, than that.
const MOST_AFTER_QUIET: usize = 9;
const MANY: usize = 10;

/// What begins the first statement of a job and the last.
const CLAIM: &str = "UPDATE jobs SET lease_until = $6";
const FINISH: &str = "UPDATE jobs SET lease_until = NULL, leased_by = NULL, finished_at";

/// A connection that the pool opens meanwhile is set up by statements of its own.
fn is_ours(statement: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().any(|verb| statement.starts_with(verb))
        && !statement.contains("pg_")
}

/// How many statements and how many commits each job took, from its claim to its end. PostgreSQL shows its commits.
fn of_each_job(all: &[String]) -> Vec<(usize, usize)> {
    let mut jobs = Vec::new();
    let mut claimed = None;
    for (number, statement) in all.iter().enumerate() {
        if statement.starts_with(FINISH) {
            let from: usize = claimed.take().expect("it was claimed");
            let these = &all[from..=number];
            let commits = these.iter().filter(|statement| *statement == "COMMIT").count();
            jobs.push((these.iter().filter(|statement| is_ours(statement)).count(), commits));
        } else if statement.starts_with(CLAIM) {
            claimed = Some(number);
        }
    }
    jobs
}

/// Runs what is due, once.
async fn work(fixture: &SyncFixture<'_>) -> Vec<String> {
    let due = jobs::due(fixture.db, fixture.clock.now(), 100).await.unwrap();
    plans::taken_down();
    for job in due {
        fixture.jobs.run(job).await.unwrap();
    }
    plans::taken_down()
}

async fn booking_costs_few_statements(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-0", &fixture.draft(&[&fixture.ana], 0, 30)).await;
    fixture.settle().await;
    fixture.clock.advance(Duration::minutes(2));
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 90)).await;
    let alone = work(&fixture).await;
    for number in 2..2 + MANY {
        let from = i64::try_from(number).unwrap() * 60;
        fixture.put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], from, from + 30)).await;
    }
    let many = work(&fixture).await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2 + MANY);

    println!("{}: {} statements for one booking, from the first to the last:", db.kind(), alone.len());
    for statement in &alone {
        println!("  {}", statement.chars().take(110).collect::<String>());
    }
    println!("  {} for {MANY} bookings one after the other", many.len());
    let (first, jobs) = (of_each_job(&alone), of_each_job(&many));
    println!("  from claim to end, with the commits between: {first:?}, then {jobs:?}");
    if jobs.iter().any(|(statements, _)| *statements > MOST) {
        for statement in &many {
            println!("  {statement}");
        }
    }
    assert_eq!((first.len(), jobs.len()), (1, MANY));
    assert!(first[0].0 <= MOST_AFTER_QUIET, "{first:?}");
    assert!(jobs.iter().all(|(statements, _)| *statements <= MOST), "{jobs:?}");
}

const FLOOD: usize = 10_000;

/// One job of the calendar is being done; ten thousand come for it, of the same process and of another one.
async fn flood_of_wake_ups_costs_little(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 90)).await;
    let due = jobs::due(fixture.db, fixture.clock.now(), 100).await.unwrap();
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 4_000, "count": 1 })).await;
    let (first, job) = (fixture.jobs.clone(), due[0]);
    let working = tokio::spawn(async move { first.run(job).await.unwrap() });
    while fixture.outside.hits().await == 0 {
        tokio::task::yield_now().await;
    }
    plans::taken_down();
    for _ in 0..FLOOD {
        assert_eq!(fixture.jobs.run(job).await.unwrap(), 0, "it is at work");
    }
    let here = plans::taken_down().len();
    let elsewhere = Queue::connect(&QueueConfig::default()).await.unwrap();
    elsewhere.push(&vec![job; FLOOD]).await;
    let waiting: usize = elsewhere.depth().await.unwrap().values().sum();
    let other = JobRunner::new(fixture.elsewhere(), "second");
    assert_eq!(other.run(job).await.unwrap(), 0, "another process is at work");
    let there = plans::taken_down().len();
    assert!(!working.is_finished(), "it was held up for too short a time to tell");
    println!(
        "{}: {FLOOD} wake-ups: {here} statements here, {waiting} wait elsewhere, {there} for each",
        db.kind()
    );
    assert_eq!((here, waiting), (0, 1));
    assert!(there <= 4, "{there}");
    assert_eq!(working.await.unwrap(), 1);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    plans::take_down();
    booking_costs_few_statements(&testing::sqlite().await).await;
    flood_of_wake_ups_costs_little(&testing::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    plans::take_down();
    booking_costs_few_statements(&testing::postgres().await).await;
    flood_of_wake_ups_costs_little(&testing::postgres().await).await;
}
