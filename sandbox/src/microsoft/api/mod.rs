//! The routes of Graph, below `/microsoft/v1.0`.

mod calendars;
mod events;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Json, http::StatusCode};
use serde_json::{Map, Value};

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
        .route("/me/calendar", get(calendars::own))
        .route("/me/calendars", get(calendars::list))
        .route("/me/calendars/{calendar}", get(calendars::get))
        .route("/me/calendar/getSchedule", post(calendars::schedule))
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::create))
        .route(
            "/subscriptions/{subscription}",
            get(subscriptions::get).patch(subscriptions::renew).delete(subscriptions::delete),
        )
        .route("/me/calendars/{calendar}/events", get(events::list_in).post(events::insert_in))
        .route("/me/calendars/{calendar}/calendarView", get(events::view_in))
        .route("/me/calendars/{calendar}/events/{event}", calendar_event_routes())
        .route("/me/calendars/{calendar}/events/{event}/instances", get(events::instances_in));
    for delta in ["delta", "delta()"] {
        router =
            router.route(&format!("/me/calendars/{{calendar}}/calendarView/{delta}"), get(events::delta_in));
    }
    for own in ["/me", "/me/calendar"] {
        router = router
            .route(&format!("{own}/events"), get(events::list).post(events::insert))
            .route(&format!("{own}/calendarView"), get(events::view))
            .route(&format!("{own}/calendarView/delta"), get(events::delta))
            .route(&format!("{own}/calendarView/delta()"), get(events::delta))
            .route(&format!("{own}/events/{{event}}"), one())
            .route(&format!("{own}/events/{{event}}/instances"), get(events::instances));
    }
    router.route("/{*unknown}", any(|| async { GraphApiError::no_segment() }))
}

fn one() -> MethodRouter<Arc<MicrosoftSandbox>> {
    get(events::get).patch(events::patch).delete(events::delete)
}

fn calendar_event_routes() -> MethodRouter<Arc<MicrosoftSandbox>> {
    get(events::get_in).patch(events::patch_in).delete(events::delete_in)
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
