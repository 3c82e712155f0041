//! How long to wait before something is tried again, and what keeps those apart that failed together.

use chrono::Duration;
use concord_domain::ids::JobId;
use concord_storage::limits::RefusalBackoff;
use uuid::Uuid;

/// The waits after refusals that do not say for how long: doubling, from this one on.
const MIN_BACKOFF: Duration = Duration::seconds(1);
/// A provider that answers again is found out so soon by what people wait for ...
const MAX_BACKOFF: Duration = Duration::seconds(4);
/// ... for about ten minutes of refusals. What lasts longer is no hiccup but a quota, and each call may use it up anew.
pub(super) const QUICK_TRIALS: i64 = 150;
/// The longest wait of all.
const MAX_TRIAL_INTERVAL: Duration = Duration::seconds(60);

/// How long to wait after so many refusals in a row; `jitter` in `[0, 1)` makes it up to a fifth shorter, so that connections
/// which were refused together do not come back together.
pub(crate) fn refusal_backoff(refusals: i64, jitter: f64) -> RefusalBackoff {
    let doubled = |times: i64, longest: Duration| {
        let times = u32::try_from(times.clamp(0, 16)).unwrap_or(0);
        let wait = (MIN_BACKOFF * 2_i32.pow(times)).min(longest);
        wait - jittered_part(wait / 5, jitter)
    };
    let quick = doubled(refusals - 1, MAX_BACKOFF);
    let waited_for = match refusals - QUICK_TRIALS {
        more if more > 0 => doubled(more + 2, MAX_TRIAL_INTERVAL),
        _ => quick,
    };
    RefusalBackoff { waited_for, others: doubled(refusals - 1, MAX_TRIAL_INTERVAL) }
}

/// As much of `most` as `jitter` in `[0, 1)` says.
pub(crate) fn jittered_part(most: Duration, jitter: f64) -> Duration {
    most.to_std().map_or_else(
        |_| Duration::zero(),
        |most| Duration::from_std(most.mul_f64(jitter)).unwrap_or_default(),
    )
}

/// In `[0, 1)`: the same for the same try of the same job, and different for jobs that failed together.
pub(crate) fn jitter(job: JobId, attempts: u32) -> f64 {
    jitter_of(job.0, attempts)
}

/// The same for anything else that has an id.
pub(crate) fn jitter_of(id: Uuid, attempts: u32) -> f64 {
    // FNV-1a over the id and the attempt: spreading needs no better.
    let hash =
        id.as_bytes().iter().chain(&attempts.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_a_quota_is_asked_about_rarely() {
        let seconds = |refusals| {
            let RefusalBackoff { waited_for, others } = refusal_backoff(refusals, 0.0);
            (waited_for.num_seconds(), others.num_seconds())
        };
        let first: Vec<_> = (1..=8).map(seconds).collect();
        assert_eq!(first, [(1, 1), (2, 2), (4, 4), (4, 8), (4, 16), (4, 32), (4, 60), (4, 60)]);
        assert_eq!(
            (seconds(150), seconds(151), seconds(154), seconds(i64::MAX)),
            ((4, 60), (8, 60), (60, 60), (60, 60))
        );
        let spread = refusal_backoff(3, 0.999).waited_for;
        assert!(spread < Duration::seconds(4) && spread > Duration::seconds(3), "{spread}");
    }
}
