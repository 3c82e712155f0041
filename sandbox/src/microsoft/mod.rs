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
mod front;
mod ids;
mod oauth;
mod odata;
mod patterns;
mod prefer;
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
pub(crate) use subscriptions::{LifecycleEvent, notifications, tell_lifecycle};
pub(crate) use throttle::Limits;

use crate::app::App;
use crate::gate::{Gate, pass};
use crate::store::{Changed, World};
use crate::{OAuthClient, SandboxError};

/// The simulated Microsoft.
#[derive(Debug)]
pub(crate) struct Microsoft {
    world: Mutex<World>,
    throttle: Arc<Mutex<throttle::Throttle>>,
    clients: Vec<OAuthClient>,
}

impl Microsoft {
    pub(crate) fn open(
        path: &Path,
        clients: Vec<OAuthClient>,
        changes: UnboundedSender<Changed>,
    ) -> Result<Self, SandboxError> {
        let world = Mutex::new(World::open(path, &dialect::Microsoft, changes)?);
        Ok(Self { world, throttle: Arc::default(), clients })
    }

    /// The state; held for the length of one request's work, never across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, throttle::Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registered applications.
    pub(crate) fn clients(&self) -> &[OAuthClient] {
        &self.clients
    }

    fn client(&self, id: &str) -> Option<&OAuthClient> {
        self.clients.iter().find(|client| client.client_id == id)
    }
}

/// The routes below `/microsoft`: pages for persons, and the endpoints for applications behind the gate.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let endpoints = oauth::endpoints().nest("/v1.0", api::router());
    let gate = Gate { app: Arc::clone(app), front: &front::MicrosoftFront };
    let gated = endpoints.layer(middleware::from_fn_with_state(gate, pass));
    oauth::pages().merge(gated)
}
