//! The calendar providers: which there are, and what is said of each without calling it.
//!
//! The list below and a file beside this one are all that the crates know of a provider by name, apart from the code that
//! calls it. A question about a provider is a field of [`ProviderDescription`], never a `match` on its kind.

mod caldav;
pub mod google;
pub mod microsoft;

use crate::{ids::EntryId, words};

words! {
    /// Who keeps the calendar.
    ProviderKind "Calendar provider." {
        Google = "google",
        /// Microsoft 365 and Outlook.com.
        Microsoft = "microsoft",
        Caldav = "caldav",
    }
}

impl ProviderKind {
    /// All that is said of it.
    pub const fn description(self) -> &'static ProviderDescription {
        match self {
            Self::Google => &google::DESCRIPTION,
            Self::Microsoft => &microsoft::DESCRIPTION,
            Self::Caldav => &caldav::DESCRIPTION,
        }
    }

    /// As people call it.
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// How its accounts are opened, where that is by OAuth.
    pub const fn oauth(self) -> Option<&'static OAuthDescription> {
        self.description().oauth
    }

    /// The id that an entry will have there, decided before the first call so that a write done twice is a write done once.
    pub fn external_id(self, entry: EntryId) -> String {
        (self.description().external_id)(entry)
    }
}

/// What is said of a provider.
#[derive(Debug)]
pub struct ProviderDescription {
    /// As people call it.
    pub name: &'static str,
    /// How its accounts are opened; `None`: by address, name and password.
    pub oauth: Option<&'static OAuthDescription>,
    /// An entry's id there; where the provider gives out ids itself, what finds the first write again.
    pub external_id: fn(EntryId) -> String,
    /// Whether its calendars can be listed by other ids than before, with all that stood in them.
    pub calendar_ids_change: bool,
    /// Calls a minute for one connection, and for the whole installation, unless the configuration says otherwise.
    pub calls_per_minute: (u32, u32),
    /// What a disconnection ends, for whoever is about to disconnect.
    pub access_end: &'static str,
    /// What its owner can still do at the provider, where Concord cannot end its own access.
    pub revoke_note: Option<&'static str>,
    /// Environment variables with a name of their own, and the setting of each.
    pub variables: &'static [(&'static str, &'static str)],
}

/// A provider whose accounts are opened by OAuth.
#[derive(Debug)]
pub struct OAuthDescription {
    /// What is asked of the person.
    pub scopes: &'static [&'static str],
    /// What the consent page's address carries besides.
    pub authorize_params: &'static [(&'static str, &'static str)],
    /// Whether its refusals are put into our words, fit to be shown.
    pub explains_refusals: bool,
    /// What it is called in addresses of the API.
    pub api_word: &'static str,
    /// Whose accounts these are, where the name does not say it.
    pub accounts: Option<&'static str>,
}
