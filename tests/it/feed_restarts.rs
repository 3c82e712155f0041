//! What a feed says does not depend on which process says it, or when that was started.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    feeds::{FetchedFeed, fetch, get, publish},
    test_app::{TestApp, hour, stay},
};

/// The addresses of all kinds of feeds, with bookings of all kinds in them.
async fn every_feed(test_app: &TestApp) -> Vec<String> {
    let (api, room) = (&test_app.api, test_app.resource(9).await);
    let (ana, rui) = (test_app.staff("Ana").await, test_app.staff("Rui").await);
    let put = async |reference: &str, mut body: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201)
    };
    let timed =
        |from, until| json!({ "resource": room.id, "starts_at": hour(2, from), "ends_at": hour(2, until) });
    put("a", stay(&room, 1, 2), json!({ "staff": [ana], "customer": { "name": "Maria Silva" } })).await;
    put("b", timed(9, 10), json!({ "kind": "delivery", "staff": [rui], "location": "Rua A 1" })).await;
    put("c", timed(11, 12), json!({ "kind": "delivery", "staff": [rui], "location": "Rua B 2" })).await;
    let mut urls = Vec::new();
    for (scope, subject) in [
        ("business", Value::Null),
        ("resource", json!(room.id)),
        ("staff", json!(ana)),
        ("driver", json!(rui)),
    ] {
        for privacy in ["busy", "title", "full"] {
            let body = json!({ "scope": scope, "subject": subject, "name": scope, "privacy": privacy });
            urls.push(publish(api, body).await.1);
        }
    }
    let channel = json!({ "resource": room.id, "platform": "airbnb" });
    let channel = api.post("/api/v1/channels", channel).await.expect(201);
    urls.push(channel["feed_url"].as_str().unwrap().to_owned());
    let info = api.get("/api/ical/info").await.expect(200);
    urls.push(info["export_url"].as_str().unwrap().to_owned());
    urls
}

async fn a_feed_outlives_its_process_to_the_byte(db: &TestDb) {
    let first = TestApp::start(db).await;
    let urls = every_feed(&first).await;
    for url in &urls {
        get(&first.api, url).await;
    }
    // HTTP tells when something was made by whole seconds, and in the very second by the one before.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let mut told: Vec<FetchedFeed> = Vec::new();
    for url in &urls {
        told.push(get(&first.api, url).await);
    }
    first.stop().await;
    let second = TestApp::start(db).await;
    for (url, before) in urls.iter().zip(&told) {
        let url = url.replacen(&first_base(url), &second.api.base, 1);
        let after = get(&second.api, &url).await;
        assert_eq!(after.text(), before.text(), "{url}");
        assert!(before.text().contains("BEGIN:VEVENT"), "{url}: {}", before.text());
        for name in ["etag", "last-modified"] {
            assert!(!before.header(name).is_empty(), "{url}: {name}");
            assert_eq!(after.header(name), before.header(name), "{url}: {name}");
        }
        let tag = before.header("etag");
        let again = fetch(&second.api, Method::GET, &url, &[("if-none-match", tag)]).await;
        assert_eq!(again.status, 304, "{url}");
    }
    second.stop().await;
}

fn first_base(url: &str) -> String {
    let path = url.match_indices('/').nth(2).map(|(at, _)| at).unwrap();
    url[..path].to_owned()
}

/// RFC 5546, 3.2.1: what is published says whose it is.
async fn every_published_feed_names_its_organizer(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for url in every_feed(&test_app).await {
        let text = get(&test_app.api, &url).await.text().replace("\r\n ", "");
        assert_eq!(text.matches("METHOD:PUBLISH\r\n").count(), 1, "{url}: {text}");
        let events: Vec<&str> = text.split("BEGIN:VEVENT").skip(1).collect();
        assert!(!events.is_empty(), "{url}: {text}");
        for event in events {
            let organizers: Vec<&str> = event.lines().filter(|line| line.starts_with("ORGANIZER")).collect();
            assert_eq!(organizers.len(), 1, "{url}: {event}");
            assert!(organizers[0].contains(":mailto:") && organizers[0].contains('@'), "{organizers:?}");
            assert!(!event.contains("ATTENDEE"), "{event}");
        }
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_feed_outlives_its_process_to_the_byte,
    every_published_feed_names_its_organizer,
);
