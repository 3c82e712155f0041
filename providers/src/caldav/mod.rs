//! CalDAV (RFC 4791): any server that speaks it, with a name and a password.
//!
//! The requests are few and fixed (`requests.rs`), the answers are read into one form (`xml.rs`), and what servers say
//! in different ways for the same fault is judged in one table (`errors.rs`). `discovery.rs` finds the calendars of who
//! gives an address; from then on all calls stay at the account's server (`address.rs`). An entry is an object, written
//! as `concord_domain::ical::entry_object` has it, later into what people have made of it (`merge.rs`), and read as
//! `objects.rs` says.

mod account;
mod address;
mod changes;
mod cursor;
mod discovery;
mod discovery_walk;
mod errors;
mod fetch;
mod merge;
mod objects;
mod presets;
mod requests;
mod session;
mod writes;
mod xml;

use async_trait::async_trait;
use concord_domain::{
    clock::Clock,
    entry::{EntryContent, ObservedEntry},
    ids::EntryId,
    interval::Interval,
};

pub use self::{
    discovery::{CaldavDiscovery, CaldavLogin, DiscoveryError},
    presets::{CaldavPreset, PRESETS},
};
use crate::{
    error::ProviderError,
    http::HttpClient,
    provider::{
        CalendarProvider, ChangesPage, ProviderAccount, ProviderCredentials, RemoteCalendar, RemoveOutcome,
        SyncPosition, WriteReceipt,
    },
};

/// CalDAV as a provider.
#[derive(Clone, Debug)]
pub struct Caldav {
    http: HttpClient,
    clock: Clock,
}

impl Caldav {
    /// Over a client that is guarded: people say where the servers stand.
    pub fn new(guarded: HttpClient, clock: Clock) -> Self {
        Self { http: guarded, clock }
    }
}

#[async_trait]
impl CalendarProvider for Caldav {
    async fn account(&self, credentials: &ProviderCredentials) -> Result<ProviderAccount, ProviderError> {
        self.read_account(credentials).await
    }

    async fn calendars(
        &self,
        credentials: &ProviderCredentials,
    ) -> Result<Vec<RemoteCalendar>, ProviderError> {
        self.list_calendars(credentials).await
    }

    async fn create(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<WriteReceipt, ProviderError> {
        self.insert(credentials, calendar, external_id, content).await
    }

    async fn update(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<WriteReceipt, ProviderError> {
        self.replace(credentials, calendar, external_id, content, etag).await
    }

    async fn remove(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<RemoveOutcome, ProviderError> {
        self.delete(credentials, calendar, external_id).await
    }

    async fn find(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        self.read_entry(credentials, calendar, external_id).await
    }

    async fn find_moved(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        self.read_moved(credentials, calendar, (entry, external_id)).await
    }

    async fn changes(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        self.list_changes(credentials, calendar, window, from).await
    }

    async fn busy(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Vec<Interval>, ProviderError> {
        self.read_busy(credentials, calendar, window).await
    }
}
