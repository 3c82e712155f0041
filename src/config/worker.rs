//! `[worker]`: the processes that do the work.

use std::time::Duration;

use serde::Deserialize;

use super::{ListenAddress, check::SectionFaults, units};

/// The processes that do the work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// Where a `concord worker` answers `/metrics` and health checks; `None`: it answers nothing.
    #[serde(deserialize_with = "units::optional")]
    pub listen: Option<ListenAddress>,
    /// Jobs at once, of those that a person waits for.
    pub interactive: usize,
    /// Jobs at once, of batches and first imports.
    pub bulk: usize,
    /// Jobs at once, of polls and housekeeping.
    pub poll: usize,
    /// Between two looks for work that is due and that nobody has.
    #[serde(rename = "sweep_seconds", deserialize_with = "units::seconds")]
    pub sweep: Duration,
    /// From a worker's last sign of life until another one takes over what it had in hand.
    #[serde(rename = "lease_seconds", deserialize_with = "units::seconds")]
    pub lease: Duration,
    /// For how long a worker does the jobs of one calendar account before it is another's turn.
    #[serde(rename = "slice_milliseconds", deserialize_with = "units::milliseconds")]
    pub slice: Duration,
    /// What a stopping worker gives to what it has in hand.
    #[serde(rename = "shutdown_seconds", deserialize_with = "units::seconds")]
    pub shutdown: Duration,
}

impl WorkerConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("interactive", self.interactive, 1..=256);
        check.check_range("bulk", self.bulk, 1..=256);
        check.check_range("poll", self.poll, 1..=256);
        check.check_range("sweep_seconds", self.sweep.as_secs(), 1..=60);
        check.check_range("lease_seconds", self.lease.as_secs(), 5..=3_600);
        check.check_range("slice_milliseconds", self.slice.as_millis(), 1..=60_000);
        check.check_range("shutdown_seconds", self.shutdown.as_secs(), 0..=600);
    }
}

#[cfg(test)]
mod tests {
    use concord_jobs::worker::RELEASE_TIMEOUT;
    use concord_storage::CLOSE_TIMEOUT;

    use super::*;
    use crate::config::{Config, ConfigSources};

    #[test]
    fn a_stop_takes_less_than_half_a_minute_unless_it_is_told_to() {
        let config =
            Config::load(&ConfigSources { folder: "/nonexistent".into(), ..ConfigSources::default() })
                .unwrap();
        // First what is in hand ends, then what did not is handed back, then the database is closed.
        let longest = config.worker.shutdown + RELEASE_TIMEOUT + CLOSE_TIMEOUT;
        assert!(longest < Duration::from_secs(30), "{longest:?}");
    }
}
