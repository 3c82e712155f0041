//! What a connection reads and writes, and what becomes of what its person does to entries.

use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    ids::{CalendarId, ConnectionId},
    job::QueueClass,
    sync::remote_change::RemoteChangePolicy,
};
use concord_jobs::{Context, accounts::limits::end_wait, enqueue};
use concord_storage::{
    ChangeContext, Tx,
    calendars::{self, Calendar},
    connections::{self as store, Connection, ConnectionSettings},
    jobs::JobRef,
};
use serde_json::json;

use super::{WHAT, find, refresh_calendars};
use crate::{ServiceError, error::OrNotFound, history};

/// What a person chooses for a connection. What is not given stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ConnectionUpdate {
    pub direction: Option<Direction>,
    pub coverage: Option<Coverage>,
    /// What becomes of entries that its person moves, and of those that they delete; `Some(None)`: as the business has it.
    /// What has happened already stays as it was decided.
    pub moves: Option<Option<RemoteChangePolicy>>,
    pub deletions: Option<Option<RemoteChangePolicy>>,
    /// Whether the busy times of these calendars are read. Where they are not, its owner is free again as far as it goes.
    pub reads: Vec<(CalendarId, bool)>,
    /// The calendar to which its new bookings go; those that exist stay where they are, unless the calendar that they stand
    /// in is gone.
    pub writes: Option<CalendarId>,
    /// Whether its staff member's new bookings go to this connection from now on; those that stand in another one of
    /// theirs stay there.
    pub make_default: bool,
}

/// Changes all of it or nothing, and only what differs; what follows is written and read.
pub async fn update(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    wanted: &ConnectionUpdate,
) -> Result<(), ServiceError> {
    let before = find(context, by.business, id).await?;
    let mut known = calendars::of_connection(&context.db, by.business, id).await?;
    if !wanted.reads.iter().all(|(wanted, _)| known.iter().any(|one| one.id == *wanted)) {
        return Err(ServiceError::NotFound("calendar"));
    }
    let writes = wanted.writes.filter(|wanted| !known.iter().any(|one| one.id == *wanted && one.writes));
    // That its calendar is gone may be why another one is chosen, so it is looked first: what stood there moves at once,
    // and not when somebody finds out.
    if writes.is_some() && known.iter().any(|one| one.writes) {
        match refresh_calendars(context, by.business, id).await {
            Ok(_) => known = calendars::of_connection(&context.db, by.business, id).await?,
            Err(error) => tracing::info!(connection = %id, %error, "nobody told which calendars there are"),
        }
    }
    let mut tx = context.db.begin().await?;
    // What waits for the bookings of the business comes before what locks single rows.
    let mut enqueued = set_directions(&mut tx, context, by, &before, wanted).await?;
    let make_default = wanted.make_default && !before.is_default;
    if make_default {
        store::set_default(&mut tx, by.business, id).await.or_not_found(WHAT)?;
        history::record(&mut tx, by, "made_default", id, &json!({})).await?;
    }
    set_remote_change_rules(&mut tx, by, &before, wanted).await?;
    if let Some(calendar) = writes {
        calendars::set_written(&mut tx, by.business, id, calendar).await.or_not_found("calendar")?;
        history::record(&mut tx, by, "calendar_written", id, &json!({ "calendar": calendar })).await?;
    }
    if make_default || writes.is_some() {
        enqueued.push(enqueue::batch_sync(&mut tx, context, by.business, id).await?);
    }
    for &(calendar, reads) in &wanted.reads {
        // One that is gone by now has nothing to be read.
        let calendar = known.iter().find(|one| one.id == calendar && one.reads != reads);
        if let Some(calendar) = calendar {
            enqueued.extend(set_reads(&mut tx, context, by, calendar, reads).await?);
        }
    }
    context.commit(tx, &enqueued).await?;
    Ok(())
}

async fn set_directions(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    before: &Connection,
    wanted: &ConnectionUpdate,
) -> Result<Vec<JobRef>, ServiceError> {
    let (business, id, mut enqueued) = (by.business, before.id, Vec::new());
    let settings = ConnectionSettings {
        direction: wanted.direction.filter(|direction| *direction != before.direction),
        coverage: wanted.coverage.filter(|coverage| *coverage != before.coverage),
    };
    if settings.direction.is_none() && settings.coverage.is_none() {
        return Ok(enqueued);
    }
    let changed = store::set_settings(tx, business, id, settings).await.or_not_found(WHAT)?;
    let detail = json!({ "direction": changed.direction, "coverage": changed.coverage });
    history::record(tx, by, "changed", id, &detail).await?;
    if changed.state == ConnectionState::Active {
        enqueued = enqueue::initial_sync(tx, context, (business, id), changed.direction).await?;
    }
    if !changed.direction.reads() {
        // The import finds that nothing is to be read, and forgets what was: during a pause too.
        enqueued.extend(enqueue::read_calendars(tx, context, business, id).await?);
    }
    Ok(enqueued)
}

async fn set_remote_change_rules(
    tx: &mut Tx,
    by: &ChangeContext,
    before: &Connection,
    wanted: &ConnectionUpdate,
) -> Result<(), ServiceError> {
    let moves = wanted.moves.unwrap_or(before.remote_moves);
    let deletions = wanted.deletions.unwrap_or(before.remote_deletions);
    if (moves, deletions) == (before.remote_moves, before.remote_deletions) {
        return Ok(());
    }
    store::set_remote_change_rules(tx, by.business, before.id, (moves, deletions))
        .await
        .or_not_found(WHAT)?;
    let detail = json!({ "remote_moves": moves, "remote_deletions": deletions });
    Ok(history::record(tx, by, "changed", before.id, &detail).await?)
}

async fn set_reads(
    tx: &mut Tx,
    context: &Context,
    by: &ChangeContext,
    calendar: &Calendar,
    reads: bool,
) -> Result<Vec<JobRef>, ServiceError> {
    let id = calendar.connection_id;
    calendars::set_reads(tx, by.business, calendar.id, reads).await.or_not_found("calendar")?;
    history::record(tx, by, "calendar_read", id, &json!({ "calendar": calendar.id, "reads": reads })).await?;
    let mut enqueued = vec![enqueue::import(tx, context, calendar, QueueClass::Interactive).await?];
    enqueued.extend(enqueue::push_renewal(tx, context, calendar).await?);
    // To forget what was read asks nobody.
    end_wait(context, tx, id).await?;
    Ok(enqueued)
}
