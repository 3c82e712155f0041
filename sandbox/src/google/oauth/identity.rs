//! Who the person is: the userinfo endpoint and the ID token.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::super::GoogleSandbox;
use super::super::dialect::ACCESS_TOKEN_LIFETIME_SECONDS;
use super::super::errors::GoogleApiError;
use super::super::scopes;
use crate::opaque::unsigned_jwt;
use crate::store::{AuthenticatedCaller, GrantRecord, StoredAccount};

/// Answers with the identity, if it was consented to.
pub(super) async fn userinfo(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
) -> Result<Json<Value>, GoogleApiError> {
    if !scopes::includes_identity(&caller.scope) {
        return Err(GoogleApiError::insufficient_scope());
    }
    let store = google.store();
    let account = store.accounts.get(&caller.account).ok_or_else(GoogleApiError::unauthenticated)?;
    Ok(Json(claims(account)))
}

fn claims(account: &StoredAccount) -> Value {
    json!({ "sub": account.sub, "email": account.email, "email_verified": true, "name": account.name })
}

/// Who consented, for the application.
pub(super) fn id_token(
    account: &StoredAccount,
    grant: &GrantRecord,
    nonce: Option<&str>,
    now: DateTime<Utc>,
) -> String {
    let mut claims = claims(account);
    claims["iss"] = "https://accounts.google.com".into();
    claims["aud"] = grant.client.clone().into();
    claims["azp"] = grant.client.clone().into();
    claims["iat"] = now.timestamp().into();
    claims["exp"] = (now.timestamp() + ACCESS_TOKEN_LIFETIME_SECONDS).into();
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    unsigned_jwt(&claims)
}
