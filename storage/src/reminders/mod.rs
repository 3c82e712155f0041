//! Reminders: one row for each booking, rule and start. It is planned in the transaction that writes the booking, and is
//! settled once: sent, skipped with its reason, or failed with its mail.

mod list;
mod planning;

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BookingId, BusinessId, ReminderId, ReminderRuleId},
    reminder::{PlannedReminder, QuietHours, ReminderChannel, ReminderSkip, ReminderState},
};

pub(crate) use self::planning::follow;
pub use self::{
    list::{ListedReminder, of_booking, planned, settled},
    planning::{bookings_to_come, replan},
};
use crate::{
    Db, Result, Tx,
    column::{ZoneName, sqlx},
    reminder_rules::QuietColumns,
};

/// The reminder of one booking by one rule, for one start.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Reminder {
    pub id: ReminderId,
    pub business_id: BusinessId,
    pub booking_id: BookingId,
    pub rule_id: ReminderRuleId,
    /// The start of the booking that it is for.
    pub starts_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    /// What was due by then is not sent.
    pub planned_at: DateTime<Utc>,
    pub state: ReminderState,
    /// Why it is not sent.
    pub skip_reason: Option<ReminderSkip>,
    /// Why its mail failed, for people.
    pub error: Option<String>,
    /// When its state became what it is.
    pub changed_at: DateTime<Utc>,
}

impl Reminder {
    /// As it was planned.
    pub fn plan(&self) -> PlannedReminder {
        PlannedReminder { starts_at: self.starts_at, planned_at: self.planned_at }
    }
}

macro_rules! columns {
    () => {
        "id, business_id, booking_id, rule_id, starts_at, due_at, planned_at, state, skip_reason, error, changed_at"
    };
}

const ROWS: &str = select!("FROM reminders WHERE booking_id = $1 ORDER BY due_at, id");

/// All of a booking, whichever start they are for. The caller holds the booking (`bookings::hold`).
pub async fn rows(tx: &mut Tx, booking: BookingId) -> Result<Vec<Reminder>> {
    all!(tx, ROWS, booking)
}

/// When nobody is reminded of a booking, and by whose clocks.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow)]
pub struct QuietClocks {
    #[sqlx(flatten, try_from = "QuietColumns")]
    hours: Option<QuietHours>,
    #[sqlx(try_from = "ZoneName")]
    business_zone: chrono_tz::Tz,
    #[sqlx(try_from = "ZoneName<Option<chrono_tz::Tz>>")]
    resource_zone: Option<chrono_tz::Tz>,
}

impl QuietClocks {
    /// The quiet hours of whom a channel reaches, if they have any, and their zone: of customers that of where they come to.
    pub fn of(&self, channel: ReminderChannel) -> (Option<QuietHours>, chrono_tz::Tz) {
        let zone = match channel {
            ReminderChannel::CustomerMail => self.resource_zone.unwrap_or(self.business_zone),
            ReminderChannel::StaffMail | ReminderChannel::Webhook => self.business_zone,
        };
        (channel.quiet_hours(self.hours), zone)
    }
}

const CLOCKS: &str = "
    SELECT h.quiet_from, h.quiet_until, h.zone AS business_zone, r.zone AS resource_zone
    FROM bookings b JOIN businesses h ON h.id = b.business_id JOIN resources r ON r.id = b.resource_id
    WHERE b.id = $1";

/// Those of a booking.
pub async fn quiet_clocks(tx: &mut Tx, booking: BookingId) -> Result<QuietClocks> {
    one!(tx, CLOCKS, booking)
}

const POSTPONE: &str = "UPDATE reminders SET due_at = $2 WHERE id = $1 AND state = 'planned'";

/// It is due later than it was planned.
pub async fn postpone(tx: &mut Tx, id: ReminderId, due_at: DateTime<Utc>) -> Result<()> {
    exec!(tx, POSTPONE, id, due_at)
}

// When and how it goes out is kept with it: its rule may be another one later.
macro_rules! as_the_rule_is {
    () => {
        "channel = (SELECT u.channel FROM reminder_rules u WHERE u.id = reminders.rule_id),
         minutes_before = (SELECT u.minutes_before FROM reminder_rules u WHERE u.id = reminders.rule_id)"
    };
}

const QUEUED: &str = concat!(
    "UPDATE reminders SET state = 'queued', changed_at = $2, ",
    as_the_rule_is!(),
    " WHERE id = $1 AND state = 'planned'"
);

/// Its mails are written, in this transaction. Returns `false` where it is no longer planned.
pub async fn record_queued(tx: &mut Tx, id: ReminderId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, QUEUED, id, now)? == 1)
}

const PUBLISHED: &str = concat!(
    "UPDATE reminders SET state = 'sent', changed_at = $2, ",
    as_the_rule_is!(),
    " WHERE id = $1 AND state = 'planned'"
);

/// Its event is published, in this transaction. Returns `false` where it is no longer planned.
pub async fn record_published(tx: &mut Tx, id: ReminderId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, PUBLISHED, id, now)? == 1)
}

const SKIPPED: &str = concat!(
    "UPDATE reminders SET state = 'skipped', skip_reason = $2, changed_at = $3, ",
    as_the_rule_is!(),
    " WHERE id = $1 AND state IN ('planned', 'queued')"
);
const WITHDRAW: &str = "DELETE FROM mails WHERE reminder_id = $1 AND state = 'waiting'";
// What may have left is not handed over once more.
const EXPIRE: &str = "UPDATE mails SET useful_until = $2 WHERE reminder_id = $1 AND state = 'sending'";

/// It is not sent, for that reason; what is written of it is taken back. Of one that was sent to some, the others' mails are.
pub async fn record_skipped(
    tx: &mut Tx,
    id: ReminderId,
    reason: ReminderSkip,
    now: DateTime<Utc>,
) -> Result<()> {
    // Its mails first, as whoever sends them takes them.
    exec!(tx, WITHDRAW, id)?;
    exec!(tx, EXPIRE, id, now)?;
    exec!(tx, SKIPPED, id, reason, now)
}

// What has left is sent, whatever was decided meanwhile.
const SENT: &str = "
    UPDATE reminders SET state = 'sent', skip_reason = NULL, error = NULL, changed_at = $2
    WHERE id = $1 AND state <> 'sent'";

/// A mail server has taken a mail of it.
pub(crate) async fn record_sent(tx: &mut Tx, id: ReminderId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, SENT, id, now)
}

const FAILED: &str = "
    UPDATE reminders SET state = 'failed', error = $2, changed_at = $3
    WHERE id = $1 AND state = 'queued'
      AND NOT EXISTS (SELECT 1 FROM mails m WHERE m.reminder_id = $1 AND m.state <> 'failed')
    RETURNING booking_id AS id, (SELECT b.reference FROM bookings b WHERE b.id = booking_id) AS reference";

/// The booking of a reminder.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct RemindedBooking {
    pub id: BookingId,
    pub reference: String,
}

/// A mail of it has failed: so has the reminder, if none of its mails is left. Returns whose reminder it is, if it has.
pub async fn record_failed(
    tx: &mut Tx,
    id: ReminderId,
    error: &str,
    now: DateTime<Utc>,
) -> Result<Option<RemindedBooking>> {
    optional!(tx, FAILED, id, error, now)
}

const IS_WANTED: &str = "
    SELECT EXISTS (SELECT 1 FROM reminders m JOIN bookings b ON b.id = m.booking_id
        WHERE m.id = $1 AND m.state = 'failed' AND b.starts_at = m.starts_at
          AND b.status NOT IN ('cancelled', 'no_show'))";

/// Whether a reminder that has failed would still say what is so.
pub async fn is_wanted(db: &Db, id: ReminderId) -> Result<bool> {
    scalar!(db, IS_WANTED, id)
}

const TO_CUSTOMER: &str = "
    SELECT m.id FROM reminders m JOIN reminder_rules u ON u.id = m.rule_id
    WHERE m.booking_id = $1 AND m.state IN ('planned', 'queued') AND u.channel = 'customer_email'";

/// The customer of a booking wants none: what has not left does not leave.
pub async fn turn_off(tx: &mut Tx, booking: BookingId, now: DateTime<Utc>) -> Result<()> {
    let ids: Vec<ReminderId> = scalars!(tx, TO_CUSTOMER, booking)?;
    for id in ids {
        record_skipped(tx, id, ReminderSkip::TurnedOff, now).await?;
    }
    Ok(())
}
