//! One delivery: what was sent, what was answered, and when.

use askama::Template;
use concord_domain::{
    ids::{EventId, WebhookEndpointId},
    webhook::{self, EndpointState},
};
use concord_services::webhooks;
use concord_storage::webhook_deliveries as deliveries;
use serde_json::Value;

use super::{answer, delivery_state, endpoint_path, name};
use crate::http::pages::{
    Layout, Manager, NavItem, PageError, PagePath, PageResult, Pill, RelativeTime, render_page,
};

#[derive(Template)]
#[template(path = "webhook_delivery.html")]
struct DeliveryPage {
    layout: Layout,
    endpoint: String,
    endpoint_path: String,
    path: String,
    kind: String,
    event: EventId,
    state: Pill,
    happened: RelativeTime,
    attempts: i64,
    next_attempt: Option<RelativeTime>,
    last_attempt: Option<RelativeTime>,
    took_ms: Option<i64>,
    answer: String,
    /// How the last answer began.
    body: String,
    /// What is sent, with line breaks that it has not.
    message: String,
    may_resend: bool,
}

pub(super) async fn show(
    user: Manager,
    PagePath((id, event)): PagePath<(WebhookEndpointId, EventId)>,
) -> PageResult {
    let endpoint = webhooks::find(&user.app.context, &user.change(), id).await?;
    let found = deliveries::find(&user.app.context.db, (user.business.id, id), event).await?;
    let delivery = found.ok_or(PageError::NotFound("delivery"))?;
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    let sent =
        webhook::body(event, (delivery.kind, delivery.schema_version), delivery.happened_at, &delivery.data);
    let message = serde_json::from_str::<Value>(&sent).and_then(|sent| serde_json::to_string_pretty(&sent));
    let page = DeliveryPage {
        layout: Layout::load(&user, NavItem::Settings, delivery.kind.to_string()).await?,
        endpoint: name(&endpoint),
        endpoint_path: endpoint_path(id),
        path: format!("{}/deliveries/{event}", endpoint_path(id)),
        kind: delivery.kind.to_string(),
        event,
        state: delivery_state(delivery.state, delivery.attempts),
        happened: when(delivery.happened_at),
        attempts: delivery.attempts,
        next_attempt: delivery.due_at.map(when),
        last_attempt: delivery.last_attempt_at.map(when),
        took_ms: delivery.last_duration_ms,
        answer: answer(delivery.last_status, delivery.last_error.as_deref()),
        body: delivery.last_answer.unwrap_or_default(),
        message: message.unwrap_or(sent),
        may_resend: endpoint.state == EndpointState::Active,
    };
    render_page(&user, &page)
}
