//! `[feeds]`: the calendar feeds that others subscribe to.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{check::SectionFaults, units};

/// The calendar feeds that others subscribe to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedsConfig {
    /// After which readers are asked to look again.
    #[serde(rename = "refresh_minutes", deserialize_with = "units::minutes")]
    pub refresh: Duration,
    /// The most events in a feed.
    pub max_events: usize,
    /// How much memory rendered feeds may take, in bytes.
    #[serde(rename = "cache_megabytes", deserialize_with = "units::megabytes")]
    pub cache_bytes: u64,
    /// Requests a minute for one feed.
    pub requests_per_minute_per_token: u32,
    /// Requests a minute from one address for all feeds.
    pub requests_per_minute_per_address: u32,
    /// How often it is written down who has read what.
    #[serde(rename = "note_readers_seconds", deserialize_with = "units::seconds")]
    pub note_readers: Duration,
    /// Websites whose scripts may read feeds (CORS): origins, or `*` for all.
    pub allowed_origins: Vec<String>,
}

impl FeedsConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("refresh_minutes", self.refresh.as_secs() / 60, 1..=10_080);
        check.check_range("max_events", self.max_events, 1..=1_000_000);
        check.check_range("cache_megabytes", self.cache_bytes >> 20, 1..=100_000);
        check.check_range(
            "requests_per_minute_per_token",
            self.requests_per_minute_per_token,
            1..=60_000_000,
        );
        check.check_range(
            "requests_per_minute_per_address",
            self.requests_per_minute_per_address,
            1..=60_000_000,
        );
        check.check_range("note_readers_seconds", self.note_readers.as_secs(), 1..=3_600);
        for origin in &self.allowed_origins {
            // An origin is scheme, host and port alone (RFC 6454, section 6.2), and browsers compare it letter by letter.
            let is_origin = Url::parse(origin).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == *origin
            });
            if origin != "*" && !is_origin {
                check.add(
                    "allowed_origins",
                    format!(
                        "expected \"*\" or an origin such as \"https://example.org\", found \"{origin}\""
                    ),
                );
            }
        }
    }
}
