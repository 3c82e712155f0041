//! Who is told of changes, and what becomes of a watch without the application's doing.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlBody, ControlError, ControlQuery, ProviderQuery, providers};
use crate::app::SandboxApp;
use crate::clock;
use crate::microsoft::{LifecycleEvent, send_lifecycle_event};
use crate::provider::Provider;
use crate::store::WatchChannel;

/// All watches that live.
pub(super) async fn list(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(of): ControlQuery<ProviderQuery>,
) -> Result<Json<Value>, ControlError> {
    let mut channels = Vec::new();
    for provider in providers(of.provider.as_deref())? {
        let store = app.store(provider);
        channels.extend(store.live_channels(clock::now()).map(|channel| channel_json(provider, channel)));
    }
    Ok(Json(channels.into()))
}

/// The token is the application's secret and is not told.
fn channel_json(provider: Provider, channel: &WatchChannel) -> Value {
    json!({
        "provider": provider,
        "id": channel.id,
        "account": channel.account,
        "calendar": channel.calendar,
        "address": channel.address,
        "lifecycle_address": channel.lifecycle_address,
        "resource": channel.resource,
        "expires_at": channel.expires_at,
    })
}

/// Ends a watch without a word, as if its time had come.
pub(super) async fn end(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(of): ControlQuery<ProviderQuery>,
) -> Result<StatusCode, ControlError> {
    for provider in providers(of.provider.as_deref())? {
        if app.store(provider).close_channel(&id).is_ok() {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(ControlError::not_found(format!("there is no channel {id}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LifecycleBody {
    /// Microsoft alone tells what becomes of a watch.
    provider: String,
    event: LifecycleEvent,
    /// All subscriptions of an account if none is named.
    subscription: Option<String>,
    account: Option<String>,
}

/// Tells the applications what becomes of their subscriptions. Says how many were told.
pub(super) async fn lifecycle(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<LifecycleBody>,
) -> Result<Json<Value>, ControlError> {
    if super::provider(&new.provider)? != Provider::Microsoft {
        return Err(ControlError::bad("only microsoft tells of the life of subscriptions"));
    }
    let wanted = |channel: &WatchChannel| {
        new.subscription.as_ref().is_none_or(|id| *id == channel.id)
            && new.account.as_ref().is_none_or(|account| *account == channel.account)
    };
    let told = send_lifecycle_event(&app.microsoft, new.event, wanted)?;
    if told == 0 {
        return Err(ControlError::not_found("there is no such subscription with a lifecycleNotificationUrl"));
    }
    Ok(Json(json!({ "told": told })))
}
