//! Feeds as they come when something is wrong with a platform.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::{Compress, Compression, FlushCompress};

use super::dialect::{CONTENT_TYPE, OtaFeedEvent};
use super::listing::digest;

/// How much comes out of a bomb: 1 GiB.
const BOMB: usize = 1 << 30;

/// How many of its bytes are made of one piece of the compressed stream.
const PIECE: usize = 16 << 20;

/// Less than half of the events, which ones is chosen by their UIDs.
pub(super) fn keep_minority(mut events: Vec<OtaFeedEvent>) -> Vec<OtaFeedEvent> {
    let kept = events.len().saturating_sub(1) / 2;
    events.sort_by_cached_key(|event| digest(&[&event.uid]));
    events.truncate(kept);
    events.sort_by_key(|event| event.nights);
    events
}

/// Nothing in it says when it ends.
pub(super) fn strip_ends(feed: &str) -> String {
    feed.split_inclusive("\r\n").filter(|line| !line.starts_with("DTEND")).collect()
}

/// The status with which a platform refuses, in its few words.
pub(super) fn refusal(status: u64) -> Response {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, status.canonical_reason().unwrap_or("Error")).into_response()
}

/// A small answer of which a gigabyte comes out: noughts without end, as gzip (RFC 1952). Whoever reads to the end, where
/// the checksum would stand, has lost already.
pub(super) fn bomb() -> Response {
    let noughts = vec![0; PIECE];
    let mut piece = Vec::with_capacity(PIECE / 500);
    // After a full flush the stream stands on a byte and knows nothing of what was before: pieces can be repeated.
    let compressed =
        Compress::new(Compression::best(), false).compress_vec(&noughts, &mut piece, FlushCompress::Full);
    if compressed.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
    body.extend(piece.repeat(BOMB / PIECE));
    let mut response = Body::from(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}
