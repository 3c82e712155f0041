//! `/api/health`, `/readyz` and `/metrics`: what those who run Concord ask it.

pub mod metrics;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// The three of them.
pub fn router() -> Router<App> {
    Router::new()
        .route("/api/health", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::scrape))
}

/// How the installation is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(in crate::http) struct HealthAnswer {
    /// `ok`; `degraded`: it works, but something that it uses is away; `down`: it cannot work.
    #[schema(example = "ok")]
    status: &'static str,
    /// The program's version.
    version: &'static str,
    /// Where bookings are kept.
    database: PartAnswer,
    /// By which workers learn of new work. Without it they find it a few seconds later.
    queue: PartAnswer,
    /// `set_up`, or `not_set_up`: then nobody is written to.
    #[schema(example = "set_up")]
    mail: &'static str,
}

/// A part that Concord uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HealthPart)]
struct PartAnswer {
    /// Which sort it is.
    #[schema(example = "sqlite")]
    kind: &'static str,
    /// `ok` or `down`.
    #[schema(example = "ok")]
    status: &'static str,
}

fn word(well: bool) -> &'static str {
    if well { "ok" } else { "down" }
}

/// Ask how Concord is
///
/// For people and health checks; needs no key.
#[utoipa::path(get, path = "/api/health", tag = "Health", operation_id = "get_health", security(()),
    responses(
        (status = 200, description = "It works", body = HealthAnswer),
        (status = 503, description = "The database is away", body = HealthAnswer),
    ))]
pub(in crate::http) async fn health(State(app): State<App>) -> Response {
    let context = &app.context;
    let (database, queue) = futures::join!(context.db.ping(), context.queue.ping());
    if let Err(error) = &database {
        tracing::error!(%error, "the database does not answer");
    }
    let status = match (&database, &queue) {
        (Ok(()), Ok(())) => "ok",
        (Ok(()), Err(_)) => "degraded",
        (Err(_), _) => "down",
    };
    let answer = HealthAnswer {
        status,
        version: env!("CARGO_PKG_VERSION"),
        database: PartAnswer { kind: context.db.kind(), status: word(database.is_ok()) },
        queue: PartAnswer { kind: context.queue.kind(), status: word(queue.is_ok()) },
        mail: if context.mail.mailer.is_some() { "set_up" } else { "not_set_up" },
    };
    let code = if database.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// For load balancers: whether requests can be answered.
async fn ready(State(app): State<App>) -> Response {
    let plain = [(header::CACHE_CONTROL, "no-store")];
    match app.context.db.ping().await {
        Ok(()) => (StatusCode::OK, plain, "ready\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, plain, "the database does not answer\n").into_response(),
    }
}
