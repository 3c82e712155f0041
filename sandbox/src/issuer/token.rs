//! The token endpoint, and the userinfo.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Code, Issuer, Person};
use crate::clock;
use crate::faults::FaultKind;
use crate::store::secret;

/// An error of the token endpoint (RFC 6749, section 5.2).
struct TokenError(StatusCode, &'static str);

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

const INVALID_GRANT: TokenError = TokenError(StatusCode::BAD_REQUEST, "invalid_grant");

pub(super) async fn exchange(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(parameters): Form<HashMap<String, String>>,
) -> Response {
    let answer = authenticate(&issuer, &headers).and_then(|()| redeem(&issuer, &parameters));
    ([(header::CACHE_CONTROL, "no-store")], answer.map(Json)).into_response()
}

/// The client proves itself by HTTP Basic, its name and its secret each as in a form (RFC 6749, section 2.3.1).
fn authenticate(issuer: &Issuer, headers: &HeaderMap) -> Result<(), TokenError> {
    let refused = || TokenError(StatusCode::UNAUTHORIZED, "invalid_client");
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    let shown = shown.and_then(|shown| shown.strip_prefix("Basic ")).ok_or_else(refused)?;
    let shown =
        STANDARD.decode(shown).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refused)?;
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let expected = format!("{}:{}", encoded(&issuer.client.client_id), encoded(&issuer.client.client_secret));
    if shown == expected { Ok(()) } else { Err(refused()) }
}

fn redeem(issuer: &Issuer, parameters: &HashMap<String, String>) -> Result<Value, TokenError> {
    let get = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    if get("grant_type") != "authorization_code" {
        return Err(TokenError(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
    }
    let access_token = secret();
    let code = take_code(issuer, get("code"), &access_token)?;
    let fits = code.redirect_uri == get("redirect_uri") && code.challenge.is_met_by(get("code_verifier"));
    if !fits || code.expires_at <= clock::now() {
        return Err(INVALID_GRANT);
    }
    if issuer.fault(Some(&code.person.email)).is_some_and(|hit| hit.kind == FaultKind::ServerError) {
        return Err(TokenError(StatusCode::INTERNAL_SERVER_ERROR, "server_error"));
    }
    let id_token = issuer.key.sign(&claims(issuer, &code));
    issuer.state().tokens.insert(access_token.clone(), code.person);
    Ok(json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    }))
}

/// Takes a code once: what is shown again has leaked, and what was given for it ends (RFC 9700, section 2.1.1).
fn take_code(issuer: &Issuer, text: &str, access_token: &str) -> Result<Code, TokenError> {
    let mut state = issuer.state();
    let code = state.codes.get_mut(text).ok_or(INVALID_GRANT)?;
    if let Some(given) = code.used.replace(access_token.to_owned()) {
        state.tokens.remove(&given);
        return Err(INVALID_GRANT);
    }
    Ok(code.clone())
}

/// What the ID token says; faults make it say what a client must not take.
fn claims(issuer: &Issuer, code: &Code) -> Value {
    let now = clock::now().timestamp();
    let mut claims = json!({
        "iss": issuer.url(), "sub": code.person.subject(), "aud": issuer.client.client_id,
        "exp": now + 300, "iat": now, "nonce": code.nonce,
    });
    let hits = |kind| issuer.hits(&code.person.email, kind);
    if hits(FaultKind::WrongNonce) {
        claims["nonce"] = secret().into();
    }
    if hits(FaultKind::WrongAudience) {
        claims["aud"] = "another-application".into();
    }
    if hits(FaultKind::ExpiredIdToken) {
        (claims["exp"], claims["iat"]) = ((now - 120).into(), (now - 420).into());
    }
    if hits(FaultKind::WrongIssuer) {
        claims["iss"] = "https://issuer.example".into();
    }
    claims
}

/// Who the person is.
pub(super) async fn userinfo(State(issuer): State<Arc<Issuer>>, headers: HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    let token = shown.and_then(|shown| shown.strip_prefix("Bearer ")).unwrap_or_default();
    let person: Option<Person> = issuer.state().tokens.get(token).cloned();
    let Some(person) = person else {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    };
    let hits = |kind| issuer.hits(&person.email, kind);
    let subject = if hits(FaultKind::OtherSubject) { secret() } else { person.subject() };
    let verified = !hits(FaultKind::UnverifiedEmail);
    Json(json!({ "sub": subject, "email": person.email, "email_verified": verified })).into_response()
}
