//! Notifications: from a change in a provider's state to the applications that watch it, without holding anybody up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::SandboxError;
use crate::provider::Provider;

/// How long an application may take to answer. Microsoft waits so long for the echo of a validation token.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The pauses before further attempts, in seconds. The providers go on for hours, a sandbox gives up sooner.
const RETRY_DELAYS: [u64; 3] = [1, 3, 9];

/// How many notifications are under way at a time.
const MAX_IN_FLIGHT: usize = 64;

/// One message to an application.
#[derive(Debug, Clone)]
pub(crate) struct OutgoingNotification {
    pub(crate) provider: Provider,
    pub(crate) account: String,
    pub(crate) address: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// JSON, or an empty body.
    pub(crate) body: Option<Value>,
}

/// The sandbox's way out.
#[derive(Debug)]
pub(crate) struct PushSender {
    client: reqwest::Client,
    shutdown: CancellationToken,
    under_way: Arc<Semaphore>,
}

impl PushSender {
    pub(crate) fn new(shutdown: CancellationToken) -> Result<Self, SandboxError> {
        // Fails only if one is installed already, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        #[expect(
            clippy::disallowed_methods,
            reason = "the outside world has a client of its own; this is it"
        )]
        let builder = reqwest::Client::builder();
        let client = builder
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("sandbox-notifications")
            .build()
            .map_err(SandboxError::Client)?;
        Ok(Self { client, shutdown, under_way: Arc::new(Semaphore::new(MAX_IN_FLIGHT)) })
    }

    /// Delivers in a task of its own, with a few attempts.
    pub(crate) fn send(&self, notification: OutgoingNotification) {
        let (client, under_way) = (self.client.clone(), Arc::clone(&self.under_way));
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = deliver(&client, &under_way, &notification) => {}
            }
        });
    }

    /// A request for what is at `address`.
    pub(crate) fn get(&self, address: &str) -> reqwest::RequestBuilder {
        self.client.get(address)
    }

    /// Posts to `address` and returns the status, the content type and the body of the answer.
    ///
    /// # Errors
    /// A sentence, if no answer came in time.
    pub(crate) async fn ask(&self, address: Url) -> Result<(StatusCode, String, String), String> {
        let say = |error: reqwest::Error| if error.is_timeout() { "it took too long" } else { "it failed" };
        let request = self.client.post(address).header("content-type", "text/plain; charset=utf-8");
        let answer = request.send().await.map_err(say)?;
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let (status, kind) = (answer.status(), kind.unwrap_or_default().to_owned());
        let body = answer.text().await.map_err(say)?;
        Ok((status, kind, body))
    }
}

async fn deliver(client: &reqwest::Client, under_way: &Semaphore, notification: &OutgoingNotification) {
    let mut pauses = RETRY_DELAYS.into_iter();
    loop {
        let outcome = {
            let Ok(_permit) = under_way.acquire().await else { return };
            attempt(client, notification).await
        };
        let Err(reason) = outcome else { return };
        let Some(pause) = pauses.next() else {
            tracing::info!(address = notification.address, reason, "a notification was given up");
            return;
        };
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

/// The reason if it was not taken and another attempt may do better.
async fn attempt(client: &reqwest::Client, notification: &OutgoingNotification) -> Result<(), String> {
    let mut request = client.post(&notification.address);
    for (name, value) in &notification.headers {
        request = request.header(*name, value);
    }
    request = match &notification.body {
        Some(body) => request.json(body),
        None => request.header("content-length", "0"),
    };
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer was {}", answer.status().as_u16())),
        Err(error) => Err(if error.is_timeout() { "it took too long".into() } else { "it failed".into() }),
    }
}

/// The address, if notifications may go there: https, or http on loopback, which only a sandbox takes.
pub(crate) fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let on_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => IpAddr::V4(ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(ip).is_loopback(),
    };
    match url.scheme() {
        "https" => Some(url),
        "http" if on_loopback => Some(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn notifications_go_to_https_or_to_the_same_machine() {
        for good in
            ["https://example.com/hook", "http://127.0.0.1:80/hook", "http://localhost/", "http://[::1]:9/"]
        {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in ["http://example.com/", "ftp://localhost/", "http://10.0.0.1/", "hook", ""] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }
}
