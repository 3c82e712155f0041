//! An endpoint that comes and goes, in random orders of events: what the plans together promise of each event.

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    Answer, EndpointHealth, NextStep, OVERTAKE_AFTER, WAVE, WaitingDelivery, after_attempt, ready,
    schedule::MAX_ATTEMPTS, wave,
};

const ANSWERS: [Answer; 7] = [
    Answer::Status(200),
    Answer::Status(204),
    Answer::Status(301),
    Answer::Status(429),
    Answer::Status(500),
    Answer::Status(502),
    Answer::None,
];

struct Delivery {
    waiting: WaitingDelivery,
    attempts: u32,
    /// When it was sent first.
    first_sent: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    given_up: bool,
}

struct OutboxModel {
    now: DateTime<Utc>,
    health: EndpointHealth,
    deliveries: Vec<Delivery>,
    /// Positions in the order in which they were taken.
    taken: Vec<i64>,
}

impl OutboxModel {
    fn publish(&mut self, subject: u8) {
        let position = i64::try_from(self.deliveries.len()).unwrap();
        let waiting = WaitingDelivery {
            subject: Uuid::from_u128(u128::from(subject)),
            position,
            due_at: self.now,
            created_at: self.now,
        };
        let fresh = Delivery { waiting, attempts: 0, first_sent: None, delivered_at: None, given_up: false };
        self.deliveries.push(fresh);
    }

    fn open(&self) -> Vec<usize> {
        let is_open = |one: &Delivery| one.delivered_at.is_none() && !one.given_up;
        (0..self.deliveries.len()).filter(|place| is_open(&self.deliveries[*place])).collect()
    }

    /// Sends what may go. Returns how many that were.
    fn send(&mut self, answer: Answer, retry_after: Option<Duration>, jitter: f64) -> usize {
        let open = self.open();
        let waiting: Vec<_> = open.iter().map(|place| self.deliveries[*place].waiting).collect();
        let may_go = ready(&waiting, self.now);
        let candidates: Vec<_> = may_go.iter().map(|place| waiting[*place]).collect();
        let chosen = wave(&candidates, &self.health, self.now);
        assert!(chosen.len() <= WAVE);
        for place in &chosen {
            let delivery = &mut self.deliveries[open[may_go[*place]]];
            delivery.attempts += 1;
            delivery.first_sent.get_or_insert(self.now);
            match after_attempt(delivery.attempts, (answer, retry_after), self.now, jitter) {
                NextStep::Delivered => {
                    delivery.delivered_at = Some(self.now);
                    self.taken.push(delivery.waiting.position);
                }
                NextStep::RetryAt(at) => delivery.waiting.due_at = at,
                NextStep::GiveUp => delivery.given_up = true,
            }
            let update = self.health.after((answer, retry_after), self.now);
            self.health = update.health;
            if update.has_recovered {
                let now = self.now;
                for delivery in &mut self.deliveries {
                    delivery.waiting.due_at = delivery.waiting.due_at.min(now);
                }
            }
        }
        chosen.len()
    }

    /// The earliest moment at which something can be sent.
    fn next(&self) -> Option<DateTime<Utc>> {
        let open = self.open();
        let due = open.iter().map(|place| {
            let waiting = self.deliveries[*place].waiting;
            if waiting.due_at > self.now { waiting.due_at } else { waiting.created_at + OVERTAKE_AFTER }
        });
        let next = due.filter(|at| *at > self.now).min()?;
        Some(next.max(self.health.hold_until.unwrap_or(next)))
    }
}

proptest! {
    #[test]
    fn events_are_taken_once_and_none_is_forgotten(
        steps in proptest::collection::vec(
            (0_u8..4, 0_usize..ANSWERS.len(), 0_i64..400, proptest::option::of(1_i64..900), 0.0..1.0), 1..80),
    ) {
        let mut model = OutboxModel {
            now: DateTime::UNIX_EPOCH, health: EndpointHealth::default(), deliveries: Vec::new(), taken: Vec::new(),
        };
        for (subject, answer, seconds, retry_after, jitter) in steps {
            model.publish(subject);
            model.send(ANSWERS[answer], retry_after.map(Duration::seconds), jitter);
            model.now += Duration::seconds(seconds);
        }
        // From now on the endpoint is well: within five minutes more or the waits that it asked for, all that was not given
        // up is there.
        let well_since = model.now;
        for _ in 0..10_000 {
            if model.send(Answer::Status(200), None, 0.5) == 0 {
                let Some(next) = model.next() else { break };
                prop_assert!(next > model.now);
                model.now = next;
            }
        }
        prop_assert!(model.open().is_empty(), "something is never sent");
        prop_assert!(model.now - well_since <= Duration::hours(36));
        let mut once = model.taken.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), model.taken.len());
        for delivery in &model.deliveries {
            prop_assert!(delivery.delivered_at.is_some() || delivery.attempts == MAX_ATTEMPTS);
        }
    }

    #[test]
    fn endpoint_that_takes_all_gets_each_subject_in_order(
        subjects in proptest::collection::vec((0_u8..4, 0_i64..3), 1..100),
    ) {
        let mut model = OutboxModel {
            now: DateTime::UNIX_EPOCH, health: EndpointHealth::default(), deliveries: Vec::new(), taken: Vec::new(),
        };
        for (subject, seconds) in subjects {
            model.publish(subject);
            if seconds > 0 {
                while model.send(Answer::Status(200), None, 0.0) > 0 {}
                model.now += Duration::seconds(seconds);
            }
        }
        while model.send(Answer::Status(200), None, 0.0) > 0 {}
        prop_assert!(model.open().is_empty());
        for subject in 0..4_u128 {
            let of_subject: Vec<i64> = model.taken.iter().copied()
                .filter(|position| {
                    let place = usize::try_from(*position).unwrap();
                    model.deliveries[place].waiting.subject == Uuid::from_u128(subject)
                })
                .collect();
            prop_assert!(of_subject.is_sorted(), "{of_subject:?}");
        }
    }

    #[test]
    fn later_event_is_held_for_minutes_at_most(answers in proptest::collection::vec(1_usize..ANSWERS.len(), 1..30)) {
        // Nothing is ever taken: each event is sent for the first time soon after it was published, but for the holds of an
        // endpoint that is out.
        let mut model = OutboxModel {
            now: DateTime::UNIX_EPOCH, health: EndpointHealth::default(), deliveries: Vec::new(), taken: Vec::new(),
        };
        model.publish(0);
        model.publish(0);
        for answer in answers {
            let status = if ANSWERS[answer].is_success() { Answer::None } else { ANSWERS[answer] };
            model.send(status, None, 0.0);
            match model.next() {
                Some(next) => model.now = next,
                None => break,
            }
        }
        if let Some(first_sent) = model.deliveries[1].first_sent {
            let held = first_sent - model.deliveries[1].waiting.created_at;
            prop_assert!(held <= OVERTAKE_AFTER * 3, "{held}");
        }
    }
}
