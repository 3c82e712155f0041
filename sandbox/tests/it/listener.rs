//! An application's address for notifications.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the application answers to a validation token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValidationReply {
    Right,
    Json,
    Other,
    Refuses,
}

#[derive(Debug)]
pub(crate) struct ReceivedNotification {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl ReceivedNotification {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) struct NotificationListener {
    pub(crate) url: String,
    pub(crate) notices: UnboundedReceiver<ReceivedNotification>,
    /// The next notifications are answered with 503, so many.
    pub(crate) refused: Arc<Mutex<u32>>,
}

#[derive(Clone)]
struct ListenerState {
    echo: ValidationReply,
    notices: UnboundedSender<ReceivedNotification>,
    refused: Arc<Mutex<u32>>,
}

impl NotificationListener {
    pub(crate) async fn start(echo: ValidationReply) -> Self {
        let (sender, notices) = unbounded_channel();
        let refused = Arc::new(Mutex::new(0));
        let ear = ListenerState { echo, notices: sender, refused: Arc::clone(&refused) };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", socket.local_addr().unwrap());
        let router = Router::new().route("/hook", post(hear)).with_state(ear);
        tokio::spawn(async move { axum::serve(socket, router).await });
        Self { url, notices, refused }
    }

    pub(crate) async fn next(&mut self) -> ReceivedNotification {
        tokio::time::timeout(Duration::from_secs(20), self.notices.recv()).await.unwrap().unwrap()
    }

    /// Whether nothing more has come.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.notices.try_recv().is_err()
    }
}

async fn hear(
    State(ear): State<ListenerState>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Some(token) = query.get("validationToken") {
        return match ear.echo {
            ValidationReply::Right => token.clone().into_response(),
            ValidationReply::Json => axum::Json(token).into_response(),
            ValidationReply::Other => "something else".into_response(),
            ValidationReply::Refuses => StatusCode::FORBIDDEN.into_response(),
        };
    }
    {
        let mut refused = ear.refused.lock().unwrap();
        if *refused > 0 {
            *refused -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    ear.notices.send(ReceivedNotification { headers, body }).unwrap();
    StatusCode::ACCEPTED.into_response()
}
