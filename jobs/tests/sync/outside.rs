//! The outside world of a test: a sandbox, and the people in it.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use concord_providers::{Answer, GoogleConfig, GoogleSettings, Http, HttpConfig, ProvidersConfig};
use concord_sandbox::{OAuthClient, Sandbox, SandboxConfig};
use http::{Method, Request, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{Url, form_urlencoded};

/// A running sandbox.
pub(crate) struct Outside {
    url: String,
    http: Http,
    data: TempDir,
    sandbox: Sandbox,
}

/// An entry that stands in a calendar, as its owner sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) calendar: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// RFC 3339 in UTC, or a date.
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
    pub(crate) raw: Value,
}

impl Seen {
    fn new(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("id"),
            calendar: text("calendar"),
            title: text("title"),
            description: text("description"),
            starts_at: text("starts_at"),
            ends_at: text("ends_at"),
            raw: entry["raw"].clone(),
        }
    }
}

/// What an account gave us.
pub(crate) struct Given {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let data = TempDir::new().expect("a temporary folder can be made");
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let sandbox =
            Sandbox::start(SandboxConfig::new(listen, data.path())).await.expect("a sandbox starts");
        let http = Http::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() });
        let outside = Self { url: sandbox.url(), http: http.expect("a client"), data, sandbox };
        // Its quotas go by the real minute, and our clock is another one.
        let quotas = json!({ "provider": "google", "per_user_per_minute": 1_000_000,
            "per_project_per_minute": 1_000_000 });
        outside.control(Method::PUT, "quotas", Some(quotas)).await;
        outside
    }

    /// Google, as this sandbox plays it, for callers of that much patience.
    pub(crate) fn providers(&self, patience: Duration) -> ProvidersConfig {
        let client = OAuthClient::default();
        let base = format!("{}/google", self.url).parse().expect("an address");
        ProvidersConfig {
            http: HttpConfig { request_timeout: patience, ..HttpConfig::default() },
            google: Some(GoogleSettings {
                client_id: client.client_id,
                client_secret: client.client_secret.into(),
                redirect_url: "http://127.0.0.1:9/oauth/calendar/google/callback"
                    .parse()
                    .expect("an address"),
                addresses: GoogleConfig::below(&base),
            }),
        }
    }

    /// Where its mailbox takes mails.
    pub(crate) fn smtp_url(&self) -> String {
        self.sandbox.smtp_url()
    }

    /// The mails that came, the oldest first.
    pub(crate) async fn mails(&self) -> Vec<Value> {
        let mails = self.control(Method::GET, "mails", None).await;
        mails.as_array().expect("a list of mails").clone()
    }

    async fn send(&self, request: Request<Bytes>) -> Answer {
        self.http.send(request).await.expect("the sandbox answers")
    }

    /// A call of the control interface.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}/control/{path}", self.url))
            .header(CONTENT_TYPE, "application/json")
            .body(body.map(|body| body.to_string().into()).unwrap_or_default())
            .expect("a request");
        let answer = self.send(request).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {:?}", answer.status, answer.body);
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// Makes an account with an empty main calendar, whose id is the address.
    pub(crate) async fn account(&self, email: &str) {
        let account = json!({ "provider": "google", "email": email, "zone": "Europe/Lisbon" });
        self.control(Method::POST, "accounts", Some(account)).await;
    }

    /// A further calendar of the account; its id.
    pub(crate) async fn calendar(&self, email: &str, name: &str) -> String {
        let calendar = json!({ "provider": "google", "account": email, "name": name });
        let made = self.control(Method::POST, "calendars", Some(calendar)).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The account's owner deletes a calendar for good.
    pub(crate) async fn delete_calendar(&self, id: &str) {
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        self.control(Method::DELETE, &format!("calendars/{id}?provider=google"), None).await;
    }

    /// The account's owner takes a calendar out of the list that they see.
    pub(crate) async fn hide_calendar(&self, email: &str, id: &str) {
        let hidden = json!({ "provider": "google", "account": email, "hidden": true });
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        self.control(Method::PATCH, &format!("calendars/{id}"), Some(hidden)).await;
    }

    /// Tokens, as if the owner had consented to everything.
    pub(crate) async fn consent(&self, email: &str) -> Given {
        let grant = json!({ "provider": "google", "account": email });
        let grant = self.control(Method::POST, "grants", Some(grant)).await;
        let token = |name: &str| grant[name].as_str().expect("a token").to_owned();
        Given { access: token("access_token"), refresh: token("refresh_token") }
    }

    /// A person at the consent page; what their browser then asks of our callback.
    pub(crate) async fn at_consent_page(&self, page: &Url, email: &str, decision: &str) -> Url {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(page.query_pairs()).append_pair("account", email).append_pair("decision", decision);
        let request = Request::post(&page[..url::Position::AfterPath])
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish().into())
            .expect("a request");
        let answer = self.send(request).await;
        assert!(answer.status.is_redirection(), "{} {:?}", answer.status, answer.body);
        let to = answer.headers["location"].to_str().expect("an address");
        to.parse().expect("an address")
    }

    /// The entries that stand in any calendar of the account, in the order of their last changes.
    pub(crate) async fn seen_by(&self, email: &str) -> Vec<Seen> {
        let all = self.control(Method::GET, &format!("events?provider=google&account={email}"), None).await;
        let all = all.as_array().expect("a list");
        all.iter().filter(|entry| entry["deleted"] == json!(false)).map(Seen::new).collect()
    }

    /// The only entry that stands in any calendar of the account.
    pub(crate) async fn one_seen_by(&self, email: &str) -> Seen {
        let mut seen = self.seen_by(email).await;
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    /// The titles of what stands in any calendar of the account, in order.
    pub(crate) async fn titles(&self, email: &str) -> Vec<String> {
        let mut titles: Vec<String> =
            self.seen_by(email).await.into_iter().map(|entry| entry.title).collect();
        titles.sort();
        titles
    }

    /// A person adds an entry to their main calendar; its id. `extra`: further members of the control interface.
    pub(crate) async fn person_adds(
        &self,
        email: &str,
        (starts_at, ends_at): (DateTime<Utc>, DateTime<Utc>),
        extra: Value,
    ) -> String {
        let mut body = json!({ "provider": "google", "account": email, "title": "Dentist",
            "starts_at": starts_at, "ends_at": ends_at });
        body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        let made = self.control(Method::POST, "events", Some(body)).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// A person changes an entry.
    pub(crate) async fn person_changes(&self, email: &str, id: &str, change: Value) {
        let path = format!("events/{id}?provider=google&account={email}");
        self.control(Method::PATCH, &path, Some(change)).await;
    }

    /// A person deletes an entry.
    pub(crate) async fn person_deletes(&self, email: &str, id: &str) {
        let path = format!("events/{id}?provider=google&account={email}");
        self.control(Method::DELETE, &path, None).await;
    }

    /// Another application of the account's owner writes an entry as Google's own form has it; its id.
    pub(crate) async fn app_adds(&self, email: &str, event: Value) -> String {
        let given = self.consent(email).await;
        let request = Request::post(format!("{}/google/calendar/v3/calendars/{email}/events", self.url))
            .header(CONTENT_TYPE, "application/json")
            .header("authorization", format!("Bearer {}", given.access))
            .body(event.to_string().into())
            .expect("a request");
        let answer = self.send(request).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let made: Value = serde_json::from_slice(&answer.body).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Something goes wrong from now on: `{"kind", "count", "probability", "account", "value"}`.
    pub(crate) async fn fault(&self, mut fault: Value) {
        fault["provider"] = json!("google");
        self.control(Method::POST, "faults", Some(fault)).await;
    }

    /// How often a fault has hit.
    pub(crate) async fn hits(&self) -> u64 {
        let faults = self.control(Method::GET, "faults", None).await;
        faults.as_array().expect("a list").iter().filter_map(|fault| fault["hits"].as_u64()).sum()
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn no_faults(&self) {
        self.control(Method::DELETE, "faults", None).await;
    }

    /// The calls to the calendar API since the last `forget_calls`, as `METHOD status`.
    pub(crate) async fn calls(&self) -> Vec<String> {
        let exchanges = self.exchanges().await;
        exchanges
            .iter()
            .map(|one| format!("{} {}", one["method"].as_str().unwrap_or_default(), one["status"]))
            .collect()
    }

    /// The calls that meant to change something.
    pub(crate) async fn writes(&self) -> Vec<String> {
        self.calls().await.into_iter().filter(|call| !call.starts_with("GET")).collect()
    }

    /// The recorded traffic since the last `forget_calls`.
    pub(crate) async fn exchanges(&self) -> Vec<Value> {
        let request = Request::get(format!("{}/control/requests", self.url)).body(Bytes::new());
        let lines = self.send(request.expect("a request")).await.body;
        let lines = std::str::from_utf8(&lines).expect("text");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) async fn forget_calls(&self) {
        self.control(Method::DELETE, "requests", None).await;
    }

    fn journal(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.data.path().join("google.jsonl")).expect("the journal");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// How many access tokens were ever given out: each is one call of the token endpoint that went well, or one
    /// consent of `consent`.
    pub(crate) fn tokens_given(&self) -> usize {
        let texts: std::collections::HashSet<String> = self
            .journal()
            .iter()
            .filter_map(|line| line["token"]["token"].as_str().map(str::to_owned))
            .collect();
        texts.len()
    }

    /// Every secret that was ever given out: codes, access tokens, refresh tokens.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let journal = self.journal();
        let places = ["/token/token", "/grant/refresh_token", "/code/text"];
        let mut secrets: Vec<String> = journal
            .iter()
            .flat_map(|line| places.iter().filter_map(|place| line.pointer(place)?.as_str()))
            .map(str::to_owned)
            .collect();
        secrets.sort();
        secrets.dedup();
        secrets
    }
}
