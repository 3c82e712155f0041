//! `/api/health`, `/readyz` and `/metrics`: what those who run Concord ask it.

pub mod metrics;

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use concord_storage::probe::DatabaseCondition;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;

/// The three of them.
pub fn router() -> Router<App> {
    Router::new()
        .route("/api/health", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::scrape))
        .layer(Extension(metrics::LastScrape::default()))
}

/// The three of them alone, for a process that answers nothing else.
pub fn standalone(app: &App) -> Router {
    router().layer(middleware::from_fn(metrics::count_requests)).with_state(app.clone())
}

/// Health of the installation.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(in crate::http) struct HealthResponse {
    /// `ok`; `degraded`: it works, but something that it uses is away; `down`: it cannot work.
    #[schema(example = "ok")]
    status: &'static str,
    /// The program's version.
    version: &'static str,
    /// Where bookings are kept.
    database: HealthPartResponse,
    /// By which workers learn of new work. Without it they find it a few seconds later.
    queue: HealthPartResponse,
    /// `set_up`, or `not_set_up`: no email is sent.
    #[schema(example = "set_up")]
    mail: &'static str,
}

/// A part that Concord uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HealthPart)]
struct HealthPartResponse {
    /// Which sort it is.
    #[schema(example = "sqlite")]
    kind: &'static str,
    /// `ok`, `down`, or, of the database, `takes_no_changes`: it can be read, but its disk is full or fails.
    #[schema(example = "ok")]
    status: &'static str,
}

fn condition_label(condition: &DatabaseCondition) -> &'static str {
    match condition {
        DatabaseCondition::Works => "ok",
        DatabaseCondition::TakesNoChanges(_) => "takes_no_changes",
        DatabaseCondition::Away(_) => "down",
    }
}

/// How long the queue is waited for: whoever asks is answered within a second.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(800);

/// How the database is, found out by writing; what is wrong goes to the log.
async fn check_database(app: &App) -> DatabaseCondition {
    let condition = app.probe.look(&app.context.db).await;
    match &condition {
        DatabaseCondition::Works => {}
        DatabaseCondition::TakesNoChanges(cause) => tracing::error!(cause, "the database takes no changes"),
        DatabaseCondition::Away(cause) => tracing::error!(cause, "the database does not answer"),
    }
    condition
}

/// Check health
///
/// For people and health checks; needs no key.
#[utoipa::path(get, path = "/api/health", tag = "Health", operation_id = "get_health", security(()),
    responses(
        (status = 200, description = "It works", body = HealthResponse),
        (status = 503, description = "The database is away, or takes no changes", body = HealthResponse),
    ))]
pub(in crate::http) async fn health(State(app): State<App>) -> Response {
    let context = &app.context;
    let (database, queue) =
        futures::join!(check_database(&app), timeout(QUEUE_TIMEOUT, context.queue.ping()));
    let queue_answers = matches!(queue, Ok(Ok(())));
    let (code, status) = match (&database, queue_answers) {
        (DatabaseCondition::Works, true) => (StatusCode::OK, "ok"),
        (DatabaseCondition::Works, false) => (StatusCode::OK, "degraded"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "down"),
    };
    let answer = HealthResponse {
        status,
        version: env!("CARGO_PKG_VERSION"),
        database: HealthPartResponse { kind: context.db.kind(), status: condition_label(&database) },
        queue: HealthPartResponse {
            kind: context.queue.kind(),
            status: if queue_answers { "ok" } else { "down" },
        },
        mail: if context.mail.mailer.is_some() { "set_up" } else { "not_set_up" },
    };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// For load balancers: whether requests can be answered.
async fn ready(State(app): State<App>) -> Response {
    let (code, words) = match check_database(&app).await {
        DatabaseCondition::Works => (StatusCode::OK, "ready\n"),
        DatabaseCondition::TakesNoChanges(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database takes no changes\n")
        }
        DatabaseCondition::Away(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    };
    (code, [(header::CACHE_CONTROL, "no-store")], words).into_response()
}
