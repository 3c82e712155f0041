//! Webhooks: the addresses of other systems that are told of what happens. `list` is the page of all of them, `detail` that of one
//! with its deliveries, `delivery` that of one delivery; what they do is in `actions`, and what is typed in `form`.

mod actions;
mod delivery;
mod detail;
mod form;
mod list;

use axum::{
    Router,
    routing::{MethodRouter, get, post},
};
use concord_domain::{
    ids::WebhookEndpointId,
    webhook::{DeliveryState, EndpointState, host_of},
};
use concord_services::webhooks;
use concord_storage::webhook_endpoints::WebhookEndpoint;
use serde::{Deserialize, Serialize};

use super::{Confirmation, Manager, NavItem, PagePath, PageResult, Pill, Tone, confirm_page, isolated};
use crate::app::App;

const PATH: &str = "/settings/webhooks";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(list::show).post(actions::create))
        .route("/settings/webhooks/{id}", get(detail::show).post(actions::update))
        .route("/settings/webhooks/{id}/rotate", ask(rotate_confirmation).post(actions::rotate))
        .route("/settings/webhooks/{id}/disable", ask(disable_confirmation).post(actions::disable))
        .route("/settings/webhooks/{id}/delete", ask(delete_confirmation).post(actions::delete))
        .route("/settings/webhooks/{id}/enable", post(actions::enable))
        .route("/settings/webhooks/{id}/test", post(actions::test))
        .route("/settings/webhooks/{id}/resend", post(actions::resend_since))
        .route("/settings/webhooks/{id}/deliveries/{event}", get(delivery::show))
        .route("/settings/webhooks/{id}/deliveries/{event}/resend", post(actions::resend))
}

fn endpoint_path(id: WebhookEndpointId) -> String {
    format!("{PATH}/{id}")
}

/// A secret that was just made.
#[derive(Serialize, Deserialize)]
struct SecretReveal {
    secret: String,
    is_new: bool,
}

/// What people call an endpoint: what they have written of it, or its host.
fn name(endpoint: &WebhookEndpoint) -> String {
    if endpoint.settings.description.is_empty() {
        host(&endpoint.url)
    } else {
        endpoint.settings.description.clone()
    }
}

fn host(url: &str) -> String {
    host_of(url).unwrap_or_else(|| url.to_owned())
}

fn state(endpoint: &WebhookEndpoint) -> Pill {
    match endpoint.state {
        EndpointState::Disabled => Pill::new(Tone::Neutral, "Disabled"),
        EndpointState::Active if endpoint.health.failing_since.is_some() => Pill::new(Tone::Wrong, "Failing"),
        EndpointState::Active => Pill::new(Tone::Good, "Active"),
    }
}

fn delivery_state(state: DeliveryState, attempts: i64) -> Pill {
    match state {
        DeliveryState::Waiting if attempts > 0 => Pill::new(Tone::Waiting, "Retrying"),
        DeliveryState::Waiting => Pill::new(Tone::Waiting, "Pending"),
        DeliveryState::Delivered => Pill::new(Tone::Good, "Delivered"),
        DeliveryState::Failed => Pill::new(Tone::Wrong, "Failed"),
    }
}

/// What an attempt was answered, in a few words.
fn answer(status: Option<i64>, error: Option<&str>) -> String {
    match (status, error) {
        (_, Some(error)) => super::capitalize(error),
        (Some(status @ 300..=399), None) => format!("{status}: redirects are not followed"),
        (Some(status), None) => status.to_string(),
        (None, None) => String::new(),
    }
}

fn rotate_confirmation(endpoint: &WebhookEndpoint) -> Confirmation {
    Confirmation {
        is_danger: false,
        ..Confirmation::danger(
            ("rotate", format!("{}/rotate", endpoint_path(endpoint.id))),
            format!("New secret for “{}”?", isolated(&name(endpoint))),
            "For 24 hours messages are signed with both the new and the current secret, so nothing is lost while you change it.",
            "Generate secret",
        )
    }
}

fn disable_confirmation(endpoint: &WebhookEndpoint) -> Confirmation {
    Confirmation::danger(
        ("disable", format!("{}/disable", endpoint_path(endpoint.id))),
        format!("Disable “{}”?", isolated(&name(endpoint))),
        "No more events are sent, and pending deliveries are dropped. You can enable it again and resend what it missed.",
        "Disable",
    )
}

fn delete_confirmation(endpoint: &WebhookEndpoint) -> Confirmation {
    Confirmation::danger(
        ("delete", format!("{}/delete", endpoint_path(endpoint.id))),
        format!("Delete “{}”?", isolated(&name(endpoint))),
        "No more events are sent, and its delivery log is deleted. This cannot be undone.",
        "Delete",
    )
}

fn ask(question: fn(&WebhookEndpoint) -> Confirmation) -> MethodRouter<App> {
    get(async move |user: Manager, PagePath(id): PagePath<WebhookEndpointId>| -> PageResult {
        let endpoint = webhooks::find(&user.app.context, &user.change(), id).await?;
        confirm_page(&user, (NavItem::Settings, endpoint_path(id)), question(&endpoint)).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_in_a_few_words() {
        for (status, error, words) in [
            (Some(204), None, "204"),
            (Some(301), None, "301: redirects are not followed"),
            (None, Some("no response in time"), "No response in time"),
            (Some(500), Some("the endpoint was disabled"), "The endpoint was disabled"),
            (None, None, ""),
        ] {
            assert_eq!(answer(status, error), words);
        }
        assert_eq!(host("https://shop.example/hook?key=secret"), "shop.example");
    }
}
