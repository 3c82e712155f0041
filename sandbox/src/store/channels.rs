//! Who wants to be told of changes: Google's channels, Microsoft's subscriptions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::provider_store::ProviderStore;
use super::records::{StoreRecord, StoreState};
use super::refusal::StoreError;

/// A watch on one calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchChannel {
    pub(crate) id: String,
    pub(crate) account: String,
    /// The application, and the consent that it stands on: without that nothing is told.
    pub(crate) client: String,
    pub(crate) grant: String,
    pub(crate) calendar: String,
    pub(crate) address: String,
    /// Where it is told what becomes of the watch itself (Microsoft).
    pub(crate) lifecycle_address: Option<String>,
    /// The application's own word, which comes back with each notification.
    pub(crate) token: Option<String>,
    /// What is watched, in the provider's words.
    pub(crate) resource: String,
    /// Which changes are told (Microsoft); all if there are none.
    #[serde(default)]
    pub(crate) kinds: Vec<EntryChangeKind>,
    /// Whether ids in notifications are those that do not change (Microsoft).
    #[serde(default)]
    pub(crate) immutable_ids: bool,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntryChangeKind {
    Created,
    Updated,
    Deleted,
}

impl EntryChangeKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EntryChangeKind::Created => "created",
            EntryChangeKind::Updated => "updated",
            EntryChangeKind::Deleted => "deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted].into_iter().find(|one| one.as_str() == text)
    }
}

/// A write to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryChanged {
    pub(crate) calendar: String,
    pub(crate) entry: String,
    pub(crate) kind: EntryChangeKind,
    /// The number of the write.
    pub(crate) seq: u64,
}

impl EntryChanged {
    /// What `record` will change of the entries in `state`.
    pub(super) fn of(state: &StoreState, record: &StoreRecord) -> Option<Self> {
        let StoreRecord::Written { calendar, entry, .. } = record else { return None };
        let before = state.calendars.get(calendar)?.entries.get(&entry.id);
        let kind = match before {
            // Out of the deleted ones: nobody saw it there.
            Some(before) if before.cancelled() && entry.cancelled() => return None,
            _ if entry.cancelled() => EntryChangeKind::Deleted,
            Some(before) if !before.cancelled() => EntryChangeKind::Updated,
            // A changed occurrence was there before as a part of its series.
            None if entry.occurrence_of.is_some() => EntryChangeKind::Updated,
            _ => EntryChangeKind::Created,
        };
        Some(Self { calendar: calendar.clone(), entry: entry.id.clone(), kind, seq: entry.seq })
    }
}

impl WatchChannel {
    /// Whether `changed` is told here at `now`.
    pub(crate) fn tells(&self, changed: &EntryChanged, now: DateTime<Utc>) -> bool {
        self.calendar == changed.calendar
            && self.expires_at > now
            && (self.kinds.is_empty() || self.kinds.contains(&changed.kind))
    }
}

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
