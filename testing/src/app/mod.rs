//! A Concord that runs: front and worker in this process, the sandbox as the outside world, a business with an API key.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test whose surroundings fail has failed, and says what it saw"
)]

mod api_client;
pub mod browser;
pub mod cluster;
pub mod cluster_requests;
pub mod demo_app;
pub mod page_client;
pub mod webhook_fleet;

use std::net::SocketAddr;

use chrono::{Days, NaiveDate};
use concord::{
    app::App,
    cli::serve::{assemble, serve_with_worker},
    config::{Config, ConfigArgument, ConfigSources},
};
use concord_domain::{clock::Clock, connection::ProviderKind, ids::StaffId};
use concord_sandbox::{OAuthClient, Sandbox, SandboxConfig};
use concord_services::{
    connect::{self, ConnectTarget},
    connections as manage,
};
use concord_storage::{
    Db, api_keys,
    businesses::Business,
    connections::ConnectionTokens,
    resources::Resource,
    seal::MasterKey,
    secret,
    testing::{self, TestDb},
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use self::api_client::{ApiClient, ApiResponse};
pub use crate::until;
use crate::{PATIENCE, logs};

pub struct TestApp {
    pub app: App,
    pub sandbox: Sandbox,
    pub business: Business,
    /// For the business, by a key of its own.
    pub api: ApiClient,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    data: TempDir,
}

/// What a test may want otherwise.
#[derive(Default)]
pub struct TestAppOptions {
    pub microsoft: bool,
    /// The sandbox's OpenID Connect issuer.
    pub issuer: bool,
    pub redis_url: Option<String>,
    pub settings: Vec<(&'static str, String)>,
}

impl TestApp {
    pub async fn start(db: &TestDb) -> Self {
        Self::start_with(db, TestAppOptions::default()).await
    }

    /// Waits until the probe says so: a single look may come in a moment in which the machine stands still.
    pub async fn is_ready(&self) {
        until("it is ready", async || {
            (self.api.send_unauthenticated(Method::GET, "/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// With Redis as the queue, its keys under a name of their own.
    pub async fn start_with_redis(db: &TestDb) -> Self {
        let redis_url = std::env::var("CONCORD_TEST_REDIS_URL").expect(
            "CONCORD_TEST_REDIS_URL is not set, and this test needs a Redis: run `make test`, which starts one, or \
             eval \"$(scripts/services.sh up)\"",
        );
        Self::start_with(db, TestAppOptions { redis_url: Some(redis_url), ..TestAppOptions::default() }).await
    }

    pub async fn start_with(db: &TestDb, wishes: TestAppOptions) -> Self {
        logs::collect();
        concord_providers::install_crypto_provider();
        let data = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sandbox = start_sandbox(&data).await;
        let config = configuration(db, &data, address, &sandbox, wishes);
        let app = assemble(config, Clock::system()).await.expect("the parts fit together");
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (app, shutdown) = (app.clone(), shutdown.clone());
            async move { serve_with_worker(app, listener, shutdown).await.expect("it serves") }
        });
        let business = testing::business(db).await;
        let api =
            ApiClient { base: format!("http://{address}"), key: key(db, &business).await, http: client() };
        Self { app, sandbox, business, api, shutdown, running, data }
    }

    pub fn db(&self) -> &Db {
        &self.app.context.db
    }

    pub async fn resource(&self, capacity: u32) -> Resource {
        testing::resource(self.db(), &self.business, capacity).await
    }

    pub async fn staff(&self, name: &str) -> StaffId {
        testing::staff(self.db(), &self.business, name).await.id
    }

    /// Another tenant of the same installation.
    pub async fn other_business(&self) -> (Business, ApiClient) {
        let business = testing::business(self.db()).await;
        let key = key(self.db(), &business).await;
        (business, ApiClient { key, ..self.api.clone() })
    }

    /// Connects an account of the sandbox's Google as a person would: through the consent page. Returns the
    /// integration.
    pub async fn connect_google(&self, staff: StaffId, account: &str) -> Value {
        let begun =
            self.api.post("/api/v1/calendar_integrations/google/authorize", json!({ "staff": staff })).await;
        let url: Url = begun.expect(200)["url"].as_str().expect("an address").parse().expect("a URL");
        let callback = self.consent(&url, account, "allow").await;
        let answer = self.follow_callback(&callback).await;
        assert!(matches!(answer.status, 200 | 303), "{} {}", answer.status, answer.text);
        let list = self.api.get(&format!("/api/v1/calendar_integrations?staff={staff}")).await;
        list.expect(200)["items"][0].clone()
    }

    /// Comes back from the consent page, and confirms for whom the calendar is if that is asked.
    pub async fn follow_callback(&self, callback: &str) -> ApiResponse {
        let answer = self.api.send_unauthenticated(Method::GET, callback).await;
        if !answer.text.contains("<form method=\"post\" action=\"?\">") {
            return answer;
        }
        let (address, query) = callback.split_once('?').expect("a query");
        let path = address.strip_prefix(&self.api.base).unwrap_or(address);
        let request = self.api.http.post(format!("{}{path}", self.api.base));
        let form = "application/x-www-form-urlencoded";
        api_client::send_request(request.header("content-type", form).body(query.to_owned())).await
    }

    /// Decides on the consent page. Returns the address that the browser is sent to.
    pub async fn consent(&self, url: &Url, account: &str, decision: &str) -> String {
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("account".to_owned(), account.to_owned()));
        form.push(("decision".to_owned(), decision.to_owned()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut page = url.clone();
        page.set_query(None);
        let answer = self
            .api
            .http
            .post(page)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .expect("the consent page answers");
        assert_eq!(answer.status(), StatusCode::FOUND);
        answer.headers()["location"].to_str().expect("an address").to_owned()
    }

    /// What the sandbox says of every entry in its calendars, deleted ones too.
    pub async fn remote_entries(&self) -> Vec<Value> {
        let url = format!("{}/control/events?provider=google", self.sandbox.url());
        let answer = self.api.http.get(url).send().await.expect("the sandbox answers");
        let value: Value = answer.json().await.expect("JSON");
        let items =
            value.as_array().or_else(|| value["events"].as_array()).or_else(|| value["items"].as_array());
        items.expect("a list").clone()
    }

    /// What a person does in their own calendar.
    pub async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/control{path}", self.sandbox.url());
        let request = self.api.http.request(method, url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.expect("a text");
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The calls that the sandbox's provider has had since they were last forgotten.
    pub async fn traffic(&self, provider: &str) -> Vec<Value> {
        let url = format!("{}/control/requests?provider={provider}", self.sandbox.url());
        let answer = self.api.http.get(url).send().await.expect("the sandbox answers");
        let lines = answer.text().await.expect("a text");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What the sandbox has written down of a provider's channels: their words among it.
    pub fn push_subscriptions(&self, provider: &str) -> Vec<Value> {
        let journal = self.data.path().join("sandbox").join(format!("{provider}.jsonl"));
        let lines = std::fs::read_to_string(journal).expect("the sandbox's journal");
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["channel"].is_object()).map(|line| line["channel"].clone()).collect()
    }

    /// Connects an account of the sandbox as if its owner had consented.
    pub async fn connect_account(&self, provider: ProviderKind, staff: StaffId, account: &str) {
        let person = json!({ "provider": provider, "email": account, "zone": "Europe/Lisbon" });
        self.control(Method::POST, "/accounts", person).await;
        let grant = json!({ "provider": provider, "account": account });
        let given = self.control(Method::POST, "/grants", grant).await;
        let token = |name: &str| given[name].as_str().expect("a token").into();
        let tokens = ConnectionTokens {
            access: token("access_token"),
            access_expires_at: self.app.now() + chrono::Duration::minutes(50),
            refresh: Some(token("refresh_token")),
        };
        let wanted = ConnectTarget { business: self.business.id, staff, provider };
        connect::adopt(&self.app.context, wanted, tokens, "/".to_owned()).await.expect("it is connected");
    }

    /// Somebody deletes an entry in their own calendar, which is read then.
    pub async fn person_deletes(&self, entry: &str) {
        self.await_push_subscriptions().await;
        self.control(Method::DELETE, &format!("/events/{entry}?provider=google"), Value::Null).await;
        self.read_calendars().await;
    }

    /// Somebody moves an entry in their own calendar, which is read then.
    pub async fn person_moves(&self, entry: &str, starts_at: &str, ends_at: &str) {
        self.await_push_subscriptions().await;
        let times = json!({ "starts_at": starts_at, "ends_at": ends_at });
        self.control(Method::PATCH, &format!("/events/{entry}?provider=google"), times).await;
        self.read_calendars().await;
    }

    /// The first reading of a calendar shows what stands there, and only the next ones what is gone since.
    async fn await_push_subscriptions(&self) {
        until("each calendar was read once", async || {
            let list = self.api.get("/api/v1/calendar_integrations").await.expect(200);
            let integrations = list["items"].as_array()?.clone();
            let calendars = integrations.iter().filter_map(|one| one["calendars"].as_array()).flatten();
            calendars
                .filter(|calendar| calendar["reads"] == true)
                .all(|calendar| !calendar["last_import_at"].is_null())
                .then_some(())
        })
        .await;
    }

    async fn read_calendars(&self) {
        manage::import_all(&self.app.context, self.business.id).await.expect("the readings are raised");
    }

    /// Waits for a change of a booking's entry that is in this state, and returns the newest one.
    pub async fn remote_change_in_state(&self, state: &str) -> Value {
        let path = format!("/api/v1/remote_changes?state={state}");
        until("what was done in a calendar is met", async || {
            self.api.get(&path).await.expect(200)["items"].get(0).cloned()
        })
        .await
    }

    /// Stops front and worker, and waits for what is in hand.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("it ends well");
        self.app.context.db.close().await;
        self.sandbox.stop().await;
    }
}

async fn start_sandbox(data: &TempDir) -> Sandbox {
    let address = "127.0.0.1:0".parse().expect("an address");
    Sandbox::start(SandboxConfig::new(address, data.path().join("sandbox")))
        .await
        .expect("the sandbox starts")
}

fn configuration(
    db: &TestDb,
    data: &TempDir,
    address: SocketAddr,
    sandbox: &Sandbox,
    wishes: TestAppOptions,
) -> Config {
    let google = format!("{}/google", sandbox.url());
    let microsoft = format!("{}/microsoft", sandbox.url());
    let (client, client_of_microsoft) = (OAuthClient::default(), OAuthClient::microsoft());
    let mut settings = vec![
        ("data_dir", data.path().display().to_string()),
        ("server.listen", address.to_string()),
        ("server.public_url", format!("http://{address}")),
        ("database.url", db.url().to_owned()),
        ("database.durable", "false".to_owned()),
        ("database.max_connections", "12".to_owned()),
        ("database.migrate_at_start", "false".to_owned()),
        ("queue.prefix", format!("test-{}", &secret::digest_bytes(db.url().as_bytes())[..16])),
        ("security.master_key", MasterKey::generate().to_base64().expose_secret().to_owned()),
        ("providers.google.client_id", client.client_id),
        ("providers.google.client_secret", client.client_secret),
        ("providers.google.api_base", google.clone()),
        ("providers.google.auth_url", format!("{google}/o/oauth2/v2/auth")),
        ("providers.google.token_url", format!("{google}/token")),
        ("providers.google.revoke_url", format!("{google}/revoke")),
        ("mail.url", sandbox.smtp_url()),
        ("mail.digest_minutes", "0".to_owned()),
        ("worker.sweep_seconds", "1".to_owned()),
        ("feeds.requests_per_minute_per_address", "100000".to_owned()),
        ("server.unproven_requests_per_minute_per_address", "100000".to_owned()),
        ("feeds.requests_per_minute_per_token", "100000".to_owned()),
    ];
    if wishes.microsoft {
        settings.extend([
            ("providers.microsoft.client_id", client_of_microsoft.client_id),
            ("providers.microsoft.client_secret", client_of_microsoft.client_secret),
            ("providers.microsoft.api_base", microsoft.clone()),
            ("providers.microsoft.login_base", microsoft),
        ]);
    }
    if wishes.issuer {
        settings.push(("sign_in.oidc.issuer", format!("{}/issuer", sandbox.url())));
    }
    if let Some(url) = wishes.redis_url {
        settings.push(("queue.redis_url", url));
    }
    settings.extend(wishes.settings);
    let arguments =
        settings.into_iter().map(|(key, value)| ConfigArgument { flag: "--test", key, value }).collect();
    let sources = ConfigSources { file: None, folder: data.path().to_owned(), env: vec![], arguments };
    Config::load(&sources).unwrap_or_else(|error| panic!("{error}"))
}

async fn key(db: &Db, business: &Business) -> String {
    let token = secret::new_token("ck_");
    let mut tx = testing::begin(db).await;
    api_keys::create(&mut tx, business.id, "Test", &token, Clock::system().now())
        .await
        .expect("a key is made");
    testing::commit(tx).await;
    logs::keep_out(token.expose_secret());
    token.expose_secret().to_owned()
}

fn client() -> reqwest::Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own client, which shows redirects and compressed bytes"
    )]
    let builder = reqwest::Client::builder();
    builder.redirect(reqwest::redirect::Policy::none()).no_gzip().timeout(PATIENCE).build().expect("a client")
}

pub fn today() -> NaiveDate {
    Clock::system().now().date_naive()
}

/// A day well ahead of now.
pub fn day(ahead: u64) -> String {
    (today() + Days::new(30 + ahead)).to_string()
}

/// An hour on a day well ahead of now.
pub fn hour(ahead: u64, hour: u32) -> String {
    format!("{}T{hour:02}:00:00Z", day(ahead))
}

/// A stay of that many nights.
pub fn stay(resource: &Resource, from: u64, nights: u64) -> Value {
    json!({ "resource": resource.id, "check_in": day(from), "check_out": day(from + nights) })
}
