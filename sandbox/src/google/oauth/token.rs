//! The token endpoint and the revocation endpoint, with OAuth's own form of errors (RFC 6749, 5.2).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::GoogleSandbox;
use super::super::dialect::ACCESS_TOKEN_LIFETIME_SECONDS;
use crate::clock;
use crate::store::{IssuedTokens, PkceChallenge, ProviderStore};

/// An error of the token endpoint.
struct GoogleOAuthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl GoogleOAuthError {
    fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    fn invalid_client(description: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
    }

    fn server() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "internal_failure",
            description: "Try again.",
        }
    }
}

impl IntoResponse for GoogleOAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (self.status, Json(body)).into_response()
    }
}

/// What the registration of an application makes of a sign-in: it is not known any more, or with `1` its callback is another.
pub(crate) fn refused(how: Option<u64>) -> Response {
    if how == Some(1) {
        return GoogleOAuthError::new("redirect_uri_mismatch", "Bad Request").into_response();
    }
    GoogleOAuthError::invalid_client("The OAuth client was not found.").into_response()
}

type GoogleTokenParameters = HashMap<String, String>;

/// Gives tokens for a code or a refresh token.
pub(super) async fn exchange(
    State(google): State<Arc<GoogleSandbox>>,
    Form(parameters): Form<GoogleTokenParameters>,
) -> Response {
    let answer = authenticate(&google, &parameters).and_then(|client| {
        match parameters.get("grant_type").map(String::as_str) {
            Some("authorization_code") => redeem(&mut google.store(), &client, &parameters),
            Some("refresh_token") => refresh(&mut google.store(), &client, &parameters),
            Some(_) => Err(GoogleOAuthError::new("unsupported_grant_type", "Invalid grant_type.")),
            None => Err(GoogleOAuthError::new("invalid_request", "Missing required parameter: grant_type")),
        }
    });
    ([(header::CACHE_CONTROL, "no-store")], answer.map(Json)).into_response()
}

/// Ends the consent that `token` belongs to.
pub(super) async fn revoke(
    State(google): State<Arc<GoogleSandbox>>,
    Form(parameters): Form<GoogleTokenParameters>,
) -> Response {
    let token = parameters.get("token").map(String::as_str).unwrap_or_default();
    match google.store().revoke(token, clock::now()) {
        Ok(true) => Json(json!({})).into_response(),
        Ok(false) => GoogleOAuthError::new("invalid_token", "Token expired or revoked").into_response(),
        Err(_) => GoogleOAuthError::server().into_response(),
    }
}

/// The application's id, if its secret is right.
fn authenticate(
    google: &GoogleSandbox,
    parameters: &GoogleTokenParameters,
) -> Result<String, GoogleOAuthError> {
    let Some(id) = parameters.get("client_id") else {
        return Err(GoogleOAuthError::new("invalid_request", "Could not determine client ID from request."));
    };
    let client = google.client(id);
    let client = client.ok_or_else(|| GoogleOAuthError::invalid_client("The OAuth client was not found."))?;
    if parameters.get("client_secret") != Some(&client.client_secret) {
        return Err(GoogleOAuthError::invalid_client("Unauthorized"));
    }
    Ok(id.clone())
}

fn redeem(
    store: &mut ProviderStore,
    client: &str,
    parameters: &GoogleTokenParameters,
) -> Result<Value, GoogleOAuthError> {
    let now = clock::now();
    let text = parameters
        .get("code")
        .ok_or(GoogleOAuthError::new("invalid_request", "Missing required parameter: code"))?;
    let code =
        store.codes.get(text).filter(|code| !code.used && code.expires_at > now && code.client == client);
    let code = code.cloned().ok_or(GoogleOAuthError::new("invalid_grant", "Malformed auth code."))?;
    if parameters.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(GoogleOAuthError::new("redirect_uri_mismatch", "Bad Request"));
    }
    verify(code.challenge.as_ref(), parameters.get("code_verifier").map(String::as_str))?;
    let issued = store
        .issue(&code.account, client, &code.scope, code.offline, Some(code.clone()), now)
        .map_err(|_| GoogleOAuthError::server())?;
    let mut answer = tokens(&issued);
    if let Some(token) = &issued.grant.refresh_token {
        answer["refresh_token"] = token.clone().into();
    }
    Ok(answer)
}

/// PKCE: what was challenged must be shown, and nothing may be shown that was not challenged (RFC 9700, 2.1.1).
fn verify(challenge: Option<&PkceChallenge>, verifier: Option<&str>) -> Result<(), GoogleOAuthError> {
    let fault = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => return Ok(()),
        (Some(_), Some(_)) => "Invalid code verifier.",
        (Some(_), None) => "Missing code verifier.",
        (None, Some(_)) => "code_verifier was not expected.",
    };
    Err(GoogleOAuthError::new("invalid_grant", fault))
}

fn refresh(
    store: &mut ProviderStore,
    client: &str,
    parameters: &GoogleTokenParameters,
) -> Result<Value, GoogleOAuthError> {
    let token = parameters.get("refresh_token");
    let token =
        token.ok_or(GoogleOAuthError::new("invalid_request", "Missing required parameter: refresh_token"))?;
    let issued = store.refresh(token, client, clock::now()).map_err(|_| GoogleOAuthError::server())?;
    let issued =
        issued.ok_or(GoogleOAuthError::new("invalid_grant", "Token has been expired or revoked."))?;
    Ok(tokens(&issued))
}

fn tokens(issued: &IssuedTokens) -> Value {
    json!({
        "access_token": issued.access_token,
        "expires_in": ACCESS_TOKEN_LIFETIME_SECONDS,
        "scope": issued.grant.scope,
        "token_type": "Bearer",
    })
}
