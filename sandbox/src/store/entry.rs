//! One event as it is stored, with its tombstone state and its history.

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::recurrence::RecurrenceSet;
use crate::timing::DateOrDateTime;

/// A start or an end: when, and the zone that was given with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventTime {
    pub(crate) when: DateOrDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<Tz>,
}

/// An event's state. Cancelled is deleted: the tombstone stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum EntryStatus {
    Confirmed,
    Tentative,
    Cancelled,
}

/// That an event stands in the place of one occurrence of a recurring one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OccurrenceRef {
    pub(crate) master: String,
    pub(crate) original: EventTime,
}

/// When a recurring event took place before it was changed: occurrences that are gone must be told as cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormerSeries {
    pub(crate) start: DateOrDateTime,
    pub(crate) zone: Option<Tz>,
    pub(crate) recurrence: Vec<String>,
}

/// Who did what to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredEntryAction {
    Insert,
    Update,
    Patch,
    Delete,
    PersonInsert,
    PersonPatch,
    PersonDelete,
    PersonMove,
}

/// A line of an event's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryHistoryItem {
    pub(crate) at: DateTime<Utc>,
    pub(crate) action: StoredEntryAction,
    pub(crate) etag: String,
    pub(crate) title: Option<String>,
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredEntry {
    pub(crate) id: String,
    /// The number of the write that made it what it is; etags and sync tokens come from it.
    pub(crate) seq: u64,
    pub(crate) created: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    pub(crate) status: EntryStatus,
    pub(crate) sequence: i64,
    pub(crate) ical_uid: String,
    pub(crate) creator: String,
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recurrence: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) occurrence_of: Option<OccurrenceRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<FormerSeries>,
    /// How often it was put elsewhere within its mailbox: a restored one counts. Ids that can change come from it.
    #[serde(default)]
    pub(crate) moves: u32,
    /// That nothing is left of a deleted one: it was taken out of where deleted things lie, or put elsewhere.
    #[serde(default)]
    pub(crate) purged: bool,
    /// Everything else that a client may set, as it was set, in the provider's words.
    pub(crate) fields: Map<String, Value>,
    #[serde(skip)]
    pub(crate) series: Option<RecurrenceSet>,
    #[serde(skip)]
    pub(crate) history: Vec<EntryHistoryItem>,
}

impl StoredEntry {
    pub(crate) fn cancelled(&self) -> bool {
        self.status == EntryStatus::Cancelled
    }

    /// Whether it was deleted and can still be fetched back from where deleted things lie.
    pub(crate) fn is_in_trash(&self) -> bool {
        self.cancelled() && !self.purged && self.occurrence_of.is_none()
    }

    /// Google calls it `summary`, Microsoft `subject`.
    pub(crate) fn title(&self) -> Option<&str> {
        self.fields.get("summary").or_else(|| self.fields.get("subject")).and_then(Value::as_str)
    }

    /// Where it is: a text, or Microsoft's `displayName` of a place.
    pub(crate) fn location(&self) -> Option<&str> {
        let location = self.fields.get("location")?;
        location.as_str().or_else(|| location["displayName"].as_str())
    }

    /// What is said about it: Google's `description`, the content of Microsoft's `body`.
    pub(crate) fn description(&self) -> Option<&str> {
        let body = || self.fields.get("body").map(|body| &body["content"]);
        self.fields.get("description").or_else(body).and_then(Value::as_str)
    }

    /// Whether it may not take place.
    pub(crate) fn is_tentative(&self) -> bool {
        self.status == EntryStatus::Tentative
            || self.fields.get("showAs").is_some_and(|how| how == "tentative")
    }

    /// Whether it takes no time: Google's `transparency`, Microsoft's `showAs` and `isCancelled`.
    pub(crate) fn is_free(&self) -> bool {
        let says = |name: &str, value: Value| self.fields.get(name) == Some(&value);
        says("transparency", "transparent".into())
            || says("showAs", "free".into())
            || says("isCancelled", true.into())
    }

    /// The time from start to end.
    pub(crate) fn length(&self) -> Duration {
        self.start.when.until(self.end.when).unwrap_or_default()
    }

    /// Whether it blocks time for `account`: not cancelled, not shown as free, not declined.
    pub(crate) fn blocks(&self, account: &str) -> bool {
        let declined = |attendee: &Value| {
            attendee["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(account))
                && attendee["responseStatus"] == "declined"
        };
        !self.cancelled()
            && !self.is_free()
            && !self
                .fields
                .get("attendees")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(declined))
    }

    /// The line that this state adds to the history; its etag comes with its number.
    pub(crate) fn change(&self, action: StoredEntryAction) -> EntryHistoryItem {
        EntryHistoryItem {
            at: self.updated,
            action,
            etag: String::new(),
            title: self.title().map(String::from),
            starts_at: self.start.when.to_string(),
            ends_at: self.end.when.to_string(),
        }
    }
}
