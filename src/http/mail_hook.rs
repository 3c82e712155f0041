//! `/hooks/mail`: where the mail server that has the sender's mailbox hands over what customers' calendars answer.

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::post,
};
use concord_jobs::mail::incoming::{MAX_INCOMING_BYTES, ReplyOutcome};
use concord_services::replies;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::{api::auth::bearer, provider_webhooks::admit_notification, request_origin::RequestOrigin};
use crate::app::{App, admission::CredentialKind};

/// Where mails are handed in, if a secret is set for that.
pub(super) fn router(app: &App) -> Router<App> {
    Router::new().route("/hooks/mail", post(receive)).layer(DefaultBodyLimit::max(MAX_INCOMING_BYTES)).layer(
        middleware::from_fn_with_state(
            (app.clone(), CredentialKind::Webhook, MAX_INCOMING_BYTES),
            admit_notification,
        ),
    )
}

/// A mail as it came (RFC 5322), with the secret as a bearer token. What is no reply is taken all the same: nobody wants it
/// back.
async fn receive(
    State(app): State<App>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(secret) = &app.config.mail.receive_secret else { return StatusCode::NOT_FOUND.into_response() };
    let shown = headers.get(header::AUTHORIZATION).and_then(bearer);
    let is_right = shown.is_some_and(|shown| {
        shown.expose_secret().as_bytes().ct_eq(secret.expose_secret().as_bytes()).into()
    });
    if !is_right {
        app.admission.record_failure(CredentialKind::Webhook, visit.network());
        return (StatusCode::UNAUTHORIZED, "The secret is wrong.\n").into_response();
    }
    match replies::receive(&app.context, &body).await {
        Ok(outcome) => (StatusCode::OK, format!("{}\n", describe(outcome))).into_response(),
        Err(error) => {
            tracing::error!(%error, "a mail could not be taken in");
            let wait = [(header::RETRY_AFTER, "60")];
            (StatusCode::SERVICE_UNAVAILABLE, wait, "Not processed; send it again.\n").into_response()
        }
    }
}

/// For the log of the mail server.
fn describe(outcome: ReplyOutcome) -> &'static str {
    match outcome {
        ReplyOutcome::Answered(_) => "answer saved",
        ReplyOutcome::Wished => "wish noted",
        ReplyOutcome::Outdated => "noted: it answers an earlier invitation",
        ReplyOutcome::OtherAddress => "noted: it is from an address that was not invited",
        ReplyOutcome::NotBelieved => "ignored: the mail server does not vouch for its sender",
        ReplyOutcome::Ignored => "ignored: no reply to an invitation, or one that is known",
    }
}
