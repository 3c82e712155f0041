//! What fails for longer than a moment: when people are told, when again, and when it counts as over.
//!
//! A first failure is noted and nobody is told: most are over by themselves. What still fails a while later is an alert, of
//! which people hear again only as it gets worse. It is closed when all went well for a while, so that what fails now and then
//! is one alert and not many.

use chrono::{DateTime, Duration, Utc};

use crate::words;

words! {
    /// Which work fails, and by which id it is known.
    AlertKind "What fails." {
        /// Bookings do not reach a calendar. Subject: the connection.
        CalendarExport = "calendar_export",
        /// The busy times of a calendar are not read. Subject: the calendar.
        CalendarImport = "calendar_import",
        /// A platform's feed is not read. Subject: the channel.
        ChannelFeed = "channel_feed",
        /// A platform does not read our feed any more, and sells nights that are taken. Subject: the channel.
        ChannelExport = "channel_export",
        /// The mailbox that customers' calendars answer to is not read. Subject: the business.
        Mailbox = "mailbox",
        /// Events do not reach another system. Subject: the webhook endpoint.
        Webhook = "webhook",
    }
}

words! {
    /// Where an alert stands.
    AlertState "Alert status." {
        Open = "open",
        Closed = "closed",
    }
}

/// What fails for so long is an alert.
pub const OPEN_AFTER: Duration = Duration::minutes(10);
/// What went well for so long is over.
pub const CLOSE_AFTER: Duration = Duration::minutes(10);
/// After so long people are told again.
pub const WORSE_AFTER: [Duration; 2] = [Duration::hours(6), Duration::hours(24)];
/// A time that is further ahead than this was noted by a clock that was wrong.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// What is known of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureState {
    /// When it was first noted.
    pub since: DateTime<Utc>,
    /// How bad it was when people were last told; 0: they were not.
    pub level: u32,
    /// Since when all goes well; `None`: it fails.
    pub healthy_since: Option<DateTime<Utc>>,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStep {
    /// Nothing is done before then.
    Wait(DateTime<Utc>),
    /// Nothing until something happens: it is as bad as it can be.
    Rest,
    /// Nobody was told, and it is over: it is forgotten.
    Forget,
    /// People are told, for the first time.
    Open { level: u32 },
    /// People are told that it has got worse.
    Escalate { level: u32 },
    /// It is over, and people are told.
    Close,
    /// Its times are in the future: they become now.
    Correct,
}

/// How bad it is after so long: 0 is nothing to tell.
fn level_after(lasted: Duration) -> u32 {
    let worse = WORSE_AFTER.iter().filter(|after| lasted >= **after).count();
    u32::from(lasted >= OPEN_AFTER) + u32::try_from(worse).unwrap_or(0)
}

/// When it will have become worse than that.
fn next_level_after(level: u32) -> Option<Duration> {
    match level {
        0 => Some(OPEN_AFTER),
        told => WORSE_AFTER.get(told as usize - 1).copied(),
    }
}

/// Decides what is done about a failure.
pub fn decide(state: &FailureState, now: DateTime<Utc>) -> AlertStep {
    let latest = now + CLOCK_TOLERANCE;
    if state.since > latest || state.healthy_since.is_some_and(|since| since > latest) {
        return AlertStep::Correct;
    }
    if let Some(healthy_since) = state.healthy_since {
        return match (state.level, healthy_since + CLOSE_AFTER) {
            (0, _) => AlertStep::Forget,
            (_, over_at) if over_at > now => AlertStep::Wait(over_at),
            _ => AlertStep::Close,
        };
    }
    let level = level_after(now - state.since);
    if level > state.level {
        return if state.level == 0 { AlertStep::Open { level } } else { AlertStep::Escalate { level } };
    }
    match next_level_after(state.level) {
        Some(after) => AlertStep::Wait(state.since + after),
        None => AlertStep::Rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> DateTime<Utc> {
        "2026-07-01T12:00:00Z".parse().unwrap()
    }

    fn failing(level: u32) -> FailureState {
        FailureState { since: start(), level, healthy_since: None }
    }

    #[test]
    fn failure_is_told_when_it_lasts_and_as_it_gets_worse() {
        let after = |minutes: i64| start() + Duration::minutes(minutes);
        for (level, minutes, step) in [
            (0, 0, AlertStep::Wait(after(10))),
            (0, 9, AlertStep::Wait(after(10))),
            (0, 10, AlertStep::Open { level: 1 }),
            (1, 11, AlertStep::Wait(after(360))),
            (1, 360, AlertStep::Escalate { level: 2 }),
            (2, 361, AlertStep::Wait(after(1440))),
            (2, 1440, AlertStep::Escalate { level: 3 }),
            (3, 100_000, AlertStep::Rest),
            // Nothing ran for two days: they are told once.
            (0, 2880, AlertStep::Open { level: 3 }),
        ] {
            assert_eq!(decide(&failing(level), after(minutes)), step, "{level} after {minutes}");
        }
    }

    #[test]
    fn what_is_over_is_forgotten_or_closed_after_a_while() {
        let healed = |level| FailureState { healthy_since: Some(start()), ..failing(level) };
        assert_eq!(decide(&healed(0), start()), AlertStep::Forget);
        assert_eq!(decide(&healed(1), start()), AlertStep::Wait(start() + CLOSE_AFTER));
        assert_eq!(decide(&healed(1), start() + CLOSE_AFTER), AlertStep::Close);
    }

    #[test]
    fn clock_that_was_ahead_opens_nothing_and_blocks_nothing() {
        let ahead = FailureState { since: start() + Duration::days(300), ..failing(0) };
        assert_eq!(decide(&ahead, start()), AlertStep::Correct);
        let ahead = FailureState { healthy_since: Some(start() + Duration::hours(1)), ..failing(1) };
        assert_eq!(decide(&ahead, start()), AlertStep::Correct);
        let little = FailureState { since: start() + Duration::minutes(2), ..failing(0) };
        assert_eq!(decide(&little, start()), AlertStep::Wait(start() + Duration::minutes(12)));
    }

    proptest! {
        // Outages and what goes well take turns, each of some minutes; the check runs whenever it is wanted, and after restarts.
        #[test]
        fn alerts_open_close_and_worsen_in_turn(
            turns in prop::collection::vec((1..900_i64, 1..30_i64), 1..30),
            checks in prop::collection::btree_set(0..20_000_i64, 0..30),
        ) {
            let mut known: Option<FailureState> = None;
            let (mut told, mut minute) = (Vec::new(), 0_i64);
            for (fails, heals) in turns {
                for (length, is_failing) in [(fails, true), (heals, false)] {
                    let began = start() + Duration::minutes(minute);
                    known = match (known, is_failing) {
                        (None, true) => Some(FailureState { since: began, level: 0, healthy_since: None }),
                        (Some(state), true) => Some(FailureState { healthy_since: None, ..state }),
                        (state, false) => state.map(|state| FailureState { healthy_since: Some(began), ..state }),
                    };
                    let mut due = vec![minute];
                    while let Some(at) = due.pop() {
                        let Some(state) = known else { break };
                        let now = start() + Duration::minutes(at);
                        let step = decide(&state, now);
                        match step {
                            AlertStep::Wait(until) => {
                                prop_assert!(until > now);
                                let until = (until - start()).num_minutes();
                                let sooner = checks.range(at + 1..until).next().copied();
                                let next = sooner.unwrap_or(until);
                                if next < minute + length {
                                    due.push(next);
                                }
                            }
                            AlertStep::Open { level } | AlertStep::Escalate { level } => {
                                prop_assert!(level > state.level && state.healthy_since.is_none());
                                prop_assert!(now - state.since >= OPEN_AFTER);
                                prop_assert_eq!(matches!(step, AlertStep::Open { .. }), state.level == 0);
                                known = Some(FailureState { level, ..state });
                                told.push(level);
                                due.push(at);
                            }
                            AlertStep::Close => {
                                prop_assert!(state.level > 0 && !is_failing && now - began >= CLOSE_AFTER);
                                told.push(0);
                                known = None;
                            }
                            AlertStep::Forget => {
                                prop_assert!(state.level == 0 && !is_failing);
                                known = None;
                            }
                            AlertStep::Rest => prop_assert_eq!(state.level, 3),
                            AlertStep::Correct => prop_assert!(false, "no clock was wrong"),
                        }
                    }
                    // Within half an hour of the first failure people know.
                    let lasted = start() + Duration::minutes(minute + length);
                    if let Some(state) = known.filter(|_| is_failing) {
                        prop_assert!(state.level > 0 || lasted - state.since <= Duration::minutes(30));
                    }
                    minute += length;
                }
            }
            for (before, after) in std::iter::once(&0).chain(&told).zip(&told) {
                let is_in_turn = if *after == 0 { *before > 0 } else { after > before };
                prop_assert!(is_in_turn, "level {} after {}", after, before);
            }
        }
    }
}
