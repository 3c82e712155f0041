//! What Google says at its gate.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::errors::GoogleApiError;
use super::list_query::DEFAULT_PAGE;
use super::oauth::token;
use super::quota::GoogleQuota;
use crate::faults::{FaultHit, FaultKind};
use crate::gate::{IncomingRequest, ProviderFrontend, RejectionResponse};
use crate::provider::Provider;
use crate::store::AuthenticatedCaller;

impl ProviderFrontend for GoogleQuota {
    const PROVIDER: Provider = Provider::Google;

    /// Google gives tokens of pages, not addresses.
    const NEXT_LINK: Option<&'static str> = None;

    fn is_token_endpoint(path: &str) -> bool {
        matches!(path, "/google/token" | "/google/revoke")
    }

    fn has_cursor(query: &[(String, String)]) -> bool {
        query.iter().any(|(name, _)| name == "syncToken")
    }

    fn page_size(arrival: &IncomingRequest) -> Option<u64> {
        let size = arrival.asked("maxResults").and_then(|size| size.parse().ok());
        is_list_of_events(arrival).then(|| size.unwrap_or(DEFAULT_PAGE as u64))
    }

    fn contract_path(path: &str) -> Option<String> {
        path.strip_prefix("/google").filter(|path| path.starts_with("/calendar/v3/")).map(String::from)
    }

    fn unauthenticated(_: bool) -> Response {
        GoogleApiError::unauthenticated().into_response()
    }

    fn count(&mut self, caller: &AuthenticatedCaller, now: DateTime<Utc>) -> Result<(), RejectionResponse> {
        let spent = self.spend(&caller.client, &caller.account, now);
        spent.map_err(|error| Box::new(error.into_response()))
    }

    fn answer_of(arrival: &IncomingRequest, strike: FaultHit) -> Option<Response> {
        let even = strike.before.is_multiple_of(2);
        let wait = u32::try_from(strike.value.unwrap_or(1)).unwrap_or(u32::MAX);
        let at_token_endpoint = Self::is_token_endpoint(&arrival.path);
        let error = match strike.kind {
            // Google says it in either way.
            FaultKind::RateLimit if even || at_token_endpoint => GoogleApiError::too_many_requests(wait),
            FaultKind::RateLimit => GoogleApiError::user_rate_limit(),
            FaultKind::ServerError if even => GoogleApiError::backend(StatusCode::INTERNAL_SERVER_ERROR),
            FaultKind::ServerError => GoogleApiError::backend(StatusCode::SERVICE_UNAVAILABLE),
            FaultKind::GoneCursor => GoogleApiError::full_sync_required(),
            FaultKind::ApiDisabled => GoogleApiError::not_configured(),
            FaultKind::RefuseSignIn => return Some(token::refused(strike.value)),
            FaultKind::EndlessList if is_list_of_events(arrival) => {
                let page = json!({ "kind": "calendar#events", "items": [], "nextPageToken": "another" });
                return Some(Json(page).into_response());
            }
            _ => return None,
        };
        Some(if at_token_endpoint { token_endpoint_error(&error) } else { error.into_response() })
    }
}

fn is_list_of_events(arrival: &IncomingRequest) -> bool {
    arrival.path.ends_with("/events") && arrival.parts.method == Method::GET
}

/// Google's token endpoint speaks OAuth's error form also when it is overloaded.
fn token_endpoint_error(error: &GoogleApiError) -> Response {
    let name = if error.retry_after.is_some() { "rate_limit_exceeded" } else { "internal_failure" };
    let mut response = (error.status, axum::Json(json!({ "error": name }))).into_response();
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
