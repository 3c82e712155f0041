//! Push channels.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::Value;

use super::super::GoogleSandbox;
use super::super::channels;
use super::super::errors::GoogleApiError;
use super::super::scopes::GooglePermission;
use super::object;
use crate::clock;
use crate::store::AuthenticatedCaller;

pub(super) async fn watch(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let body = object(&body)?;
    let channel =
        channels::watch(&mut google.store(), &caller, &calendar, &body, &google.server.url, clock::now())?;
    let hello = channels::sync_message(&channel);
    google.server.notify(hello);
    Ok(Json(channels::channel_json(&channel)))
}

/// `channels.stop`. Google's servers say 204, its contract says 200, as with deletions.
pub(super) async fn stop(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    body: Bytes,
) -> Result<StatusCode, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    channels::stop(&mut google.store(), &caller, &object(&body)?, clock::now())?;
    Ok(StatusCode::OK)
}
