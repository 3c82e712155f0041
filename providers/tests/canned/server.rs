//! A server on a free port that answers with canned bytes and remembers what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use url::Url;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum CannedReply {
    /// Writes these bytes, then closes the connection.
    Bytes(Vec<u8>),
    /// Writes the first bytes, then the others over and over, until the client has had enough.
    Endless(Vec<u8>, Vec<u8>),
    /// Writes these bytes, then one more every moment, until the client has had enough.
    Drip(Vec<u8>),
    Silence,
    /// Whatever that says to a request.
    To(fn(&str) -> CannedReply),
    /// The first to a request of that method, the second to every other.
    Split(&'static str, Box<(CannedReply, CannedReply)>),
}

/// The server; it ends with the test.
pub(crate) struct CannedServer {
    pub(crate) url: Url,
    requests: Arc<Mutex<Vec<String>>>,
    hung_up: mpsc::UnboundedReceiver<()>,
}

impl CannedServer {
    /// Answers every request with `reply`.
    pub(crate) async fn start(reply: CannedReply) -> Self {
        Self::start_with(|_| reply).await
    }

    /// The same for a reply that names the server's own address.
    pub(crate) async fn start_with(reply: impl FnOnce(&Url) -> CannedReply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let reply = reply(&url);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (left, hung_up) = mpsc::unbounded_channel();
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, reply.clone(), seen.clone(), left.clone()));
            }
        });
        Self { url, requests, hung_up }
    }

    /// The requests so far, each with its headers and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until a client that gets no answer hangs up.
    pub(crate) async fn client_left(&mut self) {
        self.hung_up.recv().await.unwrap();
    }
}

async fn answer(
    mut stream: TcpStream,
    reply: CannedReply,
    seen: Arc<Mutex<Vec<String>>>,
    left: mpsc::UnboundedSender<()>,
) {
    let Some(request) = read_request(&mut stream).await else {
        left.send(()).ok();
        return;
    };
    seen.lock().unwrap().push(request.clone());
    let reply = match reply {
        CannedReply::To(say) => say(&request),
        CannedReply::Split(method, both) => {
            let is_it = request.split(' ').next() == Some(method);
            if is_it { both.0 } else { both.1 }
        }
        reply => reply,
    };
    match reply {
        CannedReply::To(_) | CannedReply::Split(..) => {}
        CannedReply::Bytes(bytes) => {
            // The client may have had enough before the end.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        CannedReply::Endless(first, more) => {
            let _ = stream.write_all(&first).await;
            while stream.write_all(&more).await.is_ok() {}
            let _ = left.send(());
        }
        CannedReply::Drip(first) => {
            let _ = stream.write_all(&first).await;
            let mut moments = tokio::time::interval(Duration::from_millis(10));
            while stream.write_all(b"x").await.is_ok() {
                moments.tick().await;
            }
            let _ = left.send(());
        }
        CannedReply::Silence => {
            let _ = stream.read_u8().await;
            let _ = left.send(());
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A header of a recorded request.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

pub(crate) fn answer_of(status: &str, content_type: &str, extra: &str, body: &str) -> CannedReply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{extra}\r\n"
    );
    CannedReply::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

pub(crate) fn json(status: &str, body: &str) -> CannedReply {
    answer_of(status, "application/json; charset=UTF-8", "", body)
}
