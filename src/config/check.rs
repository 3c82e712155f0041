//! What every section's `validate` collects.

use std::{fmt::Display, ops::RangeInclusive};

use url::Url;

/// The faults of the sections, by key.
#[derive(Default)]
pub(super) struct SectionFaults {
    section: &'static str,
    faults: Vec<(String, String)>,
}

impl SectionFaults {
    /// What is added from here on is of this section.
    pub(super) fn of(&mut self, section: &'static str) -> &mut Self {
        self.section = section;
        self
    }

    pub(super) fn add(&mut self, key: &str, problem: impl Into<String>) {
        self.faults.push((format!("{}.{key}", self.section), problem.into()));
    }

    pub(super) fn check_range<T: Copy + PartialOrd + Display>(
        &mut self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            self.add(key, format!("must be from {} to {}, found {value}", range.start(), range.end()));
        }
    }

    /// An address that can be called. Providers' addresses may be http: the sandbox stands on this machine.
    pub(super) fn check_url(&mut self, key: &str, url: &Url) {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            self.add(key, format!("must be an http or https address, found \"{url}\""));
        }
    }

    /// Hosts that may be called.
    pub(super) fn check_hosts(&mut self, key: &str, hosts: &[String]) {
        let plain = |host: &String| !host.is_empty() && !host.contains(['/', '@', ' ', '*', '[']);
        if !hosts.iter().all(plain) {
            self.add(
                key,
                "must be names or addresses without a scheme, a port or a path, like \"nextcloud.lan\"",
            );
        }
    }

    pub(super) fn into_faults(self) -> Vec<(String, String)> {
        self.faults
    }
}
