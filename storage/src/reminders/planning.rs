//! Planning the reminders of a booking from what it is and from the rules.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId, ReminderId},
    job::{JobKind, QueueClass},
    mail::MailAddress,
    reminder::{ReminderPlan, ReminderSkip, ReminderState, plan, reminded_start},
};

use super::{QuietClocks, Reminder, WITHDRAW, quiet_clocks, record_skipped, rows};
use crate::{
    Db, Result, Tx, connections,
    jobs::{self, JobRef, NewJob},
    reminder_rules::{self, ReminderRule},
};

/// Plans the reminders of a booking that was written in this transaction, and enqueues the job that sends them for when the
/// first is due. What is due at once is returned, to be pushed.
pub(crate) async fn follow(
    tx: &mut Tx,
    before: Option<&Booking>,
    booking: &Booking,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    // The rules do not change until this is committed (`reminder_rules`).
    connections::lock_targets_shared(tx, booking.business).await?;
    let rules = reminder_rules::list_in(tx, booking.business).await?;
    // Without a rule there may be some of a former one.
    if rules.is_empty() && before.is_none() {
        return Ok(None);
    }
    plan_all(tx, booking, &rules, before.is_some(), now).await
}

/// Plans the reminders of a booking anew, as after a change of the rules. The caller holds the booking (`bookings::hold`).
/// What is due at once is returned, to be pushed.
pub async fn replan(tx: &mut Tx, booking: &Booking, now: DateTime<Utc>) -> Result<Option<JobRef>> {
    let rules = reminder_rules::list_in(tx, booking.business).await?;
    plan_all(tx, booking, &rules, false, now).await
}

/// `was_changed`: whether what waits to be sent may say what is no longer so.
async fn plan_all(
    tx: &mut Tx,
    booking: &Booking,
    rules: &[ReminderRule],
    was_changed: bool,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>> {
    let known = rows(tx, booking.id).await?;
    let takes_place = booking.draft.status.occupies();
    let applying: Vec<&ReminderRule> =
        rules.iter().filter(|rule| takes_place && rule.settings.applies_to(booking)).collect();
    let mut due = Vec::new();
    for row in known.iter().filter(|row| may_have_mails(row)) {
        let is_in_force = applying.iter().any(|rule| rule.id == row.rule_id);
        let why = if !takes_place {
            ReminderSkip::Cancelled
        } else if row.starts_at != booking.interval.start {
            ReminderSkip::Moved
        } else if !is_in_force {
            ReminderSkip::RuleChanged
        } else {
            continue;
        };
        record_skipped(tx, row.id, why, now).await?;
    }
    if booking.interval.start > now && !applying.is_empty() {
        let clocks = quiet_clocks(tx, booking.id).await?;
        for rule in applying {
            let is_same = |row: &&Reminder| row.rule_id == rule.id && row.starts_at == booking.interval.start;
            let row = known.iter().find(is_same);
            due.extend(plan_one(tx, booking, (rule, &clocks), (row, was_changed), now).await?);
        }
    }
    let Some(due_at) = due.into_iter().min() else { return Ok(None) };
    let job = NewJob {
        business: Some(booking.business),
        kind: JobKind::Remind,
        subject: booking.id.0,
        // Very many may be due at one moment, and what people wait for goes first.
        queue: QueueClass::Bulk,
        due_at,
    };
    let enqueued = jobs::enqueue(tx, job, now).await?;
    Ok((due_at <= now).then_some(enqueued))
}

// One that has failed has mails that wait where somebody sends them again.
fn may_have_mails(row: &Reminder) -> bool {
    row.state != ReminderState::Skipped
}

const INSERT: &str = "
    INSERT INTO reminders (id, business_id, booking_id, rule_id, starts_at, due_at, planned_at, state, skip_reason,
        changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7)";
const REVIVE: &str = "
    UPDATE reminders SET state = 'planned', skip_reason = NULL, due_at = $2, planned_at = $3, changed_at = $3,
        channel = NULL, minutes_before = NULL
    WHERE id = $1 AND state IN ('planned', 'skipped')";

/// Returns when it is due, if it is planned.
async fn plan_one(
    tx: &mut Tx,
    booking: &Booking,
    (rule, clocks): (&ReminderRule, &QuietClocks),
    (row, was_changed): (Option<&Reminder>, bool),
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let start = booking.interval.start;
    let (hours, zone) = clocks.of(rule.settings.channel);
    let planned_at = |at| plan(&rule.settings, reminded_start(booking, zone), (hours, zone), at);
    let Some(row) = row else {
        let (due_at, state, skip) = match planned_at(now) {
            ReminderPlan::At(timing) => (timing.due_at, ReminderState::Planned, None),
            ReminderPlan::Skip(why) => (now, ReminderState::Skipped, Some(why)),
        };
        exec!(tx, INSERT;
            ReminderId::new(now), booking.business, booking.id, rule.id, start, due_at, now, state, skip
        )?;
        return Ok((state == ReminderState::Planned).then_some(due_at));
    };
    match (row.state, planned_at(row.planned_at)) {
        (ReminderState::Sent, _) => return Ok(None),
        (ReminderState::Failed, _) => {
            let is_back = was_changed && plan_for_other_address(tx, booking, row.id, now).await?;
            return Ok(is_back.then_some(row.due_at));
        }
        (ReminderState::Queued, _) => {
            let is_back = was_changed && take_back(tx, row.id, now).await?;
            return Ok(is_back.then_some(row.due_at));
        }
        // What is due already was perhaps put off.
        (ReminderState::Planned, ReminderPlan::At(timing))
            if timing.due_at == row.due_at || timing.due_at <= now =>
        {
            return Ok(Some(row.due_at));
        }
        (ReminderState::Planned | ReminderState::Skipped, _) => {}
    }
    match planned_at(now) {
        ReminderPlan::At(timing) => {
            exec!(tx, REVIVE, row.id, timing.due_at, now)?;
            Ok(Some(timing.due_at))
        }
        ReminderPlan::Skip(why) => {
            record_skipped(tx, row.id, why, now).await?;
            Ok(None)
        }
    }
}

const HAS_LEFT: &str = "SELECT EXISTS (SELECT 1 FROM mails WHERE reminder_id = $1 AND state <> 'waiting')";
const PLANNED_AGAIN: &str =
    "UPDATE reminders SET state = 'planned', changed_at = $2, channel = NULL, minutes_before = NULL
     WHERE id = $1 AND state = 'queued'";

/// Takes back what is written and has not left: it is written anew from the booking as it is now. Returns whether it was.
async fn take_back(tx: &mut Tx, id: ReminderId, now: DateTime<Utc>) -> Result<bool> {
    let has_left: bool = scalar!(tx, HAS_LEFT, id)?;
    if has_left {
        return Ok(false);
    }
    exec!(tx, WITHDRAW, id)?;
    Ok(changed!(tx, PLANNED_AGAIN, id, now)? == 1)
}

const TO_OTHER_ADDRESS: &str = "
    UPDATE reminders SET state = 'planned', error = NULL, changed_at = $3, channel = NULL, minutes_before = NULL
    WHERE id = $1 AND state = 'failed' AND channel = 'customer_email'
      AND NOT EXISTS (SELECT 1 FROM mails WHERE reminder_id = $1 AND (state <> 'failed' OR to_address = $2))";

/// Plans what has failed again where the customer has another address by now. Returns whether it did.
async fn plan_for_other_address(
    tx: &mut Tx,
    booking: &Booking,
    id: ReminderId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Ok(address) = MailAddress::parse(&booking.draft.customer.email) else { return Ok(false) };
    Ok(changed!(tx, TO_OTHER_ADDRESS, id, address.as_str(), now)? == 1)
}

const TO_COME: &str = "
    SELECT starts_at, id FROM bookings WHERE business_id = $1 AND (starts_at, id) > ($2, $3)
    ORDER BY starts_at, id LIMIT $4";

/// The bookings of a business that start later than one of that start and id, the next first.
pub async fn bookings_to_come(
    db: &Db,
    business: BusinessId,
    (start, id): (DateTime<Utc>, BookingId),
    limit: u32,
) -> Result<Vec<(DateTime<Utc>, BookingId)>> {
    all!(db, TO_COME, business, start, id, i64::from(limit))
}
