//! What the parts of the server share, and how their routes come together.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::faults::Faults;
use crate::google::Google;
use crate::mailbox::Mailbox;
use crate::recorder::Recorder;
use crate::{SandboxConfig, SandboxError, control, google, page};

/// The whole sandbox.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) google: Google,
    pub(crate) mailbox: Mailbox,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    /// The base address, without a slash at its end.
    pub(crate) url: String,
    /// Ends what would otherwise hold an answer back.
    pub(crate) shutdown: CancellationToken,
}

impl App {
    /// Reads what there is below the data folder. The mailbox listens at `ip`; the listener comes back, to be served.
    pub(crate) async fn open(
        config: SandboxConfig,
        url: String,
        ip: IpAddr,
        shutdown: CancellationToken,
    ) -> Result<(Arc<Self>, TcpListener), SandboxError> {
        let path = config.data_dir;
        std::fs::create_dir_all(&path)
            .map_err(|source| SandboxError::Storage { path: path.clone(), source })?;
        let google = Google::open(&path.join("google.jsonl"), config.oauth_clients)?;
        let (faults, recorder) = (Faults::new(config.seed), Recorder::default());
        let (mailbox, listener) = Mailbox::open(path.join("mailbox.jsonl"), ip).await?;
        Ok((Arc::new(Self { google, mailbox, faults, recorder, url, shutdown }), listener))
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
