//! Entries that were left in a calendar when it was disconnected: they stand there, and nobody updates them.

use std::collections::HashSet;

use concord_domain::{
    connection::{ConnectionState, EntryState},
    ids::{BusinessId, ConnectionId},
};
use concord_storage::{Db, StorageError, connections, entries::SyncState};

/// The connections that are over and kept their entries.
pub(super) struct Left(HashSet<ConnectionId>);

impl Left {
    /// Those among the connections in which bookings stand.
    pub(super) async fn of(
        db: &Db,
        business: BusinessId,
        states: impl Iterator<Item = &SyncState>,
    ) -> Result<Self, StorageError> {
        let mut left = HashSet::new();
        let asked: HashSet<ConnectionId> = states.map(|state| state.connection).collect();
        for id in asked {
            let found = connections::find(db, business, id).await?;
            if found.is_some_and(|one| one.state == ConnectionState::Disconnected && !one.remove_entries) {
                left.insert(id);
            }
        }
        Ok(Self(left))
    }

    /// Whether nobody updates the entry any more.
    pub(super) fn has(&self, state: &SyncState) -> bool {
        self.0.contains(&state.connection)
    }

    /// Whether the entry stands in a calendar that is connected, or shall.
    pub(super) fn is_kept_up(&self, state: &SyncState) -> bool {
        state.state != EntryState::Removed && !self.has(state)
    }

    /// Whether the entry still stands in a calendar that is no longer connected.
    pub(super) fn is_left_there(&self, state: &SyncState) -> bool {
        self.has(state) && state.state != EntryState::Removed && state.written_at.is_some()
    }
}
