//! Whom the sandbox stands for.

use serde::{Deserialize, Serialize};

/// A provider of calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Provider {
    Google,
    Microsoft,
}

impl Provider {
    pub(crate) const ALL: [Self; 2] = [Self::Google, Self::Microsoft];

    /// Its name in addresses and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
        }
    }

    /// Its name for persons.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::Microsoft => "Microsoft",
        }
    }

    /// What its calendars are called.
    pub(crate) fn product(self) -> &'static str {
        match self {
            Self::Google => "Google Calendar",
            Self::Microsoft => "Outlook",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}
