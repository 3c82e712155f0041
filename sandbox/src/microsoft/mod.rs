//! A Microsoft: accounts in tenants, the identity endpoints, Graph's calendars.
//!
//! What is stored is in [`store`](crate::store), and `dialect` is how Microsoft writes it; `draft`, `writes`, `delta` are
//! what can be done with it; `api` (with `subscriptions`) and `oauth` are the HTTP around that; the gate with Microsoft's
//! `frontend` stands before both and brings faults, authentication, throttling and the recording of traffic.

mod api;
mod delta;
mod dialect;
mod draft;
mod errors;
mod frontend;
mod ids;
mod oauth;
mod odata;
mod prefer;
mod recurrence_patterns;
mod resource;
mod sample;
mod scopes;
mod tenants;
mod throttle;
mod writes;
mod zones;

use std::sync::Arc;

use axum::Router;

pub(crate) use api::{LifecycleEvent, notifications, send_lifecycle_event};
pub(crate) use dialect::MicrosoftDialect;
pub(crate) use scopes::EVERYTHING;
pub(crate) use throttle::GraphThrottleLimits;

use crate::gate;
use crate::provider_sandbox::ProviderSandbox;

pub(crate) type MicrosoftSandbox = ProviderSandbox<throttle::GraphThrottle>;

/// The routes below `/microsoft`.
pub(crate) fn router<S>(microsoft: &Arc<MicrosoftSandbox>) -> Router<S> {
    let endpoints = oauth::endpoints().nest("/v1.0", api::router());
    gate::router(microsoft, oauth::pages(), endpoints)
}
