//! What a job is about, as it is now.

use concord_domain::{
    connection::ConnectionState,
    ids::{CalendarId, ConnectionId},
};
use concord_storage::{
    calendars::{self, Calendar},
    connections::{self, Connection},
    jobs::ClaimedJob,
};

use super::{Context, JobError, outcome::require_business};

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
