//! What people did to entries of ours in their own calendars: the list of it, how one of them looks wherever it is told,
//! and what can be answered.

mod actions;
mod list;
mod view;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::RemoteChangeId;
use concord_storage::remote_changes::{self, RemoteChange};

pub(super) use self::view::{ChangeViewPlacement, RemoteChangeView, change_views};
use super::{CurrentUser, PageError, PageResult};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/changes", get(list::show))
        .route("/changes/{id}/follow", post(actions::follow))
        .route("/changes/{id}/revert", post(actions::revert))
        .route("/changes/{id}/undo", post(actions::undo))
}

/// The change, if it was made in a calendar that is the person's to see.
async fn find_change(user: &CurrentUser, id: RemoteChangeId) -> PageResult<RemoteChange> {
    remote_changes::find(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|change| user.may_see(change.staff_id))
        .ok_or(PageError::NotFound("change"))
}
