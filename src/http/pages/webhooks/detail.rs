//! One endpoint: how it stands, its deliveries, and what can be done.

use askama::Template;
use concord_domain::{
    ids::{EventId, WebhookEndpointId},
    webhook::{DeliveryState, EndpointState},
};
use concord_services::webhooks;
use concord_storage::{
    PageRequest,
    entries::COUNT_LIMIT,
    webhook_deliveries::{self as deliveries, WebhookDelivery},
    webhook_endpoints::WebhookEndpoint,
};
use serde::Deserialize;

use super::{
    SecretReveal, answer, delete_confirmation, delivery_state, disable_confirmation, endpoint_path,
    form::EndpointForm, name, rotate_confirmation, state,
};
use crate::http::pages::{
    Confirmation, CurrentUser, Form, Layout, Manager, NavItem, PagePath, PageQuery, PageResult, Pill,
    RelativeTime, RevealQuery, SelectOption, capped_count, render_page, reveal,
};

const PAGE_SIZE: u32 = 50;

#[derive(Template)]
#[template(path = "webhook.html")]
pub(super) struct WebhookPage {
    layout: Layout,
    path: String,
    name: String,
    url: String,
    state: Pill,
    is_active: bool,
    /// Why it is disabled, and since when.
    disabled: Option<(&'static str, Option<RelativeTime>)>,
    failing_since: Option<RelativeTime>,
    last_success: Option<RelativeTime>,
    former_secret_until: Option<RelativeTime>,
    waiting: String,
    rows: Vec<DeliveryRow>,
    next: Option<String>,
    is_further: bool,
    filter: Vec<SelectOption>,
    questions: Vec<Confirmation>,
    choices: Vec<SelectOption>,
    form: Form<EndpointForm>,
    shown_once: Option<SecretReveal>,
    /// A secret was made, and shown before.
    was_shown: bool,
}

struct DeliveryRow {
    event: EventId,
    kind: String,
    happened: RelativeTime,
    state: Pill,
    answer: String,
    attempts: i64,
    next_attempt: Option<RelativeTime>,
    took_ms: Option<i64>,
}

/// Which deliveries are shown.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DeliveriesQuery {
    after: Option<String>,
    state: String,
}

pub(super) async fn show(
    user: Manager,
    PagePath(id): PagePath<WebhookEndpointId>,
    PageQuery(query): PageQuery<DeliveriesQuery>,
    shown: RevealQuery,
) -> PageResult {
    let endpoint = webhooks::find(&user.app.context, &user.change(), id).await?;
    let form = EndpointForm::from(&endpoint).into();
    let page = build_page(&user, &endpoint, query, form).await?;
    let reveal = reveal::take(&user, &endpoint_path(id), &shown).await?;
    let page = WebhookPage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..page };
    render_page(&user, &page)
}

pub(super) async fn build_page(
    user: &CurrentUser,
    endpoint: &WebhookEndpoint,
    query: DeliveriesQuery,
    form: Form<EndpointForm>,
) -> PageResult<WebhookPage> {
    let (db, place, path) =
        (&user.app.context.db, (user.business.id, endpoint.id), endpoint_path(endpoint.id));
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    let (wanted, is_further) = (query.state.parse::<DeliveryState>().ok(), query.after.is_some());
    let ask = PageRequest { limit: PAGE_SIZE, after: query.after };
    let found = deliveries::list(db, place, wanted, &ask).await?;
    let waiting = deliveries::count_waiting(db, place, COUNT_LIMIT).await?;
    let chosen = wanted.map_or("", DeliveryState::as_str);
    let is_active = endpoint.state == EndpointState::Active;
    let mut questions = vec![rotate_confirmation(endpoint), delete_confirmation(endpoint)];
    if is_active {
        questions.push(disable_confirmation(endpoint));
    }
    Ok(WebhookPage {
        layout: Layout::load(user, NavItem::Settings, name(endpoint)).await?,
        name: name(endpoint),
        url: endpoint.url.clone(),
        state: state(endpoint),
        is_active,
        disabled: endpoint.disabled_reason.map(|why| (why.label(), endpoint.disabled_at.map(when))),
        failing_since: endpoint.health.failing_since.filter(|_| is_active).map(when),
        last_success: endpoint.last_success_at.map(when),
        former_secret_until: endpoint.former_secret_until.filter(|at| *at > user.app.now()).map(when),
        waiting: capped_count(waiting),
        next: found.next.map(|next| format!("{path}?after={next}&state={chosen}")),
        rows: found.items.iter().map(|delivery| delivery_row(user, delivery)).collect(),
        is_further,
        filter: [("", "All"), ("waiting", "Pending"), ("delivered", "Delivered"), ("failed", "Failed")]
            .map(|(value, label)| SelectOption::new(value, label, chosen))
            .into(),
        questions,
        choices: form.choices(),
        form,
        shown_once: None,
        was_shown: false,
        path,
    })
}

fn delivery_row(user: &CurrentUser, delivery: &WebhookDelivery) -> DeliveryRow {
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    DeliveryRow {
        event: delivery.event_id,
        kind: delivery.kind.to_string(),
        happened: when(delivery.happened_at),
        state: delivery_state(delivery.state, delivery.attempts),
        answer: answer(delivery.last_status, delivery.last_error.as_deref()),
        attempts: delivery.attempts,
        next_attempt: delivery.due_at.filter(|_| delivery.attempts > 0).map(when),
        took_ms: delivery.last_duration_ms,
    }
}
