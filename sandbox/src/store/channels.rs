//! Who wants to be told of changes: Google's channels, Microsoft's subscriptions.

use chrono::{DateTime, Utc};

use super::provider_store::ProviderStore;
use super::records::StoreRecord;
use super::refusal::StoreError;
use super::watch::{EntryChanged, WatchChannel};

impl ProviderStore {
    /// Opens or changes a watch.
    ///
    /// # Errors
    /// `Unwritten`.
    pub(crate) fn put_channel(&mut self, channel: WatchChannel) -> Result<(), StoreError> {
        self.commit(vec![StoreRecord::Channel { channel }])
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// `NotFound` if there is none with this id.
    pub(crate) fn close_channel(&mut self, id: &str) -> Result<(), StoreError> {
        if !self.channels.contains_key(id) {
            return Err(StoreError::NotFound);
        }
        self.commit(vec![StoreRecord::ChannelClosed { id: id.into() }])
    }

    /// The watches that live at `now`.
    pub(crate) fn live_channels(&self, now: DateTime<Utc>) -> impl Iterator<Item = &WatchChannel> {
        self.channels.values().filter(move |one| one.expires_at > now)
    }

    /// Those who are told of `changed` at `now`: whoever lost the consent since is not.
    pub(crate) fn told(&self, changed: &EntryChanged, now: DateTime<Utc>) -> Vec<&WatchChannel> {
        let consented = |one: &&WatchChannel| self.grants.get(&one.grant).is_some_and(|grant| !grant.ended);
        self.live_channels(now).filter(|one| one.tells(changed, now)).filter(consented).collect()
    }
}
