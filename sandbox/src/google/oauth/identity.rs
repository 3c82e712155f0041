//! Who the person is: the userinfo endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::scopes;
use crate::store::AuthenticatedCaller;

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
    Ok(Json(json!({
        "sub": account.sub, "email": account.email, "email_verified": true, "name": account.name
    })))
}
