//! `Idempotency-Key`: a POST that is sent twice is done once, and both get the same answer.
//!
//! What is done and that it was done are one transaction (`concord_storage::idempotency`); the answer is kept after it,
//! for a day, sealed: it may hold what is shown once, such as a feed's address. A process that is killed in between leaves
//! what was done without its answer: whoever repeats the request is told that, and where to read it.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_domain::{
    audit::HistorySubject,
    ids::{BookingId, BusinessId},
};
use concord_storage::{
    StorageError, bookings,
    idempotency::{self, CompletedRequest, KeyClaim, KeyedRequest},
    in_tx, secret,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use super::{
    auth::Api,
    problem::{ApiError, Kind},
    request::body_problem,
};
use crate::app::App;

/// The header of the request.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header by which an answer says that it is a repetition.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const MAX_KEY_LENGTH: usize = 255;
/// No answer of ours is larger.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// How often a request that is under way says that it is: several times before it is taken for dead.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(8);
/// How long to wait before what was done is written down once more.
const RECORD_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2)];
/// The headers that belong to an answer's meaning.
const STORED_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredResponse {
    headers: Vec<(String, String)>,
    body: String,
}

/// Stands around the API, inside of `auth::require_key`. PUT, PATCH and DELETE may carry the header too; they are
/// idempotent by themselves.
pub async fn idempotent(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    let (keyed, request) = match read_keyed_request(&app, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    // To its end: what was done must not be left without its answer, or a repetition would do it again.
    let whole = app.clone();
    match app.run_to_completion(async move { run_once(&whole, &keyed, request, next).await }).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(ended) => ApiError::internal(ended).into_response(),
    }
}

/// Reads the whole request, since its body belongs to what the key stands for.
async fn read_keyed_request(app: &App, request: Request) -> Result<(KeyedRequest, Request), ApiError> {
    let key = idempotency_key(request.headers())?;
    let business = request
        .extensions()
        .get::<Api>()
        .map(|api| api.business)
        .ok_or_else(|| ApiError::internal("idempotency stands outside of require_key"))?;
    let (parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), app)
        .await
        .map_err(|rejection| body_problem(rejection.into_response().status()))?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let request_hash = digest(parts.method.as_str(), path, &bytes);
    let keyed = KeyedRequest { business, key, request_hash, began_at: app.now() };
    Ok((keyed, Request::from_parts(parts, Body::from(bytes))))
}

async fn run_once(
    app: &App,
    keyed: &KeyedRequest,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let mut begun = begin(app, keyed).await?;
    if let KeyClaim::Repeat { status, response, done } = &begun {
        match replay_stored(app, keyed.business, *status, response) {
            Ok(response) => return Ok(response),
            // Sealed with a key that this installation no longer has: as good as not kept.
            Err(cause) => {
                tracing::warn!(%cause, "an answer that was kept cannot be read");
                if let Some(done) = done {
                    return Err(already_done_error(app, keyed.business, done).await?);
                }
                idempotency::discard(&app.context.db, keyed, response).await?;
                begun = begin(app, keyed).await?;
            }
        }
    }
    match begun {
        KeyClaim::Fresh => {
            let _alive = spawn_heartbeat(app, keyed);
            let response = idempotency::during(keyed, next.run(request)).await;
            store_response(app, keyed, response).await
        }
        KeyClaim::Mismatch => {
            Err(ApiError::new(Kind::KeyReused, "This key was already used with another path or body."))
        }
        KeyClaim::Done(done) => Err(already_done_error(app, keyed.business, &done).await?),
        KeyClaim::UnderWay { ask_again } => Err(in_progress_error(ask_again.num_seconds())),
        // Somebody was faster to do it again; they are as good as under way.
        KeyClaim::Repeat { .. } => Err(in_progress_error(1)),
    }
}

fn in_progress_error(ask_again: i64) -> ApiError {
    ApiError::new(Kind::UnderWay, "The first request with this key is still in progress.")
        .retry_after(u32::try_from(ask_again).unwrap_or(1))
}

/// Says again and again that the request is still being answered, as long as what this returns lives.
fn spawn_heartbeat(app: &App, keyed: &KeyedRequest) -> AbortOnDropHandle<()> {
    let (app, keyed) = (app.clone(), keyed.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(HEARTBEAT_INTERVAL).await;
            if let Err(error) = idempotency::renew(&app.context.db, &keyed, app.now()).await {
                tracing::warn!(%error, "a request with an idempotency key could not say that it is under way");
            }
        }
    }))
}

/// What was done is not done again, even where its answer is lost.
async fn already_done_error(
    app: &App,
    business: BusinessId,
    done: &CompletedRequest,
) -> Result<ApiError, StorageError> {
    let when = done.at.format("%Y-%m-%dT%H:%M:%SZ");
    let Some(place) = resource_location(app, business, done).await? else {
        let words = format!(
            "The request with this key at {when} was completed, but its response was lost. Read the resource; \
             to repeat the request, use a new key."
        );
        return Ok(ApiError::new(Kind::AlreadyDone, words));
    };
    let place = app.absolute_url(&place);
    let words = format!(
        "The request with this key at {when} was completed, but its response was lost. Read {place} for the result."
    );
    let error = ApiError::new(Kind::AlreadyDone, words);
    Ok(match HeaderValue::from_str(&place) {
        Ok(place) => error.with_header(header::LOCATION, place),
        Err(_) => error,
    })
}

/// Where what was done can be read.
async fn resource_location(
    app: &App,
    business: BusinessId,
    done: &CompletedRequest,
) -> Result<Option<String>, StorageError> {
    let Some((kind, id)) = done.subject else { return Ok(None) };
    Ok(Some(match kind {
        HistorySubject::Business => "/api/v1/business".to_owned(),
        HistorySubject::Resource => format!("/api/v1/resources/{id}"),
        HistorySubject::Staff => format!("/api/v1/staff/{id}"),
        HistorySubject::Connection => format!("/api/v1/calendar_integrations/{id}"),
        HistorySubject::Feed => format!("/api/v1/feeds/{id}"),
        HistorySubject::Channel => format!("/api/v1/channels/{id}"),
        HistorySubject::WebhookEndpoint => format!("/api/v1/webhooks/{id}"),
        HistorySubject::Platform => "/api/v1/platforms".to_owned(),
        HistorySubject::Booking => {
            let booking = bookings::by_id(&app.context.db, business, BookingId(id)).await?;
            return Ok(booking.map(|booking| format!("/api/v1/bookings/{}", booking.reference)));
        }
        HistorySubject::User | HistorySubject::ApiKey | HistorySubject::ReminderRule => return Ok(None),
    }))
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let text = headers.get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
    if text.is_empty() || text.len() > MAX_KEY_LENGTH {
        return Err(ApiError::new(
            Kind::Malformed,
            format!("Idempotency-Key must have 1 to {MAX_KEY_LENGTH} visible ASCII characters."),
        ));
    }
    Ok(text.to_owned())
}

/// Zero bytes keep the parts apart: neither a method nor a path holds one.
fn digest(method: &str, path: &str, body: &[u8]) -> String {
    secret::digest_bytes(&[method.as_bytes(), b"\0", path.as_bytes(), b"\0", body].concat())
}

async fn begin(app: &App, keyed: &KeyedRequest) -> Result<KeyClaim, ApiError> {
    Ok(in_tx!(app.context.db, tx => idempotency::begin(&mut tx, keyed).await)?)
}

/// In the extensions of an answer: nothing is at that address.
#[derive(Clone, Copy, Debug)]
pub struct UnknownPath;

/// Whether the request came to somebody who decided about it. What did not is not settled by its answer: the caller may
/// mend it, or try again, with the same key.
fn is_final(response: &Response) -> bool {
    let status = response.status();
    let never_read = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::TOO_MANY_REQUESTS
    );
    !(never_read || status.is_server_error() || response.extensions().get::<UnknownPath>().is_some())
}

/// Keeps what was decided; otherwise the key is as good as never used. What was done is done, so the caller is told of
/// it whether or not that can be written down.
async fn store_response(app: &App, keyed: &KeyedRequest, response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    if !is_final(&response) {
        record_outcome(app, keyed, None).await;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_RESPONSE_BYTES).await.map_err(ApiError::internal)?;
    let kept = StoredResponse {
        headers: STORED_HEADERS
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let text = SecretString::from(serde_json::to_string(&kept).map_err(ApiError::internal)?);
    let sealed = app.context.ring.seal(&text, idempotency::place(keyed.business));
    record_outcome(app, keyed, Some((status, &sealed))).await;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Writes down what came of a request, some times over if need be: without it the same request is done again as soon as
/// this one is taken for dead.
async fn record_outcome(app: &App, keyed: &KeyedRequest, kept: Option<(StatusCode, &str)>) {
    let mut waits = RECORD_RETRY_DELAYS.into_iter();
    while let Err(cause) = try_record_outcome(app, keyed, kept).await {
        let Some(wait) = waits.next() else {
            let is_answered = kept.is_some();
            tracing::error!(%cause, is_answered, "what came of a request with an idempotency key was not kept");
            // What was done is done; whoever asks again need not wait to be told so.
            if let Err(error) = idempotency::forget(&app.context.db, keyed).await {
                tracing::debug!(%error, "it is found out when it has been silent for long enough");
            }
            return;
        };
        tokio::time::sleep(wait).await;
    }
}

async fn try_record_outcome(
    app: &App,
    keyed: &KeyedRequest,
    kept: Option<(StatusCode, &str)>,
) -> Result<(), StorageError> {
    let Some((status, sealed)) = kept else { return idempotency::forget(&app.context.db, keyed).await };
    let mut tx = app.context.db.begin().await?;
    match idempotency::finish(&mut tx, keyed, status.as_u16(), sealed).await {
        Ok(()) => tx.commit().await,
        // Taken for dead, and done again by another, or kept by a commit that seemed to fail.
        Err(StorageError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Why an answer that was kept cannot be given again.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Sealed(#[from] StorageError),
    // Not its text, which may quote the answer.
    #[error("it is not what is kept")]
    Other,
}

fn replay_stored(
    app: &App,
    business: BusinessId,
    status: u16,
    sealed: &str,
) -> Result<Response, ReplayError> {
    let text = app.context.ring.open(sealed, idempotency::place(business))?;
    let kept: StoredResponse = serde_json::from_str(text.expose_secret()).map_err(|_| ReplayError::Other)?;
    let status = StatusCode::from_u16(status).map_err(|_| ReplayError::Other)?;
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_decided_is_kept() {
        let with = |status: u16| StatusCode::from_u16(status).unwrap().into_response();
        for kept in [200, 201, 202, 404, 409, 412, 422] {
            assert!(is_final(&with(kept)), "{kept}");
        }
        for tried_again in [400, 401, 405, 413, 415, 429, 500, 502, 503] {
            assert!(!is_final(&with(tried_again)), "{tried_again}");
        }
        let nowhere = (axum::Extension(UnknownPath), StatusCode::NOT_FOUND).into_response();
        assert!(!is_final(&nowhere));
    }

    #[test]
    fn the_parts_of_a_request_cannot_be_shifted() {
        assert_ne!(digest("POST", "/a", b"b"), digest("POST", "/ab", b""));
        assert_eq!(digest("POST", "/a", b"b"), digest("POST", "/a", b"b"));
    }
}
