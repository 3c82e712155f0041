//! The pages of connected calendars: everybody's, one connection, and what can be done with it.

mod act;
mod arrival;
mod caldav;
mod detail;
mod list;
mod settings;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::ConnectionId;
use concord_storage::connections::{self, Connection};

use super::{PageError, session::CurrentUser};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/calendars", get(list::show))
        .route("/calendars/connect/{provider}", post(act::connect))
        .route("/calendars/connect/caldav", get(caldav::ask).post(caldav::connect))
        .route("/calendars/sync-pending", post(act::sync_pending))
        .route("/calendars/import-availability", post(act::import_availability))
        .route("/calendars/{id}", get(detail::show).post(settings::save))
        .route("/calendars/{id}/live", get(detail::live))
        .route("/calendars/{id}/resync", post(act::resync))
        .route("/calendars/{id}/compare", post(act::compare))
        .route("/calendars/{id}/test", post(act::test))
        .route("/calendars/{id}/pause", post(act::pause))
        .route("/calendars/{id}/resume", post(act::resume))
        .route("/calendars/{id}/disconnect", get(detail::ask_disconnect).post(act::disconnect))
}

/// Microsoft has no place where a program ends its own access.
const MICROSOFT_ENDS_IT_ITSELF: &str = "Concord forgets its access; Microsoft itself ends it only for the account's \
    owner, at myapps.microsoft.com (work or school) or account.live.com/consent/Manage (private).";

/// The connection, if it is the person's to see and not over.
async fn found(app: &App, user: &CurrentUser, id: ConnectionId) -> Result<Connection, PageError> {
    connections::find(&app.context.db, user.business.id, id)
        .await?
        .filter(|connection| user.may_see(connection.staff_id))
        .filter(|connection| connection.state != concord_domain::connection::ConnectionState::Disconnected)
        .ok_or(PageError::NotFound("calendar"))
}
