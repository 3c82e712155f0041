//! A website that serves one feed, as a test says.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

/// What is served, and what was asked.
#[derive(Default)]
struct ServedFeed {
    status: u16,
    kind: String,
    body: Bytes,
    etag: Option<String>,
    asked: usize,
    unchanged: usize,
}

#[derive(Clone)]
pub(crate) struct FeedServer {
    pub(crate) url: String,
    served: Arc<Mutex<ServedFeed>>,
}

impl FeedServer {
    pub(crate) async fn start() -> Self {
        let served = Arc::new(Mutex::new(ServedFeed { status: 200, ..ServedFeed::default() }));
        let router = Router::new().route("/calendar.ics", get(serve)).with_state(served.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/calendar.ics?s=secret", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let site = Self { url, served };
        site.events(&[]);
        site
    }

    /// A whole calendar with these components.
    pub(crate) fn events(&self, events: &[String]) {
        let body = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n{}END:VCALENDAR\r\n",
            events.concat()
        );
        self.bytes(body);
    }

    pub(crate) fn bytes(&self, body: impl Into<Bytes>) {
        let mut served = self.served.lock().unwrap();
        served.body = body.into();
        "text/calendar".clone_into(&mut served.kind);
        served.status = 200;
        served.etag = None;
    }

    pub(crate) fn tagged(&self, etag: &str) {
        self.served.lock().unwrap().etag = Some(format!("\"{etag}\""));
    }

    pub(crate) fn answers(&self, status: u16, kind: &str, body: &'static str) {
        let mut served = self.served.lock().unwrap();
        served.status = status;
        kind.clone_into(&mut served.kind);
        served.body = Bytes::from_static(body.as_bytes());
    }

    /// How often it was asked, and how often it said that nothing has changed.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let served = self.served.lock().unwrap();
        (served.asked, served.unchanged)
    }
}

async fn serve(State(served): State<Arc<Mutex<ServedFeed>>>, headers: HeaderMap) -> Response {
    let mut served = served.lock().unwrap();
    served.asked += 1;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    if known.is_some() && known == served.etag.as_deref() {
        served.unchanged += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let status = StatusCode::from_u16(served.status).unwrap();
    let mut response =
        (status, [(header::CONTENT_TYPE, served.kind.clone())], served.body.clone()).into_response();
    if let Some(etag) = &served.etag {
        response.headers_mut().insert(header::ETAG, etag.parse().unwrap());
    }
    response
}

/// Nights as Airbnb writes them, of December.
pub(crate) fn reserved(uid: &str, from: u32, until: u32) -> String {
    nights(uid, "Reserved", from, until)
}

pub(crate) fn nights(uid: &str, summary: &str, from: u32, until: u32) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T000000Z\r\nDTSTART;VALUE=DATE:202612{from:02}\r\n\
         DTEND;VALUE=DATE:202612{until:02}\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\n"
    )
}
