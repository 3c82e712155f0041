//! `/conflicts`: what the outside world put where something of ours stands.

use axum::{Json, extract::State};
use concord_storage::occupancy;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{ConflictAnswer, Listing},
    auth::ApiCaller,
    problem::ApiError,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List conflicts
///
/// Facts from outside that found no room beside a booking and are still to come, in the order of their starts; at most
/// 200. A conflict goes when one of the two makes room.
#[utoipa::path(get, path = "/conflicts", tag = "Synchronisation", operation_id = "list_conflicts",
    responses((status = 200, description = "All of them", body = Listing<ConflictAnswer>)))]
async fn list(State(app): State<App>, caller: ApiCaller) -> Result<Json<Listing<ConflictAnswer>>, ApiError> {
    let found = occupancy::conflicts(&app.context.db, caller.business, app.now()).await?;
    Ok(Json(Listing::whole(found.into_iter().map(ConflictAnswer::from).collect())))
}
