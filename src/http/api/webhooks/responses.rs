//! What is answered of webhook endpoints and deliveries.

use chrono::{DateTime, Utc};
use concord_domain::webhook::{DeliveryState, DisabledReason, EndpointState, EventType};
use concord_storage::{webhook_deliveries::WebhookDelivery, webhook_endpoints::WebhookEndpoint};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A webhook endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookEndpointResponse {
    /// Its id, for `/webhooks/{id}`.
    id: Uuid,
    /// Where events are sent.
    url: String,
    /// For people; may be empty.
    description: String,
    /// Which events are sent; empty: all.
    event_types: Vec<EventType>,
    /// Its status.
    state: EndpointState,
    /// Why it is disabled; null while it is active.
    disabled_reason: Option<DisabledReason>,
    /// Since when it is disabled.
    disabled_at: Option<DateTime<Utc>>,
    /// Since when every delivery has failed; null if the last one succeeded.
    failing_since: Option<DateTime<Utc>>,
    /// When it last took an event, to the minute.
    last_success_at: Option<DateTime<Utc>>,
    /// Until when messages are also signed with the former secret.
    former_secret_until: Option<DateTime<Utc>>,
    /// When it was added.
    created_at: DateTime<Utc>,
}

impl From<WebhookEndpoint> for WebhookEndpointResponse {
    fn from(endpoint: WebhookEndpoint) -> Self {
        Self {
            id: endpoint.id.0,
            url: endpoint.url,
            description: endpoint.settings.description,
            event_types: endpoint.settings.event_types,
            state: endpoint.state,
            disabled_reason: endpoint.disabled_reason,
            disabled_at: endpoint.disabled_at,
            failing_since: endpoint.health.failing_since,
            last_success_at: endpoint.last_success_at,
            former_secret_until: endpoint.former_secret_until,
            created_at: endpoint.created_at,
        }
    }
}

/// A webhook endpoint and its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(super) struct NewEndpointResponse {
    /// The endpoint.
    pub(super) endpoint: WebhookEndpointResponse,
    /// The key that signs its messages (Standard Webhooks). Shown this once.
    #[schema(example = "whsec_...")]
    pub(super) secret: String,
}

/// A test that was started.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(super) struct TestedResponse {
    /// The id of the test event: its `webhook-id`.
    pub(super) event: Uuid,
}

/// How much is sent again.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = WebhookResent)]
pub(super) struct ResentResponse {
    /// Events that are sent again.
    pub(super) sent: u64,
}

/// One event on its way to one endpoint, with its last attempt.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryResponse {
    /// The event's id: the `webhook-id`.
    event: Uuid,
    /// What it tells.
    #[serde(rename = "type")]
    kind: EventType,
    /// When it happened.
    timestamp: DateTime<Utc>,
    /// The status.
    state: DeliveryState,
    /// Attempts so far.
    attempts: i64,
    /// When it is tried next; null unless it waits.
    next_attempt_at: Option<DateTime<Utc>>,
    /// When the last attempt began.
    last_attempt_at: Option<DateTime<Utc>>,
    /// The HTTP status of the last answer; null if there was none.
    last_status: Option<i64>,
    /// How the last answer began, at most 2,000 bytes.
    last_answer: Option<String>,
    /// Why there was no answer, or why it is not tried any more, in plain words.
    last_error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    last_duration_ms: Option<i64>,
    /// When the endpoint took it.
    delivered_at: Option<DateTime<Utc>>,
}

impl From<WebhookDelivery> for DeliveryResponse {
    fn from(delivery: WebhookDelivery) -> Self {
        Self {
            event: delivery.event_id.0,
            kind: delivery.kind,
            timestamp: delivery.happened_at,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: delivery.due_at,
            last_attempt_at: delivery.last_attempt_at,
            last_status: delivery.last_status,
            last_answer: delivery.last_answer,
            last_error: delivery.last_error,
            last_duration_ms: delivery.last_duration_ms,
            delivered_at: delivery.delivered_at,
        }
    }
}
