//! Why a use case did nothing.

use concord_jobs::job::JobError;
use concord_providers::ProviderError;
use concord_storage::StorageError;

/// Why a use case did nothing: nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The business has no such thing; what it is, in a word, such as `resource`.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// It cannot be as things are; why, in words for people.
    #[error("{0}")]
    NotPossible(String),
    /// The provider refused or could not be reached; what of it, in words for people.
    #[error("{0}")]
    Provider(String),
    /// The database refused or is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<JobError> for ServiceError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => error.into(),
            JobError::Provider(ProviderError::RateLimited { .. }) => {
                Self::Provider("the provider's rate limit was reached; try again in a minute".into())
            }
            JobError::Provider(error) => Self::Provider(error.user_message("the provider")),
            other => Self::NotPossible(other.to_string()),
        }
    }
}

/// Names what was looked for where the database has not found it.
pub(crate) trait OrNotFound<T> {
    /// `what`: in a word, such as `resource`.
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError>;
}

impl<T, E: Into<ServiceError>> OrNotFound<T> for Result<T, E> {
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError> {
        self.map_err(|error| match error.into() {
            ServiceError::Storage(StorageError::NotFound) => ServiceError::NotFound(what),
            error => error,
        })
    }
}

impl<T> OrNotFound<T> for Option<T> {
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError> {
        self.ok_or(ServiceError::NotFound(what))
    }
}
