//! Which deliveries of an endpoint go next.
//!
//! No webhook promises an order. But a receiver that takes everything gets the events of one thing in theirs: a later one
//! waits while an earlier one of the same subject fails, for minutes at most, since it tells the whole state and a version.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::EndpointHealth;

/// After so long an event passes an earlier one that is not delivered yet.
pub const OVERTAKE_AFTER: Duration = Duration::minutes(5);

/// So many deliveries of one endpoint are under way at once, each about something else.
pub const WAVE: usize = 8;

/// A delivery that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingDelivery {
    /// What the event is about.
    pub subject: Uuid,
    /// The event's place among all.
    pub position: i64,
    pub due_at: DateTime<Utc>,
    /// When the event was to be delivered first.
    pub created_at: DateTime<Utc>,
}

/// Which of all that waits for an endpoint may go now, by their places in the list: what is due, and is held back by
/// nothing earlier of its subject, or was so for long enough. `storage::webhook_deliveries::ready` asks the database for the same.
pub fn ready(waiting: &[WaitingDelivery], now: DateTime<Utc>) -> Vec<usize> {
    let is_held = |one: &WaitingDelivery| {
        let is_earlier =
            |other: &WaitingDelivery| other.subject == one.subject && other.position < one.position;
        waiting.iter().any(is_earlier) && now - one.created_at < OVERTAKE_AFTER
    };
    let may_go = |one: &WaitingDelivery| one.due_at <= now && !is_held(one);
    (0..waiting.len()).filter(|place| may_go(&waiting[*place])).collect()
}

/// Which of what is ready is sent at once, by their places in the list: the earliest of each subject, and a single one where
/// the endpoint is failing; nothing while it is left alone.
pub fn wave(ready: &[WaitingDelivery], health: &EndpointHealth, now: DateTime<Utc>) -> Vec<usize> {
    if health.hold_until.is_some_and(|until| until > now) {
        return Vec::new();
    }
    let mut in_order: Vec<usize> = (0..ready.len()).collect();
    in_order.sort_by_key(|place| ready[*place].position);
    let mut subjects = HashSet::new();
    in_order.retain(|place| subjects.insert(ready[*place].subject));
    in_order.truncate(if health.is_out() { 1 } else { WAVE });
    in_order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn waiting(subject: u128, position: i64, due: i64) -> WaitingDelivery {
        WaitingDelivery { subject: Uuid::from_u128(subject), position, due_at: at(due), created_at: at(0) }
    }

    #[test]
    fn later_event_waits_behind_a_failing_one_and_passes() {
        let failing = waiting(1, 1, 400);
        let later = waiting(1, 2, 0);
        let other = waiting(2, 3, 0);
        let all = [failing, later, other];
        assert_eq!(ready(&all, at(1)), [2]);
        assert_eq!(ready(&all, at(299)), [2]);
        assert_eq!(ready(&all, at(300)), [1, 2]);
        assert_eq!(ready(&all[1..], at(1)), [0, 1], "nothing earlier waits");
    }

    #[test]
    fn wave_has_the_earliest_of_each_subject() {
        let all = [waiting(1, 7, 0), waiting(2, 6, 0), waiting(1, 5, 0)];
        let well = EndpointHealth::default();
        assert_eq!(wave(&all, &well, at(0)), [2, 1]);
        let out = EndpointHealth { failures: 3, ..well };
        assert_eq!(wave(&all, &out, at(0)), [2]);
        let held = EndpointHealth { hold_until: Some(at(9)), ..well };
        assert!(wave(&all, &held, at(8)).is_empty());
        assert_eq!(wave(&all, &held, at(9)).len(), 2);
        let many: Vec<_> = (0..20).map(|number| waiting(100 + number, 1, 0)).collect();
        assert_eq!(wave(&many, &well, at(0)).len(), WAVE);
    }
}
