//! What businesses choose about reminders: the rules, and the hours in which nobody is reminded.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingKind,
    ids::{BusinessId, ReminderRuleId},
    reminder::{QuietHours, ReminderChannel, ReminderRuleSettings},
};

use crate::{Db, Result, StorageError, Tx, column::sqlx, connections};

/// When somebody is reminded of which bookings.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ReminderRule {
    pub id: ReminderRuleId,
    pub business_id: BusinessId,
    #[sqlx(flatten, try_from = "RuleColumns")]
    pub settings: ReminderRuleSettings,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct RuleColumns {
    channel: ReminderChannel,
    kind: Option<BookingKind>,
    minutes_before: i64,
}

impl TryFrom<RuleColumns> for ReminderRuleSettings {
    type Error = StorageError;

    fn try_from(columns: RuleColumns) -> Result<Self> {
        let minutes_before = u32::try_from(columns.minutes_before)
            .map_err(|_| StorageError::Inconsistent { what: "reminder rule" })?;
        Ok(Self { channel: columns.channel, kind: columns.kind, minutes_before })
    }
}

macro_rules! columns {
    () => {
        "id, business_id, channel, kind, minutes_before, created_at"
    };
}

const LIST: &str = select!(
    "FROM reminder_rules WHERE business_id = $1 AND removed_at IS NULL ORDER BY minutes_before DESC, id"
);

/// The rules of a business that are in force, the earliest reminder first.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<ReminderRule>> {
    all!(db, LIST, business)
}

/// The same for whoever has a transaction in hand.
pub async fn list_in(tx: &mut Tx, business: BusinessId) -> Result<Vec<ReminderRule>> {
    all!(tx, LIST, business)
}

const CREATE: &str = returning!(
    "INSERT INTO reminder_rules (id, business_id, channel, kind, minutes_before, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)"
);

// Whoever is writing a booking plans by the rules as they were: we wait for them, and then what follows finds their booking.

/// Makes a rule. The caller plans what follows from it.
pub async fn create(
    tx: &mut Tx,
    business: BusinessId,
    settings: &ReminderRuleSettings,
    now: DateTime<Utc>,
) -> Result<ReminderRule> {
    connections::lock_targets_exclusive(tx, business).await?;
    one!(tx, CREATE;
        ReminderRuleId::new(now), business, settings.channel, settings.kind, i64::from(settings.minutes_before), now
    )
}

/// Makes the rules that a new business has. It has no bookings yet, so that nothing follows.
pub async fn create_defaults(tx: &mut Tx, business: BusinessId, now: DateTime<Utc>) -> Result<()> {
    for settings in ReminderRuleSettings::defaults() {
        create(tx, business, &settings, now).await?;
    }
    Ok(())
}

const UPDATE: &str = returning!(
    "UPDATE reminder_rules SET channel = $3, kind = $4, minutes_before = $5
     WHERE business_id = $1 AND id = $2 AND removed_at IS NULL"
);

/// Changes a rule. The caller plans what follows from it. `NotFound`: there is none that is in force.
pub async fn update(
    tx: &mut Tx,
    business: BusinessId,
    id: ReminderRuleId,
    settings: &ReminderRuleSettings,
) -> Result<ReminderRule> {
    connections::lock_targets_exclusive(tx, business).await?;
    one!(tx, UPDATE, business, id, settings.channel, settings.kind, i64::from(settings.minutes_before))
}

const REMOVE: &str =
    "UPDATE reminder_rules SET removed_at = $3 WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Ends a rule. The caller plans what follows from it. `NotFound`: there is none that is in force.
pub async fn remove(tx: &mut Tx, business: BusinessId, id: ReminderRuleId, now: DateTime<Utc>) -> Result<()> {
    connections::lock_targets_exclusive(tx, business).await?;
    must_change!(tx, REMOVE, business, id, now)
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct QuietColumns {
    quiet_from: Option<i64>,
    quiet_until: Option<i64>,
}

impl TryFrom<QuietColumns> for Option<QuietHours> {
    type Error = StorageError;

    fn try_from(columns: QuietColumns) -> Result<Self> {
        let (Some(from), Some(until)) = (columns.quiet_from, columns.quiet_until) else { return Ok(None) };
        let minutes = (u32::try_from(from), u32::try_from(until));
        let (Ok(from), Ok(until)) = minutes else {
            return Err(StorageError::Inconsistent { what: "quiet hours" });
        };
        let hours = QuietHours::new(from, until);
        hours.map(Some).map_err(|_| StorageError::Inconsistent { what: "quiet hours" })
    }
}

const QUIET_HOURS: &str = "SELECT quiet_from, quiet_until FROM businesses WHERE id = $1";

/// The hours in which nobody is reminded; `None`: there are none.
pub async fn quiet_hours(db: &Db, business: BusinessId) -> Result<Option<QuietHours>> {
    let columns: QuietColumns = one!(db, QUIET_HOURS, business)?;
    columns.try_into()
}

const SET_QUIET_HOURS: &str = "UPDATE businesses SET quiet_from = $2, quiet_until = $3 WHERE id = $1";

/// Sets them. The caller plans what follows from it.
pub async fn set_quiet_hours(tx: &mut Tx, business: BusinessId, hours: Option<QuietHours>) -> Result<()> {
    connections::lock_targets_exclusive(tx, business).await?;
    let minutes = hours.map(QuietHours::minutes);
    let (from, until) =
        (minutes.map(|(from, _)| i64::from(from)), minutes.map(|(_, until)| i64::from(until)));
    must_change!(tx, SET_QUIET_HOURS, business, from, until)
}
