//! How soon other systems hear of a booking, where some of them hang, fail or are gone, and the program is killed in between.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use concord_storage::testing::TestDb;
use concord_testing::app::webhook_fleet::{self, ReceiverManner, WebhookReceiver};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fixture::{DeploymentMode, LoadFixture, percentile};

/// Deliveries: so many events go to twenty endpoints each.
const EVENTS: usize = 1_000;
const BOOKINGS: usize = 200;
/// From one write to the next.
const PACE: Duration = Duration::from_millis(25);
const PATIENCE: Duration = Duration::from_mins(5);

/// What was written when, by booking and version.
type Written = BTreeMap<(String, i64), DateTime<Utc>>;

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let mut town = LoadFixture::with(db, form, 1, (2, &[webhook_fleet::ALLOWED])).await;
    let fleet = webhook_fleet::start(&town.cluster, &webhook_fleet::twenty()).await;
    let mut written = Written::new();
    let quiet = write(&town, &mut written, 0..EVENTS / 2).await;
    // Some of what was just written is on its way.
    let cut = Instant::now();
    town.crash();
    town.cluster.is_ready().await;
    let down = cut.elapsed();
    write(&town, &mut written, EVENTS / 2..EVENTS).await;
    let began = Instant::now();
    let mut resends = 0;
    while let Some(waits) = fleet.iter().find(|one| one.manner.can_take() && one.events() < EVENTS) {
        assert!(began.elapsed() < PATIENCE, "{:?} has {} events", waits.manner, waits.events());
        // What fails twice comes after minutes: nobody waits here for as long.
        if waits.manner == ReceiverManner::FailsHalf {
            webhook_fleet::resend(&town.cluster, waits).await;
            resends += 1;
        }
        sleep(Duration::from_secs(1)).await;
    }
    println!(
        "  {EVENTS} events to 20 endpoints, one each {} ms; killed in between, back after {} ms",
        PACE.as_millis(),
        down.as_millis()
    );
    let well: Vec<&WebhookReceiver> = fleet.iter().filter(|one| one.manner == ReceiverManner::Well).collect();
    tell("15 that are well, before the kill ", &well, &written, |at| at < quiet);
    tell("15 that are well, all            ", &well, &written, |_| true);
    for receiver in fleet.iter().filter(|one| one.manner != ReceiverManner::Well) {
        println!(
            "    {:<34} {} calls, {} events taken",
            format!("{:?}", receiver.manner),
            receiver.calls(),
            receiver.events()
        );
    }
    let several: usize = fleet.iter().map(WebhookReceiver::with_several_ids).sum();
    let wrong: usize = well.iter().map(|one| one.out_of_order().len()).sum();
    println!(
        "    events under several ids: {several}; versions out of order at those that are well: {wrong}; resends asked for: {resends}"
    );
}

/// Returns when the last was written.
async fn write(
    town: &LoadFixture<'_>,
    written: &mut Written,
    numbers: std::ops::Range<usize>,
) -> DateTime<Utc> {
    let began = Instant::now();
    let first = numbers.start;
    let mut last = DateTime::UNIX_EPOCH;
    for number in numbers {
        sleep_until(began + PACE * u32::try_from(number - first).expect("thousands")).await;
        let (booking, change) = (number % BOOKINGS, number / BOOKINGS);
        let reference = format!("W-{booking}");
        let hour = format!("2027-05-{:02}T{:02}", 1 + booking / 20, booking % 20);
        let body = json!({
            "starts_at": format!("{hour}:00:00Z"), "ends_at": format!("{hour}:30:00Z"), "title": format!("Change {change}"),
        });
        last = town.cluster.put(&reference, body).await;
        written.insert((reference, i64::try_from(change + 1).expect("few")), last);
    }
    last
}

/// From the write to the first time that each of these took it.
fn tell(name: &str, fleet: &[&WebhookReceiver], written: &Written, counts: impl Fn(DateTime<Utc>) -> bool) {
    let mut waits: Vec<i64> = Vec::new();
    for receiver in fleet {
        let taken = receiver.first_taken();
        let of = written.iter().filter(|(_, at)| counts(**at));
        waits.extend(of.filter_map(|(event, at)| Some((*taken.get(event)? - *at).num_milliseconds())));
    }
    waits.sort_unstable();
    println!(
        "    {name}  p50 {} ms   p99 {} ms   worst {} ms   ({} deliveries)",
        percentile(&waits, 50),
        percentile(&waits, 99),
        waits.last().copied().unwrap_or_default(),
        waits.len()
    );
}
