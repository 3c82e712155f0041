//! What people do with their connections: test, resync, choose calendars, pause, disconnect.

mod renumbered;

use chrono::Duration;
use concord_domain::{
    audit::{HistorySubject, SyncOutcome},
    connection::{ConnectionState, Direction},
    ids::{BusinessId, CalendarId, ConnectionId},
    job::{JobKind, QueueClass},
    sync::remote_change::RemoteChangePolicy,
};
use concord_providers::ProviderError;
use concord_storage::{
    StorageError, Tx,
    bookings::ChangeContext,
    calendars::{self, Calendar, ListedCalendar},
    connections::{self as store, Connection, ConnectionSettings},
    history,
    jobs::{self, NewJob},
    push_subscriptions,
    sync_log::{self, NewSyncLogEntry},
};
use serde_json::{Value, json};

use crate::{
    Context,
    access::{ConnectionAccount, with_access},
    batch_sync, connect, drift, import_availability,
    job::JobError,
    limits::end_wait,
    notify, push,
};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionActionError {
    /// There is no such connection or calendar in this business.
    #[error("not found")]
    NotFound,
    /// It cannot be as things are.
    #[error("{0}")]
    NotPossible(String),
    /// The provider refused or could not be reached.
    #[error("{0}")]
    Provider(String),
    /// The database.
    #[error(transparent)]
    Storage(StorageError),
}

impl From<StorageError> for ConnectionActionError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::NotFound,
            other => Self::Storage(other),
        }
    }
}

impl From<JobError> for ConnectionActionError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Storage(error) => error.into(),
            JobError::Provider(ProviderError::RateLimited { .. }) => {
                Self::Provider("the provider's rate limit was reached; try again in a minute".into())
            }
            JobError::Provider(error) => Self::Provider(error.in_words("the provider")),
            other => Self::NotPossible(other.to_string()),
        }
    }
}

/// What a test found.
#[derive(Clone, Debug)]
pub struct ConnectionTestReport {
    /// Whether the connection works.
    pub ok: bool,
    /// For people.
    pub message: String,
    /// How many calendars the provider lists.
    pub calendars: usize,
}

/// Asks the provider for the calendars, and takes over what has changed of them.
pub async fn test(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<ConnectionTestReport, ConnectionActionError> {
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
        Err(ConnectionActionError::Provider(message)) => {
            ConnectionTestReport { ok: false, message, calendars: 0 }
        }
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
) -> Result<usize, ConnectionActionError> {
    let connection = find(context, business, id).await?;
    let account = ConnectionAccount { business, connection: id, provider: connection.provider };
    Ok(refresh_calendar_list(context, account).await?.external_ids.len())
}

/// What the provider lists.
pub(crate) struct CalendarListing {
    external_ids: Vec<String>,
    /// What the provider called those that it calls otherwise now.
    former_ids: Vec<String>,
}

impl CalendarListing {
    pub(crate) fn lists(&self, external_id: &str) -> bool {
        self.external_ids.iter().any(|listed| listed == external_id)
    }

    /// Whether the calendar was found again under another id, by which it is known from now on.
    pub(crate) fn was_renumbered(&self, external_id: &str) -> bool {
        self.former_ids.iter().any(|former| former == external_id)
    }
}

/// Asks the provider which calendars there are, and sees to what follows from those that have gone or come back.
pub(crate) async fn refresh_calendar_list(
    context: &Context,
    account: ConnectionAccount,
) -> Result<CalendarListing, JobError> {
    let ConnectionAccount { business, connection, provider } = account;
    let calendars_of = context.provider(provider)?;
    let listed = with_access!(context, account, access => calendars_of.calendars(&access))?;
    let listed: Vec<_> = listed.into_iter().map(connect::as_listed).collect();
    let before = calendars::of_connection(&context.db, business, connection).await?;
    // An account that never had a calendar lists none; where there was one, something is wrong with the list.
    let has_none_yet = listed.is_empty() && before.is_empty();
    if !calendars::is_complete_list(&listed) && !has_none_yet {
        let words = "the provider's list of calendars came without the main one";
        return Err(ProviderError::Transient(words.into()).into());
    }
    let renumbered = renumbered::renumbered(provider, &before, &listed);
    let found = CalendarListing {
        external_ids: listed.iter().map(|one| one.external_id.clone()).collect(),
        former_ids: renumbered.iter().map(|one| one.calendar.external_id.clone()).collect(),
    };
    let mut tx = context.db.begin().await?;
    for one in &renumbered {
        calendars::change_external_id(&mut tx, business, one.calendar.id, &one.listed.external_id).await?;
    }
    if !renumbered.is_empty() {
        push_subscriptions::renew_all(&mut tx, business, connection, context.clock.now()).await?;
    }
    calendars::take_over(&mut tx, business, connection, &listed, context.clock.now()).await?;
    let mut enqueued = Vec::new();
    let moved = |one: &&Calendar| one.missing_since.is_none() != found.lists(&one.external_id);
    for calendar in before.iter().filter(moved) {
        // One that is gone frees its owner; the bookings that stood there go to the one that is written now.
        if calendar.reads {
            enqueued.push(import_availability::enqueue(&mut tx, context, calendar, QueueClass::Bulk).await?);
            enqueued.extend(push::enqueue(&mut tx, context, calendar).await?);
        }
    }
    // The first calendar of an account that had none: it is read and written at once.
    let is_new = |one: &ListedCalendar| before.iter().all(|known| known.external_id != one.external_id);
    let has_begun = listed.iter().any(|one| one.is_primary && is_new(one));
    if has_begun {
        enqueued.extend(connect::read_calendars(&mut tx, context, business, connection).await?);
    }
    if has_begun || before.iter().any(|one| moved(&one)) {
        enqueued.push(batch_sync::enqueue(&mut tx, context, business, connection).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(found)
}

/// What waits is written by then and what is new is read, so that little is left to find.
const COMPARE_DELAY: Duration = Duration::seconds(10);

/// Writes what waits and reads what is new, now, and then compares all that stands there with what should: what people have
/// done to it is dealt with by the rules, as when a poll finds it, and nothing is written that stands as it should.
pub async fn resync(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    let connection = find(context, business, id).await?;
    ensure_served(&connection)?;
    let mut tx = context.db.begin().await?;
    // Not due yet, so that there is nothing to push.
    let now = context.clock.now();
    drift::enqueue(&mut tx, (business, id), (QueueClass::Bulk, now + COMPARE_DELAY), now).await?;
    let enqueued =
        connect::enqueue_initial_sync(&mut tx, context, (business, id), connection.direction).await?;
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

fn ensure_served(connection: &Connection) -> Result<(), ConnectionActionError> {
    match connection.state {
        ConnectionState::Active => Ok(()),
        ConnectionState::Paused => {
            Err(ConnectionActionError::NotPossible("the connection is paused; resume it first".into()))
        }
        ConnectionState::NeedsReconnect | ConnectionState::Disconnected => {
            Err(ConnectionActionError::NotPossible("reconnect the calendar first".into()))
        }
    }
}

/// Compares what stands in its calendars with what should, now instead of at night.
pub async fn compare(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    ensure_served(&find(context, business, id).await?)?;
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let enqueued = drift::enqueue(&mut tx, (business, id), (QueueClass::Interactive, now), now).await?;
    tx.commit().await?;
    context.push(&[enqueued]).await;
    Ok(())
}

/// Changes direction, coverage, or both; what follows is written and read.
pub async fn set_settings(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
    settings: ConnectionSettings,
) -> Result<(), ConnectionActionError> {
    let business = change.business;
    let mut tx = context.db.begin().await?;
    let changed = store::set_settings(&mut tx, business, id, settings).await?;
    let detail = json!({ "direction": changed.direction, "coverage": changed.coverage });
    append_history(&mut tx, change, id, "changed", &detail).await?;
    let mut enqueued = Vec::new();
    if changed.state == ConnectionState::Active {
        enqueued = connect::enqueue_initial_sync(&mut tx, context, (business, id), changed.direction).await?;
    }
    if !changed.direction.reads() {
        // The import finds that nothing is to be read, and forgets what was: during a pause too.
        enqueued.extend(connect::read_calendars(&mut tx, context, business, id).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

/// Chooses what becomes of what its person does to entries of ours: of moves, and of deletions; `None`: as the business
/// has it. What has happened already stays as it was decided.
pub async fn set_remote_change_rules(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
    (moves, deletions): (Option<RemoteChangePolicy>, Option<RemoteChangePolicy>),
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    store::set_remote_change_rules(&mut tx, change.business, id, (moves, deletions)).await?;
    let detail = json!({ "remote_moves": moves, "remote_deletions": deletions });
    append_history(&mut tx, change, id, "changed", &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes it the one to which its staff member's new bookings go; those that stand in another calendar of theirs stay
/// there.
pub async fn set_default(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    store::set_default(&mut tx, change.business, id).await?;
    append_history(&mut tx, change, id, "made_default", &json!({})).await?;
    let batch = batch_sync::enqueue(&mut tx, context, change.business, id).await?;
    tx.commit().await?;
    context.push(&[batch]).await;
    Ok(())
}

/// Makes it the calendar to which the connection's new bookings go; those that exist stay where they are, unless the
/// calendar that they stand in is gone. That may be why another one is chosen, so it is looked first: what stood there
/// moves at once, and not when somebody finds out.
pub async fn set_written(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
) -> Result<(), ConnectionActionError> {
    let known = calendars::of_connection(&context.db, change.business, id).await?;
    let is_another = known.iter().any(|one| one.writes && one.id != calendar);
    if is_another && let Err(error) = refresh_calendars(context, change.business, id).await {
        tracing::info!(connection = %id, %error, "nobody told which calendars there are");
    }
    let mut tx = context.db.begin().await?;
    calendars::set_written(&mut tx, change.business, id, calendar).await?;
    append_history(&mut tx, change, id, "calendar_written", &json!({ "calendar": calendar })).await?;
    let batch = batch_sync::enqueue(&mut tx, context, change.business, id).await?;
    tx.commit().await?;
    context.push(&[batch]).await;
    Ok(())
}

/// Turns the reading of a calendar's busy times on or off. Off, its owner is free again as far as it goes.
pub async fn set_reads(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
    reads: bool,
) -> Result<(), ConnectionActionError> {
    let found = calendars::find(&context.db, change.business, calendar).await?;
    let found = found.filter(|found| found.connection_id == id).ok_or(ConnectionActionError::NotFound)?;
    if found.reads == reads {
        return Ok(());
    }
    let mut tx = context.db.begin().await?;
    calendars::set_reads(&mut tx, change.business, calendar, reads).await?;
    append_history(&mut tx, change, id, "calendar_read", &json!({ "calendar": calendar, "reads": reads }))
        .await?;
    let mut enqueued =
        vec![import_availability::enqueue(&mut tx, context, &found, QueueClass::Interactive).await?];
    enqueued.extend(push::enqueue(&mut tx, context, &found).await?);
    // To forget what was read asks nobody.
    end_wait(context, &mut tx, id).await?;
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

/// Stops the connection for a while: nothing is written, read or told; what changes meanwhile waits.
pub async fn pause(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    let states = (ConnectionState::Active, ConnectionState::Paused);
    move_state(&mut tx, change, id, states, "paused").await?;
    let mut enqueued = Vec::new();
    for calendar in calendars::list_read(&mut tx, change.business, id).await? {
        enqueued.extend(push::enqueue(&mut tx, context, &calendar).await?);
    }
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

/// Ends a pause; what waited is written.
pub async fn resume(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
) -> Result<(), ConnectionActionError> {
    let mut tx = context.db.begin().await?;
    let states = (ConnectionState::Paused, ConnectionState::Active);
    let direction = move_state(&mut tx, change, id, states, "resumed").await?;
    let enqueued = connect::enqueue_initial_sync(&mut tx, context, (change.business, id), direction).await?;
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

/// The state that it is in is asked for by the change itself: somebody may be disconnecting it at this moment.
async fn move_state(
    tx: &mut Tx,
    change: &ChangeContext,
    id: ConnectionId,
    states: (ConnectionState, ConnectionState),
    action: &str,
) -> Result<Direction, ConnectionActionError> {
    let Some(direction) = store::move_state(tx, (change.business, id), states, change.now).await? else {
        let connection = store::find_in(tx, change.business, id).await?;
        // One that is over is as good as none.
        let connection = connection.filter(|one| one.state != ConnectionState::Disconnected);
        let connection = connection.ok_or(ConnectionActionError::NotFound)?;
        let (from, state) = (states.0, connection.state);
        let message = format!("only a connection that is {from} can be {action}; this one is {state}");
        return Err(ConnectionActionError::NotPossible(message));
    };
    append_history(tx, change, id, action, &json!({})).await?;
    Ok(direction)
}

/// Ends the connection. A job removes the entries if that is wanted, and ends the grant at the provider; the calendars'
/// imports find that nothing is to be read any more, and forget what was. What the person has to do goes to another
/// connection of theirs, if they have one.
pub async fn disconnect(
    context: &Context,
    change: &ChangeContext,
    id: ConnectionId,
    remove_entries: bool,
) -> Result<(), ConnectionActionError> {
    let business = change.business;
    let connection = find(context, business, id).await?;
    let others = store::of_staff(&context.db, business, connection.staff_id).await?;
    let calendars = calendars::of_connection(&context.db, business, id).await?;
    let mut tx = context.db.begin().await?;
    let state = ConnectionState::Disconnected;
    if !store::set_state(&mut tx, business, id, state, None, change.now).await? {
        return Err(ConnectionActionError::NotFound);
    }
    store::set_remove_entries(&mut tx, business, id, remove_entries).await?;
    store::ensure_default(&mut tx, business, connection.staff_id).await?;
    append_history(&mut tx, change, id, "disconnected", &json!({ "remove_entries": remove_entries })).await?;
    let job = NewJob {
        business: Some(business),
        kind: JobKind::Disconnect,
        subject: id.0,
        queue: QueueClass::Interactive,
        due_at: change.now,
    };
    let mut enqueued = vec![jobs::enqueue(&mut tx, job, change.now).await?];
    for calendar in calendars.iter().filter(|calendar| calendar.reads) {
        enqueued
            .push(import_availability::enqueue(&mut tx, context, calendar, QueueClass::Interactive).await?);
    }
    for other in others.iter().filter(|other| other.id != id) {
        enqueued.push(batch_sync::enqueue(&mut tx, context, business, other.id).await?);
    }
    notify::disconnected(&mut tx, context, (business, id)).await?;
    // Whatever the provider has asked for: people are free, and the grant is to end, at once.
    end_wait(context, &mut tx, id).await?;
    tx.commit().await?;
    context.push(&enqueued).await;
    Ok(())
}

async fn find(
    context: &Context,
    business: BusinessId,
    id: ConnectionId,
) -> Result<Connection, ConnectionActionError> {
    let found = store::find(&context.db, business, id).await?;
    found.filter(|one| one.state != ConnectionState::Disconnected).ok_or(ConnectionActionError::NotFound)
}

async fn append_history(
    tx: &mut Tx,
    change: &ChangeContext,
    id: ConnectionId,
    action: &str,
    detail: &Value,
) -> Result<(), StorageError> {
    let line = history::NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Connection,
        subject: id.0,
        detail,
    };
    history::append(tx, &line, change.now).await
}
