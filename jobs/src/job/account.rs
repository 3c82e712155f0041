//! The account that a job is about: beside `context` and `keys`, which both take it.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId},
};
use concord_storage::{connections::Connection, sync_log::NewSyncLogEntry};

/// The connected account that a job is about, or a call is made for.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionAccount {
    pub business: BusinessId,
    pub connection: ConnectionId,
    /// Where its calendars are.
    pub provider: ProviderKind,
}

impl ConnectionAccount {
    /// A line of the sync log about it.
    pub(crate) fn log_entry<'a>(
        &self,
        (operation, outcome): (&'a str, SyncOutcome),
        detail: &'a str,
        at: DateTime<Utc>,
    ) -> NewSyncLogEntry<'a> {
        NewSyncLogEntry::of_connection((self.business, self.connection), (operation, outcome), detail, at)
    }
}

impl From<&Connection> for ConnectionAccount {
    fn from(connection: &Connection) -> Self {
        Self { business: connection.business_id, connection: connection.id, provider: connection.provider }
    }
}
