//! The fixture of a sandbox: people act through its control interface.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use concord_domain::connection::ProviderKind;
use concord_providers::{
    BufferedResponse, CalendarProvider, HttpClient, HttpConfig, OAuthApp, ProviderCredentials,
    ProviderRegistry, PushProvider,
};
use concord_sandbox::{Sandbox, SandboxConfig};
use http::{Method, Request, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{Url, form_urlencoded};

use crate::fixture::{Appointment, ProviderFault, ProviderFixture, TestAccount, VisibleEntry};

/// Patience of a quarter of a second.
pub(crate) fn hasty() -> HttpConfig {
    HttpConfig { request_timeout: Duration::from_millis(250), ..HttpConfig::default() }
}

/// A running sandbox with one provider to be tested.
pub(crate) struct SandboxFixture {
    url: String,
    kind: ProviderKind,
    registry: ProviderRegistry,
    hasty: Arc<dyn CalendarProvider>,
    people: AtomicU32,
    http: HttpClient,
    _sandbox: Sandbox,
    _data: TempDir,
}

impl SandboxFixture {
    /// Starts a sandbox and builds the provider and its hasty twin over it.
    pub(crate) async fn start(
        kind: ProviderKind,
        build: impl FnOnce(&str) -> (ProviderRegistry, Arc<dyn CalendarProvider>),
    ) -> Self {
        let data = TempDir::new().unwrap();
        let config = SandboxConfig::new("127.0.0.1:0".parse().unwrap(), data.path());
        let sandbox = Sandbox::start(config).await.unwrap();
        let url = sandbox.url();
        let (registry, hasty) = build(&url);
        let http =
            HttpClient::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() }).unwrap();
        Self { url, kind, registry, hasty, people: AtomicU32::new(0), http, _sandbox: sandbox, _data: data }
    }

    /// The traffic so far, in the form that the contracts' validator reads.
    pub(crate) async fn recorded(&self) -> Bytes {
        self.control(Method::GET, &format!("requests?provider={}", self.kind), None).await.body
    }

    /// How the provider tells of changes.
    pub(crate) fn push(&self) -> Arc<dyn PushProvider> {
        self.registry.push(self.kind).unwrap().clone()
    }

    /// The channels that live, as the provider knows them.
    pub(crate) async fn channels(&self) -> Vec<Value> {
        let answer = self.control(Method::GET, &format!("channels?provider={}", self.kind), None).await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn control(&self, method: Method, path: &str, body: Option<Value>) -> BufferedResponse {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}/control/{path}", self.url))
            .header(CONTENT_TYPE, "application/json")
            .body(body.map(|body| body.to_string().into()).unwrap_or_default())
            .unwrap();
        let answer = self.http.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{method} {path}: {} {:?}", answer.status, answer.body);
        answer
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> Value {
        serde_json::from_slice(&self.control(method, path, Some(body)).await.body).unwrap()
    }

    fn entry_path(&self, place: &TestAccount, id: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("provider", self.kind.as_str());
        query.append_pair("account", &place.email).append_pair("calendar", &place.calendar);
        format!("events/{id}?{}", query.finish())
    }
}

#[async_trait]
impl ProviderFixture for SandboxFixture {
    fn provider(&self) -> Arc<dyn CalendarProvider> {
        self.registry.get(self.kind).unwrap().clone()
    }

    fn hasty_provider(&self) -> Arc<dyn CalendarProvider> {
        self.hasty.clone()
    }

    fn kind(&self) -> ProviderKind {
        self.kind
    }

    fn oauth(&self) -> &OAuthApp {
        self.registry.oauth(self.kind).unwrap()
    }

    fn lets_us_end_it(&self) -> bool {
        self.kind != ProviderKind::Microsoft
    }

    fn kept<'a>(&self, title: &'a str) -> &'a str {
        let longest = if self.kind == ProviderKind::Microsoft { 255 } else { usize::MAX };
        let mut length = 0;
        let is_over = |letter: char| {
            length += letter.len_utf16();
            length > longest
        };
        title.find(is_over).map_or(title, |end| &title[..end])
    }

    fn unknown_calendar(&self, place: &TestAccount) -> String {
        match self.kind {
            ProviderKind::Microsoft => format!("{}x", place.calendar.trim_end_matches('=')),
            ProviderKind::Google | ProviderKind::Caldav => "nobodys-calendar@example.com".to_owned(),
        }
    }

    async fn place(&self) -> TestAccount {
        let email = format!("person{}@example.com", self.people.fetch_add(1, Ordering::SeqCst));
        let account =
            json!({ "provider": self.kind, "email": email, "name": "A Person", "zone": "Europe/Lisbon" });
        let made = self.json(Method::POST, "accounts", account).await;
        let calendars = made["calendars"].as_array().unwrap();
        let main = calendars.iter().find(|calendar| calendar["primary"] == json!(true)).unwrap();
        let grant =
            self.json(Method::POST, "grants", json!({ "provider": self.kind, "account": email })).await;
        let token = |name: &str| grant[name].as_str().unwrap().to_owned();
        TestAccount {
            calendar: main["id"].as_str().unwrap().to_owned(),
            email,
            credentials: ProviderCredentials::Bearer(token("access_token").into()),
            refresh_token: token("refresh_token").into(),
        }
    }

    async fn consent(&self, page: &Url, email: &str, allow: bool) -> Url {
        let html = self.http.send(Request::get(page.as_str()).body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(html.status, 200, "{:?}", html.body);
        let mut fields = hidden_fields(std::str::from_utf8(&html.body).unwrap());
        fields.insert("account".to_owned(), email.to_owned());
        fields.insert("decision".to_owned(), if allow { "allow" } else { "deny" }.to_owned());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(&page[..url::Position::AfterPath])
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.into())
            .unwrap();
        let answer = self.http.send(request).await.unwrap();
        assert!(answer.status.is_redirection(), "{} {:?}", answer.status, answer.body);
        answer.headers["location"].to_str().unwrap().parse().unwrap()
    }

    async fn person_hides_a_calendar(&self, place: &TestAccount) -> String {
        let calendar = json!({ "provider": self.kind, "account": place.email, "name": "Rota" });
        let made = self.json(Method::POST, "calendars", calendar).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let hidden = json!({ "provider": self.kind, "account": place.email, "hidden": true });
        self.control(Method::PATCH, &format!("calendars/{id}"), Some(hidden)).await;
        id
    }

    async fn person_adds(&self, place: &TestAccount, appointment: &Appointment) -> String {
        let mut body = json!({
            "provider": self.kind, "account": place.email, "calendar": place.calendar,
            "title": appointment.title,
            "starts_at": appointment.time.start, "ends_at": appointment.time.end,
        });
        if let Some(rule) = appointment.recurrence {
            body["recurrence"] = json!([rule]);
        }
        if appointment.free {
            body["transparency"] = json!("transparent");
        }
        self.json(Method::POST, "events", body).await["id"].as_str().unwrap().to_owned()
    }

    async fn person_moves(
        &self,
        place: &TestAccount,
        id: &str,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    ) {
        let body = json!({ "starts_at": starts_at, "ends_at": ends_at });
        self.json(Method::PATCH, &self.entry_path(place, id), body).await;
    }

    async fn person_deletes(&self, place: &TestAccount, id: &str) {
        self.control(Method::DELETE, &self.entry_path(place, id), None).await;
    }

    async fn person_sees(&self, place: &TestAccount) -> Vec<VisibleEntry> {
        let path = self.entry_path(place, "").replacen("events/", "events", 1);
        let answer = self.control(Method::GET, &path, None).await;
        let entries: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        entries
            .iter()
            .filter(|entry| entry["deleted"] != json!(true))
            .map(|entry| VisibleEntry {
                title: text(entry, "title"),
                description: text(entry, "description"),
                location: text(entry, "location"),
            })
            .collect()
    }

    async fn next_call_fails(&self, place: &TestAccount, fault: ProviderFault) {
        let kind = match fault {
            ProviderFault::RateLimit => "rate_limit",
            ProviderFault::ServerError => "server_error",
            ProviderFault::Timeout => "timeout",
            ProviderFault::ApplyThenDrop => "apply_then_drop",
            ProviderFault::ExpireToken => "expire_token",
            ProviderFault::RevokeGrant => "revoke_grant",
            ProviderFault::GoneCursor => "gone_cursor",
        };
        let body = json!({ "provider": self.kind, "kind": kind, "count": 1, "account": place.email });
        self.json(Method::POST, "faults", body).await;
    }
}

/// The hidden fields of a page's form.
fn hidden_fields(html: &str) -> HashMap<String, String> {
    let inputs = html.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
    let attribute = |input: &str, name: &str| {
        let value = input.split_once(&format!("{name}=\""))?.1.split_once('"')?.0;
        Some(unescape(value))
    };
    inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect()
}

fn unescape(html: &str) -> String {
    let entities =
        [("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    entities.iter().fold(html.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
