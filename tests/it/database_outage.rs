//! A PostgreSQL server that is gone or does not answer, and a SQLite file that cannot grow.

use std::time::Duration;

use concord_storage::testing;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};
use url::Url;

use crate::test_app::{TestApp, TestAppOptions, day, stay, until};

/// Whoever watches Concord is answered within a second; this is for machines that are slow, and far from the half minute
/// for which a connection was once waited for.
const SOON: Duration = Duration::from_secs(5);
/// A few seconds, likewise.
const BOUNDED: Duration = Duration::from_secs(15);

/// How the way to the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Open,
    /// Connections break, and none is taken.
    Down,
    /// Connections stay, and nothing comes.
    Silent,
}

/// Stands between the program and the server.
struct DatabaseProxy {
    url: String,
    way: watch::Sender<LinkState>,
}

async fn proxy_to(server: &str) -> DatabaseProxy {
    let mut url: Url = server.parse().unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let (way, seen) = watch::channel(LinkState::Open);
    tokio::spawn(async move {
        loop {
            let Ok((near, _)) = listener.accept().await else { return };
            let (target, seen) = (target.clone(), seen.clone());
            tokio::spawn(carry(near, target, seen));
        }
    });
    DatabaseProxy { url: url.into(), way }
}

async fn carry(mut near: TcpStream, target: String, mut way: watch::Receiver<LinkState>) {
    if *way.borrow() == LinkState::Down {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    loop {
        let now = *way.borrow_and_update();
        match now {
            LinkState::Down => return,
            LinkState::Silent => {
                if way.changed().await.is_err() {
                    return;
                }
            }
            LinkState::Open => {
                tokio::select! {
                    _ended = copy_bidirectional(&mut near, &mut far) => return,
                    changed = way.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> T {
    timeout(limit, work).await.unwrap_or_else(|_| panic!("{what} took more than {limit:?}"))
}

async fn is_told_by_all_who_watch(test_app: &TestApp, up: u8) {
    let status = if up == 1 { 200 } else { 503 };
    let plain = |path: &'static str| test_app.api.send_unauthenticated(Method::GET, path);
    let ready = within(SOON, "/readyz", plain("/readyz")).await;
    let health = within(SOON, "/api/health", plain("/api/health")).await;
    let metrics = within(SOON, "/metrics", plain("/metrics")).await;
    assert_eq!((ready.status, health.status, metrics.status), (status, status, 200), "{}", health.text);
    for name in ["concord_database_up", "concord_database_writable"] {
        let line = format!("{name}{{kind=\"postgres\"}} {up}\n");
        assert!(metrics.text.contains(&line), "{line} is missing in\n{}", metrics.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_away_is_said_soon_and_over_soon() {
    let db = testing::postgres().await;
    let line = proxy_to(db.url()).await;
    let settings = vec![("database.url", line.url.clone())];
    let test_app = TestApp::start_with(&db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let room = test_app.resource(1).await;
    let put = async |number: u64| {
        let path = format!("/api/v1/bookings/b-{number}");
        test_app.api.put(&path, stay(&room, 2 * number + 1, 1)).await
    };
    put(0).await.expect(201);
    for (number, way) in [(1, LinkState::Down), (2, LinkState::Silent)] {
        line.way.send(way).unwrap();
        until("it is noticed", async || {
            (test_app.api.send_unauthenticated(Method::GET, "/readyz").await.status == 503).then_some(())
        })
        .await;
        is_told_by_all_who_watch(&test_app, 0).await;
        let refused = within(BOUNDED, "a change", put(number)).await;
        assert_eq!(refused.header("retry-after"), "5");
        refused.problem(503, "unavailable");
        line.way.send(LinkState::Open).unwrap();
        let back = Instant::now();
        until("it works again", async || (put(number).await.status == 201).then_some(())).await;
        assert!(back.elapsed() < BOUNDED, "{way:?}: {:?}", back.elapsed());
        test_app.is_ready().await;
        is_told_by_all_who_watch(&test_app, 1).await;
    }
    test_app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_when_it_ends() {
    let db = testing::sqlite().await;
    let test_app = TestApp::start(&db).await;
    let room = test_app.resource(1).await;
    let notes = "x".repeat(1_500);
    let put = async |number: u64| -> crate::test_app::ApiResponse {
        let mut booking: Value = stay(&room, number + 1, 1);
        booking["notes"] = json!(notes);
        test_app.api.put(&format!("/api/v1/bookings/b-{number}"), booking).await
    };
    testing::fill_the_disk(test_app.db()).await;
    let mut refused = None;
    for number in 0..100 {
        let answer = put(number).await;
        if answer.status != 201 {
            refused = Some((number, answer));
            break;
        }
    }
    let (number, answer) = refused.expect("the file may not grow");
    assert_eq!(answer.header("retry-after"), "5");
    let problem = answer.problem(503, "unavailable");
    assert_eq!(problem["detail"], "The database is read-only.");
    until("health finds out by writing", async || {
        testing::fill_the_disk(test_app.db()).await;
        let health = test_app.api.send_unauthenticated(Method::GET, "/api/health").await;
        (health.status == 503 && health.body["database"]["status"] == "takes_no_changes").then_some(())
    })
    .await;
    test_app.is_ready().await;
    // The connection is another one by now, to which the disk has room again.
    put(number).await.expect(201);
    test_app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_a_turn_is_turned_away_with_nothing_done() {
    let db = testing::sqlite().await;
    let test_app = TestApp::start(&db).await;
    let post = async || test_app.api.post("/api/v1/resources", json!({ "name": "Room" })).await;
    let held = testing::begin(test_app.db()).await;
    let refused = within(BOUNDED, "a change", post()).await;
    assert_eq!(refused.header("retry-after"), "2");
    refused.problem(503, "busy");
    // Reading waits for nobody, and a database that is busy works.
    let list = test_app.api.get("/api/v1/resources").await.expect(200);
    assert_eq!(list["items"], json!([]));
    test_app.is_ready().await;
    drop(held);
    post().await.expect(201);
    test_app.stop().await;
}

/// More at once than there are connections: whoever held one and waited for a second would stand still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_are_enough_for_all() {
    let db = testing::postgres().await;
    let settings = vec![("database.max_connections", "2".to_owned())];
    let test_app = TestApp::start_with(&db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let room = test_app.resource(40).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, "ana@example.com").await;
    let room_path = format!("/api/v1/resources/{}", room.id);
    let all = (0..32_u64).map(|number| {
        let (api, room, room_path) = (test_app.api.clone(), room.clone(), room_path.clone());
        tokio::spawn(async move {
            let mut booking = stay(&room, number + 1, 1);
            booking["staff"] = json!([ana]);
            let path = format!("/api/v1/bookings/b-{number}");
            let full =
                json!({ "resource": room.id, "check_in": day(70), "check_out": day(71), "quantity": 41 });
            let answers = [
                api.put(&path, booking).await,
                api.post("/api/v1/feeds", json!({ "name": "All", "scope": "business" })).await,
                api.post("/api/v1/resources", json!({ "name": "Room" })).await,
                api.patch(&room_path, json!({ "name": format!("Room {number}") })).await,
                api.put(&format!("/api/v1/bookings/full-{number}"), full).await,
                api.get("/api/v1/bookings").await,
                api.get("/api/v1/calendar_integrations").await,
                api.post("/api/v1/sync/availability", json!({})).await,
                api.delete(&path).await,
            ];
            answers.map(|answer| (answer.status, answer.text))
        })
    });
    let answered = within(Duration::from_mins(3), "all of them", futures::future::join_all(all)).await;
    for answers in answered {
        for (status, text) in answers.unwrap() {
            // A loser of a race is told to come again; nobody waits for a connection until there is none.
            let comes_again =
                ["problems/busy", "problems/unavailable"].iter().any(|kind| text.contains(kind));
            assert!(status < 500 || comes_again, "{status} {text}");
        }
    }
    test_app.stop().await;
}
