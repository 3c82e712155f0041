//! The control interface: by it tests and demos play the persons of the outside world, break things on demand and read
//! what was said. All JSON; errors are `{"error": "a sentence"}`. No fault ever hits it.

mod accounts;
mod events;
mod faults;
mod mails;
mod traffic;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::app::App;
use crate::google::ApiError;

/// The routes below `/control`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts", get(accounts::list).post(accounts::add))
        .route("/calendars", post(accounts::add_calendar))
        .route("/calendars/{id}", patch(accounts::change_calendar).delete(accounts::delete_calendar))
        .route("/grants", post(accounts::grant))
        .route("/events", get(events::list).post(events::add))
        .route("/events/{id}", patch(events::change).delete(events::delete))
        .route("/mailbox", get(mails::place))
        .route("/mails", get(mails::list).delete(mails::clear))
        .route("/requests", get(traffic::requests).delete(traffic::forget))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/quotas", get(faults::quotas).put(faults::set_quotas))
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

impl From<ApiError> for ControlError {
    fn from(error: ApiError) -> Self {
        Self { status: error.status, message: error.message }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// Reads a body, or says what is wrong with it.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body)
        .map_err(|error| ControlError::bad(format!("the body cannot be read: {error}")))
}

/// Reads a query, or says what is wrong with it.
fn read_query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, ControlError> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let object = pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    serde_json::from_value(serde_json::Value::Object(object))
        .map_err(|error| ControlError::bad(format!("the query cannot be read: {error}")))
}

/// # Errors
/// 400 for a provider that the sandbox does not stand for.
fn check_provider(name: &str) -> Result<(), ControlError> {
    if name == "google" {
        return Ok(());
    }
    Err(ControlError::bad(format!("there is no provider {name:?} in the sandbox; there is: google")))
}

/// What faults may hit: the providers, and the mailbox.
///
/// # Errors
/// 400 for anything else.
fn check_target(name: &str) -> Result<(), ControlError> {
    if name == MAILBOX { Ok(()) } else { check_provider(name) }
}

/// What the mailbox is called beside the providers.
const MAILBOX: &str = "mailbox";
