//! When somebody is reminded, and whether they still are when the time has come.

use chrono::{DateTime, Duration, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::{QuietHours, ReminderRuleSettings};
use crate::{
    booking::{Booking, BookingStatus, BookingTime},
    words,
};

words! {
    /// Why a reminder is not sent.
    ReminderSkip "Why a reminder was not sent." {
        /// The booking was moved: there is another one for its new time.
        Moved = "moved",
        Cancelled = "cancelled",
        /// The booking was made or moved when the time for it had passed: whoever did that needs no reminder.
        BookedLate = "booked_late",
        /// It would have come in quiet hours, and there was no better time.
        QuietHours = "quiet_hours",
        /// It could not be sent in time to be of use.
        TooLate = "too_late",
        /// There was no mail server to send it by.
        NoMailServer = "no_mail_server",
        /// Nobody concerned has an email address.
        NoAddress = "no_address",
        /// The customer wants none.
        TurnedOff = "turned_off",
        /// The customer has answered that they are not coming.
        Declined = "declined",
        /// The booking was not confirmed when it was due.
        NotConfirmed = "not_confirmed",
        /// Its rule was changed or removed, or is no longer one for this booking.
        RuleChanged = "rule_changed",
    }
}

impl ReminderSkip {
    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Moved => "The booking was moved",
            Self::Cancelled => "The booking was cancelled",
            Self::BookedLate => "Booked or moved after this reminder was due",
            Self::QuietHours => "Would have been sent in quiet hours",
            Self::TooLate => "Could not be sent in time",
            Self::NoMailServer => "No mail server is set up",
            Self::NoAddress => "No email address",
            Self::TurnedOff => "The customer turned reminders off",
            Self::Declined => "The customer declined",
            Self::NotConfirmed => "The booking was not confirmed",
            Self::RuleChanged => "The reminder was changed or removed",
        }
    }
}

/// When a reminder is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReminderTiming {
    pub due_at: DateTime<Utc>,
    /// From then on it helps nobody any more.
    pub useful_until: DateTime<Utc>,
}

/// What becomes of a rule for a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReminderPlan {
    At(ReminderTiming),
    Skip(ReminderSkip),
}

/// Reminders that come so long before the start are no longer of use shortly before it.
const EARLY: u32 = 12 * 60;
/// ... namely so many minutes before it.
const SHORTLY_BEFORE: i64 = 120;
/// What is sent no later than this after it was due is in time, also where quiet hours have begun meanwhile.
const IN_TIME: Duration = Duration::minutes(15);

/// When that begins which people are reminded of: of a stay at noon of the day of arrival, on the clocks of `zone`. It takes its
/// nights from midnight on, when nobody arrives.
pub fn reminded_start(booking: &Booking, zone: Tz) -> DateTime<Utc> {
    match booking.draft.time {
        BookingTime::Timed { .. } => booking.interval.start,
        BookingTime::Stay { check_in, .. } => {
            let noon = check_in.and_time(NaiveTime::MIN) + Duration::hours(12);
            zone.from_local_datetime(&noon).earliest().map_or(booking.interval.start, |at| at.to_utc())
        }
    }
}

/// Plans the reminder of a rule for a booking that starts at `start` (`reminded_start`).
///
/// `quiet`: the hours in which nobody is reminded, on the clocks of `zone`, which is that of who is reminded. What would come
/// in them comes at their end, if it is of use by then, and else at their beginning. `planned_at`: when the booking was made
/// or was last moved to this time, or the rule was made: what was due by then is not sent.
pub fn plan(
    rule: &ReminderRuleSettings,
    start: DateTime<Utc>,
    (quiet, zone): (Option<QuietHours>, Tz),
    planned_at: DateTime<Utc>,
) -> ReminderPlan {
    let usual = start - Duration::minutes(i64::from(rule.minutes_before));
    let grace = if rule.minutes_before >= EARLY { SHORTLY_BEFORE } else { 0 };
    let useful_until = start - Duration::minutes(grace);
    if usual <= planned_at {
        return ReminderPlan::Skip(ReminderSkip::BookedLate);
    }
    let due_at = match quiet.and_then(|quiet| quiet.around(usual, zone)) {
        None => usual,
        Some((_, end)) if end < useful_until => end,
        Some((beginning, _)) if beginning > planned_at => beginning,
        Some(_) => return ReminderPlan::Skip(ReminderSkip::QuietHours),
    };
    ReminderPlan::At(ReminderTiming { due_at, useful_until })
}

/// A reminder as it was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedReminder {
    /// The start of the booking that it is for, which may have another one by now.
    pub starts_at: DateTime<Utc>,
    pub planned_at: DateTime<Utc>,
}

/// What is done about a reminder now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReminderStep {
    /// It is not due until then.
    Wait(DateTime<Utc>),
    /// It is sent; from then on it need not arrive.
    Send(DateTime<Utc>),
    Skip(ReminderSkip),
}

/// Decides about a reminder from the booking as it is now.
///
/// `rule`: `None` if it was removed. What is late, since nothing ran when it was due, is sent as long as it is of use, and not
/// in quiet hours either.
pub fn decide(
    planned: &PlannedReminder,
    booking: &Booking,
    rule: Option<&ReminderRuleSettings>,
    quiet: (Option<QuietHours>, Tz),
    now: DateTime<Utc>,
) -> ReminderStep {
    let status = booking.draft.status;
    if !status.occupies() {
        return ReminderStep::Skip(ReminderSkip::Cancelled);
    }
    if booking.interval.start != planned.starts_at {
        return ReminderStep::Skip(ReminderSkip::Moved);
    }
    let Some(rule) = rule.filter(|rule| rule.applies_to(booking)) else {
        return ReminderStep::Skip(ReminderSkip::RuleChanged);
    };
    let timing = match plan(rule, reminded_start(booking, quiet.1), quiet, planned.planned_at) {
        ReminderPlan::At(timing) => timing,
        ReminderPlan::Skip(why) => return ReminderStep::Skip(why),
    };
    if now < timing.due_at {
        return ReminderStep::Wait(timing.due_at);
    }
    if now >= timing.useful_until {
        return ReminderStep::Skip(ReminderSkip::TooLate);
    }
    if status == BookingStatus::Pending {
        return ReminderStep::Skip(ReminderSkip::NotConfirmed);
    }
    let (hours, zone) = quiet;
    match hours.and_then(|hours| hours.around(now, zone)) {
        Some((_, end)) if now > timing.due_at + IN_TIME => {
            if end < timing.useful_until {
                ReminderStep::Wait(end)
            } else {
                ReminderStep::Skip(ReminderSkip::QuietHours)
            }
        }
        _ => ReminderStep::Send(timing.useful_until),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
