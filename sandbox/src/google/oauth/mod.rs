//! OAuth 2.0 as Google does it: the consent page, the token and revocation endpoints, the person's identity.

mod consent;
pub(crate) mod token;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::GoogleSandbox;
use super::errors::GoogleApiError;
use super::scopes;
use crate::store::AuthenticatedCaller;

/// What a person's browser visits.
pub(crate) fn pages() -> Router<Arc<GoogleSandbox>> {
    Router::new().route("/o/oauth2/v2/auth", get(consent::ask).post(consent::decide))
}

/// What an application calls.
pub(crate) fn endpoints() -> Router<Arc<GoogleSandbox>> {
    Router::new()
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .route("/oauth2/v3/userinfo", get(userinfo))
}

/// Who the person is, if that was consented to.
async fn userinfo(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
) -> Result<Json<Value>, GoogleApiError> {
    if !scopes::includes_identity(&caller.scope) {
        return Err(GoogleApiError::insufficient_scope());
    }
    let store = google.store();
    let account = store.accounts.get(&caller.account).ok_or_else(GoogleApiError::unauthenticated)?;
    Ok(Json(json!({
        "sub": account.sub, "email": account.email, "email_verified": true, "name": account.name
    })))
}
