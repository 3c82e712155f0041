//! A proxy before a real server, for tests: it lets calls go wrong on demand, as a bad network and a tired server do.
//!
//! It knows nothing of what it carries. Each connection is one request; the answer goes back as it comes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyFault {
    /// It is answered with this, and the server never hears of it. Header lines end in CR LF.
    Answer {
        /// Such as `503 Service Unavailable`.
        status: String,
        headers: String,
        body: String,
    },
    /// It is never answered, and the server never hears of it.
    Silence,
    /// The server does it, and the answer is lost.
    ApplyThenDrop,
    /// The server does it, and half of the answer's body comes, as if it were all.
    Halve,
    /// The server does it, and its answer says that it is plain text.
    PlainText,
    /// It is lost on its way.
    Drop,
}

#[derive(Debug)]
struct FaultRule {
    /// What the request must hold, in its head or its body.
    holding: String,
    /// How many such requests it lets pass before.
    skip: u64,
    fault: ProxyFault,
}

#[derive(Debug, Default)]
struct ProxyState {
    rules: VecDeque<FaultRule>,
    /// Put in the place of others in each request.
    replaced: Vec<(String, String)>,
    /// Answered at once, for as long as the proxy stands.
    refused: Vec<FaultRule>,
    /// Whether the server tells no ETag, in no answer.
    without_versions: bool,
    /// Names and passwords, where the proxy asks for them in the server's place.
    accounts: Option<BTreeMap<String, String>>,
    chance: Option<RandomFaults>,
    seen: u64,
    failed: u64,
}

/// Faults by chance; the same seed makes the same throws.
#[derive(Debug)]
struct RandomFaults {
    random: StdRng,
    faults: Vec<(f64, ProxyFault)>,
}

impl RandomFaults {
    fn draw(&mut self) -> Option<ProxyFault> {
        let mut dice: f64 = self.random.random();
        for (probability, fault) in &self.faults {
            if dice < *probability {
                return Some(fault.clone());
            }
            dice -= probability;
        }
        None
    }
}

/// A running proxy; it ends with its value.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<Mutex<ProxyState>>,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// Stands before the server at `upstream`.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(ProxyState::default()));
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move {
                    // Who hangs up has had enough; there is nobody to tell.
                    let _ = forward(client, upstream, &shared).await;
                });
            }
        });
        Ok(Self { address, state, serving })
    }

    /// Its address, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request goes wrong.
    pub fn fail_next(&self, fault: ProxyFault) {
        self.fail_next_containing("", fault);
    }

    /// The next request that holds `text`, in its head or its body, goes wrong.
    pub fn fail_next_containing(&self, text: &str, fault: ProxyFault) {
        self.with(|state| state.rules.push_back(FaultRule { holding: text.to_owned(), skip: 0, fault }));
    }

    /// So many requests go well, and the one after them goes wrong.
    pub fn fails_after(&self, skip: u64, fault: ProxyFault) {
        self.with(|state| state.rules.push_back(FaultRule { holding: String::new(), skip, fault }));
    }

    /// From now on requests go wrong by chance: each of these with its probability from 0 to 1, together at most 1.
    pub fn fail_randomly(&self, seed: u64, faults: Vec<(f64, ProxyFault)>) {
        self.with(|state| state.chance = Some(RandomFaults { random: StdRng::seed_from_u64(seed), faults }));
    }

    /// Nothing goes wrong any more.
    pub fn is_well(&self) {
        self.with(|state| {
            state.chance = None;
            state.rules.clear();
            state.refused.clear();
        });
    }

    /// Puts `other` in the place of `text` in every request from now on.
    pub fn replace(&self, text: &str, other: &str) {
        self.with(|state| state.replaced.push((text.to_owned(), other.to_owned())));
    }

    /// Every request that holds `text`, in its head or its body, is answered with this from now on.
    pub fn always_respond(&self, text: &str, fault: ProxyFault) {
        self.with(|state| state.refused.push(FaultRule { holding: text.to_owned(), skip: 0, fault }));
    }

    /// From now on the server tells no version of anything: neither with what it stores nor with what it lists.
    pub fn hide_etags(&self) {
        self.with(|state| state.without_versions = true);
        self.replace("<getetag/>", "<no-etag/>");
    }

    /// Asks for a name and a password in the place of the server, which is told the name as `X-Remote-User`.
    pub fn admit(&self, user: &str, password: &str) {
        self.with(|state| {
            state.accounts.get_or_insert_default().insert(user.to_owned(), password.to_owned());
        });
    }

    /// How many requests have come.
    pub fn seen(&self) -> u64 {
        self.with(|state| state.seen)
    }

    /// How many of them have gone wrong.
    pub fn failed(&self) -> u64 {
        self.with(|state| state.failed)
    }

    fn with<T>(&self, work: impl FnOnce(&mut ProxyState) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What is to be done with a request.
enum ProxyDecision {
    /// And what becomes of the answer.
    Carry(Vec<u8>, fn(&[u8]) -> Vec<u8>),
    Answer(String),
    Silence,
    Drop,
}

async fn forward(mut client: TcpStream, upstream: SocketAddr, state: &Mutex<ProxyState>) -> io::Result<()> {
    let Some((head, body)) = read_request(&mut client).await? else { return Ok(()) };
    let verdict = decide(&head, &body, &mut state.lock().unwrap_or_else(PoisonError::into_inner));
    match verdict {
        ProxyDecision::Answer(answer) => client.write_all(answer.as_bytes()).await?,
        ProxyDecision::Silence => {
            // Until the client has had enough.
            let _ = client.read_u8().await;
        }
        ProxyDecision::Drop => {}
        ProxyDecision::Carry(request, spoil) => {
            client.write_all(&spoil(&send_upstream(upstream, &request).await?)).await?;
        }
    }
    client.shutdown().await
}

async fn send_upstream(upstream: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(request).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn decide(head: &str, body: &[u8], state: &mut ProxyState) -> ProxyDecision {
    state.seen += 1;
    let text = String::from_utf8_lossy(body);
    let holds = |rule: &FaultRule| head.contains(&rule.holding) || text.contains(&rule.holding);
    let always = state.refused.iter().find(|rule| holds(rule)).map(|rule| rule.fault.clone());
    let hit = state.rules.iter().position(|rule| holds(rule) && rule.skip == 0);
    for rule in state.rules.iter_mut().filter(|rule| holds(rule)) {
        rule.skip = rule.skip.saturating_sub(1);
    }
    let asked_for = hit.and_then(|index| state.rules.remove(index)).map(|rule| rule.fault).or(always);
    let fault = asked_for.or_else(|| state.chance.as_mut().and_then(RandomFaults::draw));
    state.failed += u64::from(fault.is_some());
    let spoil: fn(&[u8]) -> Vec<u8> = match fault {
        Some(ProxyFault::Answer { status, headers, body }) => {
            return ProxyDecision::Answer(answer(&status, &headers, &body));
        }
        Some(ProxyFault::Silence) => return ProxyDecision::Silence,
        Some(ProxyFault::Drop) => return ProxyDecision::Drop,
        Some(ProxyFault::ApplyThenDrop) => |_| Vec::new(),
        Some(ProxyFault::Halve) => truncate_body,
        Some(ProxyFault::PlainText) => with_text_content_type,
        None if state.without_versions => strip_etag,
        None => <[u8]>::to_vec,
    };
    let user = state.accounts.as_ref().map(|accounts| signed_in(head, accounts));
    if user == Some(None) {
        let asks = "WWW-Authenticate: Basic realm=\"calendars\"\r\n";
        return ProxyDecision::Answer(answer("401 Unauthorized", asks, ""));
    }
    let user = user.flatten();
    ProxyDecision::Carry(rewrite_request(head, body, user.as_deref(), &state.replaced), spoil)
}

fn truncate_body(answer: &[u8]) -> Vec<u8> {
    let (head, body) = split_response(answer);
    let half = &body[..body.len() / 2];
    let kept = head.lines().filter(|line| !has_name(line, "content-length"));
    let head: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    [format!("{head}Content-Length: {}\r\n\r\n", half.len()).as_bytes(), half].concat()
}

fn strip_etag(answer: &[u8]) -> Vec<u8> {
    let (head, body) = split_response(answer);
    let kept = head.lines().filter(|line| !has_name(line, "etag"));
    let head: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    [format!("{head}\r\n").as_bytes(), body].concat()
}

fn with_text_content_type(answer: &[u8]) -> Vec<u8> {
    let (head, body) = split_response(answer);
    let kept = head.lines().filter(|line| !has_name(line, "content-type"));
    let head: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    [format!("{head}Content-Type: text/plain; charset=us-ascii\r\n\r\n").as_bytes(), body].concat()
}

/// Head and body of an answer, without the empty line between them.
fn split_response(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer.get(end + 4..).unwrap_or_default())
}

fn has_name(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn signed_in(head: &str, accounts: &BTreeMap<String, String>) -> Option<String> {
    let pair = header(head, "authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    (accounts.get(user).map(String::as_str) == Some(password)).then(|| user.to_owned())
}

/// The request as the server gets it: alone on its connection.
fn rewrite_request(head: &str, body: &[u8], user: Option<&str>, replaced: &[(String, String)]) -> Vec<u8> {
    let mut body = body.to_vec();
    if let Ok(text) = std::str::from_utf8(&body) {
        body = replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)).into_bytes();
    }
    let ours = ["connection", "content-length", "x-remote-user"];
    let mut lines: Vec<String> = head
        .lines()
        .filter(|line| {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            !ours.contains(&name.as_str())
        })
        .map(str::to_owned)
        .collect();
    lines.push("Connection: close".to_owned());
    lines.push(format!("Content-Length: {}", body.len()));
    if let Some(user) = user {
        lines.push(format!("X-Remote-User: {user}"));
    }
    [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &body].concat()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Head and body of a request with a `Content-Length`. `None`: the client had nothing to say.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Ok(Some((head, bytes.split_off(end + 4))));
            }
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
