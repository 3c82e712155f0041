//! The routes of Calendar v3, below `/google/calendar/v3`.

mod calendars;
mod channels;
mod events;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use serde_json::{Map, Value};

pub(crate) use channels::notifications;

use super::GoogleSandbox;
use super::errors::GoogleApiError;
use super::scopes::GooglePermission;
use crate::store::AuthenticatedCaller;

pub(crate) fn router() -> Router<Arc<GoogleSandbox>> {
    Router::new()
        .route("/users/me/calendarList", get(calendars::list))
        .route("/freeBusy", post(calendars::free_busy))
        .route("/calendars/{calendar}/events", get(events::list).post(events::insert))
        .route("/calendars/{calendar}/events/watch", post(channels::watch))
        .route("/channels/stop", post(channels::stop))
        .route(
            "/calendars/{calendar}/events/{event}",
            get(events::get).put(events::update).patch(events::patch).delete(events::delete),
        )
        .route("/{*unknown}", any(|| async { GoogleApiError::not_found() }))
}

impl AuthenticatedCaller {
    /// # Errors
    /// 403 if the person has consented to less.
    fn may(&self, need: GooglePermission) -> Result<(), GoogleApiError> {
        if need.is_met_by(&self.scope) { Ok(()) } else { Err(GoogleApiError::insufficient_scope()) }
    }
}

/// The decoded pairs of a query.
fn pairs(query: Option<String>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// A body that must be a JSON object.
fn object(body: &[u8]) -> Result<Map<String, Value>, GoogleApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(GoogleApiError { reason: "parseError", ..GoogleApiError::invalid("Parse Error") }),
    }
}
