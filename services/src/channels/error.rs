//! Why a channel was not made or changed.

use concord_providers::FeedError;
use concord_storage::StorageError;

/// Why a channel was not made or changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The address cannot be one.
    #[error(transparent)]
    Address(#[from] FeedError),
    /// The resource reads that address already.
    #[error("this link is already imported for this resource")]
    AddressTaken,
    /// It was connected without an address before.
    #[error("this resource is already published for this platform")]
    Published,
    /// The address is one of ours: what would be read is what is published.
    #[error("this is one of Concord's own feeds: paste the link that the platform shows")]
    OwnFeed,
    /// The business has no such resource.
    #[error("unknown resource")]
    NoResource,
    /// The business has no such channel.
    #[error("unknown channel")]
    NoChannel,
    /// The platform gives nothing to read.
    #[error("{0} has no calendar to import")]
    NothingToRead(String),
    /// Nobody can have read what was never fetched.
    #[error("our calendar link has not been fetched yet: paste it at the platform first")]
    NeverFetched,
    /// The database refused or is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What the database's refusal means for a channel.
pub(super) fn address_taken_error(error: StorageError) -> ChannelError {
    match error {
        StorageError::Exists => ChannelError::AddressTaken,
        StorageError::NotFound => ChannelError::NoChannel,
        other => other.into(),
    }
}
