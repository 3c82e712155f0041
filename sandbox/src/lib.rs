//! The sandbox: the outside world, simulated over real HTTP.
//!
//! What it is: a server that stands for the providers that Concord talks to. Today that is a Google (accounts,
//! consent page, tokens, Calendar v3), with a page on which a person sees and changes their own calendar, and a
//! control interface by which tests and demos play that person, break things on demand and read the traffic.
//!
//! What it must never do: make life easier than the real provider does. Where the provider is strict, forgetful
//! or unreliable, so is the sandbox; `/control` is the only place for short cuts. Nothing in production may depend
//! on this crate, and it calls nobody.
//!
//! The most common change, "the provider also does X": find the provider's folder (`google/`), where each file is one
//! thing that the provider does; write the behaviour there with its source in a comment, and a test in `tests/` that
//! goes through HTTP. A new provider is a new folder beside `google/`, one line in [`app`](self) and one in `control/`.

mod app;
mod clock;
mod connection;
mod control;
mod faults;
mod google;
mod journal;
mod page;
mod proxy;
mod recorder;
mod recurrence;
mod timing;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use faults::FaultKind;
pub use proxy::{FaultProxy, ProxyFault};

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the state is kept; made if it is not there. Two sandboxes must not share it.
    pub data_dir: PathBuf,
    /// Seed for faults with a probability below 1, so that a run can be repeated.
    pub seed: u64,
    /// The applications that may ask persons for their consent.
    pub oauth_clients: Vec<OAuthClient>,
}

impl SandboxConfig {
    /// A configuration with the default OAuth client and seed 1.
    pub fn new(listen: SocketAddr, data_dir: impl Into<PathBuf>) -> Self {
        Self { listen, data_dir: data_dir.into(), seed: 1, oauth_clients: vec![OAuthClient::default()] }
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
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended by itself.
    #[error("the sandbox's server ended: {0}")]
    Serve(#[source] std::io::Error),
}

/// A running sandbox. Dropping it stops it without waiting; [`Sandbox::stop`] waits.
#[derive(Debug)]
pub struct Sandbox {
    url: String,
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
        let (url, running) = prepare(config, shutdown.clone()).await?;
        Ok(Self { url, shutdown, server: tokio::spawn(running) })
    }

    /// The base address, `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> String {
        self.url.clone()
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

/// Runs a sandbox until `shutdown` is cancelled.
///
/// # Errors
/// As [`Sandbox::start`], and if the server ends by itself.
pub async fn serve(config: SandboxConfig, shutdown: CancellationToken) -> Result<(), SandboxError> {
    let (url, running) = prepare(config, shutdown).await?;
    tracing::info!(%url, "the sandbox is serving");
    running.await
}

async fn prepare(
    config: SandboxConfig,
    shutdown: CancellationToken,
) -> Result<(String, impl Future<Output = Result<(), SandboxError>>), SandboxError> {
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| SandboxError::Listen { address, source })?;
    let local = listener.local_addr().map_err(|source| SandboxError::Listen { address, source })?;
    let url = base_url(local);
    let app = app::App::open(config, url.clone(), shutdown.clone())?;
    let service = app::router(app).into_make_service_with_connect_info::<connection::Breaker>();
    let running = async move {
        axum::serve(connection::BreakableListener(listener), service)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
            .map_err(SandboxError::Serve)
    };
    Ok((url, running))
}

/// A wildcard address is no address to call: whoever listens on all of them is reached on loopback.
fn base_url(local: SocketAddr) -> String {
    if local.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", local.port())
    } else {
        format!("http://{local}")
    }
}
