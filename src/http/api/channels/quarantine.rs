//! What a feed seems to have cancelled: let through, kept, or brought back.

use axum::Json;
use concord_domain::{
    channel::Settled,
    ids::{ChannelId, ChannelItemId, ChannelRunId},
};
use concord_jobs::channels::{
    quarantine::{self, ReviewError, UndoCounts},
    unconfirmed,
};
use concord_storage::{channels::runs, idempotency::in_parts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    find_channel,
    responses::{ChannelResponse, ChannelRunResponse},
};
use crate::{
    app::App,
    http::api::{
        auth::Api,
        problem::{ApiError, ApiResult, Kind},
        request::{ApiJson, ApiPath},
    },
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(approve_quarantine))
        .routes(routes!(reject_quarantine))
        .routes(routes!(undo))
        .routes(routes!(settle))
}

impl From<ReviewError> for ApiError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Nothing => Self::new(
                Kind::NotPossible,
                "Nothing is held for review or unconfirmed, or the sync does not exist.",
            ),
            ReviewError::TooLate => {
                Self::new(Kind::NotPossible, format!("{}.", capitalize(&error.to_string())))
            }
            ReviewError::Storage(error) => error.into(),
            ReviewError::Other(words) => {
                tracing::error!(words, "what a feed seems to have cancelled could not be decided");
                Self::new(Kind::Internal, "The request failed.")
            }
        }
    }
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How many bookings were concerned.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = HeldDecision)]
struct QuarantineDecisionResponse {
    /// Bookings that are cancelled, kept, or stand again.
    bookings: i64,
    /// Of those that stand again: what has no room.
    conflicts: i64,
    /// What the reading had brought and is cancelled now.
    taken_back: i64,
    /// What the reading had changed: it stays as it is, since changes cannot be undone.
    left_changed: i64,
}

/// Let held-back cancellations through
///
/// What the feed lacks is cancelled now. It can be undone for a week, by the reading that this answers.
#[utoipa::path(post, path = "/channels/{id}/release", tag = "Channels", operation_id = "release_channel",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Cancelled", body = ChannelRunResponse)))]
async fn approve_quarantine(api: Api, ApiPath(id): ApiPath<ChannelId>) -> ApiResult<ChannelRunResponse> {
    find_channel(&api, id).await?;
    let by = api.clone();
    // Not in parts: a repetition would also cancel what has come to be held since. What a kill leaves undone stays held.
    let release = async move { quarantine::release(&by.context, by.business, id, &by.actor).await };
    let (run, _) = api.run_to_completion(release).await.map_err(ApiError::internal)??;
    let run = runs::find(&api.context.db, api.business, run).await?;
    let run = run.ok_or_else(|| ApiError::not_found("reading"))?;
    Ok(Json(ChannelRunResponse::of(run, api.now())))
}

/// Keep what is held back
///
/// The bookings stand although the feed lacks them, until it has had them again.
#[utoipa::path(post, path = "/channels/{id}/keep", tag = "Channels", operation_id = "keep_held_back",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "Kept", body = QuarantineDecisionResponse)))]
async fn reject_quarantine(
    api: Api,
    ApiPath(id): ApiPath<ChannelId>,
) -> ApiResult<QuarantineDecisionResponse> {
    find_channel(&api, id).await?;
    // The first transaction keeps them; the second only says that nothing waits, as the next reading does too.
    let kept = quarantine::keep(&api.context, api.business, id, &api.actor).await?;
    Ok(Json(QuarantineDecisionResponse {
        bookings: i64::try_from(kept).unwrap_or(i64::MAX),
        conflicts: 0,
        taken_back: 0,
        left_changed: 0,
    }))
}

/// Undo a reading
///
/// For a week. What it cancelled stands again, without room where it is taken by now, and stays although the feed lacks it.
/// What somebody imported once is cancelled. What it changed stays changed, and is counted in `left_changed`.
#[utoipa::path(post, path = "/channels/{id}/runs/{run}/undo", tag = "Channels", operation_id = "undo_channel_run",
    params(("id" = Uuid, Path, description = "The channel's id"), ("run" = Uuid, Path, description = "The sync's id")),
    responses((status = 200, description = "Restored", body = QuarantineDecisionResponse)))]
async fn undo(
    api: Api,
    ApiPath((id, run)): ApiPath<(ChannelId, ChannelRunId)>,
) -> ApiResult<QuarantineDecisionResponse> {
    find_channel(&api, id).await?;
    let found = runs::find(&api.context.db, api.business, run).await?;
    found.filter(|run| run.channel_id == id).ok_or_else(|| ApiError::not_found("reading"))?;
    let by = api.clone();
    let undo = in_parts(async move { quarantine::undo(&by.context, by.business, run, &by.actor).await });
    let UndoCounts { brought_back, conflicts, taken_back, left_changed } =
        api.run_to_completion(undo).await.map_err(ApiError::internal)??;
    Ok(Json(QuarantineDecisionResponse { bookings: brought_back, conflicts, taken_back, left_changed }))
}

/// What an unconfirmed event is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettledEvent, example = json!({ "as": "booking" }))]
struct SettleEventBody {
    /// Whether it was sold there, or is ours, given back.
    #[serde(rename = "as")]
    settled: Settled,
}

/// Settle an unconfirmed event
///
/// Nights that were freed here, and that the platform shows as taken after it has read so, are held as taken: it may be late, or
/// have sold them since. As a booking, they stay taken; as ours, they are free. That holds for as long as the platform shows them.
#[utoipa::path(post, path = "/channels/{id}/events/{event}/settle", tag = "Channels", operation_id = "settle_channel_event",
    params(("id" = Uuid, Path, description = "The channel's id"),
        ("event" = Uuid, Path, description = "The event's id, as in the channel's `unconfirmed`")),
    request_body = SettleEventBody,
    responses((status = 200, description = "The channel", body = ChannelResponse)))]
async fn settle(
    api: Api,
    ApiPath((id, event)): ApiPath<(ChannelId, ChannelItemId)>,
    ApiJson(body): ApiJson<SettleEventBody>,
) -> ApiResult<ChannelResponse> {
    find_channel(&api, id).await?;
    let (event, by) = ((id, event), api.clone());
    let settle =
        async move { unconfirmed::settle(&by.context, by.business, event, body.settled, &by.actor).await };
    api.run_to_completion(in_parts(settle)).await.map_err(ApiError::internal)??;
    Ok(Json(ChannelResponse::of(&api, find_channel(&api, id).await?).await?))
}
