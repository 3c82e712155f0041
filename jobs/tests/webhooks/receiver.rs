//! A system that receives webhooks, and answers as a test says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

/// A message, as it was received.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedMessage {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) message: Value,
    signature: String,
    body: Bytes,
}

impl ReceivedMessage {
    pub(crate) fn signatures(&self) -> usize {
        self.signature.split(' ').count()
    }

    /// Whether the reference library signs it so by that secret. What it verifies must have the machine's time, which is not
    /// the test's.
    pub(crate) fn verifies(&self, secret: &str) -> bool {
        let reference = Webhook::new(secret).unwrap();
        let signed = reference.sign(&self.id, self.timestamp, &self.body).unwrap();
        self.signature.split(' ').any(|one| one == signed)
    }

    pub(crate) fn signature(&self) -> &str {
        &self.signature
    }

    /// The bytes that were signed.
    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// `version` of what it is about.
    pub(crate) fn version(&self) -> i64 {
        self.message["data"]["version"].as_i64().unwrap()
    }

    pub(crate) fn kind(&self) -> &str {
        self.message["type"].as_str().unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ScriptedAnswer {
    Status(u16),
    /// With `Retry-After`, in seconds.
    Slow(u16, u32),
    /// Where it would lead.
    Redirect(&'static str),
    /// None, for longer than anybody waits.
    Hang,
}

#[derive(Default)]
struct ReceiverState {
    /// The next ones; then 200.
    script: VecDeque<ScriptedAnswer>,
    always: Option<ScriptedAnswer>,
    received: Vec<ReceivedMessage>,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Mutex<ReceiverState>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(ReceiverState::default()));
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=private", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// The next answers; after them it takes everything.
    pub(crate) fn answers(&self, script: impl IntoIterator<Item = ScriptedAnswer>) {
        self.state.lock().unwrap().script.extend(script);
    }

    /// From now on it answers so.
    pub(crate) fn always(&self, answer: impl Into<Option<ScriptedAnswer>>) {
        self.state.lock().unwrap().always = answer.into();
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Vec<ReceivedMessage> {
        std::mem::take(&mut self.state.lock().unwrap().received)
    }

    /// The versions of what came since the last time.
    pub(crate) fn versions(&self) -> Vec<i64> {
        self.take().iter().map(ReceivedMessage::version).collect()
    }
}

async fn receive(
    State(state): State<Arc<Mutex<ReceiverState>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let message = ReceivedMessage {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp").parse().unwrap(),
        message: serde_json::from_slice(&body).unwrap(),
        signature: text("webhook-signature"),
        body,
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.received.push(message);
        state.script.pop_front().or(state.always).unwrap_or(ScriptedAnswer::Status(200))
    };
    match answer {
        ScriptedAnswer::Status(status) => {
            (StatusCode::from_u16(status).unwrap(), "as it was told\0").into_response()
        }
        ScriptedAnswer::Slow(status, seconds) => {
            let after = [("retry-after", seconds.to_string())];
            (StatusCode::from_u16(status).unwrap(), after).into_response()
        }
        ScriptedAnswer::Redirect(to) => (StatusCode::MOVED_PERMANENTLY, [("location", to)]).into_response(),
        ScriptedAnswer::Hang => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            StatusCode::OK.into_response()
        }
    }
}
