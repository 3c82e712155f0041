//! Who the person is: the userinfo endpoint and the ID token.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::dialect::ACCESS_TOKEN_LIFE;
use super::super::errors::ApiError;
use super::super::scopes;
use crate::app::App;
use crate::opaque::unsigned_jwt;
use crate::store::{Account, Caller, Grant};

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

/// Who consented, for the application.
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
    unsigned_jwt(&claims)
}
