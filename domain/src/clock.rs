//! Where time comes from.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// The only source of the current instant, so that tests can set it.
///
/// Instants are truncated to microseconds, the finest that both databases keep: what was written is then equal
/// to what is read back.
#[derive(Clone, Debug)]
pub struct Clock(ClockSource);

#[derive(Clone, Debug)]
enum ClockSource {
    /// By how much the machine's clock is corrected, in microseconds.
    System { ahead: Duration, correction: Arc<AtomicI64> },
    /// Microseconds since the epoch.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// Follows the clock of the machine.
    pub fn system() -> Self {
        Self::system_ahead(ahead())
    }

    /// That of a machine whose clock is wrong by so much.
    pub fn system_ahead(by: Duration) -> Self {
        Self(ClockSource::System { ahead: by, correction: Arc::default() })
    }

    /// A clock that stands at `now` until it is moved; its clones move with it.
    pub fn set_to(now: DateTime<Utc>) -> Self {
        Self(ClockSource::Set(Arc::new(AtomicI64::new(now.timestamp_micros()))))
    }

    /// The current instant, in UTC.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            ClockSource::System { ahead, correction } => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "this is the clock that everybody else is given"
                )]
                let now = Utc::now();
                now.trunc_subsecs(6) + *ahead + Duration::microseconds(correction.load(Ordering::SeqCst))
            }
            ClockSource::Set(micros) => {
                DateTime::from_timestamp_micros(micros.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// By how much the machine's clock is corrected; `None` for one that was set.
    pub fn correction(&self) -> Option<Duration> {
        match &self.0 {
            ClockSource::System { correction, .. } => {
                Some(Duration::microseconds(correction.load(Ordering::SeqCst)))
            }
            ClockSource::Set(_) => None,
        }
    }

    /// Corrects the machine's clock by so much from now on, for all clones; one that was set is left alone.
    pub fn correct_by(&self, by: Duration) {
        if let ClockSource::System { correction, .. } = &self.0 {
            correction.store(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }

    /// Moves a set clock forward; the machine's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let ClockSource::Set(micros) = &self.0 {
            micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }
}

/// Builds for tests run with clocks that differ.
#[cfg(feature = "testing")]
fn ahead() -> Duration {
    let seconds = std::env::var("CONCORD_TEST_CLOCK_AHEAD_SECONDS").ok();
    Duration::seconds(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or_default())
}

#[cfg(not(feature = "testing"))]
fn ahead() -> Duration {
    Duration::zero()
}
