//! The routes of Graph, below `/microsoft/v1.0`.

mod calendars;
mod events;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, patch, post};
use axum::{Json, http::StatusCode};
use serde_json::{Map, Value};

pub(crate) use subscriptions::{LifecycleEvent, notifications, send_lifecycle_event};

use super::MicrosoftSandbox;
use super::errors::GraphApiError;
use super::prefer::PreferHeader;
use super::scopes::GraphPermission;
use crate::store::AuthenticatedCaller;

/// What was followed of a client's preferences.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A calendar is the person's own, or is named; both have the same below them.
pub(crate) fn router() -> Router<Arc<MicrosoftSandbox>> {
    let mut router = Router::new()
        .route("/me", get(calendars::me))
        .route("/me/calendars", get(calendars::list))
        .route("/subscriptions", post(subscriptions::create))
        .route("/subscriptions/{subscription}", patch(subscriptions::renew).delete(subscriptions::delete));
    for calendar in ["/me", "/me/calendar", "/me/calendars/{calendar}"] {
        router = router
            .route(&format!("{calendar}/events"), get(events::list).post(events::insert))
            .route(&format!("{calendar}/calendarView"), get(events::view))
            .route(&format!("{calendar}/calendarView/delta"), get(events::delta))
            .route(&format!("{calendar}/calendarView/delta()"), get(events::delta))
            .route(
                &format!("{calendar}/events/{{event}}"),
                get(events::get).patch(events::patch).delete(events::delete),
            );
    }
    router.route("/{*unknown}", any(|| async { GraphApiError::no_segment() }))
}

impl AuthenticatedCaller {
    /// # Errors
    /// 403 if the person has consented to less.
    fn can(&self, need: GraphPermission) -> Result<(), GraphApiError> {
        if need.is_met_by(&self.scope) { Ok(()) } else { Err(GraphApiError::denied()) }
    }
}

/// The decoded pairs of a query.
fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// A body that must be a JSON object, and must say that it is JSON.
fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, GraphApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(GraphApiError::body(
            "A supported MIME type could not be found that matches the content type.",
        ));
    }
    serde_json::from_slice(body).map_err(|_| GraphApiError::body("Unable to read JSON request payload."))
}

/// An answer with the preferences that it follows.
fn answer(status: StatusCode, prefer: &PreferHeader, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(applied) = HeaderValue::from_str(&prefer.applied.join(", "))
        && !prefer.applied.is_empty()
    {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response
}
