//! What every request handler is given.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use concord_domain::ids::BusinessId;
use concord_jobs::{Context, batch_sync};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::Config;

/// What every request handler is given, as axum's state.
#[derive(Clone, Debug)]
pub struct App {
    /// Database, clock, providers, queue: what jobs are given too.
    pub context: Context,
    /// The configuration, checked.
    pub config: Arc<Config>,
    /// Where people and programs reach this installation; no trailing slash.
    pub public_url: Url,
    /// What goes on when the request that began it has ended; a process that stops waits for it.
    pub in_hand: TaskTracker,
}

impl App {
    /// The current instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    /// An absolute address for a path that begins with a slash.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// After a change of what entries are made of, such as a name: brings what stands in the business's calendars up to
    /// date. The change is made by then, so a failure is for the log; the next change of a booking mends its entry.
    pub async fn refresh_calendars(&self, business: BusinessId) {
        if let Err(error) = batch_sync::sync_all_pending(&self.context, business).await {
            tracing::error!(%error, %business, "calendars do not follow a change of settings yet");
        }
    }

    /// Whether people reach this installation over https: then cookies are marked `Secure`.
    pub fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}
