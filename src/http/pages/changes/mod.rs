//! What people did to entries of ours in their own calendars: the list of it, how one of them looks wherever it is told,
//! and what can be answered.

mod act;
mod line;
mod list;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::RemoteChangeId;
use concord_storage::remote_changes::{self, RemoteChange};

pub(super) use self::line::{ChangeLine, Where, lines};
use super::{PageError, session::CurrentUser};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/changes", get(list::show))
        .route("/changes/{id}/follow", post(act::follow))
        .route("/changes/{id}/revert", post(act::revert))
        .route("/changes/{id}/undo", post(act::undo))
}

/// The change, if it was made in a calendar that is the person's to see.
async fn found(app: &App, user: &CurrentUser, id: RemoteChangeId) -> Result<RemoteChange, PageError> {
    remote_changes::find(&app.context.db, user.business.id, id)
        .await?
        .filter(|change| user.may_see(change.staff_id))
        .ok_or(PageError::NotFound("change"))
}
