//! Whether others wait longer where 5,000 jobs wait for one connection.

use std::time::Duration;

use chrono::{DateTime, Utc};
use concord_storage::testing::TestDb;
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use crate::fixture::{DeploymentMode, LoadFixture, percentile};

const QUIET: usize = 1_000;
const CROWD: usize = 5_000;
/// From one change of the quiet ones to the next.
const PACE: Duration = Duration::from_millis(25);
const LATENCY_MS: u64 = 50;
/// So many ask at once.
const SENDERS: usize = 8;

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let town = LoadFixture::of(db, form, QUIET + 1).await;
    town.provider_takes(LATENCY_MS).await;
    let without = quiet_ones(&town, 0).await;
    let crowded = |number| {
        let booking = town.booking(QUIET, number, &format!("Crowd {number};"));
        let town = &town;
        async move { town.cluster.put(&format!("C-{number}"), booking).await }
    };
    stream::iter(0..CROWD).map(crowded).buffer_unordered(SENDERS).collect::<Vec<_>>().await;
    let at_first = town.waiting().await;
    let beside = quiet_ones(&town, 1).await;
    let at_last = town.waiting().await;
    println!(
        "  {QUIET} connections with a change each, {LATENCY_MS} ms a call; from the commit to the calendar"
    );
    println!("    alone                                     p50 {} ms   p99 {} ms", without.0, without.1);
    println!(
        "    beside one with {at_first} to {at_last} jobs waiting p50 {} ms   p99 {} ms: {:.2} times (promised: 1.2)",
        beside.0,
        beside.1,
        ratio(beside.1, without.1)
    );
}

fn ratio(one: i64, other: i64) -> f64 {
    let float = |value: i64| f64::from(i32::try_from(value).unwrap_or(i32::MAX));
    float(one) / float(other.max(1))
}

/// A change of each of them, one after the other; the median and the 99th percentile of their waits.
async fn quiet_ones(town: &LoadFixture<'_>, round: usize) -> (i64, i64) {
    let began = Instant::now();
    let mut sent: Vec<(String, DateTime<Utc>)> = Vec::new();
    for person in 0..QUIET {
        let turn = PACE * u32::try_from(person).expect("a thousand");
        sleep_until(began + turn).await;
        let title = format!("Change {round};");
        let at = town.cluster.put(&format!("Q-{round}-{person}"), town.booking(person, round, &title)).await;
        sent.push((title, at));
    }
    sleep_until(Instant::now() + Duration::from_secs(3)).await;
    let mut waits = Vec::new();
    for (person, change) in sent.into_iter().enumerate() {
        waits.extend(town.waits_of(person, &[change]).await);
    }
    waits.sort_unstable();
    (percentile(&waits, 50), percentile(&waits, 99))
}
