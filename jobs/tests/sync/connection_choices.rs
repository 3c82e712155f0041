//! One choice for a connection at a time.

use concord_domain::ids::{CalendarId, ConnectionId};
use concord_jobs::Context;
use concord_services::{
    ServiceError,
    connections::{ConnectionUpdate, update},
};
use concord_storage::ChangeContext;

pub(crate) async fn set_default(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
) -> Result<(), ServiceError> {
    update(context, by, id, &ConnectionUpdate { make_default: true, ..ConnectionUpdate::default() }).await
}

pub(crate) async fn set_written(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
) -> Result<(), ServiceError> {
    let wanted = ConnectionUpdate { writes: Some(calendar), ..ConnectionUpdate::default() };
    update(context, by, id, &wanted).await
}

pub(crate) async fn set_reads(
    context: &Context,
    by: &ChangeContext,
    id: ConnectionId,
    calendar: CalendarId,
    reads: bool,
) -> Result<(), ServiceError> {
    let wanted = ConnectionUpdate { reads: vec![(calendar, reads)], ..ConnectionUpdate::default() };
    update(context, by, id, &wanted).await
}
