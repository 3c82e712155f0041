//! Why something could not be done, before any provider has put it into its own words.

/// The reason, which is also the decision what a client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no such thing, or the account may not know of it.
    #[error("there is no such thing here")]
    NotFound,
    /// It may be read only.
    #[error("this calendar can only be read")]
    ReadOnly,
    /// Something with this name is there.
    #[error("there is one with this name already")]
    Duplicate,
    /// It was deleted before.
    #[error("it has been deleted already")]
    Deleted,
    /// The start or end is wrong, a member has the wrong form: a sentence says what.
    #[error("{0}")]
    Invalid(String),
    /// Something that must be there is not.
    #[error("{0}")]
    Missing(String),
    /// The state could not be written down.
    #[error("the sandbox cannot write its state")]
    Unwritten,
}

impl StoreError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}
