//! Whom the sandbox stands for.

use serde::{Deserialize, Serialize};

/// A provider of calendars.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Provider {
    Google,
    Microsoft,
}

impl Provider {
    pub(crate) const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Its name in addresses and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
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
}
