//! `[channels]`: the calendar feeds of others, which are read.

use std::time::Duration;

use serde::Deserialize;

use super::{check::SectionFaults, units};

/// The calendar feeds of others, which are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelsConfig {
    /// Whether servers with private addresses are called like any others.
    pub allow_private_hosts: bool,
    /// Names and addresses that may be called although they are private.
    pub allowed_hosts: Vec<String>,
    /// Minutes between two readings of any feed, whatever channels and platforms say; 0: as they say.
    pub every_minutes: u32,
    /// For a whole feed, from the first connection to the last byte.
    #[serde(rename = "timeout_seconds", deserialize_with = "units::seconds")]
    pub timeout: Duration,
    /// Largest feed that is read, in megabytes.
    pub max_megabytes: usize,
}

impl ChannelsConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_hosts("allowed_hosts", &self.allowed_hosts);
        check.check_range("timeout_seconds", self.timeout.as_secs(), 1..=300);
        check.check_range("every_minutes", self.every_minutes, 0..=1440);
        // The reader of calendars takes no more than 16.
        check.check_range("max_megabytes", self.max_megabytes, 1..=16);
    }
}
