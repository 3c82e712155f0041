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
    json::{Objects, from_slice},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    MicrosoftCalendar,
    errors::{Trouble, json},
    requests::segment,
};
use crate::{
    error::ProviderError,
    provider::Credentials,
    push::{LIFE, NoNotice, Notice, OpenChannel, PushSubscriptions, RemoteChannel, Told, WantedChannel},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    expiration_date_time: String,
}

impl Subscription {
    fn opened(self) -> Result<OpenChannel, ProviderError> {
        let end = DateTime::parse_from_rfc3339(&self.expiration_date_time).map_err(|_| {
            ProviderError::Transient("Microsoft's answer about a subscription has no end".to_owned())
        })?;
        let channel = RemoteChannel { remote_id: self.id, resource_id: None };
        Ok(OpenChannel { channel, expires_at: end.to_utc() })
    }
}

#[async_trait]
impl PushSubscriptions for MicrosoftCalendar {
    fn renews(&self) -> bool {
        true
    }

    async fn open(
        &self,
        credentials: &Credentials,
        calendar: &str,
        wanted: &WantedChannel,
    ) -> Result<OpenChannel, ProviderError> {
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
        json::<Subscription>(&self.call(credentials, built).await?)?.opened()
    }

    /// Tells Microsoft at once that we are still allowed to be told.
    async fn renew(
        &self,
        credentials: &Credentials,
        channel: &RemoteChannel,
    ) -> Result<OpenChannel, ProviderError> {
        let id = segment(&channel.remote_id)?;
        let later = json!({ "expirationDateTime": self.channel_end() });
        let built = self.graph.subscription(id).update_subscription(&later).build().await;
        json::<Subscription>(&self.call(credentials, built).await?)?.opened()
    }

    async fn close(&self, credentials: &Credentials, channel: &RemoteChannel) -> Result<(), ProviderError> {
        let Ok(id) = segment(&channel.remote_id) else { return Ok(()) };
        let built = self.graph.subscription(id).delete_subscription().build().await;
        match self.call(credentials, built).await {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal)) if refusal.says_gone() => Ok(()),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

impl MicrosoftCalendar {
    fn channel_end(&self) -> String {
        (self.clock.now() + LIFE).to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// More are not in one message.
const MOST_NOTICES: usize = 1_000;

#[derive(Deserialize)]
struct Batch {
    value: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    subscription_id: Option<String>,
    #[serde(default)]
    client_state: Option<String>,
    #[serde(default)]
    lifecycle_event: Option<String>,
}

/// Reads a message, which may hold notifications of many channels; each is judged by itself. Of what it holds nothing is
/// in the error.
pub fn notices(body: &[u8]) -> Result<Vec<Result<Notice, NoNotice>>, NoNotice> {
    let batch: Batch = from_slice(body).map_err(|_| NoNotice("the body is no list of notifications"))?;
    if batch.value.len() > MOST_NOTICES {
        return Err(NoNotice("there are too many at once"));
    }
    Ok(batch.value.into_iter().map(notice).collect())
}

fn notice(item: Value) -> Result<Notice, NoNotice> {
    let item: Item =
        Item::deserialize(Objects(item)).map_err(|_| NoNotice("it has not the fields of a notification"))?;
    let (channel, secret) = item
        .client_state
        .as_deref()
        .and_then(|state| state.split_once('.'))
        .ok_or(NoNotice("there is no clientState of ours"))?;
    let channel =
        PushSubscriptionId::from_str(channel).map_err(|_| NoNotice("there is no clientState of ours"))?;
    let told = match item.lifecycle_event.as_deref() {
        None => Told::Changed,
        Some("reauthorizationRequired") => Told::RenewNow,
        Some("subscriptionRemoved") => Told::Ended,
        Some("missed") => Told::Missed,
        Some(_) => return Err(NoNotice("nobody knows this lifecycleEvent")),
    };
    Ok(Notice {
        provider: ProviderKind::Microsoft,
        channel,
        secret: secret.into(),
        remote_id: Some(item.subscription_id.ok_or(NoNotice("there is no subscriptionId"))?),
        resource_id: None,
        number: None,
        told,
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
        let read = notices(body.to_string().as_bytes()).unwrap();
        let told: Vec<Option<Told>> =
            read.iter().map(|one| one.as_ref().ok().map(|notice| notice.told)).collect();
        let expected = [Told::Changed, Told::Missed, Told::RenewNow, Told::Ended].map(Some);
        assert_eq!(told, [&expected[..], &[None; 7]].concat());
        let first = read[0].as_ref().unwrap();
        assert_eq!(first.channel.0.simple().to_string(), STATE.split('.').next().unwrap());
        assert_eq!((first.secret.expose_secret(), first.remote_id.as_deref()), ("hush", Some("s-1")));
        assert!(!format!("{read:?}").contains("hush"));
    }

    #[test]
    fn what_is_no_batch_is_none() {
        let list = format!("[[[\"s-1\",\"{STATE}\",null]]]");
        let many = format!("{{\"value\":[{}]}}", vec!["{}"; 1_001].join(","));
        for body in ["", "[]", "{}", "{\"value\":7}", "\u{0}", many.as_str(), list.as_str()] {
            assert!(notices(body.as_bytes()).is_err(), "{body:.40}");
        }
    }
}
