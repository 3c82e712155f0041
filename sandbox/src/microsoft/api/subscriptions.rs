//! Subscriptions: create with the handshake, renew, delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde_json::Value;

use super::super::MicrosoftSandbox;
use super::super::errors::GraphApiError;
use super::super::prefer::PreferHeader;
use super::super::scopes::GraphPermission;
use super::super::subscriptions::{expiration, read, subscription_json, validate};
use super::object;
use crate::clock;
use crate::store::{AuthenticatedCaller, ProviderStore, WatchChannel};

/// `POST /subscriptions`. The answer waits until both addresses have echoed their tokens.
pub(super) async fn create(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), GraphApiError> {
    caller.can(GraphPermission::ReadCalendars)?;
    let (prefer, body) = (PreferHeader::read(&headers)?, object(&headers, &body)?);
    let channel = read(&microsoft.store(), &caller, &body, &prefer, clock::now())?;
    validate(&microsoft, &channel.address).await?;
    if let Some(address) = &channel.lifecycle_address {
        validate(&microsoft, address).await?;
    }
    let mut store = microsoft.store();
    store.put_channel(channel.clone())?;
    Ok((StatusCode::CREATED, Json(subscription_json(&store, &channel, true))))
}

/// `PATCH /subscriptions/{id}`: a later end, and nothing else.
pub(super) async fn renew(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, GraphApiError> {
    caller.can(GraphPermission::ReadCalendars)?;
    let body = object(&headers, &body)?;
    if let Some(name) = body.keys().find(|name| *name != "expirationDateTime") {
        return Err(GraphApiError::bad("InvalidRequest", format!("{name} cannot be changed.")));
    }
    let wanted = body.get("expirationDateTime").and_then(Value::as_str).unwrap_or_default();
    let mut store = microsoft.store();
    let channel = own(&store, &caller, &id)?.clone();
    let channel = WatchChannel {
        expires_at: expiration(wanted, clock::now())?,
        grant: caller.grant.clone(),
        ..channel
    };
    store.put_channel(channel.clone())?;
    Ok(Json(subscription_json(&store, &channel, false)))
}

pub(super) async fn delete(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(id): Path<String>,
) -> Result<StatusCode, GraphApiError> {
    caller.can(GraphPermission::ReadCalendars)?;
    let mut store = microsoft.store();
    let id = own(&store, &caller, &id)?.id.clone();
    store.close_channel(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn own<'w>(
    store: &'w ProviderStore,
    caller: &AuthenticatedCaller,
    id: &str,
) -> Result<&'w WatchChannel, GraphApiError> {
    let found = store.live_channels(clock::now()).find(|one| one.id == id && is_own(caller, one));
    // No item of a mailbox: the code is another one.
    let (code, message) = ("ResourceNotFound", "The subscription was not found.".into());
    found.ok_or_else(|| GraphApiError { code, message, ..GraphApiError::not_found() })
}

fn is_own(caller: &AuthenticatedCaller, channel: &WatchChannel) -> bool {
    channel.client == caller.client && channel.account == caller.account
}
