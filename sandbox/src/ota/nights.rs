//! Nights, from a check-in to a check-out, which is the first day that is free again.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// At least one night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct StayNights {
    pub(crate) check_in: NaiveDate,
    pub(crate) check_out: NaiveDate,
}

impl StayNights {
    /// `None` if there is no night between the two.
    pub(crate) fn new(check_in: NaiveDate, check_out: NaiveDate) -> Option<Self> {
        (check_in < check_out).then_some(Self { check_in, check_out })
    }

    pub(crate) fn overlap(self, other: Self) -> bool {
        self.check_in < other.check_out && other.check_in < self.check_out
    }

    /// Whether the night that begins on that day is one of them.
    pub(crate) fn has(self, day: NaiveDate) -> bool {
        (self.check_in..self.check_out).contains(&day)
    }

    /// What is left of them without `other`.
    pub(super) fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = Self::new(self.check_in, self.check_out.min(other.check_in));
        let after = Self::new(self.check_in.max(other.check_out), self.check_out);
        before.into_iter().chain(after)
    }
}
