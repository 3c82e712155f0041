//! How long it takes until an edit stands in the calendar, and how much memory an idle Concord takes.
//!
//! `concord demo` with its sandbox, once with the queue in its process and once with Redis. A booking is edited through
//! the API, one edit after the other; the time runs from the API's answer (and from the request) to the moment at which
//! the sandbox's calendar has the entry, as the sandbox itself has written it down: it is on the same machine, by the
//! same clock.
//!
//!     cargo bench --bench latency                     as it is released
//!     cargo bench --profile dev --bench latency       at once
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed, and its result is for people"
)]

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use concord_domain::clock::Clock;
use concord_providers::{HttpClient, HttpConfig};
use concord_testing::{
    free_port,
    process::{Process, Redis},
};
use http::{Request, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const EDITS: usize = 200;
/// From one edit to the next: below the provider's limit of 600 calls a minute for one account, which is not what is
/// measured here.
const PACE: Duration = Duration::from_millis(130);
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let program = Path::new(env!("CARGO_BIN_EXE_concord"));
    println!("{EDITS} edits each, with {}", program.display());
    measure("memory", program, None).await;
    let redis = Redis::start().await;
    measure("Redis", program, Some(redis.url())).await;
    idle(program).await;
}

struct LatencyFixture {
    http: HttpClient,
    api_key: String,
    url: String,
    sandbox_url: String,
    room: String,
    ana: String,
    process: Process,
    _folder: tempfile::TempDir,
}

impl LatencyFixture {
    async fn start(program: &Path, redis_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let (listen, data_argument) = (format!("127.0.0.1:{}", free_port()), data.display().to_string());
        let mut arguments = vec!["demo", "--listen", &listen, "--data", &data_argument];
        if let Some(url) = &redis_url {
            arguments.extend(["--queue-url", url]);
        }
        let process = Process::new(program, &arguments, &[], folder.path().join("demo.log"));
        let url = format!("http://{listen}");
        let http = HttpClient::new(HttpConfig { max_body_bytes: usize::MAX, ..HttpConfig::default() });
        let http = http.expect("a client");
        answers(&http, &format!("{url}/readyz")).await;
        let demo = fs::read(data.join("demo.json")).expect("it has written demo.json");
        let demo: Value = serde_json::from_slice(&demo).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let ana = demo["staff"].as_array().expect("a list").iter().find(|one| !one["provider"].is_null());
        Self {
            http,
            api_key: text(&demo["api_key"]),
            url,
            sandbox_url: text(&demo["sandbox_url"]),
            room: text(&demo["resources"][0]["id"]),
            ana: text(&ana.expect("somebody is connected")["id"]),
            process,
            _folder: folder,
        }
    }

    /// Edits the booking. Returns the instants of the request and of its answer.
    async fn edit(&self, clock: &Clock, title: &str) -> (DateTime<Utc>, DateTime<Utc>) {
        let body = json!({
            "resource": self.room, "staff": [self.ana], "title": title,
            "starts_at": "2029-03-01T09:00:00Z", "ends_at": "2029-03-01T10:00:00Z",
        });
        let request = Request::put(format!("{}/api/v1/bookings/LATENCY", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
            .body(body.to_string().into())
            .expect("a request");
        let asked = clock.now();
        let answer = self.http.send(request).await.expect("it answers");
        let answered = clock.now();
        assert!(answer.status.is_success(), "{} {:?}", answer.status, answer.body);
        (asked, answered)
    }

    /// When the entry of that title came to stand in the calendar.
    async fn arrival(&self, title: &str) -> DateTime<Utc> {
        let began = Instant::now();
        loop {
            let url = format!("{}/control/events?provider=google&account=ana@example.com", self.sandbox_url);
            let request = Request::get(url).body(Bytes::new()).expect("a request");
            let answer = self.http.send(request).await.expect("the sandbox answers");
            let entries: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let histories =
                entries.as_array().expect("a list").iter().filter_map(|one| one["history"].as_array());
            let is_it = |line: &&Value| line["title"].as_str().is_some_and(|text| text.contains(title));
            if let Some(line) = histories.flatten().find(is_it) {
                return line["at"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
            }
            assert!(began.elapsed() < PATIENCE, "{title} does not arrive");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn measure(queue: &str, program: &Path, redis_url: Option<String>) {
    let demo = LatencyFixture::start(program, redis_url).await;
    let clock = Clock::system();
    // The first one meets cold caches, and the sample's own bookings on their way.
    demo.edit(&clock, "Edit before").await;
    demo.arrival("Edit before").await;
    sleep(Duration::from_secs(8)).await;
    let (mut from_request, mut from_answer, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..EDITS {
        let began = Instant::now();
        let title = format!("Edit number {number};");
        let (asked, answered) = demo.edit(&clock, &title).await;
        let arrived = demo.arrival(&title).await;
        let millis = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).num_milliseconds().max(0);
        from_request.push(millis(asked, arrived));
        from_answer.push(millis(answered, arrived));
        answers.push(millis(asked, answered));
        sleep(PACE.saturating_sub(began.elapsed())).await;
    }
    println!("queue in {queue}:");
    for (what, times) in [
        ("answer to entry ", &mut from_answer),
        ("request to entry", &mut from_request),
        ("request to answer", &mut answers),
    ] {
        times.sort_unstable();
        let (p50, p99) = (times[EDITS / 2], times[EDITS * 99 / 100]);
        println!("  {what:<18} p50 {p50:>4} ms   p99 {p99:>4} ms   most {:>4} ms", times[EDITS - 1]);
    }
    println!("  memory of the demo, sandbox included: {:.1} MB resident", demo.process.memory("VmRSS"));
}

async fn idle(program: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let listen = format!("127.0.0.1:{}", free_port());
    let variables = [("CONCORD__DATA_DIR".to_owned(), folder.path().display().to_string())];
    let arguments = ["serve", "--listen", &listen];
    let process = Process::new(program, &arguments, &variables, folder.path().join("serve.log"));
    let http = HttpClient::new(HttpConfig::default()).expect("a client");
    answers(&http, &format!("http://{listen}/readyz")).await;
    sleep(Duration::from_secs(5)).await;
    println!("idle `concord serve`: {:.1} MB resident", process.memory("VmRSS"));
}

async fn answers(http: &HttpClient, url: &str) {
    let began = Instant::now();
    loop {
        let request = Request::get(url).body(Bytes::new()).expect("a request");
        if http.send(request).await.is_ok_and(|answer| answer.status.is_success()) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{url} does not answer");
        sleep(Duration::from_millis(20)).await;
    }
}
