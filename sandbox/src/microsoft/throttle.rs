//! Throttling of one application in one mailbox: requests in hand, and requests within ten minutes
//! (<https://learn.microsoft.com/en-us/graph/throttling-limits#outlook-service-limits>).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::errors::GraphApiError;

/// How many requests are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GraphThrottleLimits {
    pub(crate) concurrent_per_mailbox: usize,
    pub(crate) per_mailbox_per_ten_minutes: usize,
}

impl Default for GraphThrottleLimits {
    fn default() -> Self {
        Self { concurrent_per_mailbox: 4, per_mailbox_per_ten_minutes: 10_000 }
    }
}

/// An application and a mailbox.
type ClientMailbox = (String, String);

/// The requests in hand and those of the last ten minutes.
#[derive(Debug, Default)]
pub(crate) struct GraphThrottle {
    limits: GraphThrottleLimits,
    in_hand: HashMap<ClientMailbox, usize>,
    spent: HashMap<ClientMailbox, Vec<DateTime<Utc>>>,
}

/// The place of one request in hand, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit {
    throttle: Arc<Mutex<GraphThrottle>>,
    pair: ClientMailbox,
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(in_hand) = throttle.in_hand.get_mut(&self.pair) {
            *in_hand = in_hand.saturating_sub(1);
        }
    }
}

impl ConcurrencyPermit {
    /// Takes a request in hand.
    ///
    /// # Errors
    /// 429 if there are as many as there may be.
    pub(crate) fn take(
        throttle: &Arc<Mutex<GraphThrottle>>,
        client: &str,
        mailbox: &str,
    ) -> Result<Self, GraphApiError> {
        let pair = (client.to_owned(), mailbox.to_owned());
        let mut inner = throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let most = inner.limits.concurrent_per_mailbox;
        let in_hand = inner.in_hand.entry(pair.clone()).or_default();
        if *in_hand >= most {
            return Err(GraphApiError::throttled("MailboxConcurrency", 1));
        }
        *in_hand += 1;
        Ok(Self { throttle: Arc::clone(throttle), pair })
    }
}

impl GraphThrottle {
    /// Counts a request.
    ///
    /// # Errors
    /// 429 with the time until there is room again. A refused request does not count.
    pub(crate) fn spend(
        &mut self,
        client: &str,
        mailbox: &str,
        now: DateTime<Utc>,
    ) -> Result<(), GraphApiError> {
        let window = Duration::minutes(10);
        let spent = self.spent.entry((client.into(), mailbox.into())).or_default();
        spent.retain(|at| now - *at < window);
        if spent.len() >= self.limits.per_mailbox_per_ten_minutes {
            let wait = spent.first().map_or(window, |first| *first + window - now).num_seconds() + 1;
            return Err(GraphApiError::throttled("RequestsPerMailbox", u32::try_from(wait).unwrap_or(1)));
        }
        spent.push(now);
        Ok(())
    }

    pub(crate) fn limits(&self) -> GraphThrottleLimits {
        self.limits
    }

    /// Sets the limits and forgets what was spent; what is in hand stays.
    pub(crate) fn set(&mut self, limits: GraphThrottleLimits) {
        self.limits = limits;
        self.spent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_at_a_time_is_refused_until_another_has_gone() {
        let throttle = Arc::default();
        let mut permits: Vec<_> =
            (0..4).map(|_| ConcurrencyPermit::take(&throttle, "app", "eva").unwrap()).collect();
        let refused = ConcurrencyPermit::take(&throttle, "app", "eva").unwrap_err();
        assert!(refused.message.contains("MailboxConcurrency") && refused.retry_after.is_some());
        ConcurrencyPermit::take(&throttle, "app", "farid").unwrap();
        permits.pop();
        ConcurrencyPermit::take(&throttle, "app", "eva").unwrap();
    }

    #[test]
    fn the_window_of_ten_minutes_slides_and_says_how_long_to_wait() {
        let mut throttle = GraphThrottle::default();
        throttle
            .set(GraphThrottleLimits { per_mailbox_per_ten_minutes: 2, ..GraphThrottleLimits::default() });
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut spend = |second: i64| {
            throttle.spend("app", "eva", start + Duration::seconds(second)).map_err(|error| error.retry_after)
        };
        assert_eq!(spend(0), Ok(()));
        assert_eq!(spend(100), Ok(()));
        assert_eq!(spend(500), Err(Some(101)));
        assert_eq!(spend(600), Ok(()));
    }
}
