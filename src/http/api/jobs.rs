//! `/jobs` and `/sync`: the work that Concord does by itself, where it failed, and starting it by hand.

use axum::{Json, http::StatusCode};
use chrono::{DateTime, Utc};
use concord_domain::{
    ids::JobId,
    job::{JobKind, JobState, QueueClass},
};
use concord_services::{connections as manage, retries};
use concord_storage::{
    entries,
    jobs::{self, JobBoardRow},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::ApiPath,
    responses::Listing,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(failed))
        .routes(routes!(retry))
        .routes(routes!(state))
        .routes(routes!(sync_pending))
        .routes(routes!(import_availability))
}

/// The most failed jobs in one answer.
const MAX_FAILED_JOBS: u32 = 200;

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Job)]
struct JobResponse {
    /// Its id, for `/jobs/{id}/retry`.
    id: Uuid,
    /// What is done.
    kind: JobKind,
    /// What it is about: the id of an entry, a calendar or a calendar integration, as the kind says.
    subject: Uuid,
    /// Its priority.
    queue: QueueClass,
    /// Its status.
    state: JobState,
    /// The next automatic retry; null: manual only.
    next_try_at: Option<DateTime<Utc>>,
    /// Attempts so far.
    attempts: i64,
    /// Why the last attempt failed, in plain words.
    last_error: Option<String>,
    /// Since when it is due.
    enqueued_at: DateTime<Utc>,
}

impl From<JobBoardRow> for JobResponse {
    fn from(job: JobBoardRow) -> Self {
        Self {
            id: job.id.0,
            kind: job.kind,
            subject: job.subject_id,
            queue: job.queue,
            state: job.state,
            next_try_at: job.due_at,
            attempts: job.attempts,
            last_error: job.last_error,
            enqueued_at: job.enqueued_at,
        }
    }
}

/// List failed jobs
///
/// Jobs with no attempts left, with the reason, newest first; at most 200. They are still
/// retried slowly.
#[utoipa::path(get, path = "/jobs/failed", tag = "Sync", operation_id = "list_failed_jobs",
    responses((status = 200, description = "Failed jobs", body = Listing<JobResponse>)))]
async fn failed(api: Api) -> ApiResult<Listing<JobResponse>> {
    let found = jobs::failed(&api.context.db, api.business, None, MAX_FAILED_JOBS).await?;
    Ok(Json(Listing::complete(found.into_iter().map(JobResponse::from).collect())))
}

/// A job that was started.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StartedJob)]
struct StartedJobResponse {
    /// Its id, as in `/jobs/failed`.
    id: Uuid,
    /// What is done.
    kind: JobKind,
}

/// Retry a failed job
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "Sync", operation_id = "retry_job",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Retry started", body = StartedJobResponse)))]
async fn retry(
    api: Api,
    ApiPath(id): ApiPath<JobId>,
) -> Result<(StatusCode, Json<StartedJobResponse>), ApiError> {
    let job = retries::retry_job(&api.context, api.business, id).await?;
    Ok((StatusCode::ACCEPTED, Json(StartedJobResponse { id: job.id.0, kind: job.kind })))
}

/// Sync status of a business.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncSummary)]
struct SyncSummaryResponse {
    /// Entries in sync, of bookings that are not over; counted up to 1,000.
    synced: i64,
    /// Pending entries.
    pending: i64,
    /// Entries on hold until their integration is active again.
    waiting: i64,
    /// Failed entries.
    failed: i64,
}

/// Read the sync status
#[utoipa::path(get, path = "/sync", tag = "Sync", operation_id = "get_sync_state",
    responses((status = 200, description = "Sync status of all calendars", body = SyncSummaryResponse)))]
async fn state(api: Api) -> ApiResult<SyncSummaryResponse> {
    let counts = entries::counts(&api.context.db, api.business, None, api.now()).await?;
    Ok(Json(SyncSummaryResponse {
        synced: counts.synced,
        pending: counts.pending,
        waiting: counts.waiting,
        failed: counts.failed,
    }))
}

/// How much was started.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StartedCount)]
struct StartedCountResponse {
    /// Jobs that were started.
    started: usize,
}

/// Sync all pending bookings
///
/// Writes pending entries of every active calendar integration. `started` counts the
/// integrations.
#[utoipa::path(post, path = "/sync/pending", tag = "Sync", operation_id = "sync_pending",
    responses((status = 202, description = "Started", body = StartedCountResponse)))]
async fn sync_pending(api: Api) -> Result<(StatusCode, Json<StartedCountResponse>), ApiError> {
    let started = manage::sync_all_pending(&api.context, api.business).await?;
    Ok((StatusCode::ACCEPTED, Json(StartedCountResponse { started })))
}

/// Import busy times
///
/// Imports the busy times of every calendar that is read. `started` counts the calendars.
#[utoipa::path(post, path = "/sync/availability", tag = "Sync", operation_id = "import_availability",
    responses((status = 202, description = "Started", body = StartedCountResponse)))]
async fn import_availability(api: Api) -> Result<(StatusCode, Json<StartedCountResponse>), ApiError> {
    let started = manage::import_all(&api.context, api.business).await?;
    Ok((StatusCode::ACCEPTED, Json(StartedCountResponse { started })))
}
