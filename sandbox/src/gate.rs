//! What every call of an application passes: faults, authentication, quotas, and the recorder. What differs between the
//! providers is their [`ProviderFrontend`].

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::bad_answers;
use crate::clock;
use crate::connection::ConnectionBreaker;
use crate::faults::{FaultHit, FaultKind, FaultRequest};
use crate::provider::Provider;
use crate::provider_sandbox::ProviderSandbox;
use crate::recorder::{RecordedExchange, query_object};
use crate::server::SandboxServer;
use crate::store::AuthenticatedCaller;

const MAX_BODY_BYTES: usize = 1 << 20;

/// The longest that a request is held by the `timeout` fault.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// The answer to a request that is not let through.
pub(crate) type RejectionResponse = Box<Response>;

/// What a provider says at its gate; it is of the type by which the provider limits requests.
pub(crate) trait ProviderFrontend: Default + Send + 'static {
    const PROVIDER: Provider;

    /// The member of a list's page that holds the whole address of the next one.
    const NEXT_LINK: Option<&'static str>;

    /// Whether applications call `path` without an access token.
    fn is_token_endpoint(path: &str) -> bool;

    /// Whether a query carries what an earlier read gave out for the next one.
    fn has_cursor(query: &[(String, String)]) -> bool;

    /// How many items a request asks for, if it is for a page of a list of events.
    fn page_size(arrival: &IncomingRequest) -> Option<u64>;

    /// The path as the provider's contract has it; `None` for what has no contract to be held against.
    fn contract_path(path: &str) -> Option<String>;

    /// Takes a permit among the requests in hand, if those are limited. It is given back when it is dropped.
    fn enter(
        _limits: &Arc<Mutex<Self>>,
        _caller: &AuthenticatedCaller,
    ) -> Result<Option<Box<dyn Send>>, RejectionResponse> {
        Ok(None)
    }

    /// The answer to a token that is not good, or to none.
    fn unauthenticated(has_token: bool) -> Response;

    /// Counts a request against the quotas.
    fn count(&mut self, caller: &AuthenticatedCaller, now: DateTime<Utc>) -> Result<(), RejectionResponse>;

    /// The answer of a fault that keeps the request from being worked on.
    fn answer_of(arrival: &IncomingRequest, strike: FaultHit) -> Option<Response>;
}

/// The pages for persons, and the endpoints for applications behind the gate.
pub(crate) fn router<S, L: ProviderFrontend>(
    provider: &Arc<ProviderSandbox<L>>,
    pages: Router<Arc<ProviderSandbox<L>>>,
    endpoints: Router<Arc<ProviderSandbox<L>>>,
) -> Router<S> {
    let gated = endpoints.layer(middleware::from_fn_with_state(Arc::clone(provider), pass::<L>));
    pages.merge(gated).with_state(Arc::clone(provider))
}

/// A request that has arrived in full.
pub(crate) struct IncomingRequest {
    pub(crate) parts: Parts,
    pub(crate) path: String,
    base_url: String,
    query: Vec<(String, String)>,
    body: Bytes,
    caller: Option<AuthenticatedCaller>,
    /// Whose grant the request stands on: account and application.
    grant: Option<(String, String)>,
}

/// Lets one request through, or not.
async fn pass<L: ProviderFrontend>(
    State(front): State<Arc<ProviderSandbox<L>>>,
    ConnectInfo(breaker): ConnectInfo<ConnectionBreaker>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let query = uri.query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (front, server) = (&*front, &*front.server);
    let arrival = IncomingRequest::new(front, parts, uri.path(), query, body);
    let record = arrival.begin_record::<L>();
    let _permit = match arrival.caller.as_ref().map_or(Ok(None), |caller| L::enter(&front.limits, caller)) {
        Ok(permit) => permit,
        Err(full) => return finish_record(server, record, *full, true).await,
    };
    let verdict = server.faults.strike(arrival.target::<L>());
    if server.hold(verdict.latency).await.is_err() {
        return gone(&breaker);
    }
    let kind = verdict.fault.map(|strike| strike.kind);
    if matches!(kind, Some(FaultKind::Timeout | FaultKind::SlowPages)) {
        let _ended = server.hold(LONGEST_HOLD).await;
        return gone(&breaker);
    }
    if let Some(kind) = kind {
        arrival.suffer(front, kind);
        // What is no answer of the provider has no contract to be held against: it is not recorded.
        if let Some(answer) = bad_answers::instead(kind, &server.url) {
            return answer;
        }
    }
    let response = match verdict.fault.and_then(|strike| L::answer_of(&arrival, strike)) {
        Some(answer) => answer,
        None => run(front, arrival, next).await,
    };
    let delivered = !matches!(kind, Some(FaultKind::ApplyThenDrop | FaultKind::TruncatedJson));
    let response = finish_record(server, record, response, delivered).await;
    match kind {
        Some(FaultKind::ApplyThenDrop) => gone(&breaker),
        Some(kind) => bad_answers::spoil(kind, L::NEXT_LINK, &server.url, response).await,
        None => response,
    }
}

/// Breaks the connection; the status is never seen.
pub(crate) fn gone(breaker: &ConnectionBreaker) -> Response {
    breaker.break_connection();
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn run<L: ProviderFrontend>(
    front: &ProviderSandbox<L>,
    arrival: IncomingRequest,
    next: Next,
) -> Response {
    let mut request = Request::from_parts(arrival.parts, Body::from(arrival.body));
    if !L::is_token_endpoint(&arrival.path) {
        // Looked at again: a fault may have ended the token meanwhile.
        let now = clock::now();
        let token = bearer(request.headers());
        let caller = token.and_then(|token| front.store().caller(token, now));
        let Some(caller) = caller.filter(|caller| caller.live) else {
            return L::unauthenticated(token.is_some());
        };
        if let Err(answer) = front.limits().count(&caller, now) {
            return *answer;
        }
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl IncomingRequest {
    fn new<L: ProviderFrontend>(
        front: &ProviderSandbox<L>,
        parts: Parts,
        path: &str,
        query: Vec<(String, String)>,
        body: Bytes,
    ) -> Self {
        let store = front.store();
        let caller = bearer(&parts.headers).and_then(|token| store.caller(token, clock::now()));
        let refresh_token = L::is_token_endpoint(path)
            .then(|| form_urlencoded::parse(&body).find(|(name, _)| name == "refresh_token"))
            .flatten();
        let grant = match (&caller, refresh_token) {
            (Some(caller), _) => Some((caller.account.clone(), caller.client.clone())),
            (None, Some((_, token))) => {
                store.grant_of(&token).map(|grant| (grant.account.clone(), grant.client.clone()))
            }
            (None, None) => None,
        };
        Self { parts, path: path.into(), base_url: front.server.url.clone(), query, body, caller, grant }
    }

    /// What its query says of `name`.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Its body, if that is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        parse_json(&self.body)
    }

    /// Where it went, without its query.
    pub(crate) fn address(&self) -> String {
        format!("{}{}", self.base_url, self.path)
    }

    fn target<L: ProviderFrontend>(&self) -> FaultRequest<'_> {
        FaultRequest {
            has_access_token: self.caller.as_ref().is_some_and(|caller| caller.live),
            has_grant: self.grant.is_some(),
            has_cursor: L::has_cursor(&self.query),
            page_size: L::page_size(self),
            is_read: self.parts.method == axum::http::Method::GET,
            is_for_tokens: L::is_token_endpoint(&self.path),
            pages_by_link: L::NEXT_LINK.is_some()
                && self.parts.method == axum::http::Method::GET
                && !L::is_token_endpoint(&self.path),
            ..FaultRequest::of(L::PROVIDER.into(), self.grant.as_ref().map(|(account, _)| account.as_str()))
        }
    }

    /// Does to the state what a fault does to it.
    fn suffer<L: ProviderFrontend>(&self, front: &ProviderSandbox<L>, kind: FaultKind) {
        let now = clock::now();
        let done = match (kind, &self.caller, &self.grant) {
            (FaultKind::ExpireToken, Some(caller), _) => front.store().expire(&caller.token, now),
            (FaultKind::RevokeGrant, _, Some((account, client))) => {
                front.store().end_grants(account, Some(client), now)
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(%error, "a fault could not be applied");
        }
    }

    /// The request's half of a recorded exchange.
    fn begin_record<L: ProviderFrontend>(&self) -> Option<RecordedExchange> {
        let path = L::contract_path(&self.path)?;
        Some(RecordedExchange {
            at: clock::now(),
            provider: L::PROVIDER.as_str(),
            method: self.parts.method.as_str().into(),
            path,
            query: query_object(&self.query),
            body: parse_json(&self.body),
            status: 0,
            response: None,
            headers: redacted_headers(&self.parts.headers),
            account: self.caller.as_ref().map(|caller| caller.account.clone()),
            delivered: true,
        })
    }
}

/// Headers without what is secret in them.
pub(crate) fn redacted_headers(headers: &HeaderMap) -> Map<String, Value> {
    let told = headers.iter().filter(|(name, _)| **name != header::AUTHORIZATION && **name != header::COOKIE);
    told.map(|(name, value)| (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect()
}

async fn finish_record(
    server: &SandboxServer,
    record: Option<RecordedExchange>,
    response: Response,
    delivered: bool,
) -> Response {
    let Some(record) = record else { return response };
    let (parts, body) = response.into_parts();
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "an answer could not be read back");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let (status, response) = (parts.status.as_u16(), parse_json(&bytes));
    server.recorder.record(RecordedExchange { status, response, delivered, ..record });
    Response::from_parts(parts, Body::from(bytes))
}

fn parse_json(bytes: &Bytes) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    Some(serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into()))
}
