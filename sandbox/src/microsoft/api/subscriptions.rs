//! Subscriptions: create with the handshake, read, renew, delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::errors::GraphError;
use super::super::prefer::Prefer;
use super::super::scopes::Need;
use super::super::subscriptions::{expiration, read, subscription_json, validate};
use super::object;
use crate::app::App;
use crate::clock;
use crate::store::{Caller, Channel, World};

/// `POST /subscriptions`. The answer waits until both addresses have echoed their tokens.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), GraphError> {
    caller.can(Need::ReadCalendars)?;
    let (prefer, body) = (Prefer::read(&headers)?, object(&headers, &body)?);
    let channel = read(&app.microsoft.world(), &caller, &body, &prefer, clock::now())?;
    validate(&app, &channel.address).await?;
    if let Some(address) = &channel.lifecycle_address {
        validate(&app, address).await?;
    }
    let mut world = app.microsoft.world();
    world.put_channel(channel.clone())?;
    Ok((StatusCode::CREATED, Json(subscription_json(&world, &channel, true))))
}

/// `GET /subscriptions`: those of the same application and person.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let world = app.microsoft.world();
    let own = world.live_channels(clock::now()).filter(|one| is_own(&caller, one));
    let items: Vec<_> = own.map(|one| subscription_json(&world, one, false)).collect();
    Ok(Json(json!({ "value": items })))
}

/// `GET /subscriptions/{id}`.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let world = app.microsoft.world();
    let channel = own(&world, &caller, &id)?;
    Ok(Json(subscription_json(&world, channel, false)))
}

/// `PATCH /subscriptions/{id}`: a later end, and nothing else.
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let body = object(&headers, &body)?;
    if let Some(name) = body.keys().find(|name| *name != "expirationDateTime") {
        return Err(GraphError::bad("InvalidRequest", format!("{name} cannot be changed.")));
    }
    let wanted = body.get("expirationDateTime").and_then(Value::as_str).unwrap_or_default();
    let mut world = app.microsoft.world();
    let channel = own(&world, &caller, &id)?.clone();
    let channel =
        Channel { expires_at: expiration(wanted, clock::now())?, grant: caller.grant.clone(), ..channel };
    world.put_channel(channel.clone())?;
    Ok(Json(subscription_json(&world, &channel, false)))
}

/// `DELETE /subscriptions/{id}`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let mut world = app.microsoft.world();
    let id = own(&world, &caller, &id)?.id.clone();
    world.close_channel(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn own<'w>(world: &'w World, caller: &Caller, id: &str) -> Result<&'w Channel, GraphError> {
    let found = world.live_channels(clock::now()).find(|one| one.id == id && is_own(caller, one));
    found.ok_or_else(|| GraphError::resource_not_found("The subscription"))
}

fn is_own(caller: &Caller, channel: &Channel) -> bool {
    channel.client == caller.client && channel.account == caller.account
}
