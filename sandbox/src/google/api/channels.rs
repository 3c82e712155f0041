//! Push channels: `events.watch`, `channels.stop`, and what is told through them.
//!
//! <https://developers.google.com/workspace/calendar/api/guides/push>: a notification has an empty body and says in
//! headers only that something has changed. The first one, `sync`, says that the channel stands. There is no renewal.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::{Map, Value, json};

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::sample::NOBODY;
use super::super::scopes::GooglePermission;
use super::object;
use crate::clock;
use crate::opaque::fingerprint;
use crate::provider::Provider;
use crate::push::{self, OutgoingNotification};
use crate::store::{AuthenticatedCaller, EntryChanged, WatchChannel};

/// How long a channel lives if nothing is said, and at most.
const DEFAULT_LIFETIME: Duration = Duration::days(7);
const MAX_LIFETIME: Duration = Duration::days(30);

/// Opens a channel on the events of a calendar.
pub(super) async fn watch(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let (body, now, base_url) = (object(&body)?, clock::now(), &google.server.url);
    let mut store = google.store();
    let (known, _) = store.visible(&caller.account, &calendar)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if known.info.owner == NOBODY {
        let (domain, reason) = ("calendar", "pushNotSupportedForRequestedResource");
        let error = GoogleApiError::invalid("Push notifications are not supported by this resource.");
        return Err(GoogleApiError { domain, reason, ..error });
    }
    let id = text("id").filter(|id| !id.is_empty()).ok_or_else(|| GoogleApiError::required("Missing id."))?;
    let is_of_id = |one: u8| one.is_ascii_alphanumeric() || b"-_+/=".contains(&one);
    if id.len() > 64 || !id.bytes().all(is_of_id) {
        return Err(GoogleApiError::invalid("Invalid channel id."));
    }
    if !matches!(text("type"), Some("web_hook" | "webhook")) {
        return Err(GoogleApiError::invalid("Unknown channel type."));
    }
    let address = text("address").ok_or_else(|| GoogleApiError::required("Missing address."))?;
    if push::address(address).is_none() {
        let error = GoogleApiError::invalid(format!("WebHook callback must be HTTPS: {address}"));
        return Err(GoogleApiError { reason: "push.webhookUrlNotHttps", ..error });
    }
    if text("token").is_some_and(|token| token.len() > 256) {
        return Err(GoogleApiError::invalid("Invalid channel token."));
    }
    if store.live_channels(now).any(|one| one.id == id) {
        let error = GoogleApiError::invalid(format!("Channel id {id} not unique"));
        return Err(GoogleApiError { reason: "channelIdNotUnique", ..error });
    }
    let path: String = url::form_urlencoded::byte_serialize(known.info.id.as_bytes()).collect();
    let channel = WatchChannel {
        id: id.into(),
        account: caller.account.clone(),
        client: caller.client.clone(),
        grant: caller.grant.clone(),
        calendar: known.info.id.clone(),
        address: address.into(),
        lifecycle_address: None,
        token: text("token").map(String::from),
        resource: format!("{base_url}/google/calendar/v3/calendars/{path}/events?alt=json"),
        kinds: Vec::new(),
        immutable_ids: false,
        expires_at: expiration(&body, now)?,
    };
    store.put_channel(channel.clone())?;
    google.server.notify(notification(&channel, "sync", 1));
    Ok(Json(channel_json(&channel)))
}

/// `expiration` in milliseconds, or `params.ttl` in seconds.
fn expiration(body: &Map<String, Value>, now: DateTime<Utc>) -> Result<DateTime<Utc>, GoogleApiError> {
    let invalid = || GoogleApiError::invalid("Invalid channel expiration.");
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let wanted = match (body.get("expiration"), body.get("params").map(|params| &params["ttl"])) {
        (Some(at), _) => {
            let at = number(at).and_then(|at| Utc.timestamp_millis_opt(at).single());
            at.filter(|at| *at > now).ok_or_else(invalid)?
        }
        (None, Some(ttl)) if !ttl.is_null() => {
            let seconds = number(ttl).filter(|seconds| (1..=i64::from(u32::MAX)).contains(seconds));
            now + Duration::seconds(seconds.ok_or_else(invalid)?)
        }
        _ => now + DEFAULT_LIFETIME,
    };
    Ok(wanted.min(now + MAX_LIFETIME))
}

/// Ends a channel of the same application. Google's servers say 204, its contract says 200, as with deletions.
pub(super) async fn stop(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    body: Bytes,
) -> Result<StatusCode, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let body = object(&body)?;
    let mut store = google.store();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (id, resource) = (text("id"), text("resourceId"));
    let known = store.live_channels(clock::now()).find(|one| one.id == id);
    let known = known.filter(|one| one.client == caller.client && one.account == caller.account);
    if known.is_none_or(|one| resource_id(one) != resource) {
        let message = format!("Channel '{id}' not found for resource '{resource}'");
        return Err(GoogleApiError { message, ..GoogleApiError::not_found() });
    }
    store.close_channel(id)?;
    Ok(StatusCode::OK)
}

/// The channel as `events.watch` answers with it.
fn channel_json(channel: &WatchChannel) -> Value {
    let mut answer = json!({
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": resource_id(channel),
        "resourceUri": channel.resource,
        "expiration": channel.expires_at.timestamp_millis().to_string(),
    });
    if let Some(token) = &channel.token {
        answer["token"] = token.clone().into();
    }
    answer
}

/// What is told of `changed`, and to whom.
pub(crate) fn notifications(
    google: &GoogleSandbox,
    changed: &EntryChanged,
    now: DateTime<Utc>,
) -> Vec<OutgoingNotification> {
    let store = google.store();
    store.told(changed, now).into_iter().map(|one| notification(one, "exists", changed.seq + 1)).collect()
}

/// Numbers grow and leave gaps.
fn notification(channel: &WatchChannel, state: &str, number: u64) -> OutgoingNotification {
    let mut headers = vec![
        ("X-Goog-Channel-ID", channel.id.clone()),
        ("X-Goog-Resource-ID", resource_id(channel)),
        ("X-Goog-Resource-URI", channel.resource.clone()),
        ("X-Goog-Resource-State", state.to_owned()),
        ("X-Goog-Message-Number", number.to_string()),
        // As HTTP writes dates (RFC 9110, 5.6.7).
        ("X-Goog-Channel-Expiration", channel.expires_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    headers.extend(channel.token.clone().map(|token| ("X-Goog-Channel-Token", token)));
    OutgoingNotification {
        provider: Provider::Google,
        account: channel.account.clone(),
        address: channel.address.clone(),
        headers,
        body: None,
    }
}

/// The same for all channels on one calendar.
fn resource_id(channel: &WatchChannel) -> String {
    fingerprint(&format!("events of {}", channel.calendar))
}
