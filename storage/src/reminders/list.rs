//! Reminders as people see them.

use concord_domain::{
    booking::BookingStatus,
    ids::{BookingId, BusinessId},
    reminder::ReminderRuleSettings,
};

use super::Reminder;
use crate::{Db, Result, column::sqlx, reminder_rules::RuleColumns};

/// A reminder with its booking and its rule: as that was when the reminder was settled, or as it is.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ListedReminder {
    #[sqlx(flatten)]
    pub reminder: Reminder,
    /// By which its people know the booking.
    pub reference: String,
    pub status: BookingStatus,
    /// Whether its customer has an email address.
    pub has_address: bool,
    #[sqlx(flatten, try_from = "RuleColumns")]
    pub rule: ReminderRuleSettings,
}

macro_rules! listed {
    ($condition:literal) => {
        concat!(
            "SELECT m.id, m.business_id, m.booking_id, m.rule_id, m.starts_at, m.due_at, m.planned_at, m.state,
                m.skip_reason, m.error, m.changed_at, b.reference, b.status, b.customer_email <> '' AS has_address, u.kind,
                COALESCE(m.channel, u.channel) AS channel,
                COALESCE(m.minutes_before, u.minutes_before) AS minutes_before
            FROM reminders m JOIN bookings b ON b.id = m.booking_id JOIN reminder_rules u ON u.id = m.rule_id
            WHERE ",
            $condition
        )
    };
}

const OF_BOOKING: &str =
    listed!("m.business_id = $1 AND m.booking_id = $2 ORDER BY m.starts_at DESC, m.due_at, m.id");

/// Those of a booking, of its last start first.
pub async fn of_booking(db: &Db, business: BusinessId, booking: BookingId) -> Result<Vec<ListedReminder>> {
    all!(db, OF_BOOKING, business, booking)
}

const PLANNED: &str = listed!("m.business_id = $1 AND m.state = 'planned' ORDER BY m.due_at, m.id LIMIT $2");

/// Those that go out next, at most so many.
pub async fn planned(db: &Db, business: BusinessId, limit: u32) -> Result<Vec<ListedReminder>> {
    all!(db, PLANNED, business, i64::from(limit))
}

const SETTLED: &str =
    listed!("m.business_id = $1 AND m.state <> 'planned' ORDER BY m.changed_at DESC, m.id DESC LIMIT $2");

/// Those that went out, or did not, the last first, at most so many.
pub async fn settled(db: &Db, business: BusinessId, limit: u32) -> Result<Vec<ListedReminder>> {
    all!(db, SETTLED, business, i64::from(limit))
}
