//! The account that a job is about: beside `context` and `keys`, which both take it.

use chrono::{DateTime, Utc};
use concord_domain::{
    audit::SyncOutcome,
    connection::{ConnectionState, ProviderKind},
    ids::{BusinessId, CalendarId, ConnectionId},
};
use concord_storage::{
    calendars::{self, Calendar},
    connections::{self, Connection},
    jobs::ClaimedJob,
    sync_log::NewSyncLogEntry,
};

use super::{Context, JobError, outcome::require_business};

/// The connected account that a job is about, or a call is made for.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionAccount {
    pub business: BusinessId,
    pub connection: ConnectionId,
    /// Where its calendars are.
    pub provider: ProviderKind,
}

impl ConnectionAccount {
    /// A line of the sync log about it.
    pub(crate) fn log_entry<'a>(
        &self,
        (operation, outcome): (&'a str, SyncOutcome),
        detail: &'a str,
        at: DateTime<Utc>,
    ) -> NewSyncLogEntry<'a> {
        NewSyncLogEntry::of_connection((self.business, self.connection), (operation, outcome), detail, at)
    }
}

impl From<&Connection> for ConnectionAccount {
    fn from(connection: &Connection) -> Self {
        Self { business: connection.business_id, connection: connection.id, provider: connection.provider }
    }
}

/// The connection that a job is about, if it is still there and in that state.
pub(crate) async fn find_connection(
    context: &Context,
    job: &ClaimedJob,
    state: ConnectionState,
) -> Result<Option<Connection>, JobError> {
    let found = connections::find(&context.db, require_business(job)?, ConnectionId(job.subject_id)).await?;
    Ok(found.filter(|connection| connection.state == state))
}

/// The calendar that a job is about, with its connection, if it is still there.
pub(crate) async fn find_calendar(
    context: &Context,
    job: &ClaimedJob,
) -> Result<Option<(Calendar, Connection)>, JobError> {
    let business = require_business(job)?;
    let found = calendars::find(&context.db, business, CalendarId(job.subject_id)).await?;
    let Some(calendar) = found else { return Ok(None) };
    let connection = connections::find(&context.db, business, calendar.connection_id).await?;
    Ok(connection.map(|connection| (calendar, connection)))
}
