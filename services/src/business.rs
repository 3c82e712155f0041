//! Changing the settings of a business, and the calendars that follow.

use concord_jobs::{Context, enqueue};
use concord_storage::{
    ChangeContext, StorageError,
    businesses::{self, Business, BusinessSettings},
};
use serde_json::json;

use crate::history;

/// Gives the business the settings that `apply` makes of it as it is; where they are the same, nothing is written.
/// `StaysAhead`: the zone cannot change while nights are counted in it.
pub async fn change<E: From<StorageError>>(
    context: &Context,
    by: &ChangeContext,
    apply: impl FnOnce(&Business) -> Result<BusinessSettings, E> + Send,
) -> Result<Business, E> {
    let mut tx = context.db.begin().await?;
    let before = businesses::lock(&mut tx, by.business).await?;
    let settings = apply(&before)?;
    if settings == before.settings() {
        return Ok(before);
    }
    let business = businesses::update(&mut tx, before.id, &settings, by.now).await?;
    let detail = json!({
        "name": business.name,
        "zone": business.zone.name(),
        "entry_privacy": business.entry_privacy,
        "mark_cancelled": business.mark_cancelled,
        "remote_moves": business.outside.moves,
        "remote_deletions": business.outside.deletions,
        "invitations": business.invitations.mode,
        "invitation_delay_minutes": business.invitations.delay_minutes,
        "sender_name": business.invitations.sender_name,
        "sender_address": business.invitations.sender_address,
        "reply_address": business.invitations.reply_address,
        "customer_language": business.invitations.language,
        "move_notice_hours": business.customers.move_notice_hours,
        "cancel_notice_hours": business.customers.cancel_notice_hours,
        "decline_cancels": business.customers.decline_cancels,
    });
    history::record(&mut tx, by, "changed", business.id, &detail).await?;
    // The rules for what people do in calendars are no part of any entry, nor is how customers are written to.
    let in_entries = BusinessSettings {
        outside: settings.outside,
        invitations: settings.invitations.clone(),
        customers: settings.customers,
        ..before.settings()
    };
    let mut enqueued = if settings == in_entries {
        Vec::new()
    } else {
        enqueue::batch_sync_of_business(&mut tx, context, business.id).await?
    };
    if settings.zone != before.zone {
        // Quiet hours are by its clocks.
        enqueued.push(enqueue::plan_reminders(&mut tx, context, business.id).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(business)
}
