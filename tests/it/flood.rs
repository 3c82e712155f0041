//! Many who have proven nothing, and the few who have.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{
    page_client::{PageClient, person},
    test_app::{ApiClient, TestApp, TestAppOptions, stay},
};

/// As much as an import may have.
const LARGE: usize = 11 * 1024 * 1024;

/// The head of a request that announces a large body.
fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {LARGE}\r\n{headers}\r\n")
}

const BOGUS_SESSION: &str =
    "cookie: concord_session=cs_made_up\r\ncontent-type: multipart/form-data; boundary=x\r\n";
const BOGUS_KEY: &str = "authorization: Bearer ck_made_up\r\ncontent-type: text/calendar\r\n";

/// The status that is answered to a head whose body never comes.
async fn answered_without_body(test_app: &TestApp, head: &str) -> String {
    let address = test_app.api.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    timeout(Duration::from_secs(20), stream.read_exact(&mut answer))
        .await
        .expect("it waits for the body")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

async fn who_has_proven_nothing_is_answered_before_their_body(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for (head, status) in [
        (head("POST", "/calendar-sync/import", BOGUS_SESSION), "401"),
        (head("POST", "/bookings", BOGUS_SESSION), "401"),
        (head("POST", "/sign-out", ""), "401"),
        (head("POST", "/sign-in/cl_made_up", ""), "413"),
        (head("POST", "/oauth/calendar/google/callback", ""), "413"),
        (head("POST", "/api/ical/import", BOGUS_KEY), "401"),
        (head("PUT", "/api/v1/bookings/x", BOGUS_KEY), "401"),
        (head("POST", "/api/v1/resources", ""), "401"),
        (head("POST", "/hooks/google", ""), "413"),
        (head("POST", "/hooks/microsoft", "content-type: application/json\r\n"), "413"),
        (head("POST", "/hooks/channels/made_up", ""), "413"),
    ] {
        let answer = answered_without_body(&test_app, &head).await;
        assert_eq!(answer, format!("HTTP/1.1 {status}"), "{head}");
    }
    // Whoever has a key is told at once, too.
    let known = format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", test_app.api.key);
    let answer = answered_without_body(&test_app, &head("PUT", "/api/v1/bookings/x", &known)).await;
    assert_eq!(answer, "HTTP/1.1 413");
    test_app.stop().await;
}

/// Sends a request again and again on connections of its own, until it is stopped.
async fn send_for_ever(address: String, request: Vec<u8>) {
    loop {
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        let (mut reader, mut writer) = stream.split();
        let mut answer = Vec::new();
        let sending = writer.write_all(&request);
        let reading = reader.read_to_end(&mut answer);
        // Who is refused early is hung up on.
        let _ = tokio::join!(sending, reading);
    }
}

async fn flood_leaves_sign_in_and_bookings_answering(db: &TestDb) {
    const LIMIT: &str = "server.unproven_requests_per_minute_per_address";
    let wishes = TestAppOptions { settings: vec![(LIMIT, "300".to_owned())], ..TestAppOptions::default() };
    let test_app = TestApp::start_with(db, wishes).await;
    let room = test_app.resource(100).await;
    let user = person(&test_app, Role::Manager, None).await;
    // Keys that were known before the flood go on through it; a link that nobody has seen yet works all the same.
    test_app.api.get("/api/v1/bookings").await.expect(200);
    let body = vec![b'x'; 200_000];
    let with_body = |head: String| [head.into_bytes(), body.clone()].concat();
    let plain =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").into_bytes();
    let requests = [
        with_body(head("POST", "/calendar-sync/import", BOGUS_SESSION)),
        with_body(head("POST", "/api/ical/import", BOGUS_KEY)),
        with_body(head("POST", "/hooks/microsoft", "content-type: application/json\r\n")),
        plain("/api/docs"),
        plain("/api/openapi.json"),
        plain("/sign-in"),
    ];
    let mut flood = JoinSet::new();
    let address = test_app.api.base.strip_prefix("http://").unwrap().to_owned();
    for request in requests.iter().cycle().take(300) {
        flood.spawn(send_for_ever(address.clone(), request.clone()));
    }
    for number in 0..3 {
        let visitor = PageClient::signed_in(&test_app, &user).await;
        assert_eq!(visitor.get("/settings").await.status, 200);
        let path = format!("/api/v1/bookings/flood-{number}");
        test_app.api.put(&path, stay(&room, number, 1)).await.expect(201);
    }
    flood.shutdown().await;
    test_app.stop().await;
}

async fn wrong_keys_and_links_are_limited_and_right_ones_go_on(db: &TestDb) {
    const LIMIT: &str = "server.unproven_requests_per_minute_per_address";
    let wishes = TestAppOptions { settings: vec![(LIMIT, "5".to_owned())], ..TestAppOptions::default() };
    let test_app = TestApp::start_with(db, wishes).await;
    let user = person(&test_app, Role::Manager, None).await;
    let visitor = PageClient::signed_in(&test_app, &user).await;
    test_app.api.get("/api/v1/bookings").await.expect(200);
    let wrong = ApiClient { key: "ck_wrong".to_owned(), ..test_app.api.clone() };
    for _ in 0..5 {
        wrong.get("/api/v1/bookings").await.problem(401, "unauthorized");
    }
    let refused = wrong.get("/api/v1/bookings").await;
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    refused.problem(429, "too-many-requests");
    let nobody = PageClient::signed_out(&test_app);
    for (path, status) in
        [("/sign-in/cl_wrong", 410), ("/oauth/calendar/google/callback?state=x&code=y", 400)]
    {
        for _ in 0..5 {
            assert_eq!(nobody.get(path).await.status, status, "{path}");
        }
        let refused = nobody.get(path).await;
        assert_eq!(refused.status, 429, "{path}: {}", refused.text);
        assert!(refused.headers.contains_key("retry-after") && refused.text.contains("Too many requests"));
    }
    let mut guessing = PageClient::signed_out(&test_app);
    guessing.cookies.push("concord_session=cs_wrong".to_owned());
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(guessing.get("/bookings").await.status);
    }
    assert_eq!(statuses, [303, 303, 303, 303, 303, 429, 429]);
    for _ in 0..5 {
        test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    }
    test_app
        .api
        .send_unauthenticated(Method::GET, "/api/openapi.json")
        .await
        .problem(429, "too-many-requests");
    // What was known to be right is not kept out, nor are probes.
    test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(visitor.get("/bookings").await.status, 200);
    test_app.is_ready().await;
    test_app.stop().await;
}

async fn one_key_asks_only_so_often(db: &TestDb) {
    let limit = ("server.requests_per_minute_per_key", "3".to_owned());
    let test_app =
        TestApp::start_with(db, TestAppOptions { settings: vec![limit], ..TestAppOptions::default() }).await;
    for _ in 0..3 {
        test_app.api.get("/api/v1/staff").await.expect(200);
    }
    test_app.api.get("/api/v1/staff").await.problem(429, "too-many-requests");
    let (_, other) = test_app.other_business().await;
    other.get("/api/v1/staff").await.expect(200);
    test_app.stop().await;
}

async fn documents_are_served_from_memory(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for path in ["/api/docs", "/api/openapi.json"] {
        let first = test_app.api.send_unauthenticated(Method::GET, path).await;
        assert_eq!(first.status, 200);
        let tag = first.header("etag").to_owned();
        assert!(
            tag.len() > 10 && first.header("vary").eq_ignore_ascii_case("accept-encoding"),
            "{:?}",
            first.headers
        );
        let with = async |name: &str, value: &str| {
            let request = test_app.api.http.get(format!("{}{path}", test_app.api.base));
            request.header(name, value).send().await.unwrap()
        };
        let known = with("if-none-match", &tag).await;
        assert_eq!((known.status().as_u16(), known.headers()["etag"].to_str().unwrap()), (304, &*tag));
        assert!(known.bytes().await.unwrap().is_empty());
        let packed = with("accept-encoding", "gzip").await;
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert_ne!(packed.headers()["etag"], tag.as_str());
        assert!(packed.bytes().await.unwrap().len() < first.text.len() / 3);
        assert_eq!(with("if-none-match", "\"another\"").await.status(), 200);
    }
    test_app.stop().await;
}

/// Anybody may ask for them, and each answer counts what the database holds.
async fn metrics_are_counted_once_for_all(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let began = Instant::now();
    let answers = futures::future::join_all(
        (0..300).map(|_| test_app.api.send_unauthenticated(Method::GET, "/metrics")),
    )
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    // Each scrape that is made says how often it was asked before.
    let made: BTreeSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
    let most = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    assert!(made.len() <= most, "{} scrapes were made in {:?}", made.len(), began.elapsed());
    test_app.stop().await;
}

async fn slow_bodies_of_one_address_leave_room_for_notifications(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let address = test_app.api.base.strip_prefix("http://").unwrap();
    let head = "POST /hooks/microsoft HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
        content-length: 262144\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
        // By its answer what was sent before has been read.
        test_app.api.send_unauthenticated(Method::GET, "/readyz").await;
    }
    let elsewhere = TcpSocket::new_v4().unwrap();
    elsewhere.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let mut elsewhere = elsewhere.connect(address.parse().unwrap()).await.unwrap();
    let whole = head.replace("262144", "13").replace("\n{", "\n{\"value\": []}");
    elsewhere.write_all(whole.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    let answered = elsewhere.read_exact(&mut status);
    timeout(Duration::from_secs(3), answered).await.expect("it waits for room").unwrap();
    assert_eq!(&status, b"HTTP/1.1 202");
    drop(slow);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    metrics_are_counted_once_for_all,
    slow_bodies_of_one_address_leave_room_for_notifications,
    who_has_proven_nothing_is_answered_before_their_body,
    flood_leaves_sign_in_and_bookings_answering,
    wrong_keys_and_links_are_limited_and_right_ones_go_on,
    one_key_asks_only_so_often,
    documents_are_served_from_memory,
);
