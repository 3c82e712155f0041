//! What a connection reads and writes, and what becomes of what its person does to entries.

use concord_domain::{
    connection::ConnectionState,
    ids::{CalendarId, ConnectionId},
    job::QueueClass,
    sync::remote_change::RemoteChangePolicy,
};
use concord_jobs::{Context, accounts::limits::end_wait, enqueue};
use concord_storage::{
    ChangeContext, calendars,
    connections::{self as store, ConnectionSettings},
};
use serde_json::json;

use super::{ConnectionActionError, record, refresh_calendars};

/// Changes direction, coverage, or both; what follows is written and read.
pub async fn set_settings(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    settings: ConnectionSettings,
) -> Result<(), ConnectionActionError> {
    let business = by.business;
    let mut tx = context.db.begin().await?;
    let changed = store::set_settings(&mut tx, business, id, settings).await?;
    let detail = json!({ "direction": changed.direction, "coverage": changed.coverage });
    record(&mut tx, by, id, "changed", &detail).await?;
    let mut enqueued = Vec::new();
    if changed.state == ConnectionState::Active {
        enqueued = enqueue::initial_sync(&mut tx, context, (business, id), changed.direction).await?;
    }
    if !changed.direction.reads() {
        // The import finds that nothing is to be read, and forgets what was: during a pause too.
        enqueued.extend(enqueue::read_calendars(&mut tx, context, business, id).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(())
}

/// Chooses what becomes of what its person does to entries of ours: of moves, and of deletions; `None`: as the business
/// has it. What has happened already stays as it was decided.
pub async fn set_remote_change_rules(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    (moves, deletions): (Option<RemoteChangePolicy>, Option<RemoteChangePolicy>),
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    store::set_remote_change_rules(&mut tx, by.business, id, (moves, deletions)).await?;
    let detail = json!({ "remote_moves": moves, "remote_deletions": deletions });
    record(&mut tx, by, id, "changed", &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes it the one to which its staff member's new bookings go; those that stand in another calendar of theirs stay
/// there.
pub async fn set_default(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    store::set_default(&mut tx, by.business, id).await?;
    record(&mut tx, by, id, "made_default", &json!({})).await?;
    let batch = enqueue::batch_sync(&mut tx, context, by.business, id).await?;
    context.commit(tx, &[batch]).await?;
    Ok(())
}

/// Makes it the calendar to which the connection's new bookings go; those that exist stay where they are, unless the
/// calendar that they stand in is gone. That may be why another one is chosen, so it is looked first: what stood there
/// moves at once, and not when somebody finds out.
pub async fn set_written(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
) -> Result<(), ConnectionActionError> {
    let known = calendars::of_connection(&context.db, by.business, id).await?;
    let is_another = known.iter().any(|one| one.writes && one.id != calendar);
    if is_another && let Err(error) = refresh_calendars(context, by.business, id).await {
        tracing::info!(connection = %id, %error, "nobody told which calendars there are");
    }
    let mut tx = context.db.begin().await?;
    calendars::set_written(&mut tx, by.business, id, calendar).await?;
    record(&mut tx, by, id, "calendar_written", &json!({ "calendar": calendar })).await?;
    let batch = enqueue::batch_sync(&mut tx, context, by.business, id).await?;
    context.commit(tx, &[batch]).await?;
    Ok(())
}

/// Turns the reading of a calendar's busy times on or off. Off, its owner is free again as far as it goes.
pub async fn set_reads(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
    reads: bool,
) -> Result<(), ConnectionActionError> {
    let found = calendars::find(&context.db, by.business, calendar).await?;
    let found = found.filter(|found| found.connection_id == id).ok_or(ConnectionActionError::NotFound)?;
    if found.reads == reads {
        return Ok(());
    }
    let mut tx = context.db.begin().await?;
    calendars::set_reads(&mut tx, by.business, calendar, reads).await?;
    record(&mut tx, by, id, "calendar_read", &json!({ "calendar": calendar, "reads": reads })).await?;
    let mut enqueued = vec![enqueue::import(&mut tx, context, &found, QueueClass::Interactive).await?];
    enqueued.extend(enqueue::push_renewal(&mut tx, context, &found).await?);
    // To forget what was read asks nobody.
    end_wait(context, &mut tx, id).await?;
    context.commit(tx, &enqueued).await?;
    Ok(())
}
