//! A Microsoft: accounts in tenants, the identity endpoints, Graph's calendars.
//!
//! What is stored is in [`store`](crate::store), and `dialect` is how Microsoft writes it; `draft`, `writes`, `delta`,
//! `schedule`, `subscriptions` are what can be done with it; `api` and `oauth` are the HTTP around that; the gate with
//! Microsoft's `front` stands before both and brings faults, authentication, throttling and the recording of traffic.

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
mod schedule;
mod scopes;
mod subscriptions;
mod tenants;
mod throttle;
mod writes;
mod zones;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{Router, middleware};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) use scopes::EVERYTHING;
pub(crate) use subscriptions::{LifecycleEvent, notifications, send_lifecycle_event};
pub(crate) use throttle::GraphThrottleLimits;

use crate::gate::{ProviderFrontend, pass};
use crate::server::SandboxServer;
use crate::store::{EntryChanged, ProviderStore};
use crate::{OAuthClient, SandboxError};

#[derive(Debug)]
pub(crate) struct MicrosoftSandbox {
    store: Mutex<ProviderStore>,
    throttle: Arc<Mutex<throttle::GraphThrottle>>,
    clients: Vec<OAuthClient>,
    server: Arc<SandboxServer>,
}

impl MicrosoftSandbox {
    pub(crate) fn open(
        path: &Path,
        clients: Vec<OAuthClient>,
        changes: UnboundedSender<EntryChanged>,
        server: Arc<SandboxServer>,
    ) -> Result<Self, SandboxError> {
        let store = Mutex::new(ProviderStore::open(path, &dialect::MicrosoftDialect, changes)?);
        Ok(Self { store, throttle: Arc::default(), clients, server })
    }

    /// The state; held for the length of one request's work, never across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, ProviderStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, throttle::GraphThrottle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clients(&self) -> &[OAuthClient] {
        &self.clients
    }

    fn client(&self, id: &str) -> Option<&OAuthClient> {
        self.clients.iter().find(|client| client.client_id == id)
    }
}

/// The routes below `/microsoft`: pages for persons, and the endpoints for applications behind the gate.
pub(crate) fn router<S>(microsoft: &Arc<MicrosoftSandbox>) -> Router<S> {
    let endpoints = oauth::endpoints().nest("/v1.0", api::router());
    let front: Arc<dyn ProviderFrontend> = microsoft.clone();
    let gated = endpoints.layer(middleware::from_fn_with_state(front, pass));
    oauth::pages().merge(gated).with_state(Arc::clone(microsoft))
}
