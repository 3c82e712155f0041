//! What the parts of the server share, and how their routes come together.

use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::faults::Faults;
use crate::google::Google;
use crate::recorder::Recorder;
use crate::{SandboxConfig, SandboxError, control, google, page};

/// The whole sandbox.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) google: Google,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    /// The base address, without a slash at its end.
    pub(crate) url: String,
    /// Ends what would otherwise hold an answer back.
    pub(crate) shutdown: CancellationToken,
}

impl App {
    pub(crate) fn open(
        config: SandboxConfig,
        url: String,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, SandboxError> {
        let path = config.data_dir;
        std::fs::create_dir_all(&path)
            .map_err(|source| SandboxError::Storage { path: path.clone(), source })?;
        let google = Google::open(&path.join("google.jsonl"), config.oauth_clients)?;
        let (faults, recorder) = (Faults::new(config.seed), Recorder::default());
        Ok(Arc::new(Self { google, faults, recorder, url, shutdown }))
    }
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .nest("/google", google::router(&app))
        .nest("/control", control::router())
        .merge(page::router())
        .with_state(app)
}
