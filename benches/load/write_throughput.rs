//! 200 connections with 20 changes each, at a provider that takes 50 ms for a call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use concord_domain::{clock::Clock, provider::ProviderKind};
use concord_jobs::{CallLimits, ProviderLimits};
use concord_storage::testing::TestDb;
use futures::{StreamExt, stream};
use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    fixture::{DeploymentMode, LoadFixture},
    process::last_words,
};

const CONNECTIONS: usize = 200;
const CHANGES: usize = 20;
const LATENCY_MS: u64 = 50;
/// So many ask at once.
const SENDERS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(5);
/// How long the provider is away after the last change.
const OUTAGE: Duration = Duration::from_secs(20);

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let town = LoadFixture::of(db, form, CONNECTIONS).await;
    town.provider_takes(LATENCY_MS).await;
    town.cluster.control(Method::DELETE, "requests", None).await;
    let began = Clock::system().now();
    send_all(&town).await;
    let sent = Clock::system().now();
    let (last, repeated) = all_written(&town).await;
    assert_eq!(repeated, 0, "nothing went wrong");

    let calls = u32::try_from(CONNECTIONS * CHANGES).expect("a few thousand");
    let allowed = seconds_allowed(ProviderLimits::default().of(ProviderKind::Google), calls);
    let took = seconds(began, last);
    println!(
        "  {CONNECTIONS} connections with {CHANGES} changes each, {LATENCY_MS} ms a call: all {calls} written, once"
    );
    println!("    limits and latency allow {:.1} a second ({allowed:.1} s)", f64::from(calls) / allowed);
    println!(
        "    reached                  {:.1} a second ({took:.1} s; the last was asked for after {:.1} s): {:.2} of it",
        f64::from(calls) / took,
        seconds(began, sent),
        allowed / took
    );
}

/// What goes wrong before the changes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadFault {
    /// The provider was away.
    Outage,
    /// The same, and in the midst of what flows then every process is killed, and started again.
    Crash,
}

/// How long it flows before the processes are killed.
const FLOWS: Duration = Duration::from_secs(3);

/// The same where all of it waits for an outage of the provider to end.
pub(crate) async fn measure_after(fault: LoadFault, db: &TestDb, form: &DeploymentMode) {
    let mut town = LoadFixture::of(db, form, CONNECTIONS).await;
    let outage = json!({ "provider": "google", "kind": "server_error", "probability": 1.0 });
    town.cluster.control(Method::POST, "faults", Some(outage)).await;
    send_all(&town).await;
    sleep(OUTAGE).await;
    town.cluster.control(Method::DELETE, "faults", None).await;
    town.provider_takes(LATENCY_MS).await;
    let (ended, waiting) = (Clock::system().now(), town.waiting().await);
    let began = Instant::now();
    if fault == LoadFault::Crash {
        sleep(FLOWS).await;
        town.crash();
    }
    while town.waiting().await > 0 {
        assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", last_words(town.cluster.folder.path()));
        sleep(Duration::from_millis(200)).await;
    }
    let (last, repeated) = all_written(&town).await;
    let calls = u32::try_from(waiting).expect("a few thousand");
    let allowed = seconds_allowed(ProviderLimits::default().of(ProviderKind::Google), calls);
    let took = seconds(ended, last);
    println!(
        "  after an outage in which {waiting} changes of {CONNECTIONS} connections came to wait{}",
        match fault {
            LoadFault::Outage => "",
            LoadFault::Crash => ", and a crash of everything in the midst of them",
        }
    );
    match fault {
        LoadFault::Outage => assert_eq!(repeated, 0, "whoever wrote one was there to note it"),
        LoadFault::Crash => println!(
            "    {repeated} were written twice, to the same entry: nobody was left to note the first"
        ),
    }
    println!(
        "    allowed in {allowed:.1} s, written in {took:.1} s: {:.2} of what limits allow (promised: 0.8)",
        allowed / took
    );
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64()
}

/// The least time for so many calls, spread evenly: the limit of the installation, that of a connection, and the latency,
/// since one connection makes one call at a time.
fn seconds_allowed(limits: CallLimits, calls: u32) -> f64 {
    let each = u32::try_from(CHANGES).expect("a few");
    let paced = |calls: u32, burst: u32, interval: chrono::Duration| {
        f64::from(calls.saturating_sub(burst)) * interval.as_seconds_f64()
    };
    let latency = Duration::from_millis(LATENCY_MS).as_secs_f64();
    let installation = paced(calls, limits.project_burst, limits.project_interval) + latency;
    let connection = paced(each, limits.connection_burst, limits.connection_interval) + latency;
    installation.max(connection).max(f64::from(each) * latency)
}

async fn send_all(town: &LoadFixture<'_>) {
    let everything = (0..CHANGES).flat_map(|number| (0..CONNECTIONS).map(move |person| (person, number)));
    let send = |(person, number)| async move {
        let booking = town.booking(person, number, &format!("Change {number};"));
        town.cluster.put(&format!("L-{person}-{number}"), booking).await;
    };
    stream::iter(everything).map(send).buffer_unordered(SENDERS).collect::<Vec<()>>().await;
}

/// Waits until each calendar has its entries, each of them once. Returns when the last one came, and how many were written
/// again as they were.
async fn all_written(town: &LoadFixture<'_>) -> (DateTime<Utc>, usize) {
    let began = Instant::now();
    while town.has_work().await {
        assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", last_words(town.cluster.folder.path()));
        sleep(Duration::from_millis(200)).await;
    }
    let (mut last, mut repeated) = (DateTime::<Utc>::MIN_UTC, 0);
    for person in 0..CONNECTIONS {
        let entries = town.arrivals_by_entry(person).await;
        let mut titles: Vec<&str> = entries.iter().flatten().map(|one| one.title.as_str()).collect();
        repeated += titles.len() - entries.len();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!((titles.len(), entries.len()), (CHANGES, CHANGES), "of person {person}: {titles:?}");
        last = entries.iter().flatten().map(|one| one.at).fold(last, DateTime::max);
    }
    (last, repeated)
}
