//! `[security]`: keys and sessions.

use std::{path::PathBuf, time::Duration};

use concord_storage::seal::MasterKey;
use secrecy::SecretString;
use serde::Deserialize;

use super::{check::SectionFaults, units};

/// The master key and sessions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityConfig {
    /// As set; see [`super::Config::master_key`].
    #[serde(deserialize_with = "units::optional")]
    pub master_key: Option<SecretString>,
    /// A file that holds it instead.
    #[serde(deserialize_with = "units::optional")]
    pub master_key_file: Option<PathBuf>,
    /// Former master keys, which still open what they sealed.
    #[serde(deserialize_with = "units::secrets")]
    pub previous_master_keys: Vec<SecretString>,
    /// After this time without a visit a person has to sign in again.
    #[serde(rename = "session_days", deserialize_with = "units::days")]
    pub session: Duration,
    /// How long a sign-in link is good.
    #[serde(rename = "sign_in_link_minutes", deserialize_with = "units::minutes")]
    pub sign_in_link: Duration,
    /// How long the first sign-in link of somebody who was let in is good.
    #[serde(rename = "invitation_days", deserialize_with = "units::days")]
    pub invitation: Duration,
}

const NO_KEY: &str = "must be 32 bytes in base64, as `openssl rand -base64 32` prints";

impl SecurityConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        let is_master_key = |text: &SecretString| MasterKey::from_base64(text).is_ok();
        if self.master_key.as_ref().is_some_and(|key| !is_master_key(key)) {
            check.add("master_key", NO_KEY);
        }
        if self.master_key.is_some() && self.master_key_file.is_some() {
            check.add("master_key_file", "there is a master_key too: keep one of them");
        }
        if !self.previous_master_keys.iter().all(is_master_key) {
            check.add("previous_master_keys", format!("each {NO_KEY}"));
        }
        check.check_range("session_days", self.session.as_secs() / 86_400, 1..=400);
        check.check_range("sign_in_link_minutes", self.sign_in_link.as_secs() / 60, 1..=10_080);
        check.check_range("invitation_days", self.invitation.as_secs() / 86_400, 1..=30);
    }
}
