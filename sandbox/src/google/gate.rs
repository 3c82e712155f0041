//! What every call of an application passes: faults, authentication, quotas, and the recorder.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::errors::ApiError;
use super::grants::Caller;
use crate::app::App;
use crate::clock;
use crate::connection::Breaker;
use crate::faults::{FaultKind, Strike, Target};
use crate::recorder::{Exchange, query_object};

const LARGEST_BODY: usize = 1 << 20;

/// The longest that a request is held by the `timeout` fault.
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// A request that has arrived in full.
struct Arrival {
    parts: Parts,
    path: String,
    query: Vec<(String, String)>,
    body: Bytes,
    caller: Option<Caller>,
    /// Whose grant the request stands on: account and application.
    grant: Option<(String, String)>,
}

/// Lets one request through, or not.
pub(crate) async fn pass(
    State(app): State<Arc<App>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = uri.query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let arrival = Arrival::new(&app, parts, uri.path(), query, body);
    let verdict = app.faults.strike(arrival.target());
    if hold(&app, verdict.latency).await.is_err() {
        return gone(&breaker);
    }
    let kind = verdict.fault.map(|strike| strike.kind);
    if kind == Some(FaultKind::Timeout) {
        let _ended = hold(&app, LONGEST_HOLD).await;
        return gone(&breaker);
    }
    if let Some(kind) = kind {
        arrival.suffer(&app, kind);
    }
    let record = arrival.begin_record();
    let response = match verdict.fault.and_then(|strike| arrival.answer_of(strike)) {
        Some(answer) => answer,
        None => run(&app, arrival, next).await,
    };
    let delivered = kind != Some(FaultKind::ApplyThenDrop);
    let response = finish_record(&app, record, response, delivered).await;
    if delivered { response } else { gone(&breaker) }
}

/// Waits, unless the sandbox is to stop.
async fn hold(app: &App, time: Duration) -> Result<(), ()> {
    if time.is_zero() {
        return Ok(());
    }
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = app.shutdown.cancelled() => Err(()),
    }
}

/// Breaks the connection; the status is never seen.
fn gone(breaker: &Breaker) -> Response {
    breaker.break_connection();
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn run(app: &App, arrival: Arrival, next: Next) -> Response {
    let mut request = Request::from_parts(arrival.parts, Body::from(arrival.body));
    if !is_token_endpoint(&arrival.path) {
        // Looked at again: a fault may have ended the token meanwhile.
        let now = clock::now();
        let caller = bearer(request.headers()).and_then(|token| app.google.world().caller(token, now));
        let Some(caller) = caller.filter(|caller| caller.live) else {
            return ApiError::unauthenticated().into_response();
        };
        if let Err(error) = app.google.quota().spend(&caller.client, &caller.account, now) {
            return error.into_response();
        }
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn is_token_endpoint(path: &str) -> bool {
    matches!(path, "/google/token" | "/google/revoke")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl Arrival {
    fn new(app: &App, parts: Parts, path: &str, query: Vec<(String, String)>, body: Bytes) -> Self {
        let world = app.google.world();
        let caller = bearer(&parts.headers).and_then(|token| world.caller(token, clock::now()));
        let refresh_token = is_token_endpoint(path)
            .then(|| form_urlencoded::parse(&body).find(|(name, _)| name == "refresh_token"))
            .flatten();
        let grant = match (&caller, refresh_token) {
            (Some(caller), _) => Some((caller.account.clone(), caller.client.clone())),
            (None, Some((_, token))) => {
                world.grant_of(&token).map(|grant| (grant.account.clone(), grant.client.clone()))
            }
            (None, None) => None,
        };
        Self { parts, path: path.into(), query, body, caller, grant }
    }

    fn target(&self) -> Target<'_> {
        Target {
            provider: "google",
            account: self.grant.as_ref().map(|(account, _)| account.as_str()),
            has_access_token: self.caller.as_ref().is_some_and(|caller| caller.live),
            has_grant: self.grant.is_some(),
            has_cursor: self.query.iter().any(|(name, _)| name == "syncToken"),
        }
    }

    /// Does to the state what a fault does to it.
    fn suffer(&self, app: &App, kind: FaultKind) {
        let now = clock::now();
        let done = match (kind, &self.caller, &self.grant) {
            (FaultKind::ExpireToken, Some(caller), _) => app.google.world().expire(&caller.token, now),
            (FaultKind::RevokeGrant, _, Some((account, client))) => {
                app.google.world().end_grants(account, Some(client), now)
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(message = error.message, "a fault could not be applied");
        }
    }

    /// The answer of a fault that keeps the request from being worked on.
    fn answer_of(&self, strike: Strike) -> Option<Response> {
        let even = strike.before.is_multiple_of(2);
        let wait = u32::try_from(strike.value.unwrap_or(1)).unwrap_or(u32::MAX);
        let error = match strike.kind {
            // Google says it in either way.
            FaultKind::RateLimit if even || is_token_endpoint(&self.path) => {
                ApiError::too_many_requests(wait)
            }
            FaultKind::RateLimit => ApiError::user_rate_limit(),
            FaultKind::ServerError if even => ApiError::backend(StatusCode::INTERNAL_SERVER_ERROR),
            FaultKind::ServerError => ApiError::backend(StatusCode::SERVICE_UNAVAILABLE),
            FaultKind::GoneCursor => ApiError::full_sync_required(),
            FaultKind::EndlessList if self.path.ends_with("/events") && self.parts.method == Method::GET => {
                let page = json!({ "kind": "calendar#events", "items": [], "nextPageToken": "another" });
                return Some(Json(page).into_response());
            }
            _ => return None,
        };
        if is_token_endpoint(&self.path) {
            return Some(token_endpoint_error(&error));
        }
        Some(error.into_response())
    }

    /// The request's half of a recorded exchange; only the calendar API has a contract to be held against.
    fn begin_record(&self) -> Option<Exchange> {
        let path = self.path.strip_prefix("/google").filter(|path| path.starts_with("/calendar/v3/"))?;
        let mut headers = Map::new();
        for (name, value) in &self.parts.headers {
            if *name != header::AUTHORIZATION && *name != header::COOKIE {
                headers.insert(name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into());
            }
        }
        Some(Exchange {
            at: clock::now(),
            provider: "google",
            method: self.parts.method.as_str().into(),
            path: path.into(),
            query: query_object(&self.query),
            body: json_of(&self.body),
            status: 0,
            response: None,
            headers,
            account: self.caller.as_ref().map(|caller| caller.account.clone()),
            delivered: true,
        })
    }
}

/// Google's token endpoint speaks OAuth's error form also when it is overloaded.
fn token_endpoint_error(error: &ApiError) -> Response {
    let name = if error.retry_after.is_some() { "rate_limit_exceeded" } else { "internal_failure" };
    let mut response = (error.status, axum::Json(json!({ "error": name }))).into_response();
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn finish_record(app: &App, record: Option<Exchange>, response: Response, delivered: bool) -> Response {
    let Some(record) = record else { return response };
    let (parts, body) = response.into_parts();
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "an answer could not be read back");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let (status, response) = (parts.status.as_u16(), json_of(&bytes));
    app.recorder.record(Exchange { status, response, delivered, ..record });
    Response::from_parts(parts, Body::from(bytes))
}

fn json_of(bytes: &Bytes) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    Some(serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into()))
}
