//! Feeds as their subscribers meet them.

use std::io::Read;

use concord_domain::ical::lint::lint;
use concord_storage::testing::TestDb;
use flate2::read::GzDecoder;
use icalendar::{Calendar, CalendarComponent, Component};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    logs,
    test_app::{ApiClient, TestApp, TestAppOptions, day, hour, stay, today, until},
};

/// A feed, and its address.
pub(crate) async fn publish(api: &ApiClient, body: Value) -> (String, String) {
    let feed = api.post("/api/v1/feeds", body).await.expect(201);
    let url = feed["url"].as_str().unwrap().to_owned();
    assert!(
        url.starts_with(&format!("{}/feeds/cf_", api.base)) && url.rsplit('.').next() == Some("ics"),
        "{url}"
    );
    let token = url.rsplit('/').next().unwrap().trim_end_matches(".ics");
    assert!(token.starts_with(feed["token_prefix"].as_str().unwrap()));
    logs::keep_out(token);
    (feed["id"].as_str().unwrap().to_owned(), url)
}

pub(crate) struct FetchedFeed {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

pub(crate) async fn fetch(
    api: &ApiClient,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
) -> FetchedFeed {
    let mut request = api.http.request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    FetchedFeed { status, headers, bytes: answer.bytes().await.unwrap().to_vec() }
}

impl FetchedFeed {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// Well written, and read by somebody else's reader: its events' summaries.
    pub(crate) fn summaries(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::OK);
        assert_eq!(lint(&self.bytes), [], "{}", self.text());
        let calendar: Calendar = self.text().parse().unwrap();
        let events = calendar.components.iter().filter_map(CalendarComponent::as_event);
        events.map(|event| event.get_summary().unwrap().to_owned()).collect()
    }
}

pub(crate) async fn get(api: &ApiClient, url: &str) -> FetchedFeed {
    fetch(api, Method::GET, url, &[]).await
}

async fn a_feed_shows_what_stands(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    let (sea, hill) = (test_app.resource(9).await, test_app.resource(9).await);
    let (ana, ben) = (test_app.staff("Ana").await, test_app.staff("Ben").await);
    let put = async |reference: &str, mut body: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201)
    };
    put("a", stay(&sea, 1, 2), json!({ "staff": [ana], "title": "Two; nights, \\ here", "customer": { "name": "Maria Silva", "phone": "(912)" } })).await;
    put(
        "b",
        json!({ "resource": hill.id, "starts_at": hour(3, 9), "ends_at": hour(3, 10) }),
        json!({ "staff": [ben], "title": "Tour" }),
    )
    .await;
    put("c", stay(&sea, 5, 1), json!({ "status": "pending", "title": "Perhaps" })).await;
    put("d", stay(&sea, 6, 1), json!({ "status": "cancelled", "title": "No" })).await;
    put(
        "e",
        stay(&sea, 7, 1),
        json!({ "kind": "block", "title": "Painting", "notes": "x\r\nATTENDEE:mailto:evil@example.org" }),
    )
    .await;
    let past = (today() - chrono::Days::new(40)).to_string();
    let gone = (today() - chrono::Days::new(38)).to_string();
    put(
        "f",
        json!({ "resource": sea.id, "check_in": past, "check_out": gone }),
        json!({ "title": "Long ago" }),
    )
    .await;

    let (_, all) = publish(api, json!({ "scope": "business", "name": "All", "privacy": "title" })).await;
    let (_, of_sea) =
        publish(api, json!({ "scope": "resource", "subject": sea.id, "name": "Sea", "privacy": "full" }))
            .await;
    let (_, of_ben) =
        publish(api, json!({ "scope": "staff", "subject": ben, "name": "Ben", "privacy": "title" })).await;
    let (_, busy) = publish(api, json!({ "scope": "business", "name": "Busy" })).await;

    let read = get(api, &all).await;
    assert_eq!(
        read.summaries(),
        [
            "Sea View — Maria (Two; nights, \\ here)",
            "Sea View — Tour",
            "Sea View — Perhaps",
            "Blocked: Painting"
        ],
        "{}",
        read.text()
    );
    assert!(!read.text().contains("Silva") && !read.text().contains("(912)"));
    let full = get(api, &of_sea).await;
    assert_eq!(full.summaries().len(), 3);
    assert!(full.text().contains("Maria Silva") && full.text().contains("(912)"));
    assert_eq!(get(api, &of_ben).await.summaries(), ["Sea View — Tour"]);
    let quiet = get(api, &busy).await;
    assert_eq!(quiet.summaries(), ["Busy", "Busy", "Busy", "Busy"]);
    for word in ["Maria", "Tour", "Painting", "Sea View", "Harbour"] {
        assert!(!quiet.text().contains(word), "{word}");
    }
    test_app.stop().await;
}

async fn readers_fetch_what_has_changed_only(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    let room = test_app.resource(9).await;
    api.put("/api/v1/bookings/a", stay(&room, 1, 2)).await.expect(201);
    let (id, url) =
        publish(api, json!({ "scope": "resource", "subject": room.id, "name": "Sea View (north)" })).await;

    let first = get(api, &url).await;
    assert_feed_headers(&first);
    let tag = first.header("etag").to_owned();
    let again = get(api, &url).await;
    assert_eq!((&again.bytes, again.header("etag")), (&first.bytes, tag.as_str()));
    assert_if_none_match(api, &url, &first).await;
    let date = assert_if_modified_since(api, &url, &first).await;
    assert_head(api, &url, &first).await;
    assert_gzip(api, &url, &first).await;

    // A change shows at the next request, and a change elsewhere changes nothing.
    let elsewhere = test_app.resource(1).await;
    api.put("/api/v1/bookings/z", stay(&elsewhere, 1, 2)).await.expect(201);
    assert_eq!(get(api, &url).await.header("etag"), tag);
    api.put("/api/v1/bookings/b", stay(&room, 4, 1)).await.expect(201);
    let changed =
        fetch(api, Method::GET, &url, &[("if-none-match", &tag), ("if-modified-since", &date)]).await;
    assert_eq!((changed.status, changed.summaries().len()), (StatusCode::OK, 2));
    let since = fetch(api, Method::GET, &url, &[("if-modified-since", &date)]).await;
    assert_eq!(since.status, StatusCode::OK);
    api.delete("/api/v1/bookings/b").await.expect(200);
    assert_eq!(get(api, &url).await.bytes, first.bytes);
    // So does a change of its settings.
    api.patch(&format!("/api/v1/feeds/{id}"), json!({ "privacy": "title" })).await.expect(200);
    assert_eq!(get(api, &url).await.summaries(), ["Sea View — Booking"]);
    test_app.stop().await;
}

fn assert_feed_headers(first: &FetchedFeed) {
    assert_eq!(first.header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(first.header("content-disposition"), "inline; filename=\"Sea-View-north.ics\"");
    assert_eq!(first.header("cache-control"), "private, max-age=300");
    assert!(first.header("vary").to_lowercase().contains("accept-encoding"));
    assert_eq!(first.header("content-length"), first.bytes.len().to_string());
    let tag = first.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
}

async fn assert_if_none_match(api: &ApiClient, url: &str, first: &FetchedFeed) {
    let tag = first.header("etag");
    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let read = fetch(api, Method::GET, url, &[("if-none-match", &known)]).await;
        assert_eq!((read.status, read.bytes.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(read.header("etag"), tag);
    }
    let read = fetch(api, Method::GET, url, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(read.bytes, first.bytes);
}

/// Returns the date since which nothing was modified.
async fn assert_if_modified_since(api: &ApiClient, url: &str, first: &FetchedFeed) -> String {
    // Within the second in which it was rendered the date lies a second back, so wait for one that holds.
    let date = until("a date that a reader may come back with", async || {
        let read = get(api, url).await;
        (read.header("last-modified") != first.header("last-modified"))
            .then(|| read.header("last-modified").to_owned())
    })
    .await;
    assert_eq!(
        fetch(api, Method::GET, url, &[("if-modified-since", &date)]).await.status,
        StatusCode::NOT_MODIFIED
    );
    let before =
        fetch(api, Method::GET, url, &[("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT")]).await;
    assert_eq!(before.status, StatusCode::OK);
    date
}

async fn assert_head(api: &ApiClient, url: &str, first: &FetchedFeed) {
    let head = fetch(api, Method::HEAD, url, &[]).await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    for name in ["etag", "content-type", "content-length", "cache-control"] {
        assert_eq!(head.header(name), first.header(name), "{name}");
    }
}

async fn assert_gzip(api: &ApiClient, url: &str, first: &FetchedFeed) {
    let packed = fetch(api, Method::GET, url, &[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), first.header("etag"));
    assert_eq!(packed.header("content-length"), packed.bytes.len().to_string());
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, first.bytes);
    let known = packed.header("etag").to_owned();
    assert_eq!(
        fetch(api, Method::GET, url, &[("if-none-match", &known)]).await.status,
        StatusCode::NOT_MODIFIED
    );
}

async fn an_address_can_be_taken_away(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    let (id, url) = publish(api, json!({ "scope": "business", "name": "All" })).await;
    assert_eq!(get(api, &url).await.status, StatusCode::OK);
    assert_eq!(api.get(&format!("/api/v1/feeds/{id}")).await.expect(200).get("url"), None);

    let rotated = api.post(&format!("/api/v1/feeds/{id}/rotate"), json!({})).await.expect(200);
    let new = rotated["url"].as_str().unwrap();
    assert_eq!(get(api, &url).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(api, new).await.status, StatusCode::OK);
    let revoked = api.delete(&format!("/api/v1/feeds/{id}")).await.expect(200);
    assert!(revoked["revoked_at"].is_string());
    let gone = get(api, new).await;
    let unknown = get(api, &format!("{}/feeds/cf_made_up.ics", api.base)).await;
    let other = get(api, &format!("{}/feeds/{id}", api.base)).await;
    // Whether there ever was a feed is not told.
    for read in [&gone, &unknown, &other] {
        assert_eq!((read.status, read.text()), (StatusCode::NOT_FOUND, "Not found.\n"));
    }
    for (method, path) in [(Method::POST, "/rotate"), (Method::PATCH, "")] {
        api.send(method, &format!("/api/v1/feeds/{id}{path}"), Some(json!({})), &[])
            .await
            .problem(404, "not-found");
    }
    assert_eq!(api.get("/api/v1/feeds").await.expect(200)["items"], json!([]));
    test_app.stop().await;
}

async fn a_reader_that_has_run_wild_is_told_to_wait(db: &TestDb) {
    let settings = vec![
        ("feeds.requests_per_minute_per_token", "5".to_owned()),
        ("feeds.allowed_origins", "https://example.org".to_owned()),
    ];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let api = &test_app.api;
    let (_, url) = publish(api, json!({ "scope": "business", "name": "All" })).await;
    let (_, other) = publish(api, json!({ "scope": "business", "name": "Other" })).await;
    for _ in 0..5 {
        assert_eq!(get(api, &url).await.status, StatusCode::OK);
    }
    let refused = get(api, &url).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=13).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    let read = fetch(api, Method::GET, &other, &[("origin", "https://example.org")]).await;
    assert_eq!(
        (read.status, read.header("access-control-allow-origin")),
        (StatusCode::OK, "https://example.org")
    );
    let read = fetch(api, Method::GET, &other, &[("origin", "https://elsewhere.example")]).await;
    assert_eq!(read.header("access-control-allow-origin"), "");
    test_app.stop().await;
}

async fn a_large_feed_is_whole(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1000).await;
    for index in 0..120 {
        let body = stay(&room, index % 60, 1);
        test_app.api.put(&format!("/api/v1/bookings/L-{index}"), body).await.expect(201);
    }
    let (_, url) = publish(
        &test_app.api,
        json!({ "scope": "resource", "subject": room.id, "name": "Large", "privacy": "full" }),
    )
    .await;
    assert_eq!(get(&test_app.api, &url).await.summaries().len(), 120);
    assert!(get(&test_app.api, &url).await.text().contains(&day(59).replace('-', "")));
    test_app.stop().await;
}

async fn a_feed_that_is_too_large_leaves_out_the_past(db: &TestDb) {
    let settings = vec![("feeds.max_events", "2".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let room = test_app.resource(9).await;
    let past = |days: u64| (today() - chrono::Days::new(days)).to_string();
    let over =
        json!({ "resource": room.id, "check_in": past(3), "check_out": past(2), "title": "Last week" });
    test_app.api.put("/api/v1/bookings/over", over).await.expect(201);
    for (index, title) in ["Next", "Later"].into_iter().enumerate() {
        let mut body = stay(&room, index as u64, 1);
        body["title"] = json!(title);
        test_app.api.put(&format!("/api/v1/bookings/{title}"), body).await.expect(201);
    }
    let (_, url) =
        publish(&test_app.api, json!({ "scope": "business", "name": "All", "privacy": "title" })).await;
    assert_eq!(get(&test_app.api, &url).await.summaries(), ["Sea View — Next", "Sea View — Later"]);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_feed_that_is_too_large_leaves_out_the_past,
    a_feed_shows_what_stands,
    readers_fetch_what_has_changed_only,
    an_address_can_be_taken_away,
    a_reader_that_has_run_wild_is_told_to_wait,
    a_large_feed_is_whole,
);
