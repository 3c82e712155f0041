//! What the parts of the server share, and how their routes come together.

use std::net::IpAddr;
use std::sync::{Arc, MutexGuard};

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use crate::bad_answers::FOREIGN_HOST_PATH;
use crate::faults::FaultInjector;
use crate::google::GoogleSandbox;
use crate::mailbox::Mailbox;
use crate::microsoft::MicrosoftSandbox;
use crate::ota::Ota;
use crate::provider::Provider;
use crate::push::{ChangeInbox, PushSender};
use crate::recorder::TrafficRecorder;
use crate::store::ProviderStore;
use crate::{
    OAuthClient, SandboxConfig, SandboxError, clock, control, elsewhere, google, microsoft, ota, page,
};

/// The whole sandbox.
#[derive(Debug)]
pub(crate) struct SandboxApp {
    pub(crate) google: GoogleSandbox,
    pub(crate) microsoft: MicrosoftSandbox,
    pub(crate) ota: Ota,
    pub(crate) mailbox: Mailbox,
    pub(crate) faults: FaultInjector,
    pub(crate) recorder: TrafficRecorder,
    pub(crate) push: PushSender,
    /// The base address, without a slash at its end.
    pub(crate) url: String,
    /// Ends what would otherwise hold an answer back.
    pub(crate) shutdown: CancellationToken,
}

impl SandboxApp {
    /// Reads what there is below the data folder. What changes with the providers comes out of the inbox. The mailbox
    /// listens at `ip`; the listener comes back, to be served.
    pub(crate) async fn open(
        config: SandboxConfig,
        url: String,
        ip: IpAddr,
        shutdown: CancellationToken,
    ) -> Result<(Arc<Self>, ChangeInbox, TcpListener), SandboxError> {
        let path = config.data_dir;
        std::fs::create_dir_all(&path)
            .map_err(|source| SandboxError::Storage { path: path.clone(), source })?;
        let (of_google, google_changes) = unbounded_channel();
        let (of_microsoft, microsoft_changes) = unbounded_channel();
        let google = GoogleSandbox::open(&path.join("google.jsonl"), config.oauth_clients, of_google)?;
        let microsoft =
            MicrosoftSandbox::open(&path.join("microsoft.jsonl"), config.microsoft_clients, of_microsoft)?;
        let ota = Ota::open(&path.join("ota.jsonl"), config.seed, clock::now())?;
        let (faults, recorder) = (FaultInjector::new(config.seed), TrafficRecorder::default());
        let push = PushSender::new(shutdown.clone())?;
        let (mailbox, listener) = Mailbox::open(path.join("mailbox.jsonl"), ip).await?;
        let app = Self { google, microsoft, ota, mailbox, faults, recorder, push, url, shutdown };
        let inbox = ChangeInbox { google: google_changes, microsoft: microsoft_changes };
        Ok((Arc::new(app), inbox, listener))
    }

    /// The state of a provider; held for the length of one request's work, never across an await.
    pub(crate) fn store(&self, provider: Provider) -> MutexGuard<'_, ProviderStore> {
        match provider {
            Provider::Google => self.google.store(),
            Provider::Microsoft => self.microsoft.store(),
        }
    }

    /// The applications that are registered with a provider.
    pub(crate) fn clients(&self, provider: Provider) -> &[OAuthClient] {
        match provider {
            Provider::Google => self.google.clients(),
            Provider::Microsoft => self.microsoft.clients(),
        }
    }
}

/// All routes.
pub(crate) fn router(app: Arc<SandboxApp>) -> Router {
    Router::new()
        .nest("/google", google::router(&app))
        .nest("/microsoft", microsoft::router(&app))
        .nest("/control", control::router())
        .route(&format!("{FOREIGN_HOST_PATH}/{{*path}}"), any(elsewhere::visit))
        .merge(ota::router())
        .merge(page::router())
        .with_state(app)
}
