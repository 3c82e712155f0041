//! Why a job stopped.

use chrono::{DateTime, Duration, Utc};
use concord_domain::clock::Clock;
use concord_providers::ProviderError;
use concord_storage::StorageError;

/// Why a job stopped. What follows is decided by `outcome_of`; mails, feeds, calendars that are read and push subscriptions
/// have rules of their own besides (`notify::send`, `channels::poll`, `sync_in::import_availability`, `accounts::push`).
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The provider said so.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database said so.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Nothing of its key can be done now, through no fault of its own.
    #[error("{reason}")]
    Wait {
        until: DateTime<Utc>,
        /// Whether what people wait for waits too.
        for_all: bool,
        reason: &'static str,
    },
    /// It is not its turn yet, through no fault of its own.
    #[error("{reason}")]
    Snooze { until: DateTime<Utc>, reason: &'static str },
    /// It cannot work as things are; a person must change something. It counts as a rejection: tried again slowly.
    #[error("{0}")]
    Permanent(String),
    #[error("internal error; see the log")]
    Panicked,
}

impl JobError {
    /// Whether it would be rejected again as things are. It is tried again slowly all the same: what is wrong may have been the
    /// installation's settings.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Provider(ProviderError::Rejected(_) | ProviderError::AccountUnusable(_))
                | Self::Permanent(_)
        )
    }

    /// What people read of it where it is about the calendar of that provider.
    pub fn user_message(&self, provider: &str) -> String {
        match self {
            Self::Provider(error) => error.user_message(provider),
            other => other.to_string(),
        }
    }

    /// Not before `wait` has passed.
    pub(crate) fn snooze(clock: &Clock, wait: Duration, reason: &'static str) -> Self {
        Self::Snooze { until: clock.now() + wait, reason }
    }
}
