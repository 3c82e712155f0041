//! The pages of connected calendars: everybody's, one connection, and what can be done with it.

mod actions;
mod caldav;
mod detail;
mod list;
mod live;
mod push_status;
mod settings;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::{ids::ConnectionId, provider::ProviderKind};
use concord_storage::connections::{self, Connection};

use super::{CurrentUser, PageError, PageResult};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/calendars", get(list::show))
        .route("/calendars/connect/{provider}", post(actions::connect))
        .route("/calendars/connect/caldav", get(caldav::show_form).post(caldav::connect))
        .route("/calendars/sync-pending", post(actions::sync_pending))
        .route("/calendars/import-availability", post(actions::import_availability))
        .route("/calendars/{id}", get(detail::show).post(settings::save))
        .route("/calendars/{id}/live", get(live::show))
        .route("/calendars/{id}/resync", post(actions::resync))
        .route("/calendars/{id}/compare", post(actions::compare))
        .route("/calendars/{id}/test", post(actions::test))
        .route("/calendars/{id}/pause", post(actions::pause))
        .route("/calendars/{id}/resume", post(actions::resume))
        .route("/calendars/{id}/disconnect", get(detail::confirm_disconnect).post(actions::disconnect))
}

/// What its owner can still do at the provider, as a sentence that follows another.
fn revoke_note(provider: ProviderKind) -> String {
    provider.description().revoke_note.map(|note| format!(" {note}")).unwrap_or_default()
}

/// The connection, if it is the person's to see and not over.
async fn find_connection(user: &CurrentUser, id: ConnectionId) -> PageResult<Connection> {
    connections::find(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|connection| user.may_see(connection.staff_id))
        .filter(|connection| connection.state != concord_domain::connection::ConnectionState::Disconnected)
        .ok_or(PageError::NotFound("calendar"))
}
