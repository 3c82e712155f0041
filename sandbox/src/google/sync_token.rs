//! The opaque tokens of lists: where a page starts, and from which write on something is new.
//!
//! They are derived from the numbers of writes, so nothing has to be stored for them and they survive a restart.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::ListWindow;

/// Where an incremental read starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GoogleSyncToken {
    /// The calendar or list that it was given out for.
    #[serde(rename = "c")]
    pub(crate) of: String,
    /// The number of the last write that has been seen.
    #[serde(rename = "s")]
    pub(crate) seq: u64,
    /// Of those parameters of the first read that every further one must repeat.
    #[serde(rename = "p")]
    pub(crate) parameters: String,
    /// The window of the first read, in which recurring events are expanded.
    #[serde(rename = "f")]
    pub(crate) from: Option<DateTime<Utc>>,
    #[serde(rename = "t")]
    pub(crate) to: Option<DateTime<Utc>>,
}

impl GoogleSyncToken {
    pub(crate) fn window(&self) -> ListWindow {
        ListWindow { from: self.from, to: self.to }
    }
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GooglePageToken {
    /// The write from which on entries follow, or the place in a sorted list.
    #[serde(rename = "n")]
    pub(crate) from: u64,
    /// How many occurrences of the entry there have been shown.
    #[serde(rename = "i")]
    pub(crate) index: usize,
    /// Of the parameters of the first page: the other pages must repeat them.
    #[serde(rename = "p")]
    pub(crate) parameters: String,
}
