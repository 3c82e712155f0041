//! Lists: pages, selections, and what is new since a sync token.

use std::time::Instant;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{ANA, SandboxClient, column, hour, send};

const EVENTS: &str = "/calendars/primary/events";

async fn with_events(titles: &[&str]) -> SandboxClient {
    let outside = SandboxClient::start().await;
    for (index, title) in (9..).zip(titles) {
        let mut body = hour(title, index);
        body["id"] = format!("event{index}").into();
        body["extendedProperties"] = json!({ "private": { "title": title, "by": "concord" } });
        outside.insert(body).await.expect(200);
    }
    outside
}

#[tokio::test]
async fn the_list_of_calendars_says_what_may_be_done() {
    let outside = SandboxClient::start().await;
    let list = outside.get("/users/me/calendarList").await.expect(200);
    assert_eq!(list["items"][0]["id"], ANA);
    assert_eq!(list["items"][0]["primary"], true);
    assert!(list["items"][1]["primary"].is_null());
    assert_eq!(column(&list, "accessRole"), ["owner", "owner", "reader"]);
}

#[tokio::test]
async fn a_hidden_calendar_is_told_to_who_asks_for_it() {
    const LIST: &str = "/users/me/calendarList";
    let outside = SandboxClient::start().await;
    let list = outside.get(LIST).await.expect(200);
    let second = list["items"][1]["id"].as_str().unwrap();
    let hidden = json!({ "provider": "google", "account": ANA, "hidden": true });
    outside.control(Method::PATCH, &format!("/calendars/{second}"), Some(hidden)).await.expect(204);
    assert_eq!(column(&outside.get(LIST).await.expect(200), "accessRole"), ["owner", "reader"]);
    let all = outside.get(&format!("{LIST}?showHidden=true")).await.expect(200);
    assert_eq!((&all["items"][1]["id"], &all["items"][1]["hidden"]), (&json!(second), &json!(true)));
    outside.get(&format!("{LIST}?minAccessRole=writer")).await.expect(400);
    // It is there all the same.
    outside.get(&format!("/calendars/{second}/events")).await.expect(200);
}

#[tokio::test]
async fn only_the_last_page_has_a_sync_token() {
    let outside = with_events(&["a", "b", "c", "d", "e"]).await;
    let mut seen = Vec::new();
    let mut path = format!("{EVENTS}?maxResults=2");
    let token = loop {
        let page = outside.get(&path).await.expect(200);
        seen.extend(column(&page, "summary"));
        let Some(next) = page["nextPageToken"].as_str() else { break page["nextSyncToken"].clone() };
        assert!(page["nextSyncToken"].is_null());
        path = format!("{EVENTS}?maxResults=2&pageToken={next}");
    };
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert!(token.is_string());
    let other = format!("{path}&showDeleted=true");
    assert_eq!(outside.get(&other).await.expect(400)["error"]["code"], 400);
    outside.get(&format!("{EVENTS}?pageToken=nonsense")).await.expect(400);
    outside.get(&format!("{EVENTS}?maxResults=0")).await.expect(400);
}

#[tokio::test]
async fn an_incremental_read_brings_changes_and_bare_tombstones() {
    let outside = with_events(&["a", "b", "c"]).await;
    let token = outside.get(EVENTS).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();
    let path = format!("{EVENTS}?syncToken={token}");
    let nothing = outside.get(&path).await.expect(200);
    assert!(column(&nothing, "id").is_empty());

    outside.call(Method::PATCH, &format!("{EVENTS}/event9"), json!({ "summary": "A" })).await.expect(200);
    send(outside.calendar(Method::DELETE, &format!("{EVENTS}/event10"))).await.expect(200);
    let page = outside.get(&format!("{path}&maxResults=1")).await.expect(200);
    assert_eq!(column(&page, "summary"), ["A"]);
    let next = page["nextPageToken"].as_str().unwrap();
    let page = outside.get(&format!("{path}&maxResults=1&pageToken={next}")).await.expect(200);
    let tombstone = page["items"][0].as_object().unwrap();
    assert_eq!(tombstone.keys().map(String::as_str).collect::<Vec<_>>(), ["etag", "id", "kind", "status"]);
    assert_eq!((&tombstone["id"], &tombstone["status"]), (&json!("event10"), &json!("cancelled")));
    let token = page["nextSyncToken"].as_str().unwrap();
    let done = outside.get(&format!("{EVENTS}?syncToken={token}")).await.expect(200);
    assert!(column(&done, "id").is_empty());
}

#[tokio::test]
async fn a_change_between_two_pages_is_not_missed() {
    let outside = with_events(&["a", "b", "c", "d"]).await;
    let first = outside.get(&format!("{EVENTS}?maxResults=2")).await.expect(200);
    outside.call(Method::PATCH, &format!("{EVENTS}/event9"), json!({ "summary": "A" })).await.expect(200);
    outside.call(Method::PATCH, &format!("{EVENTS}/event11"), json!({ "summary": "C" })).await.expect(200);
    let next = first["nextPageToken"].as_str().unwrap();
    let second = outside.get(&format!("{EVENTS}?maxResults=9&pageToken={next}")).await.expect(200);
    assert_eq!(column(&second, "summary"), ["d", "A", "C"]);
    let token = second["nextSyncToken"].as_str().unwrap();
    assert!(column(&outside.get(&format!("{EVENTS}?syncToken={token}")).await.expect(200), "id").is_empty());
}

#[tokio::test]
async fn a_sync_token_is_good_for_its_own_calendar_and_query_only() {
    let outside = with_events(&["a"]).await;
    let token = outside.get(EVENTS).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();
    let forbidden = [
        "timeMin=2026-01-01T00:00:00Z",
        "timeMax=2026-01-01T00:00:00Z",
        "showDeleted=false",
        "singleEvents=true",
        "showDeleted=true",
    ];
    for parameter in forbidden {
        outside.get(&format!("{EVENTS}?syncToken={token}&{parameter}")).await.expect(400);
    }
    let list = outside.get("/users/me/calendarList").await.expect(200);
    let second = list["items"][1]["id"].as_str().unwrap();
    let elsewhere = format!("/calendars/{second}/events?syncToken={token}");
    for path in [elsewhere, format!("{EVENTS}?syncToken=made-up"), format!("{EVENTS}?syncToken=")] {
        let gone = outside.get(&path).await;
        assert_eq!((gone.status, gone.reason()), (StatusCode::GONE, "fullSyncRequired"), "{path}");
    }
}

#[tokio::test]
async fn lists_take_windows_and_tombstones() {
    let outside = with_events(&["a", "b", "c"]).await;
    let titles =
        async |query: &str| column(&outside.get(&format!("{EVENTS}?{query}")).await.expect(200), "summary");
    outside
        .call(Method::PATCH, &format!("{EVENTS}/event9"), json!({ "location": "Porto" }))
        .await
        .expect(200);
    assert_eq!(titles("").await, ["b", "c", "a"]);
    assert_eq!(titles("timeMin=2026-02-02T10:00:00Z&timeMax=2026-02-02T11:00:00Z").await, ["b"]);
    assert_eq!(
        titles("timeMin=2026-02-02T12:00:00%2B01:00&timeMax=2026-02-02T12:30:00%2B01:00").await,
        ["c"]
    );
    send(outside.calendar(Method::DELETE, &format!("{EVENTS}/event10"))).await.expect(200);
    assert_eq!(titles("").await, ["c", "a"]);
    assert_eq!(titles("showDeleted=true").await, ["c", "a", "b"]);
    for wrong in ["orderBy=startTime", "q=a", "timeMin=yesterday", "singleEvents=1"] {
        outside.get(&format!("{EVENTS}?{wrong}")).await.expect(400);
    }
    let empty = format!("{EVENTS}?timeMin=2026-02-02T10:00:00Z&timeMax=2026-02-02T10:00:00Z");
    assert_eq!(outside.get(&empty).await.reason(), "timeRangeEmpty");
}

/// The bound is loose (an unoptimised build on a busy machine): it is there to catch a list that reads everything for
/// each page.
#[tokio::test]
async fn a_page_of_twenty_thousand_events_is_quick() {
    let data = tempfile::tempdir().unwrap();
    let outside = SandboxClient::start_in(data.path()).await;
    outside.insert(hour("seed", 9)).await.expect(200);
    let token = outside.token.clone();
    outside.sandbox.stop().await;
    multiply_last_entry(&data.path().join("google.jsonl"), 20_000);
    let mut outside = SandboxClient::start_in(data.path()).await;
    outside.token = token;
    let mut quickest = [u128::MAX; 2];
    for _ in 0..5 {
        let window = "timeMin=2026-02-02T08:00:00Z&timeMax=2026-02-02T12:00:00Z";
        let queries = [String::new(), format!("{window}&singleEvents=true")];
        for (quickest, query) in quickest.iter_mut().zip(queries) {
            let start = Instant::now();
            let page = outside.get(&format!("{EVENTS}?{query}")).await.expect(200);
            *quickest = (*quickest).min(start.elapsed().as_millis());
            assert_eq!(page["items"].as_array().unwrap().len(), 250);
        }
    }
    println!("first page of 20,000: plain, in a window: {quickest:?} ms");
    assert!(quickest.iter().all(|ms| *ms < 250), "{quickest:?} ms");
}

/// Writes copies of the journal's last entry with ids and numbers of their own.
fn multiply_last_entry(journal: &std::path::Path, times: u64) {
    let text = std::fs::read_to_string(journal).unwrap();
    let last = text.lines().rfind(|line| line.contains("\"written\"")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(last).unwrap();
    let first_seq = record["entry"]["seq"].as_u64().unwrap();
    let mut all = text.clone();
    for number in 1..times {
        record["entry"]["id"] = format!("copy{number:08}").into();
        record["entry"]["seq"] = (first_seq + number).into();
        all.push_str(&record.to_string());
        all.push('\n');
    }
    std::fs::write(journal, all).unwrap();
}
