//! A Google: accounts, OAuth with its consent page, Calendar v3.
//!
//! What is stored is in [`store`](crate::store), and `dialect` is how Google writes it; `writes`, `listing`, `free_busy`
//! are what can be done with it; `api` and `oauth` are the HTTP around that; the gate with Google's `front` stands before
//! both and brings faults, authentication, quotas and the recording of traffic.

mod api;
mod channels;
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

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{Router, middleware};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) use channels::notifications;
pub(crate) use quota::GoogleQuotaLimits;
pub(crate) use scopes::EVERYTHING;

use crate::gate::{ProviderFrontend, pass};
use crate::server::SandboxServer;
use crate::store::{EntryChanged, ProviderStore};
use crate::{OAuthClient, SandboxError};

#[derive(Debug)]
pub(crate) struct GoogleSandbox {
    store: Mutex<ProviderStore>,
    quota: Mutex<quota::GoogleQuota>,
    clients: Vec<OAuthClient>,
    server: Arc<SandboxServer>,
}

impl GoogleSandbox {
    pub(crate) fn open(
        path: &Path,
        clients: Vec<OAuthClient>,
        changes: UnboundedSender<EntryChanged>,
        server: Arc<SandboxServer>,
    ) -> Result<Self, SandboxError> {
        let store = Mutex::new(ProviderStore::open(path, &dialect::GoogleDialect, changes)?);
        Ok(Self { store, quota: Mutex::default(), clients, server })
    }

    /// The state; held for the length of one request's work, never across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, ProviderStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn quota(&self) -> MutexGuard<'_, quota::GoogleQuota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clients(&self) -> &[OAuthClient] {
        &self.clients
    }

    fn client(&self, id: &str) -> Option<&OAuthClient> {
        self.clients.iter().find(|client| client.client_id == id)
    }
}

/// The routes below `/google`: pages for persons, and the endpoints for applications behind the gate.
pub(crate) fn router<S>(google: &Arc<GoogleSandbox>) -> Router<S> {
    let endpoints = oauth::endpoints().nest("/calendar/v3", api::router());
    let front: Arc<dyn ProviderFrontend> = google.clone();
    let gated = endpoints.layer(middleware::from_fn_with_state(front, pass));
    oauth::pages().merge(gated).with_state(Arc::clone(google))
}
