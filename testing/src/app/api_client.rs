//! A program that calls the API, and what it is answered.

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use crate::logs;

/// A program that calls the API.
#[derive(Clone)]
pub struct ApiClient {
    pub base: String,
    pub key: String,
    pub http: reqwest::Client,
}

/// What it was answered.
#[derive(Debug)]
pub struct ApiResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl ApiResponse {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The problem document, if it is one of this sort.
    #[track_caller]
    pub fn problem(self, status: u16, sort: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(self.body["status"], status, "{}", self.text);
        let kind = self.body["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with(&format!("/problems/{sort}")), "{}", self.text);
        for field in ["title", "detail"] {
            assert!(self.body[field].as_str().is_some_and(|words| words.len() > 5), "{field}: {}", self.text);
        }
        self.body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }
}

impl ApiClient {
    pub async fn get(&self, path: &str) -> ApiResponse {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> ApiResponse {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> ApiResponse {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> ApiResponse {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> ApiResponse {
        self.send(Method::DELETE, path, None, &[]).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> ApiResponse {
        let body = body.map(|body| body.to_string());
        self.raw(method, path, body.map(|body| ("application/json", body)), headers).await
    }

    /// With a body that need not be JSON.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        headers: &[(&str, &str)],
    ) -> ApiResponse {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        send_request(request).await
    }

    /// Without the key, at any address.
    pub async fn send_unauthenticated(&self, method: Method, url: &str) -> ApiResponse {
        let url = if url.starts_with('/') { format!("{}{url}", self.base) } else { url.to_owned() };
        send_request(self.http.request(method, url)).await
    }
}

pub(super) async fn send_request(request: reqwest::RequestBuilder) -> ApiResponse {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a text");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    logs::check_answer(&text);
    ApiResponse { status, headers, body, text }
}
