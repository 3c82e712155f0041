//! Changes that people wait for, while a calendar of 20,000 events is read for the first time.

use std::{cell::Cell, time::Duration};

use chrono::{DateTime, Utc};
use concord_domain::{clock::Clock, connection::ProviderKind};
use concord_storage::testing::{self, TestDb};
use futures::future::join_all;
use http::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    fixture::{DeploymentMode, LoadFixture, percentile},
    large_calendars::{fill, imported},
    process::last_words,
};

const EVENTS: usize = 20_000;
const PEOPLE: usize = 20;
const LATENCY_MS: u64 = 50;
/// From one change of a person to their next.
const PACE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_mins(5);
const HEAVY: &str = "heavy@harbour.example";

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let town = LoadFixture::of(db, form, PEOPLE).await;
    let account = json!({ "provider": "google", "email": HEAVY });
    town.cluster.control(Method::POST, "accounts", Some(account)).await;
    fill(&town.cluster, (ProviderKind::Google, HEAVY), EVENTS).await;
    town.provider_takes(LATENCY_MS).await;

    let began = Instant::now();
    let context = town.cluster.context().await;
    let staff = testing::staff(db, &town.cluster.business, "Heavy").await;
    let connection = town.cluster.adopt(&context, &staff, (ProviderKind::Google, HEAVY)).await;
    context.db.close().await;
    let ended = Cell::new(None);
    let import = async {
        while imported(&town.cluster, connection).await < EVENTS {
            assert!(
                began.elapsed() < PATIENCE,
                "it does not end:\n{}",
                last_words(town.cluster.folder.path())
            );
            sleep(Duration::from_millis(200)).await;
        }
        ended.set(Some(began.elapsed()));
    };
    let people = (0..PEOPLE).map(|person| changes(&town, person, &ended));
    let ((), sent) = tokio::join!(import, join_all(people));
    town.is_quiet().await;

    let mut waits = Vec::new();
    for (person, sent) in sent.into_iter().enumerate() {
        waits.extend(town.waits_of(person, &sent).await);
    }
    waits.sort_unstable();
    let took = ended.get().expect("it has ended");
    println!(
        "  {EVENTS} events imported in {took:.1?}; meanwhile {} changes, {LATENCY_MS} ms a call",
        waits.len()
    );
    println!(
        "    from the commit to the calendar: p50 {} ms   p99 {} ms (promised: 200 on PostgreSQL, 400 on SQLite)   most {} ms",
        percentile(&waits, 50),
        percentile(&waits, 99),
        percentile(&waits, 100)
    );
}

/// What a person changes as long as the import runs: title and instant of each change.
async fn changes(
    town: &LoadFixture<'_>,
    person: usize,
    ended: &Cell<Option<Duration>>,
) -> Vec<(String, DateTime<Utc>)> {
    let mut sent = Vec::new();
    // People do not wait for each other: twenty at one moment would measure a queue of twenty.
    sleep(PACE * u32::try_from(person).expect("a few") / u32::try_from(PEOPLE).expect("a few")).await;
    while ended.get().is_none() {
        let began = Instant::now();
        let title = format!("Change {};", sent.len());
        // Another booking each time: what changes again before it is written is written once.
        let booking = town.booking(person, sent.len(), &title);
        town.cluster.put(&format!("B-{person}-{}", sent.len()), booking).await;
        sent.push((title, Clock::system().now()));
        sleep(PACE.saturating_sub(began.elapsed())).await;
    }
    sent
}
