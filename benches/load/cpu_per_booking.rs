//! What a booking that reaches a calendar costs in CPU, where nobody else waits for the calendar and where a thousand do.

use concord_storage::testing::TestDb;
use futures::{StreamExt, stream};
use http::Method;
use serde_json::json;

use crate::fixture::{DeploymentMode, LoadFixture};

const ALONE: usize = 200;
const CROWD: usize = 1_000;
/// So many ask at once.
const SENDERS: usize = 8;
/// Nothing but the program itself is to be waited for.
const UNLIMITED: [(&str, &str); 2] = [
    ("CONCORD__PROVIDERS__GOOGLE__REQUESTS_PER_MINUTE", "10000000"),
    ("CONCORD__PROVIDERS__GOOGLE__REQUESTS_PER_MINUTE_PER_CONNECTION", "10000000"),
];
/// For so long Google asks to wait while the crowd comes.
const HELD_SECONDS: u64 = 25;

pub(crate) async fn measure(db: &TestDb, form: &DeploymentMode) {
    let town = LoadFixture::with(db, form, 1, (2, &UNLIMITED)).await;
    let before = town.cpu_ms();
    for number in 0..ALONE {
        put(&town, number).await;
        town.is_done().await;
    }
    let alone = per_booking(town.cpu_ms() - before, ALONE);

    let hold = json!({
        "provider": "google", "kind": "rate_limit", "value": HELD_SECONDS, "probability": 1.0, "count": 1
    });
    town.cluster.control(Method::POST, "faults", Some(hold)).await;
    let before = town.cpu_ms();
    let put_one = |number| put(&town, number);
    stream::iter(ALONE..ALONE + CROWD).map(put_one).buffer_unordered(SENDERS).collect::<Vec<()>>().await;
    let waiting = town.waiting().await;
    town.is_done().await;
    let crowd = per_booking(town.cpu_ms() - before, CROWD);
    println!("  CPU of Concord for a booking from the request to the calendar");
    println!("    one waiting              {alone:.1} ms (promised: 6)");
    println!(
        "    {waiting} waiting on one connection {crowd:.1} ms: {:.2} of it (promised: 1.2)",
        crowd / alone
    );
}

fn per_booking(cpu_ms: f64, bookings: usize) -> f64 {
    cpu_ms / f64::from(u32::try_from(bookings).expect("a few thousand"))
}

async fn put(town: &LoadFixture<'_>, number: usize) {
    let booking = town.booking(0, number, &format!("Change {number};"));
    town.cluster.put(&format!("W-{number}"), booking).await;
}
