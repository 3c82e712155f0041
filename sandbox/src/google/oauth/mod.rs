//! OAuth 2.0 as Google does it: the consent page, the token and revocation endpoints, the person's identity.

mod consent;
mod identity;
pub(crate) mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::GoogleSandbox;

/// What a person's browser visits.
pub(crate) fn pages() -> Router<Arc<GoogleSandbox>> {
    Router::new().route("/o/oauth2/v2/auth", get(consent::ask).post(consent::decide))
}

/// What an application calls.
pub(crate) fn endpoints() -> Router<Arc<GoogleSandbox>> {
    Router::new()
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .route("/oauth2/v3/userinfo", get(identity::userinfo))
}
