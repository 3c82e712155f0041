//! Being told of changes: an ability that some providers have.
//!
//! A channel is known by the id that we gave it, and each of its notifications proves itself by a word that only we and
//! the provider know. What a notification says is that something has changed, never what.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use concord_domain::{connection::ProviderKind, ids::PushSubscriptionId};
use http::HeaderMap;
use secrecy::SecretString;
use url::Url;

use crate::{error::ProviderError, provider::ProviderCredentials};

/// A channel as it is asked for.
#[derive(Clone, Debug)]
pub struct PushSubscriptionRequest {
    /// Comes back with each notification.
    pub id: PushSubscriptionId,
    /// Comes back with each notification, too: at most 64 visible ASCII characters.
    pub secret: SecretString,
    /// Where notifications are sent.
    pub address: Url,
}

/// A channel as the provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePushSubscription {
    /// The provider's name for it.
    pub remote_id: String,
    /// The provider's name for what it watches, where it has one.
    pub resource_id: Option<String>,
}

/// What a provider has agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePushSubscription {
    /// As it is to be named from now on.
    pub subscription: RemotePushSubscription,
    /// When the provider ends it: as it says itself, whatever was asked for.
    pub expires_at: DateTime<Utc>,
}

/// What was sent to the address where a provider notifies us.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRequest<'a> {
    /// Of the address, encoded.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What a request to the webhook says.
#[derive(Debug)]
pub enum WebhookContent {
    /// Whether anybody is there; this text is to be returned.
    Validation(String),
    /// Notifications, each judged by itself.
    Notifications(Vec<Result<PushNotification, InvalidPushNotification>>),
}

/// Why a request to the webhook says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookError {
    /// Its body is not of the type in which the provider writes.
    MediaType,
    /// It does not have the form of a message.
    Malformed(InvalidPushNotification),
}

impl From<InvalidPushNotification> for WebhookError {
    fn from(invalid: InvalidPushNotification) -> Self {
        Self::Malformed(invalid)
    }
}

/// Reads what was sent to a provider's webhook. Of what it holds nothing is in an error.
pub type ReadWebhook = fn(WebhookRequest<'_>) -> Result<WebhookContent, WebhookError>;

/// A provider that tells of changes.
#[async_trait]
pub trait PushProvider: Send + Sync {
    /// Whether a channel can be given a later end. If not, a new one takes its place.
    fn renews(&self) -> bool;

    /// Opens a channel on the entries of a calendar, for as long as the provider lets it live. `Rejected`: this calendar
    /// or this address cannot have one.
    async fn open(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        wanted: &PushSubscriptionRequest,
    ) -> Result<ActivePushSubscription, ProviderError>;

    /// Gives a channel a later end. `NotFound`: it is over.
    async fn renew(
        &self,
        credentials: &ProviderCredentials,
        channel: &RemotePushSubscription,
    ) -> Result<ActivePushSubscription, ProviderError>;

    /// Ends a channel. One that is over already is a success. Notifications can still come for a while.
    async fn close(
        &self,
        credentials: &ProviderCredentials,
        channel: &RemotePushSubscription,
    ) -> Result<(), ProviderError>;
}

/// What a provider tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushNotificationKind {
    Opened,
    /// Something in the calendar has changed.
    Changed,
    /// The channel must be renewed now, or nothing more is told.
    RenewNow,
    /// The channel is over.
    Ended,
    /// Some changes were not told: everything must be read again.
    Missed,
}

/// A notification that has the right form. Whether it is true is not known yet.
#[derive(Clone, Debug)]
pub struct PushNotification {
    /// From whom it says to come.
    pub provider: ProviderKind,
    /// Which subscription it names.
    pub subscription: PushSubscriptionId,
    /// The word that it brings.
    pub secret: SecretString,
    /// The provider's names for the subscription and for what it watches, where it says them.
    pub remote_id: Option<String>,
    pub resource_id: Option<String>,
    /// Which message of the subscription it is: later ones have higher numbers, where they have any.
    pub number: Option<i64>,
    pub kind: PushNotificationKind,
}

/// It does not have the form of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no notification: {0}")]
pub struct InvalidPushNotification(pub &'static str);

/// How long providers are asked to let a channel live: both end it after a week at the latest, and a clock may be wrong.
pub(crate) const MAX_SUBSCRIPTION_LIFETIME: Duration = Duration::from_hours(7 * 24 - 1);
