//! The feed of a listing over HTTP, with its faults.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{ListingFeedRequest, Ota, OtaListing, OtaPlatform, dialect, spoiled};
use crate::bad_answers;
use crate::clock;
use crate::connection::ConnectionBreaker;
use crate::faults::{FaultHit, FaultKind, FaultRequest, FaultTarget};
use crate::gate::{LONGEST_HOLD, gone};
use crate::opaque::fingerprint;

/// Serves one listing's feed to whoever knows its address.
pub(super) async fn serve(
    State(ota): State<Arc<Ota>>,
    ConnectInfo(breaker): ConnectInfo<ConnectionBreaker>,
    Path((platform, id)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let known = ota.find(&id).filter(|listing| {
        listing.site.as_str() == platform && query.get("t").is_some_and(|token| *token == listing.token)
    });
    let Some(listing) = known else { return spoiled::refusal(404) };
    let response = answer(&ota, &breaker, &listing, &headers).await;
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let asked = ListingFeedRequest {
        at: clock::now(),
        user_agent: text(header::USER_AGENT),
        if_none_match: text(header::IF_NONE_MATCH),
        status: response.status().as_u16(),
    };
    ota.note_asked(&id, asked);
    response
}

async fn answer(
    ota: &Ota,
    breaker: &ConnectionBreaker,
    listing: &OtaListing,
    headers: &HeaderMap,
) -> Response {
    // Airbnb lets nobody read who does not say what they are (reported).
    if listing.site == OtaPlatform::Airbnb && !headers.contains_key(header::USER_AGENT) {
        return spoiled::refusal(403);
    }
    let verdict = ota.server.faults.strike(FaultRequest::of(FaultTarget::Ota, Some(&listing.id)));
    if ota.server.hold(verdict.latency).await.is_err() {
        return gone(breaker);
    }
    let Some(strike) = verdict.fault else { return feed(listing, headers, None) };
    match strike.kind {
        FaultKind::Timeout => {
            let _ended = ota.server.hold(LONGEST_HOLD).await;
            gone(breaker)
        }
        FaultKind::ApplyThenDrop => gone(breaker),
        FaultKind::RateLimit => {
            let after = HeaderValue::from(strike.value.unwrap_or(60));
            let mut response = spoiled::refusal(429);
            response.headers_mut().insert(header::RETRY_AFTER, after);
            response
        }
        FaultKind::ServerError => spoiled::refusal(500),
        FaultKind::Status => spoiled::refusal(strike.value.unwrap_or(500)),
        FaultKind::GzipBomb => spoiled::bomb(),
        kind => match bad_answers::instead(kind, &ota.server.url) {
            Some(response) => response,
            None => {
                bad_answers::spoil(kind, None, &ota.server.url, feed(listing, headers, Some(strike))).await
            }
        },
    }
}

fn feed(listing: &OtaListing, headers: &HeaderMap, strike: Option<FaultHit>) -> Response {
    let now = clock::now();
    let kind = strike.map(|strike| strike.kind);
    // Each hit has other UIDs than the one before.
    let salt = strike.filter(|_| kind == Some(FaultKind::ChangeUids)).map_or(0, |strike| strike.before + 1);
    let mut events = dialect::events(listing, listing.today(now), salt);
    match kind {
        Some(FaultKind::EmptyFeed) => events.clear(),
        Some(FaultKind::HalfFeed) => events = spoiled::keep_minority(events),
        _ => {}
    }
    let mut body = dialect::write(listing.site, &events, now);
    if kind == Some(FaultKind::NoEnds) {
        body = spoiled::strip_ends(&body);
    }
    let mut response = body.clone().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(dialect::CONTENT_TYPE));
    // The others write the time of the request into each event: there is nothing to compare.
    if listing.site == OtaPlatform::BookingCom
        && let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", fingerprint(&body)))
    {
        if headers.get(header::IF_NONE_MATCH) == Some(&etag) {
            response = StatusCode::NOT_MODIFIED.into_response();
        }
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
