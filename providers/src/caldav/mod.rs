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
mod errors;
mod fetch;
mod merge;
mod objects;
mod presets;
mod requests;
mod session;
mod walk;
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
    discovery::{Asked, Discovered, DiscoveryError},
    presets::{PRESETS, Preset},
};
use crate::{
    error::ProviderError,
    http::Http,
    provider::{
        Account, CalendarProvider, ChangesFrom, ChangesPage, Credentials, RemoteCalendar, Removed, Written,
    },
};

/// CalDAV as a provider.
#[derive(Clone, Debug)]
pub struct Caldav {
    http: Http,
    clock: Clock,
}

impl Caldav {
    /// Over a client that is guarded: people say where the servers stand.
    pub fn new(guarded: Http, clock: Clock) -> Self {
        Self { http: guarded, clock }
    }
}

#[async_trait]
impl CalendarProvider for Caldav {
    async fn account(&self, credentials: &Credentials) -> Result<Account, ProviderError> {
        self.read_account(credentials).await
    }

    async fn calendars(&self, credentials: &Credentials) -> Result<Vec<RemoteCalendar>, ProviderError> {
        self.list_calendars(credentials).await
    }

    async fn create(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
    ) -> Result<Written, ProviderError> {
        self.insert(credentials, calendar, external_id, content).await
    }

    async fn update(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
        content: &EntryContent,
        etag: Option<&str>,
    ) -> Result<Written, ProviderError> {
        self.replace(credentials, calendar, external_id, content, etag).await
    }

    async fn remove(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Removed, ProviderError> {
        self.delete(credentials, calendar, external_id).await
    }

    async fn find(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        self.read_entry(credentials, calendar, external_id).await
    }

    async fn find_moved(
        &self,
        credentials: &Credentials,
        calendar: &str,
        entry: EntryId,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        self.read_moved(credentials, calendar, (entry, external_id)).await
    }

    async fn changes(
        &self,
        credentials: &Credentials,
        calendar: &str,
        window: Interval,
        from: &ChangesFrom,
    ) -> Result<ChangesPage, ProviderError> {
        self.list_changes(credentials, calendar, window, from).await
    }

    async fn busy(
        &self,
        credentials: &Credentials,
        calendar: &str,
        window: Interval,
    ) -> Result<Vec<Interval>, ProviderError> {
        self.read_busy(credentials, calendar, window).await
    }
}
