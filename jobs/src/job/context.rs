//! What every job is given.

use std::{collections::BTreeMap, sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::BookingStatus, clock::Clock, connection::ProviderKind, entry::EntryReminder, job::RetryPolicy,
    platform::Platforms,
};
use concord_providers::{CalendarProvider, FeedFetcher, ProviderRegistry, WebhookSender};
use concord_storage::{
    Db, StorageError, Tx,
    jobs::{ClaimedJob, JobRef},
    limits::BucketRate,
    retention::RetentionPeriods,
    seal::Keyring,
};
use futures::future::BoxFuture;
use url::Url;

use super::{
    JobError, KeyRegistry,
    end::{AfterJob, RunFuture},
};
use crate::{
    mail::{MailSettings, incoming::ReplyOutcome},
    metrics::Metrics,
    queue::Queue,
};

/// How fast a provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls of one connection: this far apart on average.
    pub connection_interval: Duration,
    /// ... with this many at once.
    pub connection_burst: u32,
    /// Calls of the whole installation to the provider: this far apart on average.
    pub project_interval: Duration,
    /// ... with this many at once.
    pub project_burst: u32,
}

impl CallLimits {
    /// So many calls a minute: a tenth of a connection's at once, and a twentieth of the installation's.
    pub fn per_minute(connection: u32, project: u32) -> Self {
        let apart = |per_minute: u32| Duration::microseconds(60_000_000 / i64::from(per_minute.max(1)));
        Self {
            connection_interval: apart(connection),
            connection_burst: connection / 10,
            project_interval: apart(project),
            project_burst: project / 20,
        }
    }

    /// How much the bucket of a connection gives.
    pub(crate) fn connection(&self) -> BucketRate {
        BucketRate { interval: self.connection_interval, burst: self.connection_burst }
    }

    /// How much the bucket of the installation gives.
    pub(crate) fn project(&self) -> BucketRate {
        BucketRate { interval: self.project_interval, burst: self.project_burst }
    }
}

/// How fast each provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderLimits(pub BTreeMap<ProviderKind, CallLimits>);

impl Default for ProviderLimits {
    fn default() -> Self {
        Self::new(ProviderKind::ALL.iter().map(|kind| (*kind, kind.description().calls_per_minute)))
    }
}

impl ProviderLimits {
    /// From the calls a minute, of a connection and of the installation. A provider that is not named has its
    /// usual ones.
    pub fn new(calls_per_minute: impl IntoIterator<Item = (ProviderKind, (u32, u32))>) -> Self {
        let limits = |(connection, project)| CallLimits::per_minute(connection, project);
        Self(calls_per_minute.into_iter().map(|(kind, calls)| (kind, limits(calls))).collect())
    }

    /// Those of one provider.
    pub fn of(&self, provider: ProviderKind) -> CallLimits {
        let (connection, project) = provider.description().calls_per_minute;
        self.0.get(&provider).copied().unwrap_or_else(|| CallLimits::per_minute(connection, project))
    }
}

/// How calendars are kept in step.
#[derive(Clone, Debug)]
pub struct SyncSettings {
    /// How often and how late a failed write is tried again.
    pub retry: RetryPolicy,
    /// The pause between two reads of a calendar's busy times.
    pub poll_every: Duration,
    /// The pause between two readings of any platform's feed, whatever is said of it elsewhere; `None`: as is said there.
    pub channels_every: Option<Duration>,
    /// How far back busy times are kept.
    pub window_past: Duration,
    /// How far ahead busy times are read.
    pub window_future: Duration,
    /// How long after a worker's last sign of life another one takes over what it had in hand. Longer than a call to a
    /// provider can take.
    pub lease: Duration,
    /// For how long a worker does the jobs of one key before it is another key's turn.
    pub slice: StdDuration,
    /// Colour of an entry by the booking's status.
    pub colours: Vec<(BookingStatus, String)>,
    /// The provider's own reminders on an entry.
    pub reminders: Vec<EntryReminder>,
    /// How fast each provider is called.
    pub limits: ProviderLimits,
    /// The public address of this installation, if providers may be asked to tell of changes there; `None`: calendars
    /// are polled only.
    pub push: Option<Url>,
    /// For how long records are kept.
    pub keep: RetentionPeriods,
}

/// Takes in a mail as it came, and says what has come of it.
pub type MailReceiver =
    for<'a> fn(&'a Context, &'a [u8]) -> BoxFuture<'a, Result<ReplyOutcome, StorageError>>;

/// What jobs call that is above them: whoever runs jobs hands it in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handlers {
    /// How a claimed job is run, for a long one that gives way to it; where nobody has said it, nothing gives way. The list of
    /// handlers is above all jobs.
    pub(crate) run: Option<for<'a> fn(&'a Context, &'a ClaimedJob, AfterJob<'a>) -> RunFuture<'a>>,
    /// What is done with a mail that was fetched: what customers may do is in `concord-services`, above all jobs. Without it,
    /// fetched mails say nothing.
    pub(crate) receive_mail: Option<MailReceiver>,
}

impl Handlers {
    /// With what is done with a mail that was fetched.
    pub fn new(receive_mail: MailReceiver) -> Self {
        Self { run: None, receive_mail: Some(receive_mail) }
    }
}

/// What every job is given: all that it may touch.
#[derive(Clone, Debug)]
pub struct Context {
    pub db: Db,
    /// Opens and seals tokens.
    pub ring: Arc<Keyring>,
    /// The only source of time.
    pub clock: Clock,
    /// When this process began to work.
    pub started_at: DateTime<Utc>,
    /// The calendar providers that are set up.
    pub providers: Arc<ProviderRegistry>,
    /// Reads the calendar feeds of others.
    pub feeds: FeedFetcher,
    /// Sends events to webhook endpoints.
    pub webhooks: WebhookSender,
    pub queue: Queue,
    /// How calendars are kept in step.
    pub settings: Arc<SyncSettings>,
    /// How people are written to.
    pub mail: Arc<MailSettings>,
    /// Which keys this process is at work for; one for each process.
    pub keys: KeyRegistry,
    /// What jobs call that is above them.
    pub handlers: Handlers,
    /// The booking platforms that are known.
    pub platforms: Arc<Platforms>,
    /// What this process's jobs have done; one for each process.
    pub metrics: Metrics,
}

impl Context {
    /// The provider of that kind, if it is set up.
    pub(crate) fn provider(&self, kind: ProviderKind) -> Result<&Arc<dyn CalendarProvider>, JobError> {
        let found = self.providers.get(kind);
        found
            .ok_or_else(|| JobError::Permanent(format!("{} is not set up on this installation", kind.name())))
    }

    /// Commits, and then tells the workers of the jobs that were enqueued with it.
    pub async fn commit(&self, tx: Tx, enqueued: &[JobRef]) -> Result<(), StorageError> {
        tx.commit().await?;
        self.push(enqueued).await;
        Ok(())
    }

    /// Tells the workers of jobs that were committed. It cannot fail: what is not pushed, the sweep brings.
    pub async fn push(&self, jobs: &[JobRef]) {
        if !jobs.is_empty() {
            self.queue.push(jobs).await;
        }
    }

    /// Tells the workers of a job at the moment when it is due, which is soon: the sweep would be later.
    pub(crate) fn push_at(&self, job: JobRef, at: DateTime<Utc>) {
        let Ok(wait) = (at - self.clock.now()).to_std() else { return };
        let context = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            context.push(&[job]).await;
        });
    }
}
