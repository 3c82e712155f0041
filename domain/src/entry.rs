//! What stands in a calendar: the provider-neutral form of an entry, as we want it and as we find it.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    booking::BookingTime,
    ids::{BookingId, EntryId},
};

/// When an entry takes place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum EntryTime {
    /// From an instant to an instant (exclusive), shown in `zone`.
    Timed {
        starts_at: DateTime<Utc>,
        /// UTC, exclusive, after `starts_at`.
        ends_at: DateTime<Utc>,
        /// The zone in which a person reads it.
        zone: Tz,
    },
    /// Whole days; `until` is exclusive and after `from`.
    AllDay {
        from: NaiveDate,
        /// The day after the last.
        until: NaiveDate,
    },
}

impl From<&EntryTime> for BookingTime {
    fn from(time: &EntryTime) -> Self {
        match *time {
            EntryTime::Timed { starts_at, ends_at, .. } => Self::Timed { starts_at, ends_at },
            EntryTime::AllDay { from, until } => Self::Stay { check_in: from, check_out: until },
        }
    }
}

/// How the provider reminds the calendar's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryReminder {
    /// By mail or as a notice on the screen.
    pub by: ReminderMeans,
    /// Minutes before the start.
    pub minutes: u32,
}

/// The means of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReminderMeans {
    /// A mail by the provider.
    Email,
    /// A notice by the calendar's application.
    Popup,
}

/// What an entry of ours should say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryContent {
    /// The booking it stands for, kept as a private property where the provider has such.
    pub booking: BookingId,
    /// The mapping it belongs to, likewise.
    pub entry: EntryId,
    pub title: String,
    /// Plain text, lines separated by `\n`; may be empty.
    pub description: String,
    pub location: String,
    pub time: EntryTime,
    /// Google's colour ids are "1" to "11"; other providers take a category name.
    pub colour: Option<String>,
    /// Pending bookings are tentative.
    pub tentative: bool,
    /// Whether it takes up its owner's time: what is kept of a booking that does not take place leaves them free.
    pub busy: bool,
    /// The provider's own reminders.
    pub reminders: Vec<EntryReminder>,
}

impl EntryContent {
    /// A digest over all that we write: equal hashes need no write.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        crate::hex(Sha256::digest(json))
    }
}

/// An entry as the provider shows it now, ours or anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedEntry {
    /// The provider's id of it (of the instance, for a recurring one).
    pub external_id: String,
    /// The provider's id of the recurring entry that it is an instance of.
    pub series: Option<String>,
    /// The version; `None` where the provider gives none for this item.
    pub etag: Option<String>,
    /// Deleted or cancelled there.
    pub deleted: bool,
    /// Whether it takes up its owner's time (opaque, not declined).
    pub busy: bool,
    /// Whether it is only tentatively accepted.
    pub tentative: bool,
    /// One line; empty where the provider hides it.
    pub title: String,
    /// When; `None` for a tombstone that carries no times.
    pub time: Option<EntryTime>,
    /// The mapping that we wrote into it, if it is ours.
    pub entry: Option<EntryId>,
    /// The provider's instant of the last change.
    pub updated_at: Option<DateTime<Utc>>,
    /// What the provider says of it cannot be understood: it is there under its id, perhaps at its version, and nothing
    /// follows from all else.
    pub unreadable: bool,
}
