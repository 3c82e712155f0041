//! The sandbox's own clock: the one place where it asks for the time.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, to the millisecond, which is as fine as the providers write it.
#[expect(clippy::disallowed_methods, reason = "the outside world has a clock of its own; this is it")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}
