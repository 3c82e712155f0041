//! An installation of the program, of processes of its own: a sandbox for the world outside, a business, and whoever
//! asks by the API.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use concord::{
    cli::serve::assemble,
    config::{Config, ConfigSources},
};
use concord_domain::{clock::Clock, connection::ProviderKind, ids::ConnectionId};
use concord_jobs::Context;
use concord_providers::{HttpClient, HttpConfig};
use concord_sandbox::OAuthClient;
use concord_services::connect::{self, ConnectTarget};
use concord_storage::{
    api_keys,
    businesses::Business,
    connections::ConnectionTokens,
    people::Staff,
    seal::MasterKey,
    secret,
    testing::{self, TestDb},
};
use http::{Method, Request, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    free_port,
    process::{Process, last_words, listens, program},
};

/// How long anything may take that is not on trial.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The installation, and the world around it.
pub struct Cluster<'a> {
    pub db: &'a TestDb,
    pub business: Business,
    /// The resource that all bookings are of; it never fills.
    room: String,
    pub http: HttpClient,
    pub url: String,
    sandbox_url: String,
    pub api_key: String,
    variables: Vec<(String, String)>,
    /// The world around it.
    pub sandbox: Process,
    pub folder: TempDir,
}

impl<'a> Cluster<'a> {
    /// Makes the business and starts the sandbox. `more`: what the program is told besides where everything is.
    pub async fn start(db: &'a TestDb, redis_url: Option<&str>, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, sandbox_port) = (free_port(), free_port());
        let sandbox_url = format!("http://127.0.0.1:{sandbox_port}");
        let mut variables = variables(db, folder.path(), port, &sandbox_url);
        variables.extend(redis_url.map(|url| ("REDIS_URL".to_owned(), url.to_owned())));
        variables.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let listen = format!("127.0.0.1:{sandbox_port}");
        let data = folder.path().join("sandbox").display().to_string();
        let arguments = ["sandbox", "--listen", &listen, "--data", &data];
        let log = folder.path().join("sandbox.log");
        let sandbox = Process::new(&program(), &arguments, &[], log);
        listens(sandbox_port).await;
        let http = HttpClient::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() });
        let (url, http) = (format!("http://127.0.0.1:{port}"), http.expect("a client"));
        let context = context(folder.path(), &variables).await;
        let business = testing::business(db).await;
        let room = testing::resource(db, &business, 1_000).await.id.to_string();
        let key = secret::new_token("ck_");
        let mut tx = testing::begin(db).await;
        let made = api_keys::create(&mut tx, business.id, "Cluster", &key, context.clock.now()).await;
        made.expect("a key is made");
        testing::commit(tx).await;
        context.db.close().await;
        let api_key = key.expose_secret().to_owned();
        Self { db, business, room, http, url, sandbox_url, api_key, variables, sandbox, folder }
    }

    /// What the program's jobs are given, here in this process. To be closed before a process of the program runs that
    /// wants the database for itself.
    pub async fn context(&self) -> Context {
        context(self.folder.path(), &self.variables).await
    }

    /// Connects a new account of the sandbox.
    pub async fn connect_with_grant(
        &self,
        context: &Context,
        staff: &Staff,
        (provider, email): (ProviderKind, &str),
    ) -> ConnectionId {
        let account = json!({ "provider": provider, "email": email });
        self.control(Method::POST, "accounts", Some(account)).await;
        self.adopt(context, staff, (provider, email)).await
    }

    /// Connects an account of the sandbox that is there.
    pub async fn adopt(
        &self,
        context: &Context,
        staff: &Staff,
        (provider, email): (ProviderKind, &str),
    ) -> ConnectionId {
        let grant = json!({ "provider": provider, "account": email });
        let grant = self.control(Method::POST, "grants", Some(grant)).await;
        let token = |name: &str| grant[name].as_str().expect("a token").into();
        let tokens = ConnectionTokens {
            access: token("access_token"),
            access_expires_at: context.clock.now() + chrono::Duration::hours(1),
            refresh: Some(token("refresh_token")),
        };
        let wanted = ConnectTarget { business: staff.business_id, staff: staff.id, provider };
        let connected = connect::adopt(context, wanted, tokens, "/".to_owned()).await;
        connected.expect("it is connected").connection
    }

    /// A process of the program to be tested.
    pub fn concord(&self, name: &str, arguments: &[&str]) -> Process {
        self.concord_with(name, arguments, &[])
    }

    /// The same, told more than the others.
    pub fn concord_with(&self, name: &str, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let log = self.folder.path().join(format!("{name}.log"));
        let mut variables = self.variables.clone();
        variables.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Process::new(&program(), arguments, &variables, log)
    }

    pub async fn is_ready(&self) {
        let began = Instant::now();
        loop {
            let request = Request::get(format!("{}/readyz", self.url)).body(Bytes::new()).expect("a request");
            if self.http.send(request).await.is_ok_and(|answer| answer.status.is_success()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not start:\n{}", last_words(self.folder.path()));
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A call of the sandbox's control interface.
    pub async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}/control/{path}", self.sandbox_url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map(|body| body.to_string().into()).unwrap_or_default())
            .expect("a request");
        let answer = self.http.send(request).await.expect("the sandbox answers");
        assert!(answer.status.is_success(), "{method} {path}: {} {:?}", answer.status, answer.body);
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// How long the program takes to answer: a call of the API, or a page to whoever has this cookie.
    pub async fn time_of(&self, path: &str, cookie: Option<&str>) -> Duration {
        let request = Request::get(format!("{}{path}", self.url));
        let request = match cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request.header(header::AUTHORIZATION, format!("Bearer {}", self.api_key)),
        };
        let request = request.body(Bytes::new()).expect("a request");
        let began = Instant::now();
        let answer = self.http.send(request).await.expect("the program answers");
        let took = began.elapsed();
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        took
    }

    /// The id of the first of a list of the API.
    pub async fn first_of(&self, path: &str) -> String {
        let list = self.call(Method::GET, &format!("/api/v1{path}"), None).await;
        list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{path}: {list}")).to_owned()
    }

    /// Tells the program what a booking is from now on, of the one resource if it names no other, until it has said that
    /// it knows. Returns when it was changed, which is a moment before the commit.
    pub async fn put(&self, reference: &str, mut booking: Value) -> DateTime<Utc> {
        if booking["resource"].is_null() {
            booking["resource"] = json!(self.room);
        }
        let began = Instant::now();
        loop {
            let request = Request::put(format!("{}/api/v1/bookings/{reference}", self.url))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
                .body(booking.to_string().into())
                .expect("a request");
            match self.http.send(request).await {
                Ok(answer) if answer.status.is_success() => return changed_at(&answer.body),
                Ok(answer) => {
                    let passing =
                        answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED;
                    assert!(passing, "{booking}: {} {:?}", answer.status, answer.body);
                }
                // It was killed, perhaps after it had done what it was told.
                Err(_) => {}
            }
            assert!(began.elapsed() < PATIENCE, "no answer:\n{}", last_words(self.folder.path()));
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn context(folder: &Path, variables: &[(String, String)]) -> Context {
    let sources =
        ConfigSources { folder: folder.to_owned(), env: variables.to_vec(), ..ConfigSources::default() };
    let config = Config::load(&sources).expect("the configuration is in order");
    assemble(config, Clock::system()).await.expect("the parts fit together").context
}

/// What the program is told: the defaults, but for where everything is.
fn variables(db: &TestDb, folder: &Path, port: u16, sandbox_url: &str) -> Vec<(String, String)> {
    let (client, microsoft) = (OAuthClient::default(), OAuthClient::microsoft());
    let google = format!("{sandbox_url}/google");
    let variables = [
        ("DATABASE_URL", db.url().to_owned()),
        ("CONCORD_MASTER_KEY", MasterKey::generate().to_base64().expose_secret().to_owned()),
        ("CONCORD__DATA_DIR", folder.join("data").display().to_string()),
        ("CONCORD__SERVER__LISTEN", format!("127.0.0.1:{port}")),
        ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        ("CONCORD__PROVIDERS__CALDAV__ALLOWED_HOSTS", "[\"127.0.0.1\"]".to_owned()),
        ("GOOGLE_CALENDAR_CLIENT_ID", client.client_id),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", client.client_secret),
        ("CONCORD__PROVIDERS__GOOGLE__AUTH_URL", format!("{google}/o/oauth2/v2/auth")),
        ("CONCORD__PROVIDERS__GOOGLE__TOKEN_URL", format!("{google}/token")),
        ("CONCORD__PROVIDERS__GOOGLE__REVOKE_URL", format!("{google}/revoke")),
        ("CONCORD__PROVIDERS__GOOGLE__API_BASE", google),
        ("MICROSOFT_GRAPH_CLIENT_ID", microsoft.client_id),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", microsoft.client_secret),
        ("CONCORD__PROVIDERS__MICROSOFT__API_BASE", format!("{sandbox_url}/microsoft")),
        ("CONCORD__PROVIDERS__MICROSOFT__LOGIN_BASE", format!("{sandbox_url}/microsoft")),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn changed_at(booking: &[u8]) -> DateTime<Utc> {
    let booking: Value = serde_json::from_slice(booking).expect("JSON");
    let at = booking["updated_at"].as_str().and_then(|at| at.parse().ok());
    at.unwrap_or_else(|| panic!("when was it changed? {booking}"))
}
