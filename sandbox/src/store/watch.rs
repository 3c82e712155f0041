//! A watch on a calendar, and what it tells of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum EntryChangeKind {
    Created,
    Updated,
    Deleted,
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

impl WatchChannel {
    /// Whether `changed` is told here at `now`.
    pub(crate) fn tells(&self, changed: &EntryChanged, now: DateTime<Utc>) -> bool {
        self.calendar == changed.calendar
            && self.expires_at > now
            && (self.kinds.is_empty() || self.kinds.contains(&changed.kind))
    }
}
