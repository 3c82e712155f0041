//! The whole sandbox: what it stands for, each with its own state, over one server.

use std::net::IpAddr;
use std::sync::{Arc, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::faults::FaultInjector;
use crate::google::GoogleSandbox;
use crate::issuer::Issuer;
use crate::mailbox::Mailbox;
use crate::microsoft::MicrosoftSandbox;
use crate::ota::Ota;
use crate::provider::Provider;
use crate::push::PushSender;
use crate::recorder::TrafficRecorder;
use crate::server::SandboxServer;
use crate::store::{EntryChanged, ProviderStore};
use crate::{OAuthClient, SandboxConfig, SandboxError, clock, google, microsoft};

#[derive(Debug)]
pub(crate) struct SandboxApp {
    pub(crate) google: Arc<GoogleSandbox>,
    pub(crate) microsoft: Arc<MicrosoftSandbox>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) ota: Arc<Ota>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) server: Arc<SandboxServer>,
}

/// Where the providers' changes come out.
#[derive(Debug)]
pub(crate) struct ChangeInbox {
    google: UnboundedReceiver<EntryChanged>,
    microsoft: UnboundedReceiver<EntryChanged>,
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
        let push = PushSender::new(shutdown.clone())?;
        let (faults, recorder) = (FaultInjector::new(config.seed), TrafficRecorder::default());
        let server = Arc::new(SandboxServer { faults, recorder, push, url, shutdown });
        let (of_google, google_changes) = unbounded_channel();
        let (of_microsoft, microsoft_changes) = unbounded_channel();
        let (google_path, clients) = (path.join("google.jsonl"), config.oauth_clients);
        let google = GoogleSandbox::open(
            &google::GoogleDialect,
            &google_path,
            clients,
            of_google,
            Arc::clone(&server),
        )?;
        let (microsoft_path, clients) = (path.join("microsoft.jsonl"), config.microsoft_clients);
        let dialect = &microsoft::MicrosoftDialect;
        let microsoft =
            MicrosoftSandbox::open(dialect, &microsoft_path, clients, of_microsoft, Arc::clone(&server))?;
        let ota = Ota::open(&path.join("ota.jsonl"), config.seed, clock::now(), Arc::clone(&server))?;
        let (mailbox, listener) = Mailbox::open(path.join("mailbox.jsonl"), ip).await?;
        let app = Self {
            google: Arc::new(google),
            microsoft: Arc::new(microsoft),
            issuer: Arc::new(Issuer::new(Arc::clone(&server))),
            ota: Arc::new(ota),
            mailbox: Arc::new(mailbox),
            server,
        };
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
            Provider::Google => &self.google.clients,
            Provider::Microsoft => &self.microsoft.clients,
        }
    }
}

/// Tells of changes until the sandbox stops.
pub(crate) async fn notify_of_changes(app: Arc<SandboxApp>, mut inbox: ChangeInbox) {
    loop {
        let notifications = tokio::select! {
            () = app.server.shutdown.cancelled() => return,
            Some(changed) = inbox.google.recv() => google::notifications(&app.google, &changed, clock::now()),
            Some(changed) = inbox.microsoft.recv() => {
                microsoft::notifications(&app.microsoft, &changed, clock::now())
            }
            else => return,
        };
        for notification in notifications {
            app.server.notify(notification);
        }
    }
}
