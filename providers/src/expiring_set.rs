//! What was learnt of a calendar lately, so that it is not learnt again by each call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

/// So many calendars are remembered; nobody has more at work in one process.
const MAX_ENTRIES: usize = 50_000;

/// Calendars of which something holds for a while. In memory: another process learns it for itself.
#[derive(Clone, Debug)]
pub(crate) struct ExpiringSet {
    until: Arc<Mutex<HashMap<String, DateTime<Utc>>>>,
    lasts: TimeDelta,
}

impl ExpiringSet {
    /// What is noted is forgotten after `lasts`: servers are mended.
    pub(crate) fn with_ttl(lasts: TimeDelta) -> Self {
        Self { until: Arc::default(), lasts }
    }

    /// It holds of `calendar` from `now` on.
    pub(crate) fn note(&self, calendar: &str, now: DateTime<Utc>) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX_ENTRIES {
            until.retain(|_, end| *end > now);
        }
        if until.len() < MAX_ENTRIES {
            until.insert(calendar.to_owned(), now + self.lasts);
        }
    }

    /// Whether it holds of `calendar`.
    pub(crate) fn holds(&self, calendar: &str, now: DateTime<Utc>) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(calendar).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_holds_for_one_calendar_and_for_a_while() {
        let remembered = ExpiringSet::with_ttl(TimeDelta::hours(1));
        let noon = "2026-03-01T12:00:00Z".parse().unwrap();
        remembered.note("a", noon);
        assert!(remembered.holds("a", noon) && !remembered.holds("b", noon));
        assert!(!remembered.holds("a", noon + TimeDelta::hours(1)));
    }
}
