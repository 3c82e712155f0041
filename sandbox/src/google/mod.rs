//! A Google: accounts, OAuth with its consent page, Calendar v3.
//!
//! What is stored is in [`store`](crate::store), and `dialect` is how Google writes it; `writes`, `listing`, `free_busy`
//! are what can be done with it; `api` (with push `channels`) and `oauth` are the HTTP around that; the gate with Google's
//! `frontend` stands before both and brings faults, authentication, quotas and the recording of traffic.

mod api;
mod dialect;
mod draft;
mod errors;
mod free_busy;
mod frontend;
mod list_query;
mod listing;
mod oauth;
mod quota;
mod resource;
mod sample;
mod scopes;
mod sync_token;
mod writes;

use std::sync::Arc;

use axum::Router;

pub(crate) use api::notifications;
pub(crate) use dialect::GoogleDialect;
pub(crate) use quota::GoogleQuotaLimits;
pub(crate) use scopes::EVERYTHING;

use crate::gate;
use crate::provider_sandbox::ProviderSandbox;

pub(crate) type GoogleSandbox = ProviderSandbox<quota::GoogleQuota>;

/// The routes below `/google`.
pub(crate) fn router<S>(google: &Arc<GoogleSandbox>) -> Router<S> {
    let endpoints = oauth::endpoints().nest("/calendar/v3", api::router());
    gate::router(google, oauth::pages(), endpoints)
}
