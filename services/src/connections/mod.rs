//! What people do with their connections: test, resync, compare, choose calendars, pause, disconnect.

mod all;
mod settings;
mod state;

use chrono::Duration;
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    ids::{BusinessId, ConnectionId},
    job::QueueClass,
};
use concord_jobs::{Context, accounts::calendar_list, enqueue, job::ConnectionAccount};
use concord_storage::{
    connections::{self as store, Connection},
    sync_log::{self, NewSyncLogEntry},
};

pub use self::{
    all::{import_all, sync_all_pending},
    settings::{ConnectionUpdate, update},
    state::{disconnect, pause, resume},
};
use crate::{ServiceError, error::OrNotFound};

/// What is not found; one that is over is as good as none.
const WHAT: &str = "calendar integration";

/// What a test found.
#[derive(Clone, Debug)]
pub struct ConnectionTestReport {
    /// Whether the connection works.
    pub ok: bool,
    /// What the person is shown.
    pub message: String,
    /// How many calendars the provider lists.
    pub calendars: usize,
}

/// Asks the provider for the calendars, and takes over what has changed of them.
pub async fn test(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<ConnectionTestReport, ServiceError> {
    let connection = find(context, business, id).await?;
    let began_at = context.clock.now();
    let report = match refresh_calendars(context, business, id).await {
        Ok(calendars) => ConnectionTestReport {
            ok: true,
            message: match calendars {
                0 => format!(
                    "{} responded, but the account has no calendar yet: create one there, then test again",
                    connection.provider.name()
                ),
                1 => format!("{} responded; 1 calendar found", connection.provider.name()),
                _ => format!("{} responded; {calendars} calendars found", connection.provider.name()),
            },
            calendars,
        },
        Err(ServiceError::Provider(message)) => ConnectionTestReport { ok: false, message, calendars: 0 },
        Err(other) => return Err(other),
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let line = NewSyncLogEntry {
        business,
        connection: Some(id),
        booking: None,
        channel: None,
        operation: "test",
        outcome: if report.ok { SyncOutcome::Ok } else { SyncOutcome::Failed },
        detail: &report.message,
        duration_ms: (now - began_at).num_milliseconds(),
        at: now,
    };
    sync_log::append(&mut tx, &line).await?;
    tx.commit().await?;
    Ok(report)
}

/// Asks the provider which calendars there are. Returns how many.
pub async fn refresh_calendars(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<usize, ServiceError> {
    let connection = find(context, business, id).await?;
    let account = ConnectionAccount { business, connection: id, provider: connection.provider };
    Ok(calendar_list::refresh(context, account).await.or_not_found(WHAT)?.external_ids.len())
}

/// What waits is written by then and what is new is read, so that little is left to find.
const COMPARE_DELAY: Duration = Duration::seconds(10);

/// Writes what waits and reads what is new, now, and then compares all that stands there with what should: what people have
/// done to it is dealt with by the rules, as when a poll finds it, and nothing is written that stands as it should.
pub async fn resync(context: &Context, business: BusinessId, id: ConnectionId) -> Result<(), ServiceError> {
    let connection = find(context, business, id).await?;
    ensure_served(&connection)?;
    let mut tx = context.db.begin().await?;
    // Not due yet, so that there is nothing to push.
    let now = context.clock.now();
    enqueue::compare(&mut tx, (business, id), (QueueClass::Bulk, now + COMPARE_DELAY), now).await?;
    let enqueued = enqueue::initial_sync(&mut tx, context, (business, id), connection.direction).await?;
    context.commit(tx, &enqueued).await?;
    Ok(())
}

fn ensure_served(connection: &Connection) -> Result<(), ServiceError> {
    match connection.state {
        ConnectionState::Active => Ok(()),
        ConnectionState::Paused => {
            Err(ServiceError::NotPossible("the connection is paused; resume it first".into()))
        }
        ConnectionState::NeedsReconnect | ConnectionState::Disconnected => {
            Err(ServiceError::NotPossible("reconnect the calendar first".into()))
        }
    }
}

/// Compares what stands in its calendars with what should, now instead of at night.
pub async fn compare(context: &Context, business: BusinessId, id: ConnectionId) -> Result<(), ServiceError> {
    ensure_served(&find(context, business, id).await?)?;
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let enqueued = enqueue::compare(&mut tx, (business, id), (QueueClass::Interactive, now), now).await?;
    context.commit(tx, &[enqueued]).await?;
    Ok(())
}

async fn find(context: &Context, business: BusinessId, id: ConnectionId) -> Result<Connection, ServiceError> {
    let found = store::find(&context.db, business, id).await?;
    found.filter(|one| one.state != ConnectionState::Disconnected).or_not_found(WHAT)
}
