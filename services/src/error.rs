//! Why a use case did nothing.

use concord_storage::StorageError;

/// Why a use case did nothing: nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The business has no such thing; what it is, in a word, such as `resource`.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The database refused or is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Names what was looked for where the database has not found it.
pub(crate) trait OrNotFound<T> {
    /// `what`: in a word, such as `resource`.
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError>;
}

impl<T> OrNotFound<T> for Result<T, StorageError> {
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError> {
        self.map_err(|error| match error {
            StorageError::NotFound => ServiceError::NotFound(what),
            error => error.into(),
        })
    }
}

impl<T> OrNotFound<T> for Option<T> {
    fn or_not_found(self, what: &'static str) -> Result<T, ServiceError> {
        self.ok_or(ServiceError::NotFound(what))
    }
}
