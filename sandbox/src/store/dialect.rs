//! What differs between providers in what is stored.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::draft::{EntryDraft, EntryEdit};
use super::entry::StoredEntry;
use super::records::{StoreRecord, StoredCalendar};
use super::refusal::StoreError;
use crate::timing::DateOrDateTime;

/// How a provider writes down what all of them have.
pub(crate) trait ProviderDialect: Debug + Send + Sync {
    /// The persons who are there from the start.
    fn sample(&self, now: DateTime<Utc>) -> Vec<StoreRecord>;

    /// A new account with what comes with it. `seq` is the last number used.
    fn account(&self, email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord>;

    /// The id of a calendar of `owner` that is neither their own nor named by it, made from `owner` and `key`.
    fn calendar_id(&self, owner: &str, key: &str) -> String;

    /// The id and the iCalendar UID of an entry that comes without.
    fn new_ids(&self) -> (String, String);

    /// The etag of write number `seq`.
    fn etag(&self, seq: u64) -> String;

    /// Reads a whole entry as a client writes it; a time without a zone is in `zone`.
    fn read(&self, body: &Map<String, Value>, zone: Tz) -> Result<EntryDraft, StoreError>;

    /// What a client may set of an entry, as it would send it: what a patch is merged into.
    fn writable(&self, entry: &StoredEntry) -> Map<String, Value>;

    /// A person's wish as a client would send it.
    fn wish(
        &self,
        wish: &EntryEdit,
        times: Option<(DateOrDateTime, DateOrDateTime)>,
        zone: Tz,
    ) -> Map<String, Value>;

    /// The values of an application's own that an entry carries, by name.
    fn private_properties(&self, entry: &StoredEntry) -> Map<String, Value>;

    /// The entry as the provider's API shows it to its owner.
    fn raw(&self, calendar: &StoredCalendar, entry: &StoredEntry, base_url: &str) -> Value;

    /// The id of an entry as applications know it, which does not change.
    fn shown_id(&self, entry: &StoredEntry) -> String;

    /// The id under which an entry is stored, from one that was shown.
    fn stored_id(&self, id: &str) -> String;

    /// Whether a change to one occurrence is a change to its series, which gets another version by it.
    fn series_changes_as_one(&self) -> bool;

    /// Whether ids of calendars can change.
    fn renumbers_calendars(&self) -> bool;

    /// How tokens look and live.
    fn tokens(&self) -> TokenRules;
}

/// How a provider's tokens look and live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRules {
    pub(crate) access_prefix: &'static str,
    pub(crate) refresh_prefix: &'static str,
    pub(crate) access_life: i64,
    /// Seconds without use after which a refresh token is dead.
    pub(crate) refresh_life: i64,
    /// If a refresh token is replaced when it is used: for how many seconds the old one still works.
    pub(crate) replaced_lives: Option<i64>,
    /// More refresh tokens than this, of one account for one client, and the oldest dies without a word.
    pub(crate) most_refresh_tokens: usize,
}
