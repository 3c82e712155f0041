//! Subscriptions to changes (<https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks>): made only
//! when both addresses have echoed a token, told of changes with ids alone, and mortal.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::super::MicrosoftSandbox;
use super::super::errors::GraphApiError;
use super::super::prefer::PreferHeader;
use super::super::resource::{etag, timestamp};
use super::super::scopes::GraphPermission;
use super::super::writes::calendar_of;
use super::super::{ids, tenants};
use super::object;
use crate::clock;
use crate::provider::Provider;
use crate::push::{self, OutgoingNotification};
use crate::store::{AuthenticatedCaller, EntryChanged, ProviderStore, StoreError, WatchChannel, secret};

/// How long a subscription to events lives at most, and what is less than this is raised to it.
const MAX_LIFETIME: Duration = Duration::minutes(10_080);
const MIN_LIFETIME: Duration = Duration::minutes(45);

const MAX_PER_MAILBOX: usize = 1000;
const MAX_CLIENT_STATE_LEN: usize = 128;

/// What can become of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LifecycleEvent {
    /// Its application must say that it is still there.
    ReauthorizationRequired,
    /// It is no more.
    SubscriptionRemoved,
    /// Notifications were lost: everything must be read again.
    Missed,
}

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
        return Err(invalid(format!("{name} cannot be changed.")));
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
    let is_own = |one: &WatchChannel| one.client == caller.client && one.account == caller.account;
    let found = store.live_channels(clock::now()).find(|one| one.id == id && is_own(one));
    // No item of a mailbox: the code is another one.
    let (code, message) = ("ResourceNotFound", "The subscription was not found.".into());
    found.ok_or_else(|| GraphApiError { code, message, ..GraphApiError::not_found() })
}

/// Reads what is asked for; nothing is stored before the addresses have answered.
///
/// # Errors
/// 400 with a sentence, 403 for too many, 404 for a calendar that is not there.
fn read(
    store: &ProviderStore,
    caller: &AuthenticatedCaller,
    body: &Map<String, Value>,
    prefer: &PreferHeader,
    now: DateTime<Utc>,
) -> Result<WatchChannel, GraphApiError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(String::from);
    let required = |name: &str| {
        text(name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{name} is needed.")))
    };
    let known = [
        "changeType",
        "notificationUrl",
        "lifecycleNotificationUrl",
        "resource",
        "expirationDateTime",
        "clientState",
        "latestSupportedTlsVersion",
    ];
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(invalid(format!("The sandbox does not know the property {name} of a subscription.")));
    }
    let kinds = required("changeType")?;
    let kinds = kinds.split(',').map(|kind| kind.trim().parse()).collect::<Result<Vec<_>, _>>();
    let kinds = kinds.map_err(|_| invalid("changeType is made of created, updated and deleted."))?;
    if text("clientState").is_some_and(|state| state.chars().count() > MAX_CLIENT_STATE_LEN) {
        return Err(invalid("clientState has more than 128 characters."));
    }
    let address = required("notificationUrl")?;
    let lifecycle_address = text("lifecycleNotificationUrl");
    for address in std::iter::once(&address).chain(&lifecycle_address) {
        check_address(address)?;
    }
    let resource = required("resource")?;
    let calendar = watched_calendar(store, caller, &resource)?;
    let same_mailbox = store.live_channels(now).filter(|one| one.account == caller.account);
    if same_mailbox.count() >= MAX_PER_MAILBOX {
        let message = "The mailbox has as many subscriptions as it may have.";
        return Err(GraphApiError { status: StatusCode::FORBIDDEN, ..invalid(message) });
    }
    Ok(WatchChannel {
        id: Uuid::new_v4().to_string(),
        account: caller.account.clone(),
        client: caller.client.clone(),
        grant: caller.grant.clone(),
        calendar,
        address,
        lifecycle_address,
        token: text("clientState"),
        resource,
        kinds,
        immutable_ids: prefer.immutable_ids,
        expires_at: expiration(&required("expirationDateTime")?, now)?,
    })
}

fn invalid(message: impl Into<String>) -> GraphApiError {
    GraphApiError::bad("InvalidRequest", message)
}

fn check_address(text: &str) -> Result<Url, GraphApiError> {
    push::address(text).ok_or_else(|| invalid("The notification address must be https."))
}

/// The calendar whose events `resource` names.
fn watched_calendar(
    store: &ProviderStore,
    caller: &AuthenticatedCaller,
    resource: &str,
) -> Result<String, GraphApiError> {
    let unknown = || invalid(format!("The sandbox knows no subscription to {resource}."));
    let path = resource.trim_matches('/');
    let own_id = store.accounts.get(&caller.account).map(|account| account.sub.as_str());
    let rest = path.strip_prefix("me/").or_else(|| {
        let (user, rest) =
            path.strip_prefix("users/").or_else(|| path.strip_prefix("Users/"))?.split_once('/')?;
        (Some(user) == own_id || user.eq_ignore_ascii_case(&caller.account)).then_some(rest)
    });
    let parts: Vec<_> = rest.ok_or_else(unknown)?.split('/').collect();
    match parts.as_slice() {
        ["events"] | ["calendar", "events"] => calendar_of(store, &caller.account, None),
        ["calendars", id, "events"] => {
            let decoded = url::form_urlencoded::parse(format!("id={}", id.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, id)| id.into_owned());
            calendar_of(store, &caller.account, decoded.as_deref())
        }
        _ => Err(unknown()),
    }
}

/// A life of 45 to 10,080 minutes: less is raised, more is refused.
fn expiration(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, GraphApiError> {
    let at =
        DateTime::parse_from_rfc3339(text).map_err(|_| invalid("expirationDateTime is no time."))?.to_utc();
    if at <= now {
        return Err(invalid("Subscription expiration needs to be in the future."));
    }
    // A minute more, for clocks that are not quite the same.
    if at > now + MAX_LIFETIME + Duration::minutes(1) {
        return Err(invalid("Subscription expiration can only be 10080 minutes in the future."));
    }
    Ok(at.max(now + MIN_LIFETIME))
}

/// Asks an address whether it wants to be told: it must echo the token as plain text within ten seconds.
///
/// # Errors
/// 400 if it does not.
async fn validate(microsoft: &MicrosoftSandbox, address: &str) -> Result<(), GraphApiError> {
    let failed = |why: String| {
        GraphApiError::bad(
            "ValidationError",
            format!(
                "Subscription validation request failed: {why}. Notification endpoint must respond with 200 OK."
            ),
        )
    };
    let mut url = check_address(address)?;
    // Characters that come back wrong from who decodes too often or too rarely.
    let token = format!(
        "Validation: Testing client application reachability for subscription Request-Id: {}",
        secret()
    );
    url.query_pairs_mut().append_pair("validationToken", &token);
    let (status, kind, body) = microsoft.server.push.ask(url).await.map_err(failed)?;
    if status != StatusCode::OK {
        return Err(failed(format!("the status was {}", status.as_u16())));
    }
    if !kind.to_ascii_lowercase().starts_with("text/plain") {
        return Err(failed("the content type was not text/plain".into()));
    }
    if body != token {
        return Err(failed("the body was not the validation token".into()));
    }
    Ok(())
}

/// The subscription as Graph answers with it.
fn subscription_json(store: &ProviderStore, channel: &WatchChannel, with_state: bool) -> Value {
    json!({
        "id": channel.id,
        "resource": channel.resource,
        "applicationId": tenants::application_id(&channel.client),
        "changeType": channel.kinds.iter().map(<&str>::from).collect::<Vec<_>>().join(","),
        "clientState": channel.token.as_ref().filter(|_| with_state),
        "notificationUrl": channel.address,
        "lifecycleNotificationUrl": channel.lifecycle_address,
        "expirationDateTime": timestamp(channel.expires_at),
        "creatorId": store.accounts.get(&channel.account).map(|account| &account.sub),
        "latestSupportedTlsVersion": "v1_2",
        "notificationQueryOptions": null,
        "includeResourceData": null,
        "encryptionCertificate": null,
        "encryptionCertificateId": null,
        "notificationUrlAppId": null,
    })
}

/// What is told of `changed`, and to whom.
pub(crate) fn notifications(
    microsoft: &MicrosoftSandbox,
    changed: &EntryChanged,
    now: DateTime<Utc>,
) -> Vec<OutgoingNotification> {
    let store = microsoft.store();
    let told = store.told(changed, now);
    let calendar = store.calendars.get(&changed.calendar);
    let moves = calendar.and_then(|one| one.entries.get(&changed.entry)).map_or(0, |entry| entry.moves);
    told.into_iter()
        .map(|channel| {
            let user = store.accounts.get(&channel.account).map_or("", |account| account.sub.as_str());
            let id = ids::shown(&changed.entry, moves, channel.immutable_ids);
            let resource = format!("Users/{user}/Events/{id}");
            let mut one = notification_body(channel);
            one["changeType"] = json!(changed.kind);
            one["resourceData"] = json!({
                "@odata.type": "#Microsoft.Graph.Event",
                "@odata.id": resource,
                "@odata.etag": etag(changed.seq),
                "id": id,
            });
            one["resource"] = resource.into();
            notification(channel, &channel.address, &one)
        })
        .collect()
}

/// Tells the applications of those subscriptions that are `wanted` what becomes of them. Returns how many were told.
///
/// # Errors
/// If a subscription that ends cannot be ended.
pub(crate) fn send_lifecycle_event(
    microsoft: &MicrosoftSandbox,
    event: LifecycleEvent,
    wanted: impl Fn(&WatchChannel) -> bool,
) -> Result<usize, StoreError> {
    let mut store = microsoft.store();
    let channels: Vec<_> = store.live_channels(clock::now()).filter(|one| wanted(one)).cloned().collect();
    let mut told = 0;
    for channel in channels {
        let Some(address) = &channel.lifecycle_address else { continue };
        let mut one = notification_body(&channel);
        one["lifecycleEvent"] = json!(event);
        let notification = notification(&channel, address, &one);
        if event == LifecycleEvent::SubscriptionRemoved {
            store.close_channel(&channel.id)?;
        }
        told += 1;
        microsoft.server.notify(notification);
    }
    Ok(told)
}

fn notification_body(channel: &WatchChannel) -> Value {
    json!({
        "subscriptionId": channel.id,
        "subscriptionExpirationDateTime": timestamp(channel.expires_at),
        "clientState": channel.token,
        "tenantId": tenants::tenant_of(&channel.account),
    })
}

fn notification(channel: &WatchChannel, address: &str, one: &Value) -> OutgoingNotification {
    OutgoingNotification {
        provider: Provider::Microsoft,
        account: channel.account.clone(),
        address: address.into(),
        headers: Vec::new(),
        body: Some(json!({ "value": [one] })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_raised_to_45_minutes_and_refused_beyond_a_week() {
        let now: DateTime<Utc> = "2026-02-02T10:00:00Z".parse().unwrap();
        let at = |text: &str| expiration(text, now).map(|at| (at - now).num_minutes());
        assert_eq!(at("2026-02-02T10:01:00Z"), Ok(45));
        assert_eq!(at("2026-02-03T10:00:00Z"), Ok(1440));
        for wrong in ["2026-02-02T10:00:00Z", "2026-02-09T10:02:00Z", "2026-02-03T10:00:00", "soon"] {
            assert_eq!(at(wrong).unwrap_err().code, "InvalidRequest", "{wrong}");
        }
    }
}
