//! What the crash test asks of the program.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::cluster::Cluster;

/// What a request with an idempotency key was answered.
pub enum KeyedPostOutcome {
    /// As it was meant to be, now or before.
    Answered,
    /// That it was done before, and its answer lost.
    DoneBefore,
    /// Nothing, or to come again.
    RetryAfter(Duration),
}

/// Where there was no answer at all.
const SOON: Duration = Duration::from_millis(50);
/// Nobody waits for long: the longer the storm, the more is told.
const MOST: Duration = Duration::from_secs(2);

impl Cluster<'_> {
    /// What `/readyz` says; `None`: nobody answers.
    pub async fn is_ready_status(&self) -> Option<bool> {
        let request = Request::get(format!("{}/readyz", self.url)).body(Bytes::new()).expect("a request");
        let answer = self.http.send(request).await.ok()?;
        Some(answer.status.is_success())
    }

    /// Asks for a resource of that name to be made.
    pub async fn post_keyed(&self, name: &str, key: &str) -> KeyedPostOutcome {
        let request = Request::post(format!("{}/api/v1/resources", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
            .header("idempotency-key", key)
            .body(json!({ "name": name }).to_string().into())
            .expect("a request");
        let Ok(answer) = self.http.send(request).await else { return KeyedPostOutcome::RetryAfter(SOON) };
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let is = |slug: &str| problem["type"].as_str().is_some_and(|kind| kind.ends_with(slug));
        match answer.status {
            StatusCode::CREATED => KeyedPostOutcome::Answered,
            StatusCode::CONFLICT if is("/already-done") => KeyedPostOutcome::DoneBefore,
            status if is("/under-way") || status.is_server_error() => {
                let wait =
                    answer.headers.get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
                KeyedPostOutcome::RetryAfter(wait.map_or(SOON, Duration::from_secs).min(MOST))
            }
            status => panic!("{name}: {status} {:?}", answer.body),
        }
    }

    /// Those of all resources.
    pub async fn resource_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut path = "/api/v1/resources?limit=100".to_owned();
        loop {
            let page = self.read(&path).await;
            let items = page["items"].as_array().expect("a list");
            names.extend(items.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)));
            let Some(next) = page["next_cursor"].as_str() else { return names };
            path = format!("/api/v1/resources?limit=100&cursor={next}");
        }
    }

    /// The questions that people are asked about what is said to have been done in their calendars.
    pub async fn questions(&self) -> Vec<Value> {
        self.read("/api/v1/remote_changes").await["items"].as_array().expect("a list").clone()
    }

    async fn read(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await
    }

    /// A call of the API, at a path of the program; returns its answer, which is a success.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key));
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(body.to_string().into())
            }
            None => request.body(Bytes::new()),
        };
        let answer = self.http.send(request.expect("a request")).await.expect("the program answers");
        assert!(answer.status.is_success(), "{method} {path}: {} {:?}", answer.status, answer.body);
        serde_json::from_slice(&answer.body).expect("JSON")
    }
}
