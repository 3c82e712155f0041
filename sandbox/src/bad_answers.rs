//! Answers that no provider gives and that come all the same: a portal's page, half an answer, one that leads elsewhere.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value};
use url::Url;

use crate::faults::FaultKind;

/// More than a client may be ready to read: 33 MiB.
const OVERSIZED_BODY_BYTES: usize = 33 << 20;

/// The path below which everything is elsewhere: nobody may come here with a token.
pub(crate) const FOREIGN_HOST_PATH: &str = "/elsewhere";

/// What comes in place of an answer; nothing was done.
pub(crate) fn instead(kind: FaultKind, base_url: &str) -> Option<Response> {
    match kind {
        FaultKind::HtmlAnswer => {
            let page = "<!doctype html><title>Sign in to the network</title><p>Accept the terms of use.</p>";
            Some(Html(page).into_response())
        }
        FaultKind::RedirectElsewhere => {
            let location = HeaderValue::from_str(&foreign_host_url(base_url)).ok()?;
            Some((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
        }
        FaultKind::HugeAnswer => {
            let mut body = br#"{"value":[],"items":[],"padding":""#.to_vec();
            body.resize(OVERSIZED_BODY_BYTES, b'x');
            body.extend_from_slice(br#""}"#);
            Some(([(header::CONTENT_TYPE, "application/json")], body).into_response())
        }
        _ => None,
    }
}

/// What becomes of an answer on its way; the work was done.
pub(crate) async fn spoil(
    kind: FaultKind,
    next_link: Option<&'static str>,
    base_url: &str,
    response: Response,
) -> Response {
    let is_spoiled = matches!(
        kind,
        FaultKind::TruncatedJson
            | FaultKind::WrongContentType
            | FaultKind::ForeignNextLink
            | FaultKind::OddItem
    );
    if !is_spoiled {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // The server counts anew what is left.
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = match (kind, next_link) {
        (FaultKind::TruncatedJson, _) => Body::from(bytes.slice(..bytes.len() / 2)),
        (FaultKind::OddItem, _) => Body::from(with_malformed_item(&bytes).unwrap_or_else(|| bytes.to_vec())),
        (FaultKind::ForeignNextLink, Some(name)) => {
            match serde_json::from_slice::<Map<String, Value>>(&bytes) {
                Ok(mut page) if page.get("value").is_some_and(Value::is_array) => {
                    page.retain(|name, _| name != "@odata.deltaLink");
                    page.insert(name.into(), foreign_host_url(base_url).into());
                    Body::from(Value::Object(page).to_string())
                }
                _ => Body::from(bytes),
            }
        }
        _ => Body::from(bytes),
    };
    if kind == FaultKind::WrongContentType {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=us-ascii"));
    }
    Response::from_parts(parts, body)
}

/// The page with a first item, or the event, whose start has another form than all contracts have it.
fn with_malformed_item(page: &[u8]) -> Option<Vec<u8>> {
    let mut page: Value = serde_json::from_slice(page).ok()?;
    if page.get("start").is_some() {
        page["start"] = "soon".into();
        return serde_json::to_vec(&page).ok();
    }
    let name = if page["items"].is_array() { "items" } else { "value" };
    page.get_mut(name)?.get_mut(0)?["start"] = "soon".into();
    serde_json::to_vec(&page).ok()
}

/// An address on another host, at which the sandbox listens all the same, to see who comes.
fn foreign_host_url(base_url: &str) -> String {
    let other = |url: &Url| if url.host_str() == Some("127.0.0.1") { "localhost" } else { "127.0.0.1" };
    match Url::parse(base_url) {
        Ok(mut url) => {
            let host = other(&url);
            // An http address takes any host.
            let _set = url.set_host(Some(host));
            url.set_path(&format!("{FOREIGN_HOST_PATH}/next"));
            url.into()
        }
        Err(_) => format!("http://localhost{FOREIGN_HOST_PATH}/next"),
    }
}
