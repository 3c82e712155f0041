//! `/conflicts`: what the outside world put where something of ours stands.

use axum::Json;
use concord_storage::occupancy;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Api, occupancy::ConflictResponse, problem::ApiResult, responses::Listing};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List conflicts
///
/// Facts from outside that found no room beside a booking and are still to come, in the order of their starts; at most
/// 200. A conflict goes when one of the two makes room.
#[utoipa::path(get, path = "/conflicts", tag = "Sync", operation_id = "list_conflicts",
    responses((status = 200, description = "The full list", body = Listing<ConflictResponse>)))]
async fn list(api: Api) -> ApiResult<Listing<ConflictResponse>> {
    let found = occupancy::conflicts(&api.context.db, api.business, api.now()).await?;
    Ok(Json(Listing::complete(found.into_iter().map(ConflictResponse::from).collect())))
}
