//! Who the person is: the userinfo endpoint and the ID token.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::errors::ApiError;
use super::super::grants::{ACCESS_TOKEN_LIFE, Caller};
use super::super::records::{Account, Grant};
use super::super::scopes;
use crate::app::App;

/// Answers with the identity, if it was consented to.
pub(super) async fn userinfo(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, ApiError> {
    if !scopes::identifies(&caller.scope) {
        return Err(ApiError::insufficient_scope());
    }
    let world = app.google.world();
    let account = world.accounts.get(&caller.account).ok_or_else(ApiError::unauthenticated)?;
    Ok(Json(claims(account)))
}

fn claims(account: &Account) -> Value {
    json!({ "sub": account.sub, "email": account.email, "email_verified": true, "name": account.name })
}

/// A JWT with `alg: none`: well formed, signed by nobody.
pub(super) fn id_token(account: &Account, grant: &Grant, nonce: Option<&str>, now: DateTime<Utc>) -> String {
    let mut claims = claims(account);
    claims["iss"] = "https://accounts.google.com".into();
    claims["aud"] = grant.client.clone().into();
    claims["azp"] = grant.client.clone().into();
    claims["iat"] = now.timestamp().into();
    claims["exp"] = (now.timestamp() + ACCESS_TOKEN_LIFE).into();
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims))
}
