//! What was said: the recorded traffic.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{ControlError, ControlQuery, ProviderQuery, provider};
use crate::app::SandboxApp;
use crate::elsewhere;

/// The providers, and the host that is none of theirs.
fn of(of: ProviderQuery) -> Result<Option<String>, ControlError> {
    of.provider
        .as_deref()
        .filter(|name| *name != elsewhere::RECORDER_NAME)
        .map_or(Ok(()), |name| provider(name).map(drop))?;
    Ok(of.provider)
}

/// The recorded traffic, one JSON object a line.
pub(super) async fn requests(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(query): ControlQuery<ProviderQuery>,
) -> Result<Response, ControlError> {
    let lines = app.server.recorder.lines(of(query)?.as_deref()).map_err(|error| ControlError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        message: error.to_string(),
    })?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// Forgets the recorded traffic.
pub(super) async fn forget(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(query): ControlQuery<ProviderQuery>,
) -> Result<StatusCode, ControlError> {
    app.server.recorder.clear(of(query)?.as_deref());
    Ok(StatusCode::NO_CONTENT)
}
