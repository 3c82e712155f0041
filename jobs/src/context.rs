//! What every job is given.

use std::sync::Arc;

use chrono::Duration;
use concord_domain::{clock::Clock, connection::ProviderKind, duty::RetryPolicy, entry::EntryReminder};
use concord_providers::{CalendarProvider, Registry};
use concord_storage::{Db, duties::DutyRef, retention::Keep, seal::Keyring};

use crate::{duty::JobError, mail::Mail, queue::Queue, turns::Turns};

/// How calendars are kept in step.
#[derive(Clone, Debug)]
pub struct SyncSettings {
    /// How often and how late a failed write is tried again.
    pub retry: RetryPolicy,
    /// The pause between two reads of a calendar's busy times.
    pub poll_every: Duration,
    /// How far back busy times are kept.
    pub window_past: Duration,
    /// How far ahead busy times are read.
    pub window_future: Duration,
    /// How long after a worker's last sign of life another one takes over its duties, and the connections that it was
    /// writing to. Longer than a call to a provider can take.
    pub lease: Duration,
    /// Colour of an entry by the booking's status.
    pub colours: Vec<(concord_domain::booking::BookingStatus, String)>,
    /// The provider's own reminders on an entry.
    pub reminders: Vec<EntryReminder>,
    /// Calls of one connection: this far apart on average.
    pub connection_interval: Duration,
    /// ... with this many at once.
    pub connection_burst: u32,
    /// Calls of the whole installation to one provider: this far apart on average.
    pub project_interval: Duration,
    /// ... with this many at once.
    pub project_burst: u32,
    /// For how long records are kept.
    pub keep: Keep,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            poll_every: Duration::minutes(15),
            window_past: Duration::days(1),
            window_future: Duration::days(180),
            lease: Duration::seconds(15),
            colours: Vec::new(),
            reminders: Vec::new(),
            // Google: 600 requests a minute and user, 10,000 a minute and project.
            connection_interval: Duration::milliseconds(110),
            connection_burst: 60,
            project_interval: Duration::milliseconds(7),
            project_burst: 500,
            keep: Keep {
                sync_log: Duration::days(90),
                mails: Duration::days(90),
                done_duties: Duration::days(7),
            },
        }
    }
}

/// What every job is given: all that it may touch.
#[derive(Clone, Debug)]
pub struct Context {
    /// The truth.
    pub db: Db,
    /// Opens and seals tokens.
    pub ring: Arc<Keyring>,
    /// The only source of time.
    pub clock: Clock,
    /// The calendar providers that are set up.
    pub providers: Arc<Registry>,
    /// The accelerator.
    pub queue: Queue,
    /// How calendars are kept in step.
    pub settings: Arc<SyncSettings>,
    /// How people are written to.
    pub mail: Arc<Mail>,
    /// Whose turn it is to write; one for each process.
    pub turns: Turns,
}

impl Context {
    /// The provider of that kind, if it is set up.
    pub(crate) fn provider(&self, kind: ProviderKind) -> Result<&Arc<dyn CalendarProvider>, JobError> {
        let found = self.providers.get(kind);
        found.ok_or_else(|| JobError::Hopeless(format!("{} is not set up on this installation", kind.name())))
    }

    /// Tells the workers of duties that were committed. It cannot fail: what is not pushed, the sweep brings.
    pub async fn push(&self, duties: &[DutyRef]) {
        if !duties.is_empty() {
            self.queue.push(duties).await;
        }
    }
}
