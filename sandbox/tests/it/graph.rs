//! A Microsoft to talk to: an application with Eva's consent.

use std::ops::Deref;
use std::path::Path;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::client::{SandboxClient, SandboxResponse, send};

pub(crate) const EVA: &str = "eva@northwind.example";
pub(crate) const FARID: &str = "farid@northwind.example";
pub(crate) const GRACE: &str = "grace@outlook.example";

/// The extended property by which the tests' application knows its events.
pub(crate) const PROPERTY: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Booking";

/// A window over February 2026.
pub(crate) const FEBRUARY: &str = "startDateTime=2026-02-01T00:00:00Z&endDateTime=2026-03-01T00:00:00Z";

/// The sandbox with tokens of Graph.
pub(crate) struct GraphTestClient {
    pub(crate) outside: SandboxClient,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

impl Deref for GraphTestClient {
    type Target = SandboxClient;

    fn deref(&self) -> &SandboxClient {
        &self.outside
    }
}

impl GraphTestClient {
    pub(crate) async fn start() -> Self {
        Self::of(SandboxClient::start().await).await
    }

    pub(crate) async fn start_in(data: &Path) -> Self {
        Self::of(SandboxClient::start_in(data).await).await
    }

    async fn of(outside: SandboxClient) -> Self {
        let mut graph = Self { outside, token: String::new(), refresh_token: String::new() };
        let grant = graph.consent(EVA, None).await;
        graph.token = grant["access_token"].as_str().unwrap().into();
        graph.refresh_token = grant["refresh_token"].as_str().unwrap().into();
        graph
    }

    /// Tokens as if the person had consented.
    pub(crate) async fn consent(&self, account: &str, scope: Option<&str>) -> Value {
        let body = json!({ "provider": "microsoft", "account": account, "scope": scope });
        self.control(Method::POST, "/grants", Some(body)).await.expect(201)
    }

    /// A call with immutable ids and Eva's token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("Prefer", "IdType=\"ImmutableId\"")
    }

    /// A call without preferences.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let url =
            if path.starts_with("http") { path.into() } else { self.url(&format!("/microsoft/v1.0{path}")) };
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn read(&self, path: &str) -> SandboxResponse {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn write(&self, method: Method, path: &str, body: Value) -> SandboxResponse {
        send(self.request(method, path).json(&body)).await
    }

    pub(crate) async fn post(&self, body: Value) -> Value {
        self.write(Method::POST, "/me/events", body).await.expect(201)
    }

    pub(crate) async fn remove(&self, path: &str) -> SandboxResponse {
        send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn graph_fault(&self, fault: Value) {
        let mut fault = fault;
        fault["provider"] = "microsoft".into();
        self.control(Method::POST, "/faults", Some(fault)).await.expect(201);
    }

    /// The ids of Eva's calendars, by name.
    pub(crate) async fn calendar(&self, name: &str) -> String {
        let list = self.read("/me/calendars").await.expect(200);
        let all = list["value"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["id"].as_str().unwrap().into()
    }

    /// All items of a round of change tracking, and the link with which the next one starts.
    pub(crate) async fn round(&self, start: &str) -> (Vec<Value>, String) {
        let (mut items, mut address) = (Vec::new(), start.to_owned());
        loop {
            let page = self.read(&address).await.expect(200);
            items.extend(page["value"].as_array().unwrap().iter().cloned());
            if let Some(link) = page["@odata.deltaLink"].as_str() {
                return (items, link.into());
            }
            address = page["@odata.nextLink"].as_str().unwrap().into();
        }
    }
}

/// Graph's code of an error.
pub(crate) fn code(answer: &SandboxResponse) -> &str {
    answer.body["error"]["code"].as_str().unwrap_or_default()
}

/// An event of one hour on 2 February 2026, starting at `hour` UTC.
pub(crate) fn event(subject: &str, hour: u32) -> Value {
    let at = |hour: u32| json!({ "dateTime": format!("2026-02-02T{hour:02}:00:00"), "timeZone": "UTC" });
    json!({ "subject": subject, "start": at(hour), "end": at(hour + 1) })
}

/// The same every day from 2 February, so many times.
pub(crate) fn series(subject: &str, times: u32) -> Value {
    let mut body = event(subject, 9);
    body["recurrence"] = json!({
        "pattern": { "type": "daily", "interval": 1 },
        "range": { "type": "numbered", "startDate": "2026-02-02", "numberOfOccurrences": times },
    });
    body
}

/// One member of each item.
pub(crate) fn each<'a>(items: impl IntoIterator<Item = &'a Value>, name: &str) -> Vec<&'a str> {
    items.into_iter().map(|item| item[name].as_str().unwrap_or("-")).collect()
}
