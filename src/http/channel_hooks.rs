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
use concord_jobs::channels::webhook::{Heard, Message, WebhookError, hear};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::{admission::Proof, hooks::let_in, visit::Visit};
use crate::app::App;

/// A reservation takes a few hundred bytes.
const MOST_BYTES: usize = 64 * 1024;

/// Where channel managers notify us.
pub(super) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/hooks/channels/{token}", post(from_channel_manager))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state((app.clone(), Proof::Webhook, MOST_BYTES), let_in))
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTaken)]
pub(in crate::http) struct Taken {
    /// `done`; `before`: it was done when it came the first time; `left_to_feed`: the platform's feed is read now, and
    /// says what is so; `nothing`: it is about what is not known, or was overtaken by a later message.
    status: &'static str,
}

/// Tell what was sold
///
/// For channel managers, signed by Standard Webhooks 1.0.0 with the channel's key. `type` is `calendar.changed` (the
/// platform's feed is read now), `reservation.created`, `reservation.updated` (`data`: `uid`, `check_in` and `check_out`
/// or `starts_at` and `ends_at`, `summary`, `guest`) or `reservation.cancelled` (`data`: `uid`). A message that comes
/// again is answered, and done once.
#[utoipa::path(post, path = "/hooks/channels/{token}", tag = "Channels", operation_id = "channel_webhook", security(()),
    params(
        ("token" = String, Path, description = "The secret part of the address that was given with the key"),
        ("webhook-id" = String, Header, description = "The same for each try"),
        ("webhook-timestamp" = String, Header, description = "Seconds since 1970; not older than five minutes"),
        ("webhook-signature" = String, Header, description = "`v1,<base64>`; several with spaces between"),
    ),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "It is done", body = Taken),
        (status = 400, description = "It is signed, and cannot be understood", content_type = "text/plain", body = String),
        (status = 409, description = "The channel is paused", content_type = "text/plain", body = String),
        (status = 401, description = "It is not believed", content_type = "text/plain", body = String),
        (status = 408, description = "It did not come to its end in ten seconds"),
        (status = 413, description = "It is larger than 64 KB"),
        (status = 429, description = "Too much from this address was not believed; `Retry-After` says when to come again"),
        (status = 503, description = "It was not done; send it again after the seconds in `Retry-After`",
            content_type = "text/plain", body = String),
    ))]
pub(in crate::http) async fn from_channel_manager(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let context = app.context.clone();
    let heard = app.to_the_end(async move {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = Message {
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
                Heard::Done => "done",
                Heard::Before => "before",
                Heard::LeftToFeed => "left_to_feed",
                Heard::Nothing => "nothing",
            };
            axum::Json(Taken { status }).into_response()
        }
        Err(error @ WebhookError::NotBelieved) => {
            app.admission.opened_nothing(Proof::Webhook, visit.network());
            (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response()
        }
        Err(error @ WebhookError::Paused) => (StatusCode::CONFLICT, format!("{error}\n")).into_response(),
        Err(error @ WebhookError::Malformed(_)) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "what a channel manager told was not done");
            let wait = [(header::RETRY_AFTER, "30")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "It was not done; send it again.\n").into_response()
        }
    }
}
