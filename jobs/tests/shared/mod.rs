//! What both suites run jobs with.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::job::RetryPolicy;
use concord_jobs::{ProviderLimits, SyncSettings, dispatch::JobRunner, worker::JobHandler};
use concord_providers::{SsrfGuard, WebhookLimits, WebhookSender};
use concord_storage::{StorageError, retention::RetentionPeriods};

/// The settings of an installation that says nothing of them.
pub(crate) fn default_settings() -> SyncSettings {
    SyncSettings {
        retry: RetryPolicy::default(),
        poll_every: Duration::minutes(15),
        channels_every: None,
        window_past: Duration::days(1),
        window_future: Duration::days(180),
        lease: Duration::seconds(15),
        slice: StdDuration::from_millis(500),
        colours: Vec::new(),
        reminders: Vec::new(),
        limits: ProviderLimits::default(),
        push: None,
        keep: RetentionPeriods {
            sync_log: Duration::days(90),
            mails: Duration::days(90),
            done_jobs: Duration::days(7),
            history: Duration::days(730),
            customers: None,
        },
    }
}

/// Sends to endpoints on this machine, for as long as a call may take.
pub(crate) fn webhook_sender(total: StdDuration) -> WebhookSender {
    let here = SsrfGuard::of("channels.allowed_hosts").allowing(["127.0.0.1"]);
    WebhookSender::new(WebhookLimits { total, ..WebhookLimits::default() }, here).expect("a client")
}

/// Runs all that is due, here and now, until nothing is.
pub(crate) trait DrainJobs {
    /// Returns how many jobs ran.
    fn drain(&self) -> impl Future<Output = Result<usize, StorageError>> + Send;
}

impl DrainJobs for JobRunner {
    async fn drain(&self) -> Result<usize, StorageError> {
        let mut ran = 0;
        loop {
            let due = self.due(100).await;
            if due.is_empty() {
                return Ok(ran);
            }
            for job in due {
                ran += self.run(job).await?;
            }
        }
    }
}
