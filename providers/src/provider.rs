//! What Concord asks of a calendar provider.

use async_trait::async_trait;
use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryTime, ObservedEntry},
    ids::EntryId,
    interval::{Interval, stay},
};

pub use crate::credentials::ProviderCredentials;
use crate::error::ProviderError;

/// Whose account the credentials open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAccount {
    /// The provider's unchanging id of the account; reconnecting is recognised by it.
    pub subject: String,
    pub email: String,
}

/// A calendar as the provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCalendar {
    pub external_id: String,
    pub name: String,
    pub colour: Option<String>,
    /// IANA name, where given.
    pub zone: Option<String>,
    /// Whose calendar it is, as the provider names them, where it does.
    pub owner: Option<String>,
    /// Whether entries can be written.
    pub writable: bool,
    /// Whether it is the account's main calendar.
    pub primary: bool,
}

/// `#rrggbb`: it ends up in a style.
pub(crate) fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What a write left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The entry's id from now on. A provider that gives out ids of its own puts one in the place of ours.
    pub external_id: String,
    /// What the next conditional write must name.
    pub etag: String,
}

/// What a removal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The entry, which it took away.
    Now,
    /// Nothing: somebody was there before, to delete it or to put it elsewhere.
    Before,
}

/// Where an incremental read stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncPosition {
    /// Everything in the window.
    Start,
    /// What changed since the cursor that a former read ended with.
    Cursor(String),
    /// The next page of a read under way, which must be asked for with the same window as its first page; `cursor`
    /// is the one that it began with.
    Page {
        /// The provider's token of the page.
        page: String,
        /// The cursor that the read began with, `None` for one from the start.
        cursor: Option<String>,
    },
}

/// One page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesPage {
    /// In no order that means anything; the same entry may come twice, the later one holds.
    pub entries: Vec<ObservedEntry>,
    /// What is told of in whole: whatever was known under one of these ids, as itself or as an instance of it, and is not
    /// among `entries`, is gone. For providers where what recurs is one object that changes as a whole.
    pub resources: Vec<String>,
    /// The same of what all pages of the read tell of together, some of it on one page and some on the next: series that
    /// come with the instances that they have now.
    pub series: Vec<String>,
    /// Whether an incremental read may name neither as there nor as gone what came and went since the read before it.
    pub may_miss: bool,
    /// How many items could not be understood. Of those that have a name `entries` say no more than that they are there.
    pub unreadable: usize,
    /// How to go on.
    pub next: NextPage,
}

/// What is known of an item that says nothing intelligible: that it is there, and may take up time.
pub(crate) fn unclear(external_id: String, series: Option<String>, etag: Option<String>) -> ObservedEntry {
    ObservedEntry {
        external_id,
        series,
        etag,
        deleted: false,
        busy: true,
        tentative: false,
        title: String::new(),
        time: None,
        entry: None,
        updated_at: None,
        unreadable: true,
    }
}

/// Whether it takes no time.
pub(crate) fn is_empty(time: &EntryTime) -> bool {
    match time {
        EntryTime::Timed { starts_at, ends_at, .. } => starts_at >= ends_at,
        EntryTime::AllDay { from, until } => from >= until,
    }
}

/// Whether they are one time, whatever zone it is read in.
pub(crate) fn is_same_time(one: &EntryTime, other: &EntryTime) -> bool {
    match (one, other) {
        (
            EntryTime::Timed { starts_at, ends_at, .. },
            EntryTime::Timed { starts_at: from, ends_at: until, .. },
        ) => (starts_at, ends_at) == (from, until),
        (one, other) => one == other,
    }
}

/// What it takes, its days being those of `zone`; `None`: nothing.
pub(crate) fn interval_of(time: &EntryTime, zone: Tz) -> Option<Interval> {
    match time {
        EntryTime::Timed { starts_at, ends_at, .. } => Interval::new(*starts_at, *ends_at),
        EntryTime::AllDay { from, until } => stay(*from, *until, zone),
    }
}

/// Whether nothing is known of what stands there, not even whose it is.
pub(crate) fn is_unclear(seen: &ObservedEntry) -> bool {
    seen.unreadable && seen.entry.is_none()
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextPage {
    Page(String),
    /// The end, and the cursor for the next incremental read.
    Cursor(String),
}

/// A calendar provider: Google, Microsoft, CalDAV.
///
/// Every write is idempotent: done twice, or done again after an answer was lost, it leaves one entry.
#[async_trait]
pub trait CalendarProvider: Send + Sync {
    /// Whose account it is.
    async fn account(&self, credentials: &ProviderCredentials) -> Result<ProviderAccount, ProviderError>;

    /// All calendars of the account.
    async fn calendars(
        &self,
        credentials: &ProviderCredentials,
    ) -> Result<Vec<RemoteCalendar>, ProviderError>;

    /// Writes an entry that should not exist yet. `Precondition`: something has that id, perhaps a tombstone,
    /// perhaps our own write whose answer was lost; `find` it, then `update` it. A provider may instead return the entry
    /// that the same create made before. `external_id` is ours, or the id of an entry that is gone.
    async fn create(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError>;

    /// Replaces an entry if it is still at `etag` (`None`: whatever it is at). A tombstone comes back to life.
    /// `Precondition`: it has moved on. `NotFound`: it is gone for good.
    async fn update(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError>;

    /// Removes an entry, whatever version it is at. One that is gone already is a success, too.
    async fn remove(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<RemoveOutcome, ProviderError>;

    /// The entry as it is now, tombstones included; `None` if the provider knows nothing of it. `external_id` is ours,
    /// or the one that a write returned.
    async fn find(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError>;

    /// The entry in a calendar into which it was not written, where a person may have moved it: what stands there under its
    /// id, or carries its mark. A copy that a person made may, too. `external_id` is what its own calendar called it.
    /// `Transient` where something stands there that may be it and cannot be read: taken for nothing, it would count as deleted.
    async fn find_moved(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError>;

    /// A page of what the calendar holds in `window`, or of what changed; recurring entries come as instances.
    /// An incremental read may also bring entries outside the window. `CursorExpired`: begin from the start.
    async fn changes(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError>;

    /// The busy times of the calendar in `window`, merged or not, in no order.
    async fn busy(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Vec<Interval>, ProviderError>;
}

/// Makes a [`CalendarProvider`] of a type whose methods stand in several files, each beside what it needs.
macro_rules! calendar_provider {
    ($provider:ty) => {
        #[async_trait::async_trait]
        impl $crate::provider::CalendarProvider for $provider {
            async fn account(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
            ) -> Result<$crate::provider::ProviderAccount, $crate::error::ProviderError> {
                $crate::access::account(self, credentials).read_account().await
            }

            async fn calendars(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
            ) -> Result<Vec<$crate::provider::RemoteCalendar>, $crate::error::ProviderError> {
                $crate::access::account(self, credentials).list_calendars().await
            }

            async fn create(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                external_id: &str,
                content: &concord_domain::entry::EntryContent,
            ) -> Result<$crate::provider::WriteReceipt, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).insert(external_id, content).await
            }

            async fn update(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                external_id: &str,
                content: &concord_domain::entry::EntryContent,
                etag: Option<&str>,
            ) -> Result<$crate::provider::WriteReceipt, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar)
                    .replace(external_id, content, etag)
                    .await
            }

            async fn remove(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                external_id: &str,
            ) -> Result<$crate::provider::RemoveOutcome, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).delete(external_id).await
            }

            async fn find(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                external_id: &str,
            ) -> Result<Option<concord_domain::entry::ObservedEntry>, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).read_entry(external_id).await
            }

            async fn find_moved(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                entry: concord_domain::ids::EntryId,
                external_id: &str,
            ) -> Result<Option<concord_domain::entry::ObservedEntry>, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).read_moved(entry, external_id).await
            }

            async fn changes(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                window: concord_domain::interval::Interval,
                from: &$crate::provider::SyncPosition,
            ) -> Result<$crate::provider::ChangesPage, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).list_changes(window, from).await
            }

            async fn busy(
                &self,
                credentials: &$crate::provider::ProviderCredentials,
                calendar: &str,
                window: concord_domain::interval::Interval,
            ) -> Result<Vec<concord_domain::interval::Interval>, $crate::error::ProviderError> {
                $crate::access::calendar(self, credentials, calendar).read_busy(window).await
            }
        }
    };
}
pub(crate) use calendar_provider;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_a_line_break_is_not_sent() {
        let credentials = ProviderCredentials::Bearer("a\r\nX-Evil: 1".into());
        assert!(matches!(credentials.bearer(), Err(ProviderError::Unauthorized)));
    }

    #[test]
    fn a_password_is_no_token() {
        let home = "https://dav.example/".parse().unwrap();
        let credentials = ProviderCredentials::Password {
            user: "ana".to_owned(),
            password: "hush".into(),
            home,
            zone: Tz::UTC,
        };
        assert!(matches!(credentials.bearer(), Err(ProviderError::Unauthorized)));
    }
}
