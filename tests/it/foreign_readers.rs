//! Programs that are not ours read our feeds, and see what the API says: Python's icalendar, vdirsyncer with khal, and
//! ical.js.

use std::{
    env,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use concord_domain::ids::StaffId;
use concord_storage::{resources::Resource, testing::TestDb};
use serde_json::{Value, json};

use crate::{
    feed_readers::channel,
    feeds::{get, publish},
    test_app::{ApiClient, TestApp, hour, stay, today},
};

/// Runs a program with a value as its input, and reads the one that it prints.
fn ask(program: &OsStr, arguments: &[&OsStr], question: &Value, how_to_get_it: &str) -> Value {
    let started = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started
        .unwrap_or_else(|error| panic!("{} cannot be started ({error}): {how_to_get_it}", program.display()));
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(
        done.status.success(),
        "{} failed; does it have all it needs? {how_to_get_it}",
        program.display()
    );
    serde_json::from_slice(&done.stdout).unwrap()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn by_python(feeds: &Value) -> Value {
    let python =
        env::var_os("CONCORD_TEST_PYTHON").unwrap_or_else(|| root("target/python/bin/python").into());
    let folder = tempfile::tempdir().unwrap();
    let question = json!({
        "folder": folder.path(), "from": today().to_string(), "days": 100, "feeds": feeds,
    });
    ask(&python, &[root("tests/it/foreign_readers.py").as_os_str()], &question, "run scripts/python.sh")
}

fn by_ical_js(feeds: &Value) -> Value {
    let library = root("target/ical.js/node_modules/ical.js/dist/ical.js");
    assert!(library.exists(), "{} is not there: run scripts/ical_js.sh", library.display());
    let script = root("tests/it/foreign_readers.mjs");
    ask("node".as_ref(), &[script.as_os_str(), library.as_os_str()], feeds, "install Node.js")
}

/// In an order that all readers can be brought to.
fn sorted(events: &Value) -> Vec<Value> {
    let mut events = events.as_array().unwrap().clone();
    events.sort_by_key(|one| format!("{} {} {}", one["starts"], one["ends"], one["summary"]));
    events
}

fn without_uids(events: &[Value]) -> Vec<Value> {
    let mut events = events.to_vec();
    for event in &mut events {
        event.as_object_mut().unwrap().remove("uid");
    }
    events
}

const NAMES: [&str; 6] = [
    "Zoë Ångström, \"the second\"; B\\C",
    "🦀🏖️ 雪 👨‍👩‍👧‍👦",
    "مريم السيد",
    "שרה כהן (VIP)",
    "BEGIN:VEVENT: not really",
    "O'Neill; Seán\u{2028}Pádraig",
];

/// What the API says of each booking, with what a feed should call it.
async fn expected(test_app: &TestApp, summary: impl Fn(&Value) -> Option<String>) -> Vec<Value> {
    let list = test_app.api.get("/api/v1/bookings?limit=200").await.expect(200);
    let event = |one: &Value| {
        let text = |name: &str| one[name].as_str().map(str::to_owned);
        Some(json!({
            "uid": format!("booking-{}@127.0.0.1", one["id"].as_str()?),
            "starts": text("check_in").or_else(|| text("starts_at"))?,
            "ends": text("check_out").or_else(|| text("ends_at"))?,
            // Control characters and separators of lines are spaces or line breaks by then.
            "summary": summary(one)?,
        }))
    };
    sorted(&list["items"].as_array().unwrap().iter().filter_map(event).collect())
}

/// A stay and a delivery of each name, with all that has to be escaped.
async fn put_bookings(api: &ApiClient, room: &Resource, rui: StaffId) {
    let long = "Ünïcödé 🦀 ".repeat(25);
    let longer: String = long.chars().take(200).collect();
    for (index, name) in NAMES.into_iter().chain([long.trim()]).enumerate() {
        let mut body = stay(room, index as u64, 2);
        body["customer"] = json!({ "name": name });
        body["title"] =
            json!(format!("Nº {index}, a; b \\ \"c\" {}", if index == 3 { longer.trim() } else { "" }));
        body["notes"] = json!("one\r\ntwo\rthree\nATTENDEE:mailto:evil@example.org\r\n\r\nEND:VCALENDAR");
        api.put(&format!("/api/v1/bookings/S-{index}"), body).await.expect(201);
        let body = json!({
            "resource": room.id, "kind": "delivery", "starts_at": hour(index as u64, 9), "staff": [rui],
            "ends_at": hour(index as u64, 10), "location": "Rua do Mar 7, 2º; Lisboa", "customer": { "name": name },
        });
        api.put(&format!("/api/v1/bookings/D-{index}"), body).await.expect(201);
    }
}

/// The address of a feed of each kind.
async fn publish_feeds(test_app: &TestApp, room: &Resource, rui: StaffId) -> Value {
    let api = &test_app.api;
    let feed = |scope: &str, subject: Value, privacy: &str| json!({ "scope": scope, "subject": subject, "name": "A; b, \\ 🦀", "privacy": privacy });
    let (_, busy) = publish(api, feed("business", Value::Null, "busy")).await;
    let (_, title) = publish(api, feed("resource", json!(room.id), "title")).await;
    let (_, full) = publish(api, feed("business", Value::Null, "full")).await;
    let (_, driver) = publish(api, feed("driver", json!(rui), "full")).await;
    let (_, channel) = channel(test_app, room).await;
    let info = api.get("/api/ical/info").await.expect(200);
    let guests = info["export_url"].as_str().unwrap().to_owned();
    json!({
        "busy": busy, "title": title, "full": full, "driver": driver, "channel": channel, "guests": guests,
    })
}

/// Of each feed, what the API says is in it.
async fn expected_feeds(test_app: &TestApp, room: &Resource) -> [(&'static str, Vec<Value>); 6] {
    let name = |one: &Value| one["customer"]["name"].as_str().unwrap().trim().to_owned();
    let first = |one: &Value| name(one).split_whitespace().next().unwrap().to_owned();
    let is_delivery = |one: &Value| one["kind"] == "delivery";
    let called = |one: &Value, who: String| {
        let title = one["title"].as_str().unwrap().trim();
        if is_delivery(one) {
            format!("Delivery: {}", room.name)
        } else {
            format!("{} — {who} ({title})", room.name)
        }
    };
    let stop = |one: &Value| {
        let stop = format!("Stop 1 of 1: {}, {}", name(one), one["location"].as_str().unwrap());
        is_delivery(one).then_some(stop)
    };
    let guest = |one: &Value| {
        let kind = if is_delivery(one) { "Delivery" } else { "Booking" };
        Some(format!("{kind}: {}", name(one)))
    };
    [
        ("busy", expected(test_app, |_| Some("Busy".to_owned())).await),
        ("channel", expected(test_app, |_| Some("Busy".to_owned())).await),
        ("title", expected(test_app, |one| Some(called(one, first(one)))).await),
        ("full", expected(test_app, |one| Some(called(one, name(one)))).await),
        ("driver", expected(test_app, stop).await),
        ("guests", expected(test_app, guest).await),
    ]
}

async fn everybody_reads_what_the_api_says(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, rui) = (test_app.resource(99).await, test_app.staff("Rui").await);
    put_bookings(&test_app.api, &room, rui).await;
    let feeds = publish_feeds(&test_app, &room, rui).await;
    for (feed, address) in feeds.as_object().unwrap() {
        // Lint finds nothing, and the reader in Rust reads it.
        assert!(!get(&test_app.api, address.as_str().unwrap()).await.summaries().is_empty(), "{feed}");
    }
    let (python, ical_js) =
        tokio::task::spawn_blocking(move || (by_python(&feeds), by_ical_js(&feeds))).await.unwrap();
    for (feed, expected) in expected_feeds(&test_app, &room).await {
        // A separator of lines is a line break to every reader.
        let expected: Vec<Value> =
            serde_json::from_str(&json!(expected).to_string().replace('\u{2028}', "\\n")).unwrap();
        assert_eq!(sorted(&python[feed]["icalendar"]), expected, "icalendar reads {feed}");
        assert_eq!(sorted(&ical_js[feed]), expected, "ical.js reads {feed}");
        let shown = without_uids(&expected);
        assert_eq!(sorted(&python[feed]["khal"]), shown, "khal shows {feed}, which vdirsyncer has fetched");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(everybody_reads_what_the_api_says);
