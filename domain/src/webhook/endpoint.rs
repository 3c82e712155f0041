//! What an endpoint wants to hear, and how it stands: well, failing, or given up.

use chrono::{DateTime, Duration, Utc};
use url::Url;

use super::{Answer, EventType};
use crate::{settings::FieldErrors, words};

/// The most endpoints of one business: each event is written once for each.
pub const MAX_ENDPOINTS: usize = 50;

words! {
    /// Whether events are delivered to an endpoint.
    EndpointState "Endpoint status." {
        Active = "active",
        /// Nothing is delivered, and nothing is kept for it.
        Disabled = "disabled",
    }
}

words! {
    /// Why an endpoint was disabled.
    DisabledReason "Why an endpoint was disabled." {
        /// By a person or a program of the business.
        ByHand = "by_hand",
        /// It answered 410 Gone.
        Gone = "gone",
        /// Nothing was taken for five days.
        Failing = "failing",
    }
}

impl DisabledReason {
    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::ByHand => "Disabled by you",
            Self::Gone => "The endpoint answered 410 Gone",
            Self::Failing => "Every delivery failed for 5 days",
        }
    }
}

/// What a business enters of an endpoint, besides its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// For people; may be empty.
    pub description: String,
    /// Which events it hears of; empty: all, those of later versions too.
    pub event_types: Vec<EventType>,
}

impl EndpointSettings {
    /// Brings them into the form that is stored, and adds what is wrong with them.
    pub fn check(&mut self, faults: &mut FieldErrors) {
        self.description = faults.optional_name("description", &self.description);
        self.event_types.sort_unstable();
        self.event_types.dedup();
    }

    /// Whether the endpoint hears of such an event.
    pub fn hears(&self, kind: EventType) -> bool {
        self.event_types.is_empty() || self.event_types.contains(&kind)
    }
}

/// What people may read of an endpoint's address: its host, since a secret may stand behind it. `None`: `url` is no address of a
/// host.
pub fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// With nothing taken for so long, an endpoint is given up.
const GIVE_UP_AFTER: Duration = Duration::days(5);
/// Failures further apart than this are not one failure that lasts: the longest wait between two attempts is a day and a
/// tenth.
const ONE_FAILURE: Duration = Duration::days(2);
/// So many failures in a row say that it is the endpoint and not the event.
const OUTAGE: u32 = 3;
const MIN_HOLD: Duration = Duration::seconds(5);
/// An endpoint that is back is found out so soon.
const MAX_HOLD: Duration = Duration::minutes(5);

/// How an endpoint has answered lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Since when nothing was taken; `None`: the last was.
    pub failing_since: Option<DateTime<Utc>>,
    pub last_failure_at: Option<DateTime<Utc>>,
    /// Nothing is sent before that.
    pub hold_until: Option<DateTime<Utc>>,
}

/// What an attempt means for the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointUpdate {
    pub health: EndpointHealth,
    /// Whether an outage is over: what waits need not wait longer.
    pub has_recovered: bool,
    /// Whether it is to be disabled.
    pub disable: Option<DisabledReason>,
}

impl EndpointHealth {
    /// Whether so much failed in a row that one delivery at a time finds out whether the endpoint is back.
    pub fn is_out(&self) -> bool {
        self.failures >= OUTAGE
    }

    /// After an attempt that ended at `now`. `retry_after`: how long the endpoint wants to be left alone, already bounded.
    #[must_use]
    pub fn after(
        self,
        (answer, retry_after): (Answer, Option<Duration>),
        now: DateTime<Utc>,
    ) -> EndpointUpdate {
        if answer.is_success() {
            return EndpointUpdate { health: Self::default(), has_recovered: self.is_out(), disable: None };
        }
        let lasts = self.last_failure_at.is_some_and(|last| now - last <= ONE_FAILURE);
        let since = self.failing_since.filter(|_| lasts).unwrap_or(now);
        let failures = self.failures.saturating_add(1);
        let hold = hold(failures, answer).max(retry_after.unwrap_or(Duration::zero()));
        let hold_until = (hold > Duration::zero()).then_some(now + hold);
        let disable = if answer.is_gone() {
            Some(DisabledReason::Gone)
        } else {
            (now - since >= GIVE_UP_AFTER).then_some(DisabledReason::Failing)
        };
        let health = Self {
            failures,
            failing_since: Some(since),
            last_failure_at: Some(now),
            hold_until: hold_until.max(self.hold_until),
        };
        EndpointUpdate { health, has_recovered: false, disable }
    }
}

/// How long nothing is sent after so many failures in a row: doubling from the outage on, or from the first where the endpoint asks
/// for it.
fn hold(failures: u32, answer: Answer) -> Duration {
    let doublings = if answer.asks_to_slow_down() {
        failures - 1
    } else if failures >= OUTAGE {
        failures - OUTAGE
    } else {
        return Duration::zero();
    };
    (MIN_HOLD * 2_i32.pow(doublings.min(8))).min(MAX_HOLD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    fn failed(health: EndpointHealth, status: u16, seconds: i64) -> EndpointUpdate {
        health.after((Answer::Status(status), None), at(seconds))
    }

    #[test]
    fn endpoint_that_fails_is_left_alone_longer_and_longer() {
        let mut health = EndpointHealth::default();
        let mut holds = Vec::new();
        for _ in 0..12 {
            health = EndpointHealth { hold_until: None, ..failed(health, 500, 0).health };
            holds.push(
                failed(health, 500, 0).health.hold_until.map_or(0, |until| (until - at(0)).num_seconds()),
            );
        }
        assert_eq!(holds, [0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]);
        assert!(health.is_out());
        let update = health.after((Answer::Status(204), None), at(9));
        assert_eq!(update.health, EndpointHealth::default());
        assert!(update.has_recovered && update.disable.is_none());
    }

    #[test]
    fn slowing_down_begins_with_the_first_answer_that_asks_for_it() {
        for status in [429, 502, 504] {
            let health = failed(EndpointHealth::default(), status, 0).health;
            assert_eq!(health.hold_until, Some(at(5)), "{status}");
        }
        let asked = (Answer::Status(503), Some(Duration::seconds(77)));
        assert_eq!(EndpointHealth::default().after(asked, at(0)).health.hold_until, Some(at(77)));
    }

    #[test]
    fn five_days_of_failures_alone_disable() {
        let day = 86_400;
        let mut health = EndpointHealth::default();
        for days in 0..5 {
            let update = failed(health, 500, days * day);
            assert_eq!(update.disable, None, "day {days}");
            health = update.health;
        }
        assert_eq!(failed(health, 500, 5 * day).disable, Some(DisabledReason::Failing));
        // One success, and it begins anew.
        let well = health.after((Answer::Status(200), None), at(5 * day)).health;
        assert_eq!(failed(well, 500, 6 * day).disable, None);
        // Nothing was sent for a week: one failure is one failure.
        assert_eq!(failed(health, 500, 12 * day).disable, None);
    }

    #[test]
    fn gone_disables_at_once() {
        assert_eq!(failed(EndpointHealth::default(), 410, 0).disable, Some(DisabledReason::Gone));
    }

    #[test]
    fn host_of_an_address_tells_nothing_else_of_it() {
        assert_eq!(host_of("https://shop.example:8443/hook?key=secret").as_deref(), Some("shop.example"));
        for bad in ["", "shop.example/hook", "data:text/plain,secret"] {
            assert_eq!(host_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn settings_are_stored_in_one_form() {
        let mut settings = EndpointSettings {
            description: " Our shop ".into(),
            event_types: vec![EventType::SyncFailed, EventType::BookingCreated, EventType::SyncFailed],
        };
        let mut faults = FieldErrors::default();
        settings.check(&mut faults);
        assert_eq!(settings.description, "Our shop");
        assert_eq!(settings.event_types, [EventType::BookingCreated, EventType::SyncFailed]);
        assert!(settings.hears(EventType::SyncFailed) && !settings.hears(EventType::BookingChanged));
        assert!(EndpointSettings::default().hears(EventType::BookingChanged));
        assert!(faults.into_result().is_ok());
        let mut bad = EndpointSettings { description: "a\nb".repeat(200), ..settings };
        let mut faults = FieldErrors::default();
        bad.check(&mut faults);
        assert_eq!(faults.into_result().unwrap_err().len(), 2);
    }

    proptest! {
        #[test]
        fn holds_end_within_five_minutes_unless_more_is_asked(
            statuses in proptest::collection::vec(prop_oneof![Just(200_u16), Just(429), Just(500), Just(301)], 1..60),
        ) {
            let mut health = EndpointHealth::default();
            for (second, status) in (0_i64..).zip(statuses) {
                let update = failed(health, status, second);
                prop_assert!(update.health.hold_until.is_none_or(|until| until - at(second) <= MAX_HOLD));
                prop_assert_eq!(status == 200, update.health.failures == 0);
                prop_assert_eq!(update.health.failing_since.is_some(), status != 200);
                health = update.health;
            }
        }
    }
}
