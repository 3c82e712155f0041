//! Whether a connection is served: paused, resumed, ended.

use concord_domain::{
    connection::{ConnectionState, Direction},
    ids::ConnectionId,
    job::{JobKind, QueueClass},
};
use concord_jobs::{Context, accounts::limits::end_wait, enqueue, notify};
use concord_storage::{
    ChangeContext, Tx, calendars, connections as store,
    jobs::{self, NewJob},
};
use serde_json::json;

use super::{WHAT, find};
use crate::{ServiceError, error::OrNotFound, history};

/// Stops the connection for a while: nothing is written, read or told; what changes meanwhile waits.
pub async fn pause(context: &Context, by: &ChangeContext, id: ConnectionId) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    let states = (ConnectionState::Active, ConnectionState::Paused);
    move_state(&mut tx, by, id, states, "paused").await?;
    let mut enqueued = Vec::new();
    for calendar in calendars::list_read(&mut tx, by.business, id).await? {
        enqueued.extend(enqueue::push_renewal(&mut tx, context, &calendar).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(())
}

/// Ends a pause; what waited is written.
pub async fn resume(context: &Context, by: &ChangeContext, id: ConnectionId) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    let states = (ConnectionState::Paused, ConnectionState::Active);
    let direction = move_state(&mut tx, by, id, states, "resumed").await?;
    let enqueued = enqueue::initial_sync(&mut tx, context, (by.business, id), direction).await?;
    context.commit(tx, &enqueued).await?;
    Ok(())
}

/// The state that it is in is asked for by the change itself: somebody may be disconnecting it at this moment.
async fn move_state(
    tx: &mut Tx,
    by: &ChangeContext,
    id: ConnectionId,
    states: (ConnectionState, ConnectionState),
    action: &str,
) -> Result<Direction, ServiceError> {
    let Some(direction) = store::move_state(tx, (by.business, id), states, by.now).await? else {
        let connection = store::find_in(tx, by.business, id).await?;
        let connection = connection.filter(|one| one.state != ConnectionState::Disconnected);
        let rest = match connection.or_not_found(WHAT)?.state {
            ConnectionState::NeedsReconnect => "reconnect this one first".to_owned(),
            state => format!("this one is {state}"),
        };
        return Err(ServiceError::NotPossible(format!(
            "only {} calendars can be {action}; {rest}",
            states.0
        )));
    };
    history::record(tx, by, action, id, &json!({})).await?;
    Ok(direction)
}

/// Ends the connection. A job removes the entries if that is wanted, and ends the grant at the provider; the calendars'
/// imports find that nothing is to be read any more, and forget what was. What the person has to do goes to another
/// connection of theirs, if they have one.
pub async fn disconnect(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    remove_entries: bool,
) -> Result<(), ServiceError> {
    let business = by.business;
    let connection = find(context, business, id).await?;
    let others = store::of_staff(&context.db, business, connection.staff_id).await?;
    let calendars = calendars::of_connection(&context.db, business, id).await?;
    let mut tx = context.db.begin().await?;
    let state = ConnectionState::Disconnected;
    if !store::set_state(&mut tx, business, id, state, None, by.now).await? {
        return Err(ServiceError::NotFound(WHAT));
    }
    store::set_remove_entries(&mut tx, business, id, remove_entries).await?;
    store::ensure_default(&mut tx, business, connection.staff_id).await?;
    history::record(&mut tx, by, "disconnected", id, &json!({ "remove_entries": remove_entries })).await?;
    let job = NewJob {
        business: Some(business),
        kind: JobKind::Disconnect,
        subject: id.0,
        queue: QueueClass::Interactive,
        due_at: by.now,
    };
    let mut enqueued = vec![jobs::enqueue(&mut tx, job, by.now).await?];
    for calendar in calendars.iter().filter(|calendar| calendar.reads) {
        enqueued.push(enqueue::import(&mut tx, context, calendar, QueueClass::Interactive).await?);
    }
    for other in others.iter().filter(|other| other.id != id) {
        enqueued.push(enqueue::batch_sync(&mut tx, context, business, other.id).await?);
    }
    // Whatever the provider has asked for: people are free, and the grant is to end, at once.
    end_wait(context, &mut tx, id).await?;
    enqueued.extend(notify::disconnected(&mut tx, context, (&connection).into()).await?);
    context.commit(tx, &enqueued).await?;
    Ok(())
}
