//! How much more is written by four workers than by one, where the provider and not this machine takes the time.

use std::time::Duration;

use concord_storage::testing;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::{
    fixture::{DeploymentMode, LoadFixture},
    process::Redis,
};

const PEOPLE: usize = 64;
const CHANGES: usize = 6;
const LATENCY_MS: u64 = 400;
/// So many jobs a worker does at once.
const PLACES: (&str, &str) = ("CONCORD__WORKER__INTERACTIVE", "4");
const UNLIMITED: (&str, &str) = ("CONCORD__PROVIDERS__GOOGLE__REQUESTS_PER_MINUTE", "10000000");
/// So many ask at once.
const SENDERS: usize = 16;

pub(crate) async fn measure(redis: &Redis) {
    println!(
        "PostgreSQL and Redis: {PEOPLE} connections with {CHANGES} changes each, {LATENCY_MS} ms a call, {} jobs at once a worker",
        PLACES.1
    );
    let one = took(redis, 1).await;
    let four = took(redis, 4).await;
    let times = one.as_secs_f64() / four.as_secs_f64();
    println!("    one worker {one:.1?}, four {four:.1?}: {times:.1} times as much (promised: 3.4)");
}

async fn took(redis: &Redis, workers: usize) -> Duration {
    let db = testing::postgres().await;
    redis.flush().await;
    let form = DeploymentMode::Distributed(redis.url());
    let town = LoadFixture::with(&db, &form, PEOPLE, (workers, &[PLACES, UNLIMITED])).await;
    town.provider_takes(LATENCY_MS).await;
    let began = Instant::now();
    let everything = (0..CHANGES).flat_map(|number| (0..PEOPLE).map(move |person| (person, number)));
    let send = |(person, number)| {
        let booking = town.booking(person, number, &format!("Change {number};"));
        let town = &town;
        async move { town.cluster.put(&format!("S-{person}-{number}"), booking).await }
    };
    stream::iter(everything).map(send).buffer_unordered(SENDERS).collect::<Vec<_>>().await;
    town.is_done().await;
    began.elapsed()
}
