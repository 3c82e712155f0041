//! Push channels.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::Value;

use super::super::channels;
use super::super::errors::ApiError;
use super::super::scopes::Need;
use super::object;
use crate::app::App;
use crate::clock;
use crate::push::is_lost;
use crate::store::Caller;

/// `events.watch`.
pub(super) async fn watch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    caller.may(Need::ReadEvents)?;
    let body = object(&body)?;
    let channel =
        channels::watch(&mut app.google.world(), &caller, &calendar, &body, &app.url, clock::now())?;
    let hello = channels::sync_message(&channel);
    if !is_lost(&app, &hello) {
        app.push.send(hello);
    }
    Ok(Json(channels::channel_json(&channel)))
}

/// `channels.stop`. Google's servers say 204, its contract says 200, as with deletions.
pub(super) async fn stop(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    caller.may(Need::ReadEvents)?;
    channels::stop(&mut app.google.world(), &caller, &object(&body)?, clock::now())?;
    Ok(StatusCode::OK)
}
