//! What the suite needs of the world around a provider.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use concord_domain::{connection::ProviderKind, ids::EntryId, interval::Interval};
use concord_providers::{CalendarProvider, OAuthApp, ProviderCredentials};
use secrecy::SecretString;

/// A person's account with an empty main calendar, and our permission to use it.
#[derive(Clone, Debug)]
pub(crate) struct TestAccount {
    /// The person's e-mail address.
    pub(crate) email: String,
    /// The provider's id of their main calendar.
    pub(crate) calendar: String,
    pub(crate) credentials: ProviderCredentials,
    pub(crate) refresh_token: SecretString,
}

/// What a person puts into their calendar.
#[derive(Clone, Debug)]
pub(crate) struct Appointment {
    pub(crate) title: &'static str,
    pub(crate) time: Interval,
    /// Whether it is shown as free.
    pub(crate) free: bool,
    /// An RFC 5545 line.
    pub(crate) recurrence: Option<&'static str>,
}

/// What a person sees of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VisibleEntry {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) location: String,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProviderFault {
    RateLimit,
    ServerError,
    Timeout,
    ApplyThenDrop,
    ExpireToken,
    RevokeGrant,
    GoneCursor,
}

/// A provider and the people who use it.
#[async_trait]
pub(crate) trait ProviderFixture: Send + Sync {
    /// The provider, with the time-outs of production.
    fn provider(&self) -> Arc<dyn CalendarProvider>;

    /// The same, but without patience.
    fn hasty_provider(&self) -> Arc<dyn CalendarProvider>;

    /// Which provider it is.
    fn kind(&self) -> ProviderKind;

    /// The id that an entry has there.
    fn external_id(&self, entry: EntryId) -> String {
        self.kind().external_id(entry)
    }

    /// More entries than come in one page.
    fn more_than_a_page(&self) -> usize {
        2_600
    }

    /// Our OAuth client there.
    fn oauth(&self) -> &OAuthApp;

    /// Whether a grant can be ended by us, or by the person alone.
    fn lets_us_end_it(&self) -> bool {
        true
    }

    /// What is kept of a title: all of it, or as much as the provider takes.
    fn kept<'a>(&self, title: &'a str) -> &'a str {
        title
    }

    /// The id of a calendar that is not there.
    fn unknown_calendar(&self, place: &TestAccount) -> String;

    async fn place(&self) -> TestAccount;

    /// A person at the consent page; what their browser then asks of our callback.
    async fn consent(&self, page: &url::Url, email: &str, allow: bool) -> url::Url;

    /// A person makes a further calendar and takes it out of the list that they see; the provider's id of it.
    async fn person_hides_a_calendar(&self, place: &TestAccount) -> String;

    /// A person adds an appointment; the provider's id of it.
    async fn person_adds(&self, place: &TestAccount, appointment: &Appointment) -> String;

    /// A person moves an entry.
    async fn person_moves(
        &self,
        place: &TestAccount,
        id: &str,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    );

    /// A person deletes an entry.
    async fn person_deletes(&self, place: &TestAccount, id: &str);

    /// The entries that a person sees in their main calendar.
    async fn person_sees(&self, place: &TestAccount) -> Vec<VisibleEntry>;

    /// Lets the next call for this account go wrong.
    async fn next_call_fails(&self, place: &TestAccount, fault: ProviderFault);
}
