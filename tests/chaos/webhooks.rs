//! Twenty systems are told of bookings, some of which hang, fail or are gone, while the program is killed again and again. Those
//! that can take an event get it, under one id, and the versions of each booking in order where nothing fails.

use std::time::Duration;

use concord_storage::testing;
use concord_testing::app::webhook_fleet::{self, ReceiverManner, WebhookReceiver};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;

const BOOKINGS: usize = 30;
const CHANGES: usize = 6;
/// Between so many writes it is killed.
const KILL_EVERY: usize = 45;
const PATIENCE: Duration = Duration::from_mins(2);

fn has_all(receiver: &WebhookReceiver) -> bool {
    receiver.events() >= BOOKINGS * CHANGES
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_get_every_event_though_it_is_killed() {
    let db = testing::sqlite().await;
    let cluster = Cluster::start(&db, None, &[webhook_fleet::ALLOWED]).await;
    let mut program = cluster.concord("serve", &["serve"]);
    cluster.is_ready().await;
    let fleet = webhook_fleet::start(&cluster, &webhook_fleet::twenty()).await;
    let (mut written, mut kills) = (0, 0);
    for change in 0..CHANGES {
        for booking in 0..BOOKINGS {
            if written % KILL_EVERY == KILL_EVERY - 1 {
                program.kill();
                program.start();
                kills += 1;
            }
            let hour = format!("2027-05-{:02}T{:02}", 1 + booking / 10, booking % 10);
            let body = json!({
                "starts_at": format!("{hour}:00:00Z"), "ends_at": format!("{hour}:30:00Z"), "title": format!("Change {change}"),
            });
            cluster.put(&format!("B-{booking}"), body).await;
            written += 1;
        }
    }
    cluster.is_ready().await;
    let began = Instant::now();
    while let Some(waits) = fleet.iter().find(|one| one.manner.can_take() && !has_all(one)) {
        assert!(began.elapsed() < PATIENCE, "{:?} has {} events", waits.manner, waits.events());
        // What fails twice comes after minutes: somebody asks for it.
        webhook_fleet::resend(&cluster, waits).await;
        sleep(Duration::from_millis(500)).await;
    }
    assert!(kills >= 3);
    for receiver in &fleet {
        assert_eq!(receiver.with_several_ids(), 0, "{:?}", receiver.manner);
        match receiver.manner {
            ReceiverManner::Well | ReceiverManner::Slow(_) => {
                let wrong = receiver.out_of_order();
                assert!(wrong.is_empty(), "{:?}: {wrong:?}", receiver.manner);
            }
            // Each start of the program may have had one wave in hand.
            ReceiverManner::Gone => {
                assert!(receiver.calls() <= 16, "{} calls after it was gone", receiver.calls());
            }
            ReceiverManner::Hangs | ReceiverManner::Redirects | ReceiverManner::FailsHalf => {}
        }
    }
    let calls: Vec<_> = fleet.iter().take(5).map(|one| (one.manner, one.calls(), one.events())).collect();
    println!("{written} writes, {kills} kills; {calls:?}");
}
