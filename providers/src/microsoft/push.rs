//! Subscriptions (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>).
//!
//! The create call is answered only after the address has echoed a token. `clientState` is all of ours that comes back
//! with a notification, so it holds both our id of the channel and its word.

use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use concord_domain::{
    connection::ProviderKind,
    ids::PushSubscriptionId,
    json::{StrictStructs, from_slice},
};
use http::{HeaderMap, header::CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MicrosoftCalendar, errors::json, requests::segment};
use crate::{
    access,
    error::ProviderError,
    error_response::unless_gone,
    provider::ProviderCredentials,
    push::{
        ActivePushSubscription, InvalidPushNotification, MAX_SUBSCRIPTION_LIFETIME, PushNotification,
        PushNotificationKind, PushProvider, PushSubscriptionRequest, RemotePushSubscription, WebhookContent,
        WebhookError, WebhookRequest,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphSubscription {
    id: String,
    expiration_date_time: String,
}

impl GraphSubscription {
    fn opened(self) -> Result<ActivePushSubscription, ProviderError> {
        let end = DateTime::parse_from_rfc3339(&self.expiration_date_time).map_err(|_| {
            ProviderError::Transient("Microsoft's response about a subscription has no end".to_owned())
        })?;
        let subscription = RemotePushSubscription { remote_id: self.id, resource_id: None };
        Ok(ActivePushSubscription { subscription, expires_at: end.to_utc() })
    }
}

#[async_trait]
impl PushProvider for MicrosoftCalendar {
    fn renews(&self) -> bool {
        true
    }

    async fn open(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        wanted: &PushSubscriptionRequest,
    ) -> Result<ActivePushSubscription, ProviderError> {
        let subscription = json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": wanted.address,
            // It cannot be added later.
            "lifecycleNotificationUrl": wanted.address,
            "resource": format!("me/calendars/{}/events", segment(calendar)?),
            "expirationDateTime": self.channel_end(),
            "clientState": format!("{}.{}", wanted.id.0.simple(), wanted.secret.expose_secret()),
        });
        let built = self.graph.subscriptions().create_subscription(&subscription).build().await;
        json::<GraphSubscription>(&access::account(self, credentials).call(built).await?)?.opened()
    }

    /// Tells Microsoft at once that we are still allowed to be told.
    async fn renew(
        &self,
        credentials: &ProviderCredentials,
        channel: &RemotePushSubscription,
    ) -> Result<ActivePushSubscription, ProviderError> {
        let id = segment(&channel.remote_id)?;
        let later = json!({ "expirationDateTime": self.channel_end() });
        let built = self.graph.subscription(id).update_subscription(&later).build().await;
        json::<GraphSubscription>(&access::account(self, credentials).call(built).await?)?.opened()
    }

    async fn close(
        &self,
        credentials: &ProviderCredentials,
        channel: &RemotePushSubscription,
    ) -> Result<(), ProviderError> {
        let Ok(id) = segment(&channel.remote_id) else { return Ok(()) };
        let built = self.graph.subscription(id).delete_subscription().build().await;
        unless_gone(access::account(self, credentials).call(built).await)?;
        Ok(())
    }
}

impl MicrosoftCalendar {
    fn channel_end(&self) -> String {
        (self.clock.now() + MAX_SUBSCRIPTION_LIFETIME).to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// A message, or the question whether there is anybody (`validationToken`), which is echoed
/// (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation>).
pub(crate) fn read_webhook(request: WebhookRequest<'_>) -> Result<WebhookContent, WebhookError> {
    match validation_token(request.query) {
        Some(token) if token.len() > MAX_TOKEN_LENGTH => {
            Err(InvalidPushNotification("the validation token is too long").into())
        }
        Some(token) => Ok(WebhookContent::Validation(token)),
        None if !is_json(request.headers) => Err(WebhookError::MediaType),
        None => Ok(WebhookContent::Notifications(notifications(request.body)?)),
    }
}

/// Validation tokens are a line long.
const MAX_TOKEN_LENGTH: usize = 2_000;

fn validation_token(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "validationToken").map(|(_, token)| token.into_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// More are not in one message.
const MAX_NOTIFICATIONS: usize = 1_000;

#[derive(Deserialize)]
struct ChangeNotificationBatch {
    value: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphChangeNotification {
    subscription_id: Option<String>,
    client_state: Option<String>,
    lifecycle_event: Option<String>,
}

/// A message may hold notifications of many channels.
fn notifications(
    body: &[u8],
) -> Result<Vec<Result<PushNotification, InvalidPushNotification>>, InvalidPushNotification> {
    let batch: ChangeNotificationBatch =
        from_slice(body).map_err(|_| InvalidPushNotification("the body is no list of notifications"))?;
    if batch.value.len() > MAX_NOTIFICATIONS {
        return Err(InvalidPushNotification("there are too many at once"));
    }
    Ok(batch.value.into_iter().map(notification).collect())
}

fn notification(item: Value) -> Result<PushNotification, InvalidPushNotification> {
    let item: GraphChangeNotification = GraphChangeNotification::deserialize(StrictStructs(item))
        .map_err(|_| InvalidPushNotification("it has not the fields of a notification"))?;
    let (subscription, secret) = item
        .client_state
        .as_deref()
        .and_then(|state| state.split_once('.'))
        .ok_or(InvalidPushNotification("there is no clientState of ours"))?;
    let subscription = PushSubscriptionId::from_str(subscription)
        .map_err(|_| InvalidPushNotification("there is no clientState of ours"))?;
    let kind = match item.lifecycle_event.as_deref() {
        None => PushNotificationKind::Changed,
        Some("reauthorizationRequired") => PushNotificationKind::RenewNow,
        Some("subscriptionRemoved") => PushNotificationKind::Ended,
        Some("missed") => PushNotificationKind::Missed,
        Some(_) => return Err(InvalidPushNotification("nobody knows this lifecycleEvent")),
    };
    Ok(PushNotification {
        provider: ProviderKind::Microsoft,
        subscription,
        secret: secret.into(),
        remote_id: Some(item.subscription_id.ok_or(InvalidPushNotification("there is no subscriptionId"))?),
        resource_id: None,
        number: None,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "0197f0c26b1e7d3a9a4e2f6d2f1f8b10.hush";

    #[test]
    fn each_of_a_batch_is_judged_by_itself() {
        let body = json!({ "value": [
            { "subscriptionId": "s-1", "clientState": STATE, "changeType": "updated", "resourceData": {} },
            { "subscriptionId": "s-1", "clientState": STATE, "lifecycleEvent": "missed" },
            { "subscriptionId": "s-1", "clientState": STATE, "lifecycleEvent": "reauthorizationRequired" },
            { "subscriptionId": "s-1", "clientState": STATE, "lifecycleEvent": "subscriptionRemoved" },
            { "subscriptionId": "s-1", "clientState": STATE, "lifecycleEvent": "rejoiced" },
            { "subscriptionId": "s-1", "clientState": "another's" },
            { "subscriptionId": "s-1", "clientState": null },
            { "clientState": STATE },
            { "subscriptionId": 7, "clientState": STATE },
            7,
            ["s-1", STATE, null],
        ] });
        let read = notifications(body.to_string().as_bytes()).unwrap();
        let kinds: Vec<Option<PushNotificationKind>> =
            read.iter().map(|one| one.as_ref().ok().map(|notification| notification.kind)).collect();
        let expected = [
            PushNotificationKind::Changed,
            PushNotificationKind::Missed,
            PushNotificationKind::RenewNow,
            PushNotificationKind::Ended,
        ]
        .map(Some);
        assert_eq!(kinds, [&expected[..], &[None; 7]].concat());
        let first = read[0].as_ref().unwrap();
        assert_eq!(first.subscription.0.simple().to_string(), STATE.split('.').next().unwrap());
        assert_eq!((first.secret.expose_secret(), first.remote_id.as_deref()), ("hush", Some("s-1")));
        assert!(!format!("{read:?}").contains("hush"));
    }

    #[test]
    fn what_is_no_batch_is_none() {
        let list = format!("[[[\"s-1\",\"{STATE}\",null]]]");
        let many = format!("{{\"value\":[{}]}}", vec!["{}"; 1_001].join(","));
        for body in ["", "[]", "{}", "{\"value\":7}", "\u{0}", many.as_str(), list.as_str()] {
            assert!(notifications(body.as_bytes()).is_err(), "{body:.40}");
        }
    }

    #[test]
    fn the_token_is_echoed_as_it_was_before_it_was_encoded() {
        let token = "Validation: Testing client application reachability for subscription Request-Id: a+b/c=";
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("validationToken", token)
            .finish();
        assert_eq!(validation_token(&query).as_deref(), Some(token));
        assert_eq!(validation_token("other=1"), None);
        assert_eq!(validation_token(""), None);
    }

    #[test]
    fn json_is_told_by_its_type() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/jsonx", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
