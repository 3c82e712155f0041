//! `/hooks/channels/{token}`: where channel managers say what was sold.
//!
//! Nobody signs in here. A message proves itself by its signature (Standard Webhooks 1.0.0), and whoever cannot do that
//! gets the same answer whether the address is one of ours or not.

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::post,
};
use concord_jobs::channels::webhook::{WebhookError, WebhookMessage, WebhookOutcome, hear};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::{provider_webhooks::admit_notification, request_origin::RequestOrigin};
use crate::app::{App, admission::CredentialKind};

/// A reservation takes a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Where channel managers notify us.
pub(super) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/hooks/channels/{token}", post(channel_webhook))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(
            (app.clone(), CredentialKind::Webhook, MAX_BODY_BYTES),
            admit_notification,
        ))
}

/// The result of a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTaken)]
pub(in crate::http) struct ChannelWebhookAck {
    /// `done`; `before`: it was done when it came the first time; `left_to_feed`: the platform's feed is read now, and
    /// says what is so; `nothing`: it is about what is not known, or was overtaken by a later message.
    status: &'static str,
}

/// Send reservations by webhook
///
/// For channel managers, signed by Standard Webhooks 1.0.0 with the channel's key. `type` is `calendar.changed` (syncs
/// the platform's feed now), `reservation.created`, `reservation.updated` (`data`: `uid`, `check_in` and `check_out`
/// or `starts_at` and `ends_at`, `summary`, `guest`) or `reservation.cancelled` (`data`: `uid`). A repeated message
/// is acknowledged and processed once.
#[utoipa::path(post, path = "/hooks/channels/{token}", tag = "Channels", operation_id = "channel_webhook", security(()),
    params(
        ("token" = String, Path, description = "The secret part of the URL given with the key"),
        ("webhook-id" = String, Header, description = "The same for every retry"),
        ("webhook-timestamp" = String, Header, description = "Seconds since 1970; at most five minutes old"),
        ("webhook-signature" = String, Header, description = "`v1,<base64>`; several with spaces between"),
    ),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Processed", body = ChannelWebhookAck),
        (status = 400, description = "Signed, but not valid", content_type = "text/plain", body = String),
        (status = 409, description = "The channel is paused", content_type = "text/plain", body = String),
        (status = 401, description = "The signature is not valid", content_type = "text/plain", body = String),
        (status = 408, description = "The body was not received within ten seconds"),
        (status = 413, description = "The body is larger than 64 KB"),
        (status = 429, description = "Too many invalid signatures from this address; see `Retry-After`"),
        (status = 503, description = "Not processed; retry after the seconds in `Retry-After`",
            content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn channel_webhook(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let context = app.context.clone();
    let heard = app.run_to_completion(async move {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = WebhookMessage {
            id: text("webhook-id"),
            timestamp: text("webhook-timestamp"),
            signature: text("webhook-signature"),
            body: &body,
        };
        hear(&context, &SecretString::from(token), &message).await
    });
    let Ok(heard) = heard.await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    match heard {
        Ok(heard) => {
            let status = match heard {
                WebhookOutcome::Done => "done",
                WebhookOutcome::Before => "before",
                WebhookOutcome::LeftToFeed => "left_to_feed",
                WebhookOutcome::Nothing => "nothing",
            };
            axum::Json(ChannelWebhookAck { status }).into_response()
        }
        Err(error @ WebhookError::NotBelieved) => {
            app.admission.record_failure(CredentialKind::Webhook, visit.network());
            (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response()
        }
        Err(error @ WebhookError::Paused) => (StatusCode::CONFLICT, format!("{error}\n")).into_response(),
        Err(error @ WebhookError::Malformed(_)) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "what a channel manager told was not done");
            let wait = [(header::RETRY_AFTER, "30")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "Not processed; send it again.\n").into_response()
        }
    }
}
