//! `[queue]`: how workers learn of new work.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{check::SectionFaults, units};

/// How workers learn of new work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueConfig {
    /// Redis, with its password. Without it the queue is inside the process.
    #[serde(deserialize_with = "units::optional")]
    pub redis_url: Option<SecretString>,
    /// What the keys in Redis begin with.
    pub prefix: String,
}

impl QueueConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        let scheme =
            self.redis_url.as_ref().map(|url| url.expose_secret().split(':').next().unwrap_or_default());
        if !matches!(scheme, None | Some("redis" | "rediss")) {
            // The rest of the URL may hold a password.
            check.add("redis_url", "must begin with redis:// or rediss://");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.chars().all(plain) {
            check.add("prefix", "must be 1 to 64 letters, digits, - and _");
        }
    }
}
