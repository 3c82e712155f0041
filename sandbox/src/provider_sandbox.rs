//! What every simulated provider has: its state, its limits on requests, and the applications that it knows.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::server::SandboxServer;
use crate::store::{EntryChanged, ProviderDialect, ProviderStore};
use crate::{OAuthClient, SandboxError};

/// A provider that limits requests by `L`.
#[derive(Debug)]
pub(crate) struct ProviderSandbox<L> {
    store: Mutex<ProviderStore>,
    pub(crate) limits: Arc<Mutex<L>>,
    pub(crate) clients: Vec<OAuthClient>,
    pub(crate) server: Arc<SandboxServer>,
}

impl<L: Default> ProviderSandbox<L> {
    pub(crate) fn open(
        dialect: &'static dyn ProviderDialect,
        path: &Path,
        clients: Vec<OAuthClient>,
        changes: UnboundedSender<EntryChanged>,
        server: Arc<SandboxServer>,
    ) -> Result<Self, SandboxError> {
        let store = Mutex::new(ProviderStore::open(path, dialect, changes)?);
        Ok(Self { store, limits: Arc::default(), clients, server })
    }

    /// The state; held for the length of one request's work, never across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, ProviderStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> MutexGuard<'_, L> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn client(&self, id: &str) -> Option<&OAuthClient> {
        self.clients.iter().find(|client| client.client_id == id)
    }
}
