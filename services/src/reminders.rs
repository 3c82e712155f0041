//! Reminders: the rules of a business, its quiet hours, and customers who want none.

use concord_domain::{
    ids::ReminderRuleId,
    invitation::AttendeeRole,
    reminder::{MAX_REMINDER_RULES, QuietHours, ReminderRuleSettings},
};
use concord_jobs::{Context, enqueue};
use concord_storage::{
    ChangeContext, Tx, businesses, customer_links, in_tx,
    reminder_rules::{self, ReminderRule},
    reminders,
};
use serde_json::{Value, json};

use crate::{ServiceError, customers::CustomerVisit, error::OrNotFound, history};

/// What is not found.
const WHAT: &str = "reminder rule";

fn for_history(settings: ReminderRuleSettings) -> Value {
    json!({
        "channel": settings.channel,
        "kind": settings.kind,
        "minutes_before": settings.minutes_before,
    })
}

/// The rules, while nobody else changes them.
async fn lock_rules(tx: &mut Tx, by: &ChangeContext) -> Result<Vec<ReminderRule>, ServiceError> {
    businesses::lock(tx, by.business).await?;
    Ok(reminder_rules::list_in(tx, by.business).await?)
}

fn refuse(settings: ReminderRuleSettings, others: &[ReminderRule]) -> Result<(), ServiceError> {
    if others.len() >= MAX_REMINDER_RULES {
        return Err(ServiceError::NotPossible(format!(
            "at most {MAX_REMINDER_RULES} reminders are possible"
        )));
    }
    if others.iter().any(|other| other.settings.repeats(&settings)) {
        return Err(ServiceError::NotPossible("there is already such a reminder at this time".to_owned()));
    }
    Ok(())
}

/// Adds a rule; the reminders of all bookings to come follow. `NotPossible`: there are too many, or one like it.
pub async fn create(
    context: &Context,
    by: &ChangeContext,
    settings: &ReminderRuleSettings,
) -> Result<ReminderRule, ServiceError> {
    let mut tx = context.db.begin().await?;
    refuse(*settings, &lock_rules(&mut tx, by).await?)?;
    let rule = reminder_rules::create(&mut tx, by.business, settings, by.now).await?;
    history::record(&mut tx, by, "created", rule.id, &for_history(*settings)).await?;
    let enqueued = enqueue::plan_reminders(&mut tx, context, by.business).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(rule)
}

/// Gives a rule the settings that `apply` makes of them as they are; the reminders of all bookings to come follow. Where they
/// are the same, nothing is written.
pub async fn change<E: From<ServiceError>>(
    context: &Context,
    by: &ChangeContext,
    id: ReminderRuleId,
    apply: impl FnOnce(&ReminderRuleSettings) -> Result<ReminderRuleSettings, E> + Send,
) -> Result<ReminderRule, E> {
    let mut tx = context.db.begin().await.map_err(ServiceError::from)?;
    let mut others = lock_rules(&mut tx, by).await?;
    let at = others.iter().position(|rule| rule.id == id).or_not_found(WHAT)?;
    let before = others.remove(at);
    let settings = apply(&before.settings)?;
    if settings == before.settings {
        return Ok(before);
    }
    refuse(settings, &others)?;
    Ok(write_change(context, by, (tx, id), &settings).await?)
}

async fn write_change(
    context: &Context,
    by: &ChangeContext,
    (mut tx, id): (Tx, ReminderRuleId),
    settings: &ReminderRuleSettings,
) -> Result<ReminderRule, ServiceError> {
    let rule = reminder_rules::update(&mut tx, by.business, id, settings).await.or_not_found(WHAT)?;
    history::record(&mut tx, by, "changed", rule.id, &for_history(*settings)).await?;
    let enqueued = enqueue::plan_reminders(&mut tx, context, by.business).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(rule)
}

/// Ends a rule: what was planned by it is not sent.
pub async fn remove(context: &Context, by: &ChangeContext, id: ReminderRuleId) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    let rules = lock_rules(&mut tx, by).await?;
    let rule = rules.iter().find(|rule| rule.id == id).or_not_found(WHAT)?;
    reminder_rules::remove(&mut tx, by.business, id, by.now).await.or_not_found(WHAT)?;
    history::record(&mut tx, by, "deleted", id, &for_history(rule.settings)).await?;
    let enqueued = enqueue::plan_reminders(&mut tx, context, by.business).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(())
}

/// Sets the hours in which nobody is reminded; `None`: there are none.
pub async fn set_quiet_hours(
    context: &Context,
    by: &ChangeContext,
    hours: Option<QuietHours>,
) -> Result<(), ServiceError> {
    if reminder_rules::quiet_hours(&context.db, by.business).await? == hours {
        return Ok(());
    }
    let mut tx = context.db.begin().await?;
    reminder_rules::set_quiet_hours(&mut tx, by.business, hours).await?;
    let detail = json!({ "quiet_hours": hours.map(|hours| hours.to_string()) });
    history::record(&mut tx, by, "changed", by.business, &detail).await?;
    let enqueued = enqueue::plan_reminders(&mut tx, context, by.business).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(())
}

/// Notes that whoever is at the page wants no reminders of the booking.
pub async fn turn_off(context: &Context, visit: &CustomerVisit) -> Result<(), ServiceError> {
    if visit.attendee.reminders_off {
        return Ok(());
    }
    let by = visit.by(context.clock.now());
    let detail = json!({ "reference": visit.subject.booking.reference });
    in_tx!(context.db, tx => async {
        customer_links::set_reminders_off(&mut tx, visit.attendee.id, true).await?;
        if visit.attendee.role == AttendeeRole::Customer {
            reminders::turn_off(&mut tx, visit.subject.booking.id, by.now).await?;
        }
        history::record(&mut tx, &by, "reminders turned off", visit.subject.booking.id, &detail).await
    }.await)?;
    Ok(())
}
