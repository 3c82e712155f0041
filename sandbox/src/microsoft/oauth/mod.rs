//! The identity endpoints (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>): the
//! consent page and the token endpoint of each tenant. There is no endpoint to take a consent back.

mod consent;
mod error;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use error::EntraOAuthError;

use super::MicrosoftSandbox;

/// What a person's browser visits.
pub(crate) fn pages() -> Router<Arc<MicrosoftSandbox>> {
    Router::new().route("/{tenant}/oauth2/v2.0/authorize", get(consent::ask).post(consent::decide))
}

/// What an application calls.
pub(crate) fn endpoints() -> Router<Arc<MicrosoftSandbox>> {
    Router::new().route("/{tenant}/oauth2/v2.0/token", post(token::exchange))
}

/// Whether `path` is a token endpoint.
pub(crate) fn is_token_endpoint(path: &str) -> bool {
    path.starts_with("/microsoft/") && path.ends_with("/oauth2/v2.0/token")
}
