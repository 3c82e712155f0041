//! `/jobs` and `/sync`: the work that Concord does by itself, where it failed, and starting it by hand.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use concord_domain::{
    ids::JobId,
    job::{JobKind, JobState, QueueClass},
};
use concord_jobs::batch_sync;
use concord_storage::{
    StorageError, entries,
    jobs::{self, Job},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{answers::Listing, auth::ApiCaller, problem::ApiError, request::PathOf, schema};
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
const MOST: u32 = 200;

/// A piece of work.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Job)]
struct JobAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: JobId,
    /// What is done.
    #[schema(value_type = schema::JobKind)]
    kind: JobKind,
    /// What it is about: the id of an entry, a calendar or a calendar integration, as the kind says.
    subject: Uuid,
    /// How urgent it is.
    #[schema(value_type = schema::QueueClass)]
    queue: QueueClass,
    /// Where it stands.
    #[schema(value_type = schema::JobState)]
    state: JobState,
    /// When it is tried again by itself; null: only by hand.
    next_try_at: Option<DateTime<Utc>>,
    /// Tries so far.
    attempts: i64,
    /// Why the last one failed, for people.
    last_error: Option<String>,
    /// Since when it is to be done.
    enqueued_at: DateTime<Utc>,
}

impl From<Job> for JobAnswer {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
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
/// Those whose tries are used up, with the reason, the newest first; at most 200. They are tried again slowly by
/// themselves.
#[utoipa::path(get, path = "/jobs/failed", tag = "Synchronisation", operation_id = "list_failed_jobs",
    responses((status = 200, description = "Failed jobs", body = Listing<JobAnswer>)))]
async fn failed(State(app): State<App>, caller: ApiCaller) -> Result<Json<Listing<JobAnswer>>, ApiError> {
    let found = jobs::failed(&app.context.db, caller.business, MOST).await?;
    Ok(Json(Listing::whole(found.into_iter().map(JobAnswer::from).collect())))
}

/// A job that was started.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StartedJob)]
struct StartedAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: JobId,
    /// What is done.
    #[schema(value_type = schema::JobKind)]
    kind: JobKind,
}

/// Try a failed job again
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "Synchronisation", operation_id = "retry_job",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "It will be tried again", body = StartedAnswer)))]
async fn retry(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<JobId>,
) -> Result<(StatusCode, Json<StartedAnswer>), ApiError> {
    let mut tx = app.context.db.begin().await?;
    let job = match jobs::retry(&mut tx, caller.business, id, app.now()).await {
        Err(StorageError::NotFound) => return Err(ApiError::not_found("failed job")),
        job => job?,
    };
    tx.commit().await?;
    app.context.push(&[job]).await;
    Ok((StatusCode::ACCEPTED, Json(StartedAnswer { id: job.id, kind: job.kind })))
}

/// How the entries of a business stand.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SyncSummary)]
struct StateAnswer {
    /// Entries that stand as they should, of bookings that are not over; no more than 1,000 are counted.
    synced: i64,
    /// Entries that are about to be written.
    pending: i64,
    /// Entries that are written once their calendar integration is active again.
    waiting: i64,
    /// Entries that could not be written.
    failed: i64,
}

/// Read the state of synchronisation
#[utoipa::path(get, path = "/sync", tag = "Synchronisation", operation_id = "get_sync_state",
    responses((status = 200, description = "How the entries in all calendars stand", body = StateAnswer)))]
async fn state(State(app): State<App>, caller: ApiCaller) -> Result<Json<StateAnswer>, ApiError> {
    let counts = entries::counts(&app.context.db, caller.business, None, app.now()).await?;
    Ok(Json(StateAnswer {
        synced: counts.synced,
        pending: counts.pending,
        waiting: counts.waiting,
        failed: counts.failed,
    }))
}

/// How much was started.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StartedCount)]
struct CountAnswer {
    /// Jobs that were started.
    started: usize,
}

/// Synchronise all pending bookings
///
/// Goes through every active calendar integration and writes what is not as it should be. `started` counts the
/// integrations.
#[utoipa::path(post, path = "/sync/pending", tag = "Synchronisation", operation_id = "sync_pending",
    responses((status = 202, description = "It will be done", body = CountAnswer)))]
async fn sync_pending(
    State(app): State<App>,
    caller: ApiCaller,
) -> Result<(StatusCode, Json<CountAnswer>), ApiError> {
    let started = batch_sync::sync_all_pending(&app.context, caller.business).await?;
    Ok((StatusCode::ACCEPTED, Json(CountAnswer { started })))
}

/// Import all availability
///
/// Reads the busy times of every calendar that is read. `started` counts the calendars.
#[utoipa::path(post, path = "/sync/availability", tag = "Synchronisation", operation_id = "import_availability",
    responses((status = 202, description = "It will be done", body = CountAnswer)))]
async fn import_availability(
    State(app): State<App>,
    caller: ApiCaller,
) -> Result<(StatusCode, Json<CountAnswer>), ApiError> {
    let started = batch_sync::import_all(&app.context, caller.business).await?;
    Ok((StatusCode::ACCEPTED, Json(CountAnswer { started })))
}
