//! What each call to a provider needs: its credentials, and mostly a calendar.

use crate::credentials::ProviderCredentials;

/// A provider, and what opens an account there.
pub(crate) struct AccountAccess<'a, P> {
    pub(crate) provider: &'a P,
    pub(crate) credentials: &'a ProviderCredentials,
}

/// A calendar of an account.
pub(crate) struct CalendarAccess<'a, P> {
    pub(crate) account: AccountAccess<'a, P>,
    /// As the provider calls it; nothing says that it can stand in a path.
    pub(crate) calendar: &'a str,
}

pub(crate) fn account<'a, P>(provider: &'a P, credentials: &'a ProviderCredentials) -> AccountAccess<'a, P> {
    AccountAccess { provider, credentials }
}

pub(crate) fn calendar<'a, P>(
    provider: &'a P,
    credentials: &'a ProviderCredentials,
    calendar: &'a str,
) -> CalendarAccess<'a, P> {
    CalendarAccess { account: account(provider, credentials), calendar }
}
