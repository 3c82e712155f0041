//! How a run came to its end, and what follows it.

use std::pin::Pin;

use chrono::{DateTime, Utc};
use concord_domain::job::QueueClass;
use concord_storage::{
    StorageError,
    jobs::{ClaimedJob, FinishedJob, JobOutcome},
};

/// What follows a job of a key, in the transaction that ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AfterJob<'a> {
    HandBack,
    /// The key's most urgent job is claimed; for [`QueueClass::Interactive`] only what people wait for.
    Next(QueueClass),
    /// Another one that somebody waits for, or else the one that has given way.
    Resume(&'a ClaimedJob),
    /// The one that has given way: the slice of the others is over.
    TakeBack(&'a ClaimedJob),
}

/// How a run came to its end.
pub(crate) enum RunEnd {
    /// It is to be written down.
    Outcome(JobOutcome),
    /// It was written down in the transaction that says what came of it.
    Written(JobOutcome, Box<EndedRun>),
}

/// What has come of ending a job.
#[derive(Debug, Default)]
pub(crate) struct EndedRun {
    pub(crate) finished: FinishedJob,
    /// The next one, claimed.
    pub(crate) next: Option<ClaimedJob>,
    /// Whether the one that had given way goes on.
    pub(super) is_resumed: bool,
    pub(crate) waits_until: Option<DateTime<Utc>>,
}

/// A run of a claimed job, until it is written down how it ended.
pub(crate) type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<EndedRun, StorageError>> + Send + 'a>>;
