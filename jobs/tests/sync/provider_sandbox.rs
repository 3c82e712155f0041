//! The outside world of a test: a sandbox, a CalDAV server where one is needed, and the people in it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::connection::ProviderKind;
use concord_providers::{
    BufferedResponse, GoogleEndpoints, GoogleSettings, HttpClient, HttpConfig, MicrosoftEndpoints,
    MicrosoftSettings, ProviderRegistryConfig, SsrfGuard, caldav::CaldavLogin,
};
use concord_sandbox::{OAuthClient, Sandbox, SandboxConfig};
use concord_testing::{CaldavServer, CaldavUser, ObservedObject, ServerSoftware};
use http::{Method, Request, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{Url, form_urlencoded};

/// A running sandbox, whose mailbox everybody uses, and the provider that people have their calendars with.
pub(crate) struct ProviderSandbox {
    kind: ProviderKind,
    /// Where that is CalDAV.
    radicale: Option<CaldavServer>,
    url: String,
    http: HttpClient,
    data: TempDir,
    sandbox: Sandbox,
}

/// An entry that stands in a calendar, as its owner sees it.
#[derive(Clone, Debug)]
pub(crate) struct SeenEvent {
    pub(crate) id: String,
    pub(crate) calendar: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// RFC 3339 in UTC, or a date.
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
    pub(crate) raw: Value,
}

impl SeenEvent {
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

    pub(crate) fn of_object(calendar: &str, object: ObservedObject) -> Self {
        Self {
            id: object.path,
            calendar: calendar.to_owned(),
            title: object.title,
            description: object.description,
            starts_at: object.starts_at,
            ends_at: object.ends_at,
            raw: object.text.into(),
        }
    }
}

/// What an account gave us.
pub(crate) struct GrantedTokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl ProviderSandbox {
    /// `kind`: whose calendars people have.
    pub(crate) async fn start(kind: ProviderKind) -> Self {
        let data = TempDir::new().expect("a temporary folder can be made");
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let sandbox =
            Sandbox::start(SandboxConfig::new(listen, data.path())).await.expect("a sandbox starts");
        let radicale = match kind {
            ProviderKind::Caldav => Some(CaldavServer::start(ServerSoftware::Radicale).await),
            ProviderKind::Google | ProviderKind::Microsoft => None,
        };
        let http = HttpClient::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() });
        let url = sandbox.url();
        let outside = Self { kind, radicale, url, http: http.expect("a client"), data, sandbox };
        // Its quotas go by the real minute, and our clock is another one.
        for quotas in [
            json!({ "provider": "google", "per_user_per_minute": 1_000_000, "per_project_per_minute": 1_000_000 }),
            json!({ "provider": "microsoft", "per_mailbox_per_ten_minutes": 1_000_000 }),
        ] {
            outside.control(Method::PUT, "quotas", Some(quotas)).await;
        }
        outside
    }

    pub(crate) fn kind(&self) -> ProviderKind {
        self.kind
    }

    pub(crate) fn radicale(&self) -> &CaldavServer {
        self.radicale.as_ref().expect("people have their calendars there")
    }

    /// The provider that people have their calendars with, for callers of that much patience.
    pub(crate) fn providers(&self, patience: Duration) -> ProviderRegistryConfig {
        let below = |path: &str| format!("{}/{path}", self.url).parse().expect("an address");
        let callback = format!("http://127.0.0.1:9/oauth/calendar/{}/callback", self.kind);
        let callback = callback.parse().expect("an address");
        let mut config = ProviderRegistryConfig {
            http: HttpConfig { request_timeout: patience, ..HttpConfig::default() },
            ..ProviderRegistryConfig::default()
        };
        match self.kind {
            ProviderKind::Google => {
                let client = OAuthClient::default();
                config.providers.push(Arc::new(GoogleSettings {
                    client_id: client.client_id,
                    client_secret: client.client_secret.into(),
                    redirect_url: callback,
                    addresses: GoogleEndpoints::below(&below("google")),
                }));
            }
            ProviderKind::Microsoft => {
                let client = OAuthClient::microsoft();
                config.providers.push(Arc::new(MicrosoftSettings {
                    client_id: client.client_id,
                    client_secret: client.client_secret.into(),
                    redirect_url: callback,
                    addresses: MicrosoftEndpoints::below(&below("microsoft")),
                }));
            }
            ProviderKind::Caldav => {
                // The host of elsewhere too: nothing but the program itself may keep the password from going there.
                let guard = SsrfGuard::of("providers.caldav.allowed_hosts");
                config.caldav = Some(guard.allowing(["127.0.0.1", "localhost"]));
            }
        }
        config
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

    /// An address of the sandbox.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> BufferedResponse {
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

    /// Makes an account with an empty main calendar, whose id is the address (at Google).
    pub(crate) async fn account(&self, email: &str) {
        self.account_in(email, Tz::Europe__Lisbon).await;
    }

    /// The same, of somebody who lives in that zone.
    pub(crate) async fn account_in(&self, email: &str, zone: Tz) {
        if let Some(radicale) = &self.radicale {
            let password = radicale.add_account(email).await;
            let person = radicale.person(email, password.into());
            return person.set_timezone(&radicale.calendar_of(email), zone.name()).await;
        }
        let account = json!({ "provider": self.kind, "email": email, "zone": zone.name() });
        self.control(Method::POST, "accounts", Some(account)).await;
    }

    /// What a person gives to connect their account at the CalDAV server.
    pub(crate) fn asked(&self, email: &str) -> CaldavLogin {
        let radicale = self.radicale();
        CaldavLogin {
            address: radicale.proxy.url(),
            user: email.to_owned(),
            password: radicale.password_of(email).into(),
        }
    }

    /// A further calendar of the account; its id.
    pub(crate) async fn calendar(&self, email: &str, name: &str) -> String {
        let calendar = json!({ "provider": self.kind, "account": email, "name": name });
        let made = self.control(Method::POST, "calendars", Some(calendar)).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// The account's owner deletes a calendar for good.
    pub(crate) async fn delete_calendar(&self, id: &str) {
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        self.control(Method::DELETE, &format!("calendars/{id}?provider={}", self.kind), None).await;
    }

    /// The account's owner takes a calendar out of the list that they see.
    pub(crate) async fn hide_calendar(&self, email: &str, id: &str) {
        let hidden = json!({ "provider": self.kind, "account": email, "hidden": true });
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        self.control(Method::PATCH, &format!("calendars/{id}"), Some(hidden)).await;
    }

    /// Tokens, as if the owner had consented to everything.
    pub(crate) async fn consent(&self, email: &str) -> GrantedTokens {
        let grant = json!({ "provider": self.kind, "account": email });
        let grant = self.control(Method::POST, "grants", Some(grant)).await;
        let token = |name: &str| grant[name].as_str().expect("a token").to_owned();
        GrantedTokens { access: token("access_token"), refresh: token("refresh_token") }
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

    /// The entries that stand in any calendar of the account, in the order of their last changes; at the CalDAV server,
    /// in the main calendar and in any order.
    pub(crate) async fn seen_by(&self, email: &str) -> Vec<SeenEvent> {
        if let Some(radicale) = &self.radicale {
            let calendar = radicale.calendar_of(email);
            let objects = self.person(email).sees(&calendar).await;
            return objects.into_iter().map(|object| SeenEvent::of_object(&calendar, object)).collect();
        }
        let all =
            self.control(Method::GET, &format!("events?provider={}&account={email}", self.kind), None).await;
        let all = all.as_array().expect("a list");
        all.iter().filter(|entry| entry["deleted"] == json!(false)).map(SeenEvent::new).collect()
    }

    /// A person at the CalDAV server, with an application of their own.
    pub(crate) fn person(&self, email: &str) -> CaldavUser {
        let radicale = self.radicale();
        radicale.person(email, radicale.password_of(email).into())
    }

    /// The only entry that stands in any calendar of the account.
    pub(crate) async fn one_seen_by(&self, email: &str) -> SeenEvent {
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
        let mut body = json!({ "provider": self.kind, "account": email, "title": "Dentist",
            "starts_at": starts_at, "ends_at": ends_at });
        body.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        let made = self.control(Method::POST, "events", Some(body)).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// A person changes an entry.
    pub(crate) async fn person_changes(&self, email: &str, id: &str, change: Value) {
        let path = format!("events/{id}?provider={}&account={email}", self.kind);
        self.control(Method::PATCH, &path, Some(change)).await;
    }

    /// A person deletes an entry.
    pub(crate) async fn person_deletes(&self, email: &str, id: &str) {
        if self.radicale.is_some() {
            return self.person(email).deletes(id).await;
        }
        let path = format!("events/{id}?provider={}&account={email}", self.kind);
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
        fault["provider"] = json!(self.kind);
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
        let lines = std::fs::read_to_string(self.data.path().join(format!("{}.jsonl", self.kind)))
            .expect("the journal");
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

    /// The channels that live, as their owners' provider knows them.
    pub(crate) async fn channels(&self) -> Vec<Value> {
        let channels = self.control(Method::GET, &format!("channels?provider={}", self.kind), None).await;
        channels.as_array().expect("a list").clone()
    }

    /// The word of a channel, which only the provider and whoever is notified knows.
    pub(crate) fn word_of(&self, channel: &str) -> String {
        let journal = self.journal();
        let found =
            journal.iter().find(|line| line["channel"]["id"] == channel).expect("the channel was opened");
        found["channel"]["token"].as_str().expect("a word").to_owned()
    }

    /// Every secret that was ever given out: codes, access tokens, refresh tokens.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let journal = self.journal();
        let places = ["/token/token", "/grant/refresh_token", "/code/text", "/channel/token"];
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
