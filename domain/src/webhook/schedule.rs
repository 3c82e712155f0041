//! When a delivery is tried again.

use chrono::{DateTime, Duration, Utc};

use crate::words;

words! {
    /// Where a delivery stands.
    DeliveryState "Delivery status." {
        /// Due at its time.
        Waiting = "waiting",
        /// The endpoint has taken it.
        Delivered = "delivered",
        /// Its attempts are used up, or the endpoint was disabled before.
        Failed = "failed",
    }
}

/// The wait before each attempt, after the one before (Standard Webhooks 1.0.0, "Retry schedule").
const RETRY_DELAYS: [Duration; 10] = [
    Duration::seconds(0),
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(14),
    Duration::hours(20),
    Duration::hours(24),
];

/// So often an event is tried.
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "ten")]
pub(super) const MAX_ATTEMPTS: u32 = RETRY_DELAYS.len() as u32;

/// What an endpoint answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The HTTP status of the answer.
    Status(u16),
    /// None in time, or nobody there.
    None,
}

impl Answer {
    /// Only 2xx says that an event was taken: a redirect is followed nowhere, and is a failure.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// Whether nothing is wanted at that address any more.
    pub fn is_gone(self) -> bool {
        self == Self::Status(410)
    }

    /// Whether the endpoint asks to be called less often.
    pub fn asks_to_slow_down(self) -> bool {
        matches!(self, Self::Status(429 | 502 | 504))
    }
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    Delivered,
    RetryAt(DateTime<Utc>),
    /// No more attempts by themselves.
    GiveUp,
}

/// What follows the `attempts`-th attempt (1 is the first), which ended at `now`. `retry_after`: how long the endpoint
/// wants to be left alone, already bounded. `jitter` in `[0, 1)` keeps apart what failed together: up to a tenth longer.
pub fn after_attempt(
    attempts: u32,
    (answer, retry_after): (Answer, Option<Duration>),
    now: DateTime<Utc>,
    jitter: f64,
) -> NextStep {
    if answer.is_success() {
        return NextStep::Delivered;
    }
    let next = usize::try_from(attempts).ok().and_then(|next| RETRY_DELAYS.get(next));
    match next {
        Some(delay) if !answer.is_gone() => {
            let wait = (*delay + tenth(*delay, jitter)).max(retry_after.unwrap_or(Duration::zero()));
            NextStep::RetryAt(now + wait)
        }
        _ => NextStep::GiveUp,
    }
}

/// As much of a tenth of `wait` as `jitter` says.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of days")]
fn tenth(wait: Duration, jitter: f64) -> Duration {
    Duration::milliseconds((wait.num_milliseconds() as f64 * 0.1 * jitter.clamp(0.0, 1.0)) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn after(attempts: u32, status: u16) -> NextStep {
        after_attempt(attempts, (Answer::Status(status), None), NOW, 0.0)
    }

    #[test]
    fn only_2xx_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(after(1, status), NextStep::Delivered, "{status}");
        }
        for status in [100, 301, 302, 304, 307, 308, 400, 401, 404, 422, 429, 500, 502, 503, 504] {
            assert_eq!(after(1, status), NextStep::RetryAt(NOW + Duration::seconds(5)), "{status}");
        }
        assert_eq!(after(1, 410), NextStep::GiveUp);
        let none = after_attempt(1, (Answer::None, None), NOW, 0.0);
        assert_eq!(none, NextStep::RetryAt(NOW + Duration::seconds(5)));
    }

    #[test]
    fn attempts_follow_the_schedule_and_end() {
        let waits: Vec<i64> = (1..MAX_ATTEMPTS)
            .map(|attempts| match after(attempts, 500) {
                NextStep::RetryAt(at) => (at - NOW).num_seconds(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(after(MAX_ATTEMPTS, 500), NextStep::GiveUp);
        assert_eq!(after(u32::MAX, 500), NextStep::GiveUp);
    }

    proptest! {
        #[test]
        fn a_wait_is_as_long_as_asked_and_a_tenth_more_at_most(
            attempts in 1..MAX_ATTEMPTS, jitter in 0.0..1.0, asked in proptest::option::of(0_i64..3_600),
        ) {
            let asked = asked.map(Duration::seconds);
            let step = after_attempt(attempts, (Answer::Status(503), asked), NOW, jitter);
            let NextStep::RetryAt(at) = step else { panic!("{step:?}") };
            let planned = RETRY_DELAYS[attempts as usize];
            prop_assert!(at - NOW >= planned.max(asked.unwrap_or_default()));
            prop_assert!(at - NOW <= (planned + planned / 10).max(asked.unwrap_or_default()));
        }
    }
}
