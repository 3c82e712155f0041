//! `[database]`: where bookings are kept.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{check::SectionFaults, units};

/// Where bookings are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// As set, with its password; [`super::Config::database_url`] is never absent.
    #[serde(deserialize_with = "units::optional")]
    pub url: Option<SecretString>,
    /// The most connections that one process opens.
    pub max_connections: u32,
    /// Whether each change waits until it is safe from a loss of power.
    pub durable: bool,
    /// Whether serve, web and worker bring the database up to date when they start.
    pub migrate_at_start: bool,
}

impl DatabaseConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("max_connections", self.max_connections, 2..=1_000);
        let scheme = self.url.as_ref().map(|url| url.expose_secret().split(':').next().unwrap_or_default());
        if !matches!(scheme, None | Some("sqlite" | "postgres" | "postgresql")) {
            // The rest of the URL may hold a password.
            check.add("url", "must begin with sqlite: or postgres://");
        }
    }
}
