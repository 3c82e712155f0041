//! Changing the business: its settings, its history, and the calendars that follow.

use concord_domain::audit::HistorySubject;
use concord_storage::{
    StorageError, Tx,
    bookings::ChangeContext,
    businesses::{self, Business, BusinessSettings},
    history,
    jobs::JobRef,
};
use serde_json::json;

use crate::{Context, batch_sync};

/// Gives a business, which `tx` has locked as it is `before`, these settings. Returns it, and what is to be pushed after
/// the commit. `StaysAhead`: the zone cannot change while nights are counted in it.
pub async fn save(
    tx: &mut Tx,
    context: &Context,
    change: &ChangeContext,
    before: &Business,
    settings: &BusinessSettings,
) -> Result<(Business, Vec<JobRef>), StorageError> {
    let business = businesses::update(tx, before.id, settings, change.now).await?;
    let line = history::NewHistoryEntry {
        business: business.id,
        actor: &change.actor,
        action: "changed",
        subject_kind: HistorySubject::Business,
        subject: business.id.0,
        detail: &json!({
            "name": business.name,
            "zone": business.zone.name(),
            "entry_privacy": business.entry_privacy,
            "mark_cancelled": business.mark_cancelled,
            "remote_moves": business.outside.moves,
            "remote_deletions": business.outside.deletions,
        }),
    };
    history::append(tx, &line, change.now).await?;
    // The rules for what people do in calendars are no part of any entry.
    let in_entries = BusinessSettings { outside: settings.outside, ..before.settings() };
    let enqueued = if *settings == in_entries {
        Vec::new()
    } else {
        batch_sync::enqueue_all(tx, context, business.id).await?
    };
    Ok((business, enqueued))
}
