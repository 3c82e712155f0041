//! Many systems that receive webhooks, of which some are well and others are not, and what each of them got.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, Utc};
use concord_domain::clock::Clock;
use http::{Method, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cluster::Cluster;

/// How a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverManner {
    Well,
    /// It answers well after this long.
    Slow(Duration),
    /// It fails every other message.
    FailsHalf,
    Hangs,
    /// It answers 301, and would lead elsewhere.
    Redirects,
    /// It answers 410 to everything.
    Gone,
}

impl ReceiverManner {
    /// Whether it takes what is sent often enough.
    pub fn can_take(self) -> bool {
        matches!(self, Self::Well | Self::Slow(_) | Self::FailsHalf)
    }
}

/// Twenty, of which one hangs, one fails half, one answers 301, one 410, and one is slow.
pub fn twenty() -> Vec<ReceiverManner> {
    let mut all = vec![
        ReceiverManner::Hangs,
        ReceiverManner::FailsHalf,
        ReceiverManner::Redirects,
        ReceiverManner::Gone,
        ReceiverManner::Slow(Duration::from_millis(200)),
    ];
    all.resize(20, ReceiverManner::Well);
    all
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct TakenMessage {
    pub id: String,
    /// Of the booking that it is about.
    pub reference: String,
    pub version: i64,
    pub at: DateTime<Utc>,
}

/// One of the systems.
#[derive(Clone)]
pub struct WebhookReceiver {
    pub manner: ReceiverManner,
    pub url: String,
    /// The endpoint's id, once it is added.
    pub endpoint: String,
    clock: Clock,
    calls: Arc<AtomicU32>,
    taken: Arc<Mutex<Vec<TakenMessage>>>,
}

impl WebhookReceiver {
    async fn start(manner: ReceiverManner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("it listens"));
        let receiver = Self {
            manner,
            url,
            endpoint: String::new(),
            clock: Clock::system(),
            calls: Arc::default(),
            taken: Arc::default(),
        };
        let router = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TakenMessage>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has taken, in the order in which it did.
    pub fn taken(&self) -> Vec<TakenMessage> {
        self.lock().clone()
    }

    /// How many different events it has taken.
    pub fn events(&self) -> usize {
        self.lock().iter().map(|one| &one.id).collect::<BTreeSet<_>>().len()
    }

    /// How often it was called.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Where it got an earlier version of a booking after a later one.
    pub fn out_of_order(&self) -> Vec<TakenMessage> {
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        let mut wrong = Vec::new();
        for one in self.taken() {
            let newest = newest.entry(one.reference.clone()).or_default();
            if one.version < *newest {
                wrong.push(one);
            } else {
                *newest = one.version;
            }
        }
        wrong
    }

    /// When each event was first taken, by booking and version.
    pub fn first_taken(&self) -> BTreeMap<(String, i64), DateTime<Utc>> {
        let mut first = BTreeMap::new();
        for one in self.taken() {
            first.entry((one.reference, one.version)).or_insert(one.at);
        }
        first
    }

    /// Events that came under more than one id.
    pub fn with_several_ids(&self) -> usize {
        let mut ids: BTreeMap<(String, i64), BTreeSet<String>> = BTreeMap::new();
        for one in self.taken() {
            ids.entry((one.reference, one.version)).or_default().insert(one.id);
        }
        ids.values().filter(|ids| ids.len() > 1).count()
    }
}

async fn receive(State(receiver): State<WebhookReceiver>, body: Bytes) -> Response {
    let call = receiver.calls.fetch_add(1, Ordering::Relaxed);
    match receiver.manner {
        ReceiverManner::Hangs => std::future::pending().await,
        ReceiverManner::Redirects => {
            return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/elsewhere")]).into_response();
        }
        ReceiverManner::Gone => return StatusCode::GONE.into_response(),
        ReceiverManner::FailsHalf if call % 2 == 0 => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        ReceiverManner::Slow(wait) => tokio::time::sleep(wait).await,
        ReceiverManner::Well | ReceiverManner::FailsHalf => {}
    }
    let message: Value = serde_json::from_slice(&body).expect("a message is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    receiver.lock().push(TakenMessage {
        id: text(&message["id"]),
        reference: text(&message["data"]["reference"]),
        version: message["data"]["version"].as_i64().unwrap_or_default(),
        at: receiver.clock.now(),
    });
    StatusCode::NO_CONTENT.into_response()
}

/// What lets the program call this machine.
pub const ALLOWED: (&str, &str) = ("CONCORD__CHANNELS__ALLOWED_HOSTS", "[\"127.0.0.1\"]");

/// Starts them, and adds each as an endpoint that hears of bookings.
pub async fn start(cluster: &Cluster<'_>, manners: &[ReceiverManner]) -> Vec<WebhookReceiver> {
    let mut fleet = Vec::new();
    for manner in manners {
        let mut receiver = WebhookReceiver::start(*manner).await;
        let types = ["booking.created", "booking.changed", "booking.cancelled"];
        let body = json!({ "url": receiver.url, "description": format!("{manner:?}"), "event_types": types });
        let made = cluster.call(Method::POST, "/api/v1/webhooks", Some(&body)).await;
        made["endpoint"]["id"].as_str().expect("an id").clone_into(&mut receiver.endpoint);
        fleet.push(receiver);
    }
    fleet
}

/// Has all sent again that a receiver has not taken yet.
pub async fn resend(cluster: &Cluster<'_>, receiver: &WebhookReceiver) {
    let since = Clock::system().now() - chrono::Duration::days(1);
    let path = format!("/api/v1/webhooks/{}/resend", receiver.endpoint);
    cluster.call(Method::POST, &path, Some(&json!({ "since": since }))).await;
}
