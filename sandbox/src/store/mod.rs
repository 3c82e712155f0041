//! What is stored of any provider of calendars, and what can be done with it whatever the provider.
//!
//! `records` is what is stored and [`ProviderStore`] its only way to change; `writes`, `grants`, `channels` and `person` are what
//! can be done with it. How a provider writes an entry down, and what its ids and tokens look like, is its [`ProviderDialect`].

mod channels;
mod dialect;
mod draft;
mod entry;
mod grants;
mod occurrences;
mod people;
mod person;
mod provider_store;
mod records;
mod refusal;
mod watch;
mod writes;

pub(crate) use dialect::{ProviderDialect, TokenRules};
pub(crate) use draft::{EntryDraft, EntryEdit, drop_nulls, merge};
pub(crate) use entry::{EntryHistoryItem, EntryStatus, EventTime, StoredEntry, StoredEntryAction};
pub(crate) use grants::{AuthenticatedCaller, CODE_LIFETIME_SECONDS, IssuedTokens, secret};
pub(crate) use occurrences::{ListWindow, ListedEvent, expand, standing_between, vanished};
pub(crate) use people::{PRIMARY, make_primary, new_calendar, new_subscription};
pub(crate) use provider_store::ProviderStore;
pub(crate) use records::{
    AuthorizationCodeRecord, CalendarAccessRole, CalendarListItem, CalendarRecord, PkceChallenge,
    StoreRecord, StoredAccount, StoredCalendar,
};
pub(crate) use refusal::StoreError;
pub(crate) use watch::{EntryChanged, WatchChannel};
pub(crate) use writes::{EntryLocation, WriteAuthor, standing};
