//! The sweep: brings what is due and unclaimed, so that whatever the queue loses is lost for a moment only.
//!
//! Retries, polls and everything else that is due later come this way too, and so does whatever was too much to push.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use concord_storage::jobs::JobRef;
use futures::FutureExt;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::JobHandler;
use crate::queue::Queue;

/// Jobs of one sweep.
const SWEEP_BATCH: u32 = 1_000;
/// How often a sweep that found more than a page looks whether the queue has drained.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Sweeps every `every`, and at once when asked to or when there was more than it could bring. Does not end.
pub(super) async fn run<H: JobHandler>(handler: Arc<H>, queue: Queue, every: Duration) {
    let mut before = Vec::new();
    loop {
        let page = due(&*handler).await;
        let left_out = queue.offer(&page).await;
        let there_is_more = left_out > 0 || page.len() >= SWEEP_BATCH as usize;
        // The same page again: its jobs were looked at and nothing came of it, so that haste would not help.
        if there_is_more && page != before {
            let _ = timeout(jittered(every), wait_until_drained(&queue)).await;
        } else {
            let _ = timeout(jittered(every), queue.sweep_requested()).await;
        }
        before = page;
    }
}

async fn due<H: JobHandler>(handler: &H) -> Vec<JobRef> {
    AssertUnwindSafe(handler.due(SWEEP_BATCH)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("reading what is due panicked");
        Vec::new()
    })
}

/// Until so little waits that handlers could run out of work.
async fn wait_until_drained(queue: &Queue) {
    let little = queue.backlog_limit().min(SWEEP_BATCH as usize) / 2;
    loop {
        sleep(DRAIN_POLL_INTERVAL).await;
        if queue.waiting().await <= little {
            return;
        }
    }
}

/// A fifth more or less, so that workers that were started together do not sweep together for ever.
fn jittered(every: Duration) -> Duration {
    let random = u32::from(Uuid::new_v4().as_bytes()[0]);
    every * (205 + random * 102 / 255) / 256
}
