//! `[sync]`: bookings out to calendars, busy times in.

use std::{collections::BTreeMap, time::Duration};

use concord_domain::{
    booking::BookingStatus,
    entry::{EntryReminder, ReminderMeans},
    privacy::EntryPrivacy,
};
use serde::{Deserialize, Deserializer, de::Error};

use super::{check::SectionFaults, units};

/// Bookings out to calendars, busy times in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// Between two looks at a calendar for busy times.
    #[serde(rename = "poll_minutes", deserialize_with = "units::minutes")]
    pub poll: Duration,
    /// Whether providers are asked to tell of changes at once.
    pub push: PushMode,
    /// How far back busy times are kept, in days.
    pub window_past_days: u16,
    /// How far ahead busy times are kept, in days.
    pub window_future_days: u16,
    /// Tries before a write counts as failed.
    pub tries: u32,
    /// From the first failure to the second try; doubles each time.
    #[serde(rename = "first_retry_seconds", deserialize_with = "units::seconds")]
    pub first_retry: Duration,
    /// To the first slow try of what counts as failed; doubles each time.
    #[serde(rename = "slow_retry_seconds", deserialize_with = "units::seconds")]
    pub slow_retry: Duration,
    /// The longest wait of a slow try.
    #[serde(rename = "slowest_retry_minutes", deserialize_with = "units::minutes")]
    pub slowest_retry: Duration,
    /// What becomes of the entry of a cancelled booking.
    pub cancelled_entries: CancelledEntries,
    /// What entries say, where a business has not chosen.
    pub entry_privacy: EntryPrivacy,
    /// How the calendar reminds its owner of an entry.
    #[serde(deserialize_with = "reminders")]
    pub entry_reminders: Vec<EntryReminder>,
    /// Google's colour number by status; a status that is absent has the calendar's own colour.
    #[serde(deserialize_with = "colours")]
    pub entry_colours: BTreeMap<BookingStatus, String>,
}

/// Whether providers are asked to tell of changes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushMode {
    /// Where they can: over https.
    Auto,
    /// Never: calendars are polled.
    Off,
    /// Over http too, which only the sandbox takes.
    Always,
}

/// What becomes of the entry of a cancelled booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledEntries {
    Remove,
    /// It stays, marked and not busy.
    Mark,
}

/// Google refuses reminders further ahead than four weeks, and more than five
/// (<https://developers.google.com/workspace/calendar/api/v3/reference/events>, `reminders.overrides`).
const FURTHEST_REMINDER_MINUTES: u32 = 40_320;
const MOST_REMINDERS: usize = 5;

impl SyncConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("poll_minutes", self.poll.as_secs() / 60, 1..=1_440);
        check.check_range("window_past_days", self.window_past_days, 0..=366);
        check.check_range("window_future_days", self.window_future_days, 1..=1_100);
        check.check_range("tries", self.tries, 1..=20);
        check.check_range("first_retry_seconds", self.first_retry.as_secs(), 1..=3_600);
        check.check_range("slow_retry_seconds", self.slow_retry.as_secs(), 1..=86_400);
        check.check_range("slowest_retry_minutes", self.slowest_retry.as_secs() / 60, 1..=10_080);
        if self.slowest_retry < self.slow_retry {
            check.add("slowest_retry_minutes", "must not be shorter than slow_retry_seconds");
        }
        if self.entry_reminders.len() > MOST_REMINDERS {
            check.add("entry_reminders", format!("must be at most {MOST_REMINDERS}"));
        }
        for reminder in &self.entry_reminders {
            check.check_range("entry_reminders", reminder.minutes, 0..=FURTHEST_REMINDER_MINUTES);
        }
        for (status, colour) in &self.entry_colours {
            if !colour.parse().is_ok_and(|number: u8| (1..=11).contains(&number)) {
                check.add(
                    &format!("entry_colours.{status}"),
                    format!("must be \"1\" to \"11\", found \"{colour}\""),
                );
            }
        }
    }
}

fn reminders<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<EntryReminder>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let reminder = |text: &String| {
        let (means, minutes) = text.split_once(' ')?;
        let by = match means {
            "popup" => ReminderMeans::Popup,
            "email" => ReminderMeans::Email,
            _ => return None,
        };
        Some(EntryReminder { by, minutes: minutes.trim().parse().ok()? })
    };
    let bad =
        |text| D::Error::custom(format!("expected \"popup MINUTES\" or \"email MINUTES\", found \"{text}\""));
    texts.iter().map(|text| reminder(text).ok_or_else(|| bad(text))).collect()
}

fn colours<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<BookingStatus, String>, D::Error> {
    let mut colours = BTreeMap::<BookingStatus, String>::deserialize(from)?;
    colours.retain(|_, colour| !colour.is_empty());
    Ok(colours)
}
