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
use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingKind,
    ids::{BookingId, BusinessId},
    record::HistorySubject,
};
use concord_storage::{
    StorageError, bookings,
    idempotency::{self, Begun, Done, KeyedRequest},
    secret,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use super::{
    auth::ApiCaller,
    problem::{ApiError, Kind},
    request::body_problem,
};
use crate::app::App;

/// The header of the request.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header by which an answer says that it is a repetition.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const LONGEST_KEY: usize = 255;
/// No answer of ours is larger.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
/// How often a request that is under way says that it is: several times before it is taken for dead.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(8);
/// How long to wait before what was done is written down once more.
const TRIED_AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2)];
/// The headers that belong to an answer's meaning.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

/// A request that goes with a key.
#[derive(Clone)]
struct Keyed {
    business: BusinessId,
    key: String,
    request_hash: String,
    began_at: DateTime<Utc>,
}

impl Keyed {
    fn stored(&self) -> KeyedRequest<'_> {
        KeyedRequest {
            business: self.business,
            key: &self.key,
            request_hash: &self.request_hash,
            began_at: self.began_at,
        }
    }
}

/// Stands around the API, inside of `auth::require_key`. PUT, PATCH and DELETE may carry the header too; they are
/// idempotent by themselves.
pub async fn replay(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    let (keyed, request) = match read(&app, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    // To its end: what was done must not be left without its answer, or a repetition would do it again.
    let whole = app.clone();
    match app.to_the_end(async move { once(&whole, &keyed, request, next).await }).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(ended) => ApiError::internal(ended).into_response(),
    }
}

/// Reads the whole request, since its body belongs to what the key stands for.
async fn read(app: &App, request: Request) -> Result<(Keyed, Request), ApiError> {
    let key = key_of(request.headers())?;
    let business = request
        .extensions()
        .get::<ApiCaller>()
        .map(|caller| caller.business)
        .ok_or_else(|| ApiError::internal("idempotency stands outside of require_key"))?;
    let (parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), app)
        .await
        .map_err(|rejection| body_problem(rejection.into_response().status()))?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let request_hash = digest(parts.method.as_str(), path, &bytes);
    let keyed = Keyed { business, key, request_hash, began_at: app.now() };
    Ok((keyed, Request::from_parts(parts, Body::from(bytes))))
}

async fn once(app: &App, keyed: &Keyed, request: Request, next: Next) -> Result<Response, ApiError> {
    let stored = keyed.stored();
    let mut begun = begin(app, &stored).await?;
    if let Begun::Repeat { status, response, done } = &begun {
        match replayed(app, keyed.business, *status, response) {
            Ok(response) => return Ok(response),
            // Sealed with a key that this installation no longer has: as good as not kept.
            Err(cause) => {
                tracing::warn!(%cause, "an answer that was kept cannot be read");
                if let Some(done) = done {
                    return Err(already_done(app, keyed.business, done).await?);
                }
                idempotency::discard(&app.context.db, &stored, response).await?;
                begun = begin(app, &stored).await?;
            }
        }
    }
    match begun {
        Begun::Fresh => {
            let _alive = signs_of_life(app, keyed);
            let response = idempotency::during(&stored, next.run(request)).await;
            keep(app, &stored, response).await
        }
        Begun::Mismatch => Err(ApiError::new(Kind::KeyReused, "The key was used with another path or body.")),
        Begun::Done(done) => Err(already_done(app, keyed.business, &done).await?),
        Begun::UnderWay { ask_again } => Err(under_way(ask_again.num_seconds())),
        // Somebody was faster to do it again; they are as good as under way.
        Begun::Repeat { .. } => Err(under_way(1)),
    }
}

fn under_way(ask_again: i64) -> ApiError {
    ApiError::new(Kind::UnderWay, "The first request with this key has not ended.")
        .retry_after(u32::try_from(ask_again).unwrap_or(1))
}

/// Says again and again that the request is still being answered, as long as what this returns lives.
fn signs_of_life(app: &App, keyed: &Keyed) -> AbortOnDropHandle<()> {
    let (app, keyed) = (app.clone(), keyed.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(SIGN_OF_LIFE_EVERY).await;
            if let Err(error) = idempotency::renew(&app.context.db, &keyed.stored(), app.now()).await {
                tracing::warn!(%error, "a request with an idempotency key could not say that it is under way");
            }
        }
    }))
}

/// What was done is not done again, even where its answer is lost.
async fn already_done(app: &App, business: BusinessId, done: &Done) -> Result<ApiError, StorageError> {
    let when = done.at.format("%Y-%m-%dT%H:%M:%SZ");
    let Some(place) = place_of(app, business, done).await? else {
        let words = format!(
            "The request that came with this key at {when} was done, but its answer is lost. Read what it was about; to \
             do it once more, make a new key."
        );
        return Ok(ApiError::new(Kind::AlreadyDone, words));
    };
    let place = app.address(&place);
    let words = format!(
        "The request that came with this key at {when} was done, but its answer is lost. Read {place} for what it did."
    );
    let error = ApiError::new(Kind::AlreadyDone, words);
    Ok(match HeaderValue::from_str(&place) {
        Ok(place) => error.with_header(header::LOCATION, place),
        Err(_) => error,
    })
}

/// Where what was done can be read.
async fn place_of(app: &App, business: BusinessId, done: &Done) -> Result<Option<String>, StorageError> {
    let Some((kind, id)) = done.subject else { return Ok(None) };
    Ok(Some(match kind {
        HistorySubject::Business => "/api/v1/business".to_owned(),
        HistorySubject::Resource => format!("/api/v1/resources/{id}"),
        HistorySubject::Staff => format!("/api/v1/staff/{id}"),
        HistorySubject::Connection => format!("/api/v1/calendar_integrations/{id}"),
        HistorySubject::Feed => format!("/api/v1/feeds/{id}"),
        HistorySubject::Channel => format!("/api/v1/channels/{id}"),
        HistorySubject::Platform => "/api/v1/platforms".to_owned(),
        HistorySubject::Booking => match bookings::by_id(&app.context.db, business, BookingId(id)).await? {
            Some(booking) if booking.draft.kind == BookingKind::Booking => {
                format!("/api/v1/bookings/{}", booking.reference)
            }
            _ => "/api/v1/calendar_availability".to_owned(),
        },
        HistorySubject::User | HistorySubject::ApiKey => return Ok(None),
    }))
}

fn key_of(headers: &HeaderMap) -> Result<String, ApiError> {
    let text = headers.get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_KEY {
        return Err(ApiError::new(
            Kind::Malformed,
            format!("Idempotency-Key must have 1 to {LONGEST_KEY} visible ASCII characters."),
        ));
    }
    Ok(text.to_owned())
}

/// Zero bytes keep the parts apart: neither a method nor a path holds one.
fn digest(method: &str, path: &str, body: &[u8]) -> String {
    secret::digest_bytes(&[method.as_bytes(), b"\0", path.as_bytes(), b"\0", body].concat())
}

async fn begin(app: &App, keyed: &KeyedRequest<'_>) -> Result<Begun, ApiError> {
    let mut tx = app.context.db.begin().await?;
    let begun = idempotency::begin(&mut tx, keyed).await?;
    tx.commit().await?;
    Ok(begun)
}

/// In the extensions of an answer: nothing is at that address.
#[derive(Clone, Copy, Debug)]
pub struct NothingThere;

/// Whether the request came to somebody who decided about it. What did not is not settled by its answer: the caller may
/// mend it, or try again, with the same key.
fn is_decided(response: &Response) -> bool {
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
    !(never_read || status.is_server_error() || response.extensions().get::<NothingThere>().is_some())
}

/// Keeps what was decided; otherwise the key is as good as never used. What was done is done, so the caller is told of
/// it whether or not that can be written down.
async fn keep(app: &App, keyed: &KeyedRequest<'_>, response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    if !is_decided(&response) {
        record(app, keyed, None).await;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, LARGEST_ANSWER).await.map_err(ApiError::internal)?;
    let kept = Kept {
        headers: KEPT_HEADERS
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let text = SecretString::from(serde_json::to_string(&kept).map_err(ApiError::internal)?);
    let sealed = app.context.ring.seal(&text, idempotency::place(keyed.business));
    record(app, keyed, Some((status, &sealed))).await;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Writes down what came of a request, some times over if need be: without it the same request is done again as soon as
/// this one is taken for dead.
async fn record(app: &App, keyed: &KeyedRequest<'_>, kept: Option<(StatusCode, &str)>) {
    let mut waits = TRIED_AGAIN_AFTER.into_iter();
    while let Err(cause) = try_to_record(app, keyed, kept).await {
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

async fn try_to_record(
    app: &App,
    keyed: &KeyedRequest<'_>,
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
enum Unreadable {
    #[error(transparent)]
    Sealed(#[from] StorageError),
    // Not its text, which may quote the answer.
    #[error("it is not what is kept")]
    Other,
}

fn replayed(app: &App, business: BusinessId, status: u16, sealed: &str) -> Result<Response, Unreadable> {
    let text = app.context.ring.open(sealed, idempotency::place(business))?;
    let kept: Kept = serde_json::from_str(text.expose_secret()).map_err(|_| Unreadable::Other)?;
    let status = StatusCode::from_u16(status).map_err(|_| Unreadable::Other)?;
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
            assert!(is_decided(&with(kept)), "{kept}");
        }
        for tried_again in [400, 401, 405, 413, 415, 429, 500, 502, 503] {
            assert!(!is_decided(&with(tried_again)), "{tried_again}");
        }
        let nowhere = (axum::Extension(NothingThere), StatusCode::NOT_FOUND).into_response();
        assert!(!is_decided(&nowhere));
    }

    #[test]
    fn the_parts_of_a_request_cannot_be_shifted() {
        assert_ne!(digest("POST", "/a", b"b"), digest("POST", "/ab", b""));
        assert_eq!(digest("POST", "/a", b"b"), digest("POST", "/a", b"b"));
    }
}
