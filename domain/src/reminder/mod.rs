//! Reminders of bookings: the rules of a business, when one is due, and whether it still is when it is to be sent.

mod plan;
mod quiet_hours;
mod rules;

pub use self::{
    plan::{
        PlannedReminder, ReminderPlan, ReminderSkip, ReminderStep, ReminderTiming, decide, plan,
        reminded_start,
    },
    quiet_hours::QuietHours,
    rules::{MAX_MINUTES_BEFORE, MAX_REMINDER_RULES, ReminderChannel, ReminderRuleSettings, ReminderState},
};
