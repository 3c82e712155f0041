//! The token endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::MicrosoftSandbox;
use super::super::{scopes, tenants};
use super::error::EntraOAuthError;
use crate::clock;
use crate::store::{IssuedTokens, PkceChallenge, ProviderStore};

type EntraTokenParameters = HashMap<String, String>;

/// Gives tokens for a code or a refresh token.
pub(super) async fn exchange(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Path(tenant): Path<String>,
    Form(parameters): Form<EntraTokenParameters>,
) -> Response {
    let answer = check_tenant(&microsoft, &tenant)
        .and_then(|()| authenticate(&microsoft, &parameters))
        .and_then(|client| match parameters.get("grant_type").map(String::as_str) {
            Some("authorization_code") => redeem(&mut microsoft.store(), &tenant, &client, &parameters),
            Some("refresh_token") => refresh(&mut microsoft.store(), &tenant, &client, &parameters),
            Some(other) => {
                let message = format!("The grant_type '{other}' is not supported.");
                Err(EntraOAuthError::new("unsupported_grant_type", 70_003, message))
            }
            None => Err(missing("grant_type")),
        });
    ([(header::CACHE_CONTROL, "no-store")], answer.map(Json)).into_response()
}

fn missing(name: &str) -> EntraOAuthError {
    let message = format!("The request body must contain the following parameter: '{name}'.");
    EntraOAuthError::new("invalid_request", 900_144, message)
}

fn check_tenant(microsoft: &MicrosoftSandbox, tenant: &str) -> Result<(), EntraOAuthError> {
    if tenants::is_known(tenant, microsoft.store().accounts.keys()) {
        return Ok(());
    }
    Err(EntraOAuthError::new("invalid_request", 90_002, format!("Tenant '{tenant}' not found.")))
}

/// The application's id, if its secret is right.
fn authenticate(
    microsoft: &MicrosoftSandbox,
    parameters: &EntraTokenParameters,
) -> Result<String, EntraOAuthError> {
    let id = parameters.get("client_id").ok_or_else(|| missing("client_id"))?;
    let client = microsoft.client(id).ok_or_else(|| {
        let message = format!("Application with identifier '{id}' was not found in the directory.");
        EntraOAuthError::new("unauthorized_client", 700_016, message)
    })?;
    let Some(secret) = parameters.get("client_secret") else {
        let message =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(EntraOAuthError::new("invalid_client", 7_000_218, message));
    };
    if client.client_secret != *secret {
        return Err(EntraOAuthError::new("invalid_client", 7_000_215, "Invalid client secret provided."));
    }
    Ok(id.clone())
}

fn redeem(
    store: &mut ProviderStore,
    tenant: &str,
    client: &str,
    parameters: &EntraTokenParameters,
) -> Result<Value, EntraOAuthError> {
    let now = clock::now();
    let grant = |code, description: &str| EntraOAuthError::new("invalid_grant", code, description);
    let text = parameters.get("code").ok_or_else(|| missing("code"))?;
    let code = store.codes.get(text).filter(|code| code.client == client).cloned();
    let code = code.ok_or_else(|| grant(9_002_313, "Invalid request. The code is malformed or invalid."))?;
    if code.used {
        return Err(grant(
            54_005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code.",
        ));
    }
    if code.expires_at <= now {
        return Err(grant(
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity.",
        ));
    }
    if !tenants::admits(tenant, &code.account) {
        return Err(grant(700_005, "The provided authorization code is for another tenant."));
    }
    if parameters.get("redirect_uri") != Some(&code.redirect_uri) {
        let message = "The reply address does not match the one of the authorization request.";
        return Err(EntraOAuthError::new("invalid_client", 500_112, message));
    }
    verify(code.challenge.as_ref(), parameters.get("code_verifier").map(String::as_str))?;
    let issued = store
        .issue(&code.account, client, &code.scope, code.offline, Some(code.clone()), now)
        .map_err(|_| EntraOAuthError::server())?;
    Ok(tokens(&issued, store))
}

/// PKCE: what was challenged must be shown.
fn verify(challenge: Option<&PkceChallenge>, verifier: Option<&str>) -> Result<(), EntraOAuthError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if challenge.is_met_by(verifier) => Ok(()),
        _ => {
            let message =
                "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
            Err(EntraOAuthError::new("invalid_grant", 501_481, message))
        }
    }
}

fn refresh(
    store: &mut ProviderStore,
    tenant: &str,
    client: &str,
    parameters: &EntraTokenParameters,
) -> Result<Value, EntraOAuthError> {
    let token = parameters.get("refresh_token").ok_or_else(|| missing("refresh_token"))?;
    let known = store.grant_of(token).filter(|grant| grant.client == client);
    let revoked = known.is_some_and(|grant| grant.ended);
    if known.is_some_and(|grant| !tenants::admits(tenant, &grant.account)) {
        let message = "The provided refresh token is for another tenant.";
        return Err(EntraOAuthError::new("invalid_grant", 700_005, message));
    }
    let issued = store.refresh(token, client, clock::now()).map_err(|_| EntraOAuthError::server())?;
    let issued = issued.ok_or_else(|| {
        if revoked {
            let message =
                "The provided grant has expired due to it being revoked, a fresh auth token is needed.";
            EntraOAuthError::new("invalid_grant", 50_173, message)
        } else {
            let message = "The provided authorization code or refresh token has expired due to inactivity.";
            EntraOAuthError::new("invalid_grant", 70_008, message)
        }
    })?;
    Ok(tokens(&issued, store))
}

/// A refresh token comes each time, and it is another one each time.
fn tokens(issued: &IssuedTokens, store: &ProviderStore) -> Value {
    let life = store.dialect().tokens().access_life;
    let mut answer = json!({
        "token_type": "Bearer",
        "scope": scopes::told(&issued.grant.scope),
        "expires_in": life,
        "ext_expires_in": life,
        "access_token": issued.access_token,
    });
    if let Some(token) = &issued.grant.refresh_token {
        answer["refresh_token"] = token.clone().into();
    }
    answer
}
