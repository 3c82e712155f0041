//! The control interface: by it tests and demos play the persons of the outside world, break things on demand and read
//! what was said. All JSON; errors are `{"error": "a sentence"}`. No fault ever hits it.

mod accounts;
mod channels;
mod events;
mod faults;
mod mails;
mod ota;
mod traffic;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strum::VariantNames;

use crate::app::SandboxApp;
use crate::faults::FaultTarget;
use crate::ota::ListingError;
use crate::provider::Provider;
use crate::store::StoreError;

/// The routes below `/control`.
pub(crate) fn router() -> Router<Arc<SandboxApp>> {
    Router::new()
        .route("/accounts", get(accounts::list).post(accounts::add))
        .route("/calendars", post(accounts::add_calendar))
        .route("/calendars/{id}", patch(accounts::change_calendar).delete(accounts::delete_calendar))
        .route("/calendars/{id}/new_id", post(accounts::renumber_calendar))
        .route("/grants", post(accounts::grant))
        .route("/events", get(events::list).post(events::add))
        .route("/events/{id}", patch(events::change).delete(events::delete))
        .route("/events/{id}/duplicate", post(events::duplicate))
        .route("/events/{id}/restore", post(events::restore))
        .route("/events/{id}/move", post(events::move_entry))
        .route("/channels", get(channels::list))
        .route("/channels/{id}", delete(channels::end))
        .route("/lifecycle", post(channels::lifecycle))
        .route("/mailbox", get(mails::place))
        .route("/mails", get(mails::list).delete(mails::clear))
        .route("/requests", get(traffic::requests).delete(traffic::forget))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/ota", get(ota::list).post(ota::add))
        .route("/ota/{id}", get(ota::show))
        .route("/ota/{id}/bookings", post(ota::book))
        .route("/ota/{id}/bookings/{booking}", patch(ota::change).delete(ota::cancel))
        .route("/ota/{id}/blocks", post(ota::block))
        .route("/ota/{id}/import", put(ota::import).delete(ota::end_import))
        .route("/ota/{id}/read", post(ota::read_feed))
        .route("/quotas", put(faults::set_quotas))
        .fallback(|| async { ControlError::not_found("there is no such control") })
}

/// What was wrong with a request.
#[derive(Debug)]
struct ControlError {
    status: StatusCode,
    message: String,
}

impl ControlError {
    fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }
}

impl From<StoreError> for ControlError {
    fn from(refusal: StoreError) -> Self {
        let status = match refusal {
            StoreError::NotFound => StatusCode::NOT_FOUND,
            StoreError::ReadOnly => StatusCode::FORBIDDEN,
            StoreError::Duplicate => StatusCode::CONFLICT,
            StoreError::Deleted => StatusCode::GONE,
            StoreError::Invalid(_) | StoreError::Missing(_) => StatusCode::BAD_REQUEST,
            StoreError::Unwritten => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, message: refusal.to_string() }
    }
}

impl From<ListingError> for ControlError {
    fn from(refused: ListingError) -> Self {
        let status = match refused {
            ListingError::NotFound => StatusCode::NOT_FOUND,
            ListingError::Taken(_) => StatusCode::CONFLICT,
            ListingError::Invalid(_) => StatusCode::BAD_REQUEST,
            ListingError::Unwritten => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, message: refused.to_string() }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// A body in JSON.
struct ControlBody<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ControlBody<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ControlError> {
        let body = Bytes::from_request(request, state).await;
        let body =
            body.map_err(|error| ControlError { status: error.status(), message: error.body_text() })?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| ControlError::bad(format!("the body cannot be read: {error}")))
    }
}

/// A query of texts.
struct ControlQuery<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ControlQuery<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ControlError> {
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let object = pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
        serde_json::from_value(Value::Object(object))
            .map(Self)
            .map_err(|error| ControlError::bad(format!("the query cannot be read: {error}")))
    }
}

/// # Errors
/// 400 for a provider that the sandbox does not stand for.
fn provider(name: &str) -> Result<Provider, ControlError> {
    name.parse().map_err(|_| {
        let names = Provider::VARIANTS.join(", ");
        ControlError::bad(format!("there is no provider {name:?} in the sandbox; there are: {names}"))
    })
}

/// The provider that is named, or all.
fn providers(name: Option<&str>) -> Result<Vec<Provider>, ControlError> {
    name.map_or_else(|| Ok(Provider::ALL.into()), |name| provider(name).map(|one| vec![one]))
}

/// A query that may name a provider and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderQuery {
    provider: Option<String>,
}

/// What faults may hit: the providers, the mailbox, and the booking platforms.
///
/// # Errors
/// 400 for anything else.
fn party(name: &str) -> Result<FaultTarget, ControlError> {
    name.parse().or_else(|_| provider(name).map(FaultTarget::from))
}
