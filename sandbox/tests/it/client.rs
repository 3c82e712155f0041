//! A sandbox of its own for each test, and an application that talks to it.

use std::net::SocketAddr;
use std::path::Path;

use concord_sandbox::{Sandbox, SandboxConfig};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub(crate) const ANA: &str = "ana@example.com";
pub(crate) const BEN: &str = "ben@example.com";

/// A running sandbox and a client with Ana's consent.
pub(crate) struct SandboxClient {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    /// Kept as long as the sandbox needs it.
    data: Option<tempfile::TempDir>,
}

/// An answer, read in full.
#[derive(Debug)]
pub(crate) struct SandboxResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl SandboxResponse {
    /// Google's reason for an error.
    pub(crate) fn reason(&self) -> &str {
        self.body["error"]["errors"][0]["reason"].as_str().unwrap_or_default()
    }

    /// The body, if the status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }
}

impl SandboxClient {
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut outside = Self::start_in(data.path()).await;
        outside.data = Some(data);
        outside
    }

    /// Starts on a folder that may have been used before.
    pub(crate) async fn start_in(data: &Path) -> Self {
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let sandbox = Sandbox::start(SandboxConfig::new(listen, data)).await.unwrap();
        let mut outside =
            Self { sandbox, http: client(), token: String::new(), refresh_token: String::new(), data: None };
        let grant = outside.grant(ANA, "openid email https://www.googleapis.com/auth/calendar").await;
        outside.token = grant["access_token"].as_str().unwrap().into();
        outside.refresh_token = grant["refresh_token"].as_str().unwrap().into();
        outside
    }

    pub(crate) async fn grant(&self, account: &str, scope: &str) -> Value {
        let body = json!({ "provider": "google", "account": account, "scope": scope });
        self.control(Method::POST, "/grants", Some(body)).await.expect(201)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }

    /// A call of the calendar API with Ana's token.
    pub(crate) fn calendar(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(&format!("/google/calendar/v3{path}"))).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> SandboxResponse {
        send(self.calendar(Method::GET, path)).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> SandboxResponse {
        send(self.calendar(method, path).json(&body)).await
    }

    pub(crate) async fn insert(&self, body: Value) -> SandboxResponse {
        self.call(Method::POST, "/calendars/primary/events", body).await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> SandboxResponse {
        let request = self.http.request(method, self.url(&format!("/control{path}")));
        send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub(crate) async fn fault(&self, fault: Value) {
        let mut fault = fault;
        fault["provider"] = "google".into();
        self.control(Method::POST, "/faults", Some(fault)).await.expect(201);
    }
}

/// The tests' HTTP client: it follows no redirect and keeps no connection, so that each request stands for itself.
#[expect(clippy::disallowed_methods, reason = "the tests play an application, which has a client of its own")]
pub(crate) fn client() -> reqwest::Client {
    // Fails only if another test was first, which is as good.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

pub(crate) async fn send(request: RequestBuilder) -> SandboxResponse {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    SandboxResponse { status, headers, body }
}

/// An event of one hour on 2 February 2026, starting at `hour` UTC.
pub(crate) fn hour(title: &str, hour: u32) -> Value {
    json!({
        "summary": title,
        "start": { "dateTime": format!("2026-02-02T{hour:02}:00:00Z") },
        "end": { "dateTime": format!("2026-02-02T{:02}:00:00Z", hour + 1) },
    })
}

/// The ids or titles of a list's items.
pub(crate) fn column(list: &Value, name: &str) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap_or("").into()).collect()
}
