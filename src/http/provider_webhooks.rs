//! `/hooks/{provider}`: where providers say that something has changed.
//!
//! Nobody signs in here. A notification proves itself by the word of its channel (`concord_jobs::accounts::push`), and whoever
//! cannot do that gets the same answer as one who can: nobody learns which channels there are. What has not the form of a
//! notification is refused, and who sends much that is not believed is not listened to for a while.

use std::{str::FromStr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{DefaultBodyLimit, Extension, Path, RawQuery, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use concord_domain::provider::ProviderKind;
use concord_jobs::accounts::push::{NotificationHandler, NotificationOutcome};
use concord_providers::{
    InvalidPushNotification, PushNotification, WebhookContent, WebhookError, WebhookRequest, webhook_reader,
};

use super::request_origin::RequestOrigin;
use crate::app::{
    App,
    admission::{AdmissionError, BodySize, CredentialKind},
};

/// A full message is far smaller.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Where providers notify us.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/hooks/{provider}", post(notification))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(
            (app.clone(), CredentialKind::Notification, MAX_BODY_BYTES),
            admit_notification,
        ))
        .layer(Extension(NotificationHandler::new(app.context.clone())))
}

/// What is sent here comes at once, and is small.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Before anything of a message is read: whether its sender is listened to, and whether there is room for it.
pub(super) async fn admit_notification(
    State((app, credential_kind, most)): State<(App, CredentialKind, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let network = request.extensions().get::<RequestOrigin>().and_then(RequestOrigin::network);
    if let Err(error) = app.admission.check_failures(credential_kind, network) {
        return refusal_response(&error);
    }
    let size = BodySize::of(request.body());
    let held = match app.admission.reserve_notification(network, size, most).await {
        Ok(held) => held,
        Err(error) => return refusal_response(&error),
    };
    if held.is_none() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(_)) => refusal_response(&AdmissionError::TooLarge),
        Err(_) => {
            app.admission.record_failure(credential_kind, network);
            StatusCode::REQUEST_TIMEOUT.into_response()
        }
    }
}

fn refusal_response(error: &AdmissionError) -> Response {
    let wait = |seconds: u64| [(header::RETRY_AFTER, seconds.to_string())];
    match error {
        AdmissionError::RateLimited { seconds } => {
            (StatusCode::TOO_MANY_REQUESTS, wait(*seconds)).into_response()
        }
        AdmissionError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        AdmissionError::Full | AdmissionError::Storage(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, wait(5)).into_response()
        }
    }
}

/// A message, or the question whether there is anybody, which is echoed.
async fn notification(
    State(app): State<App>,
    Path(provider): Path<String>,
    Extension(listener): Extension<NotificationHandler>,
    Extension(visit): Extension<RequestOrigin>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reader = ProviderKind::from_str(&provider).ok().and_then(webhook_reader);
    let sender = NotificationSender { app, listener, visit };
    let Some(read) = reader else {
        sender.log_rejection("there is no such provider");
        return StatusCode::NOT_FOUND.into_response();
    };
    let query = query.as_deref().unwrap_or_default();
    match read(WebhookRequest { query, headers: &headers, body: &body }) {
        Ok(WebhookContent::Validation(token)) => {
            let plain =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
            (plain, token).into_response()
        }
        Ok(WebhookContent::Notifications(notices)) => sender.respond(notices).await,
        Err(WebhookError::MediaType) => {
            sender.log_rejection("its body is of another type");
            StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()
        }
        Err(WebhookError::Malformed(InvalidPushNotification(reason))) => {
            sender.log_rejection(reason);
            StatusCode::BAD_REQUEST.into_response()
        }
    }
}

struct NotificationSender {
    app: App,
    listener: NotificationHandler,
    visit: RequestOrigin,
}

impl NotificationSender {
    /// The same for what is believed and what is not. Only what could not be judged is asked for again.
    async fn respond(
        &self,
        notifications: Vec<Result<PushNotification, InvalidPushNotification>>,
    ) -> Response {
        for notification in notifications {
            let notification = match notification {
                Ok(notification) => notification,
                Err(InvalidPushNotification(reason)) => {
                    self.log_rejection(reason);
                    continue;
                }
            };
            match self.listener.hear(&notification).await {
                Ok(NotificationOutcome::Refused(reason)) => self.log_rejection(reason),
                Ok(heard) => {
                    tracing::debug!(subscription = %notification.subscription, ?heard, "a provider told of a change");
                }
                Err(error) => {
                    tracing::warn!(%error, "a notification could not be judged");
                    return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response();
                }
            }
        }
        StatusCode::ACCEPTED.into_response()
    }

    /// A line in the log, as long as the address has not sent too many: then it is not listened to any more. Nothing of
    /// what was sent is in it.
    fn log_rejection(&self, reason: &str) {
        if self.app.admission.record_failure(CredentialKind::Notification, self.visit.network()) {
            let address = self.visit.address().map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
            tracing::warn!(address, reason, "a notification was not believed");
        }
    }
}
