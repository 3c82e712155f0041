//! Push channels (<https://developers.google.com/workspace/calendar/api/guides/push>): there is no renewal, and a
//! notification says all that it says in its headers.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::DateTime;
use concord_domain::connection::ProviderKind;
use google_calendar3::api::Channel;
use http::HeaderMap;
use secrecy::ExposeSecret;

use super::{GoogleCalendar, requests::segment};
use crate::{
    access,
    error::ProviderError,
    error_response::{parse_json, unless_gone},
    provider::ProviderCredentials,
    push::{
        ActivePushSubscription, InvalidPushNotification, MAX_SUBSCRIPTION_LIFETIME, PushNotification,
        PushNotificationKind, PushProvider, PushSubscriptionRequest, RemotePushSubscription, WebhookContent,
        WebhookError, WebhookRequest,
    },
};

#[async_trait]
impl PushProvider for GoogleCalendar {
    fn renews(&self) -> bool {
        false
    }

    async fn open(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        wanted: &PushSubscriptionRequest,
    ) -> Result<ActivePushSubscription, ProviderError> {
        let channel = Channel {
            id: Some(wanted.id.to_string()),
            token: Some(wanted.secret.expose_secret().to_owned()),
            type_: Some("web_hook".to_owned()),
            address: Some(wanted.address.to_string()),
            // In seconds from now by Google's clock, so that ours does not matter.
            params: Some(HashMap::from([(
                "ttl".to_owned(),
                MAX_SUBSCRIPTION_LIFETIME.as_secs().to_string(),
            )])),
            ..Channel::default()
        };
        let path = format!("calendars/{}/events/watch", segment(calendar)?);
        let response = access::account(self, credentials).post(&path, &channel).await?;
        let opened: Channel = parse_json(&response, "Google")?;
        let expires_at = opened.expiration.and_then(DateTime::from_timestamp_millis);
        match (opened.id, opened.resource_id, expires_at) {
            (Some(remote_id), Some(resource), Some(expires_at)) => Ok(ActivePushSubscription {
                subscription: RemotePushSubscription { remote_id, resource_id: Some(resource) },
                expires_at,
            }),
            _ => Err(ProviderError::Transient("Google's response about a channel is incomplete".to_owned())),
        }
    }

    async fn renew(
        &self,
        _credentials: &ProviderCredentials,
        _channel: &RemotePushSubscription,
    ) -> Result<ActivePushSubscription, ProviderError> {
        Err(ProviderError::NotFound)
    }

    async fn close(
        &self,
        credentials: &ProviderCredentials,
        channel: &RemotePushSubscription,
    ) -> Result<(), ProviderError> {
        let channel = Channel {
            id: Some(channel.remote_id.clone()),
            resource_id: channel.resource_id.clone(),
            ..Channel::default()
        };
        unless_gone(access::account(self, credentials).post("channels/stop", &channel).await)?;
        Ok(())
    }
}

pub(crate) fn read_webhook(request: WebhookRequest<'_>) -> Result<WebhookContent, WebhookError> {
    Ok(WebhookContent::Notifications(vec![Ok(notification(request.headers)?)]))
}

/// Everything is in the headers.
fn notification(headers: &HeaderMap) -> Result<PushNotification, InvalidPushNotification> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let subscription = text("x-goog-channel-id").and_then(|id| id.parse().ok());
    let kind = match text("x-goog-resource-state") {
        Some("sync") => PushNotificationKind::Opened,
        Some("exists" | "not_exists") => PushNotificationKind::Changed,
        _ => return Err(InvalidPushNotification("there is no state of a resource")),
    };
    Ok(PushNotification {
        provider: ProviderKind::Google,
        subscription: subscription.ok_or(InvalidPushNotification("there is no channel of ours"))?,
        secret: text("x-goog-channel-token").unwrap_or_default().into(),
        remote_id: None,
        resource_id: Some(
            text("x-goog-resource-id").ok_or(InvalidPushNotification("there is no resource"))?.to_owned(),
        ),
        number: text("x-goog-message-number").and_then(|number| number.parse().ok()),
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_notification_is_its_headers() {
        let mut all = headers(&[
            ("x-goog-channel-id", CHANNEL),
            ("x-goog-channel-token", "hush"),
            ("x-goog-resource-id", "ret08u3rv24htgh289g"),
            ("x-goog-resource-state", "exists"),
            ("x-goog-message-number", "10"),
        ]);
        let read = notification(&all).unwrap();
        assert_eq!(
            (read.subscription.to_string().as_str(), read.kind),
            (CHANNEL, PushNotificationKind::Changed)
        );
        assert_eq!((read.secret.expose_secret(), read.number), ("hush", Some(10)));
        assert_eq!(read.resource_id.as_deref(), Some("ret08u3rv24htgh289g"));
        all.insert("x-goog-resource-state", "sync".parse().unwrap());
        assert_eq!(notification(&all).unwrap().kind, PushNotificationKind::Opened);
        for (name, value) in [
            ("x-goog-channel-id", "7"),
            ("x-goog-resource-state", "gone"),
            ("x-goog-resource-state", "ex\u{7f}"),
        ] {
            let mut bad = all.clone();
            match value.parse() {
                Ok(value) => bad.insert(name, value),
                Err(_) => bad.remove(name),
            };
            assert!(notification(&bad).is_err(), "{name}: {value}");
        }
        assert!(!format!("{read:?}").contains("hush"));
    }
}
