//! What Microsoft says at its gate.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::errors::GraphApiError;
use super::oauth::{EntraOAuthError, is_token_endpoint};
use super::odata::DEFAULT_PAGE;
use super::prefer::{PreferHeader, unknown_zone};
use super::throttle::{ConcurrencyPermit, GraphThrottle};
use crate::faults::{FaultHit, FaultKind};
use crate::gate::{IncomingRequest, ProviderFrontend, RejectionResponse};
use crate::provider::Provider;
use crate::store::AuthenticatedCaller;

impl ProviderFrontend for GraphThrottle {
    const PROVIDER: Provider = Provider::Microsoft;

    const NEXT_LINK: Option<&'static str> = Some("@odata.nextLink");

    fn is_token_endpoint(path: &str) -> bool {
        is_token_endpoint(path)
    }

    fn has_cursor(query: &[(String, String)]) -> bool {
        query.iter().any(|(name, _)| name == "$deltatoken" || name == "$skiptoken")
    }

    fn page_size(arrival: &IncomingRequest) -> Option<u64> {
        let is_of_events = is_list(arrival) && !arrival.path.ends_with("/calendars");
        let prefer = PreferHeader::read(&arrival.parts.headers).ok()?;
        let size = || prefer.page_size.unwrap_or(DEFAULT_PAGE) as u64;
        let top = arrival.asked("$top").and_then(|top| top.parse().ok());
        is_of_events.then(|| top.unwrap_or_else(size))
    }

    /// Brackets in a path may be escaped; the contract has them as they are.
    fn contract_path(path: &str) -> Option<String> {
        let path = path.strip_prefix("/microsoft").filter(|path| path.starts_with("/v1.0/"))?;
        Some(path.replace("%28", "(").replace("%29", ")"))
    }

    fn enter(
        limits: &Arc<Mutex<Self>>,
        caller: &AuthenticatedCaller,
    ) -> Result<Option<Box<dyn Send>>, RejectionResponse> {
        match ConcurrencyPermit::take(limits, &caller.client, &caller.account) {
            Ok(permit) => Ok(Some(Box::new(permit))),
            Err(full) => Err(Box::new(full.into_response())),
        }
    }

    fn unauthenticated(has_token: bool) -> Response {
        GraphApiError::unauthenticated(has_token).into_response()
    }

    fn count(&mut self, caller: &AuthenticatedCaller, now: DateTime<Utc>) -> Result<(), RejectionResponse> {
        let spent = self.spend(&caller.client, &caller.account, now);
        spent.map_err(|error| Box::new(error.into_response()))
    }

    fn answer_of(arrival: &IncomingRequest, strike: FaultHit) -> Option<Response> {
        let even = strike.before.is_multiple_of(2);
        let wait = u32::try_from(strike.value.unwrap_or(1)).unwrap_or(u32::MAX);
        if is_token_endpoint(&arrival.path) {
            return match strike.kind {
                FaultKind::RateLimit | FaultKind::ServerError => {
                    Some(EntraOAuthError::unavailable(wait).into_response())
                }
                FaultKind::RefuseSignIn => {
                    Some(EntraOAuthError::refused(strike.value.unwrap_or(65_001)).into_response())
                }
                _ => None,
            };
        }
        let error = match strike.kind {
            // Graph says it in either way, with the time to wait in both.
            FaultKind::RateLimit if even => GraphApiError::throttled("MailboxConcurrency", wait),
            FaultKind::RateLimit => GraphApiError::unavailable(Some(wait)),
            FaultKind::ServerError if even => GraphApiError::internal(),
            FaultKind::ServerError => GraphApiError::unavailable(None),
            FaultKind::NoMailbox if is_of_mailbox(&arrival.path) => GraphApiError::no_mailbox(),
            FaultKind::NoZones => unknown_zone(&foreign_zone(arrival)?),
            FaultKind::GoneCursor => GraphApiError::sync_state_expired(!even),
            FaultKind::EndlessList if is_list(arrival) => {
                let next = format!("{}?$skiptoken=another", arrival.address());
                return Some(Json(json!({ "value": [], "@odata.nextLink": next })).into_response());
            }
            _ => return None,
        };
        Some(error.into_response())
    }
}

/// Who the person is, and what was subscribed to, is known without a mailbox.
fn is_of_mailbox(path: &str) -> bool {
    path.split_once("/me/").is_some_and(|(_, rest)| !rest.is_empty())
}

/// The zone in which a request writes times, unless it is UTC.
fn foreign_zone(arrival: &IncomingRequest) -> Option<String> {
    let body = arrival.json()?;
    let named = ["start", "end"].into_iter().filter_map(|name| body[name]["timeZone"].as_str());
    named.filter(|zone| *zone != "UTC").map(str::to_owned).next()
}

fn is_list(arrival: &IncomingRequest) -> bool {
    let last = arrival.path.rsplit('/').next().unwrap_or_default();
    arrival.parts.method == Method::GET
        && (matches!(last, "calendars" | "events" | "calendarView") || last.starts_with("delta"))
}
