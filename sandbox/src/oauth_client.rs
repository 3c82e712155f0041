//! How an application names itself at a token endpoint.

use std::collections::HashMap;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The id and the secret that a request shows, by the Basic scheme or in its body; empty where there is none.
pub(crate) fn shown(headers: &HeaderMap, parameters: &HashMap<String, String>) -> (String, String) {
    let get = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    basic_auth(headers).unwrap_or_else(|| (get("client_id"), get("client_secret")))
}

/// Id and secret are form-encoded within the Basic scheme (RFC 6749, 2.3.1).
fn basic_auth(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let form = format!("v={text}");
        url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
