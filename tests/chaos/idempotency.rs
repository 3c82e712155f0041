//! Whoever sends a request with an idempotency key, and repeats it until they know what became of it.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::sleep;

use crate::{cluster::Cluster, cluster_requests::KeyedPostOutcome};

/// From the answer to one request to the next one.
const PACE: Duration = Duration::from_millis(70);

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RepeatCounts {
    /// How many were sent, each with a key of its own.
    pub(crate) sent: u32,
    /// How many of them had no answer at first, and were sent again.
    pub(crate) repeated: u32,
    /// How many of these had been done, and their answer was lost.
    pub(crate) done_before: u32,
}

/// Makes one resource after the other, each with a name and a key of its own. It does not end by itself; what is
/// under way when it is dropped may have been done or not, and is finished by `settle`.
pub(crate) async fn send(cluster: &Cluster<'_>, repeats: &mut RepeatCounts) {
    loop {
        post(cluster, repeats).await;
        sleep(PACE).await;
    }
}

async fn post(cluster: &Cluster<'_>, repeats: &mut RepeatCounts) {
    let number = repeats.sent;
    repeats.sent += 1;
    let is_done_before = make(cluster, number, &mut repeats.repeated).await;
    repeats.done_before += u32::from(is_done_before);
}

fn name(number: u32) -> String {
    format!("Keyed {number}")
}

/// Sends it until it is known to be done. Whether an answer was lost.
async fn make(cluster: &Cluster<'_>, number: u32, repeated: &mut u32) -> bool {
    let mut tries = 0;
    loop {
        let posted = cluster.post_keyed(&name(number), &format!("key-{number}")).await;
        if tries == 1 {
            *repeated += 1;
        }
        tries += 1;
        match posted {
            KeyedPostOutcome::Answered => return false,
            KeyedPostOutcome::DoneBefore => return true,
            KeyedPostOutcome::RetryAfter(wait) => sleep(wait).await,
        }
    }
}

/// Asks once more for what nobody waited for any more, and then counts: each was made once.
pub(crate) async fn settle(cluster: &Cluster<'_>, repeats: &mut RepeatCounts) {
    if let Some(last) = repeats.sent.checked_sub(1) {
        make(cluster, last, &mut repeats.repeated).await;
    }
    let mut made: BTreeMap<String, u32> = BTreeMap::new();
    for found in cluster.resource_names().await {
        if found.starts_with("Keyed ") {
            *made.entry(found).or_default() += 1;
        }
    }
    let twice: Vec<_> = made.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let lost: Vec<String> = (0..repeats.sent).map(name).filter(|name| !made.contains_key(name)).collect();
    assert!(lost.is_empty(), "answered and not done: {lost:?}");
}
