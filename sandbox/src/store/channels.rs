//! Who wants to be told of changes: Google's channels, Microsoft's subscriptions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::records::{Record, State};
use super::refusal::Refusal;
use super::world::World;

/// A watch on one calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Channel {
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
    pub(crate) kinds: Vec<ChangeKind>,
    /// Whether ids in notifications are those that do not change (Microsoft).
    #[serde(default)]
    pub(crate) immutable_ids: bool,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeKind {
    Created,
    Updated,
    Deleted,
}

impl ChangeKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Created => "created",
            ChangeKind::Updated => "updated",
            ChangeKind::Deleted => "deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted].into_iter().find(|one| one.as_str() == text)
    }
}

/// A write to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) calendar: String,
    pub(crate) entry: String,
    pub(crate) kind: ChangeKind,
    /// The number of the write.
    pub(crate) seq: u64,
}

impl Changed {
    /// What `record` will change of the entries in `state`.
    pub(super) fn of(state: &State, record: &Record) -> Option<Self> {
        let Record::Written { calendar, entry, .. } = record else { return None };
        let before = state.calendars.get(calendar)?.entries.get(&entry.id);
        let kind = match before {
            // Out of the deleted ones: nobody saw it there.
            Some(before) if before.cancelled() && entry.cancelled() => return None,
            _ if entry.cancelled() => ChangeKind::Deleted,
            Some(before) if !before.cancelled() => ChangeKind::Updated,
            // A changed occurrence was there before as a part of its series.
            None if entry.occurrence_of.is_some() => ChangeKind::Updated,
            _ => ChangeKind::Created,
        };
        Some(Self { calendar: calendar.clone(), entry: entry.id.clone(), kind, seq: entry.seq })
    }
}

impl Channel {
    /// Whether `changed` is told here at `now`.
    pub(crate) fn tells(&self, changed: &Changed, now: DateTime<Utc>) -> bool {
        self.calendar == changed.calendar
            && self.expires_at > now
            && (self.kinds.is_empty() || self.kinds.contains(&changed.kind))
    }
}

impl World {
    /// Opens or changes a watch.
    ///
    /// # Errors
    /// `Unwritten`.
    pub(crate) fn put_channel(&mut self, channel: Channel) -> Result<(), Refusal> {
        self.commit(vec![Record::Channel { channel }])
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// `NotFound` if there is none with this id.
    pub(crate) fn close_channel(&mut self, id: &str) -> Result<(), Refusal> {
        if !self.channels.contains_key(id) {
            return Err(Refusal::NotFound);
        }
        self.commit(vec![Record::ChannelClosed { id: id.into() }])
    }

    /// The watches that live at `now`.
    pub(crate) fn live_channels(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Channel> {
        self.channels.values().filter(move |one| one.expires_at > now)
    }

    /// Those who are told of `changed` at `now`: whoever lost the consent since is not.
    pub(crate) fn told(&self, changed: &Changed, now: DateTime<Utc>) -> Vec<&Channel> {
        let consented = |one: &&Channel| self.grants.get(&one.grant).is_some_and(|grant| !grant.ended);
        self.live_channels(now).filter(|one| one.tells(changed, now)).filter(consented).collect()
    }
}
