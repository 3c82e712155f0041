//! All endpoints, and the form of a new one.

use askama::Template;
use concord_domain::ids::WebhookEndpointId;
use concord_storage::webhook_endpoints as store;

use super::{form::EndpointForm, name, state};
use crate::http::pages::{
    CurrentUser, Form, Layout, Manager, NavItem, PageResult, Pill, RelativeTime, SelectOption, pluralize,
    render_page,
};

#[derive(Template)]
#[template(path = "webhooks.html")]
pub(super) struct WebhooksPage {
    layout: Layout,
    rows: Vec<EndpointRow>,
    choices: Vec<SelectOption>,
    form: Form<EndpointForm>,
}

struct EndpointRow {
    id: WebhookEndpointId,
    name: String,
    url: String,
    state: Pill,
    events: String,
    last_success: Option<RelativeTime>,
}

pub(super) async fn show(user: Manager) -> PageResult {
    render_page(&user, &build_page(&user, EndpointForm::default().into()).await?)
}

pub(super) async fn build_page(user: &CurrentUser, form: Form<EndpointForm>) -> PageResult<WebhooksPage> {
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    let endpoints = store::list(&user.app.context.db, user.business.id).await?;
    let rows = endpoints.into_iter().map(|endpoint| EndpointRow {
        id: endpoint.id,
        name: name(&endpoint),
        state: state(&endpoint),
        events: match endpoint.settings.event_types.len() {
            0 => "All events".to_owned(),
            some => pluralize(i64::try_from(some).unwrap_or(i64::MAX), "event type", "event types"),
        },
        last_success: endpoint.last_success_at.map(when),
        url: endpoint.url,
    });
    Ok(WebhooksPage {
        layout: Layout::load(user, NavItem::Settings, "Webhooks").await?,
        rows: rows.collect(),
        choices: form.choices(),
        form,
    })
}
