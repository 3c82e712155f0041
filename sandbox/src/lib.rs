//! The sandbox: the outside world, simulated over real HTTP and SMTP.
//!
//! What it is: a server that stands for the providers that Concord talks to. Today that is a Google (accounts,
//! consent page, tokens, Calendar v3, channels), a Microsoft (accounts, identity endpoints, Graph's calendars and
//! subscriptions), an OpenID Connect issuer, booking platforms with listings that export feeds and read others', and a mailbox that takes every mail,
//! with pages on which a person sees and changes their own calendar, books a listing and reads the mails, and a control
//! interface by which tests and demos play that person, break things on demand and read the traffic.
//!
//! What it must never do: make life easier than the real provider does. Where the provider is strict, forgetful
//! or unreliable, so is the sandbox; `/control` is the only place for short cuts. Nothing in production may depend
//! on this crate, and it calls nobody but the addresses that applications have registered for notifications, and the feeds
//! that a listing was told to read.
//!
//! The most common change, "the provider also does X": find the provider's folder (`google/`), where each file is one
//! thing that the provider does; write the behaviour there with its source in a comment, and a test in `tests/` that
//! goes through HTTP. What all providers have is in `store/`. A new provider is a new folder beside `google/` with its
//! `ProviderDialect` and its `ProviderFrontend`, a name in `provider.rs`, a member of [`app`](self), and a route below.

mod app;
mod bad_answers;
mod clock;
mod connection;
mod consent_form;
mod control;
mod elsewhere;
mod faults;
mod gate;
mod google;
mod html;
mod issuer;
mod journal;
mod mailbox;
mod microsoft;
mod opaque;
mod ota;
mod page;
mod provider;
mod provider_sandbox;
mod push;
mod recorder;
mod recurrence;
mod server;
mod store;
mod timing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use faults::FaultKind;
pub use ota::ListingAddress;

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the state is kept; made if it is not there. Two sandboxes must not share it.
    pub data_dir: PathBuf,
    /// Seed for faults with a probability below 1, so that a run can be repeated.
    pub seed: u64,
    /// The applications that may ask persons with a Google account for their consent.
    pub oauth_clients: Vec<OAuthClient>,
    /// The same for Microsoft accounts.
    pub microsoft_clients: Vec<OAuthClient>,
}

impl SandboxConfig {
    /// A configuration with the default OAuth clients and seed 1.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            data_dir: data_dir.into(),
            seed: 1,
            oauth_clients: vec![OAuthClient::default()],
            microsoft_clients: vec![OAuthClient::microsoft()],
        }
    }
}

/// An application that is registered with the simulated provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClient {
    /// What the application calls itself in requests.
    pub client_id: String,
    /// What it proves itself with. It guards nothing outside the sandbox.
    pub client_secret: String,
}

impl OAuthClient {
    /// The application that the simulated OpenID Connect issuer knows.
    pub fn issuer() -> Self {
        Self { client_id: "sandbox-issuer-client".into(), client_secret: "sandbox issuer: secret/+%".into() }
    }

    /// The application that the simulated Microsoft knows.
    pub fn microsoft() -> Self {
        Self {
            client_id: "sandbox-microsoft-client".into(),
            client_secret: "sandbox-microsoft-secret".into(),
        }
    }
}

/// The application that the simulated Google knows.
impl Default for OAuthClient {
    fn default() -> Self {
        Self { client_id: "sandbox-google-client".into(), client_secret: "sandbox-google-secret".into() }
    }
}

/// Why a sandbox could not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The state's folder or file could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Storage {
        /// The file or folder concerned.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The state's file holds a line that is not the sandbox's own.
    #[error("{} line {line} cannot be read: {reason}; move the file away to start afresh", path.display())]
    Damaged {
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The client for notifications could not be made.
    #[error("the sandbox cannot call anybody: {0}")]
    Client(#[source] reqwest::Error),
    /// The server ended by itself.
    #[error("the sandbox's server ended: {0}")]
    Serve(#[source] std::io::Error),
}

/// A running sandbox. Dropping it stops it without waiting; [`Sandbox::stop`] waits.
#[derive(Debug)]
pub struct Sandbox {
    app: Arc<app::SandboxApp>,
    url: String,
    smtp_url: String,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), SandboxError>>,
}

impl Sandbox {
    /// Reads the state, listens and serves in a task of its own.
    ///
    /// # Errors
    /// If the folder, the state or the address cannot be used.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let shutdown = CancellationToken::new();
        let (app, running) = prepare(config, shutdown.clone()).await?;
        let (url, smtp_url) = (app.server.url.clone(), app.mailbox.url());
        Ok(Self { app, url, smtp_url, shutdown, server: tokio::spawn(running) })
    }

    /// The listings of the booking platforms, with the addresses of their feeds.
    pub fn listings(&self) -> Vec<ListingAddress> {
        self.app.ota.all().iter().map(|listing| self.app.ota.address_of(listing)).collect()
    }

    /// The base address, `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The address of the mailbox, as `SMTP_URL` has it.
    pub fn smtp_url(&self) -> String {
        self.smtp_url.clone()
    }

    /// Serves until `shutdown` is cancelled, then stops.
    ///
    /// # Errors
    /// If the server ends by itself.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), SandboxError> {
        tokio::select! {
            () = shutdown.cancelled() => {
                self.stop().await;
                Ok(())
            }
            ended = &mut self.server => ended.unwrap_or_else(|error| Err(SandboxError::Serve(error.into()))),
        }
    }

    /// Stops taking requests and waits for those in hand.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        match (&mut self.server).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the sandbox ended with an error"),
            Err(error) => tracing::warn!(%error, "the sandbox's task failed"),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn router(app: &Arc<app::SandboxApp>) -> Router {
    let elsewhere = any(elsewhere::visit).with_state(Arc::clone(&app.server));
    Router::new()
        .nest("/control", control::router())
        .merge(page::router())
        .with_state(Arc::clone(app))
        .nest("/google", google::router(&app.google))
        .nest("/microsoft", microsoft::router(&app.microsoft))
        .nest("/issuer", issuer::router(&app.issuer))
        .merge(ota::router(Arc::clone(&app.ota)))
        .route(&format!("{}/{{*path}}", bad_answers::FOREIGN_HOST_PATH), elsewhere)
}

async fn prepare(
    config: SandboxConfig,
    shutdown: CancellationToken,
) -> Result<(Arc<app::SandboxApp>, impl Future<Output = Result<(), SandboxError>>), SandboxError> {
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| SandboxError::Listen { address, source })?;
    let local = listener.local_addr().map_err(|source| SandboxError::Listen { address, source })?;
    let url = base_url(local);
    let (app, inbox, mail_listener) =
        app::SandboxApp::open(config, url, local.ip(), shutdown.clone()).await?;
    tokio::spawn(app::notify_of_changes(Arc::clone(&app), inbox));
    tokio::spawn(ota::run(Arc::clone(&app.ota)));
    let mail = mailbox::serve(Arc::clone(&app.mailbox), Arc::clone(&app.server), mail_listener);
    let service = router(&app).into_make_service_with_connect_info::<connection::ConnectionBreaker>();
    let running = async move {
        let http = axum::serve(connection::BreakableListener(listener), service)
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let http = async {
            let served = http.await;
            // Whatever ended it: without its pages nobody could see what comes.
            shutdown.cancel();
            served
        };
        let (served, ()) = tokio::join!(http, mail);
        served.map_err(SandboxError::Serve)
    };
    Ok((app, running))
}

/// A wildcard address is no address to call: whoever listens on all of them is reached on loopback.
fn base_url(local: SocketAddr) -> String {
    if local.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", local.port())
    } else {
        format!("http://{local}")
    }
}
