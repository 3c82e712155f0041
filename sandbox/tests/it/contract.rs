//! Recorded traffic held against Google's own definition of its API.

use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::google_client::python;
use crate::outside::{ANA, Outside, hour, send};

/// Where the providers' definitions and their checker are: `CONCORD_CONTRACTS`, or beside the project.
fn contracts() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contracts");
    std::env::var_os("CONCORD_CONTRACTS").map_or_else(|| beside.into(), PathBuf::from)
}

/// A bit of everything that the API can do.
async fn talk(outside: &Outside) {
    let events = "/calendars/primary/events";
    let list = outside.get("/users/me/calendarList?maxResults=2").await.expect(200);
    let next = list["nextPageToken"].as_str().unwrap();
    outside.get(&format!("/users/me/calendarList?maxResults=2&pageToken={next}")).await.expect(200);
    outside.get("/users/me/calendarList/primary").await.expect(200);
    outside.get("/calendars/ana%40example.com").await.expect(200);
    outside.get("/colors").await.expect(200);
    let mut body = hour("Booking", 9);
    body["id"] = "booking1".into();
    body["colorId"] = "2".into();
    body["attendees"] = json!([{ "email": ANA, "optional": true }]);
    body["reminders"] = json!({ "useDefault": false, "overrides": [{ "method": "email", "minutes": 60 }] });
    body["extendedProperties"] = json!({ "private": { "booking": "1" }, "shared": { "by": "concord" } });
    let path = format!("{events}?sendUpdates=none");
    outside.call(Method::POST, &path, body.clone()).await.expect(200);
    outside.call(Method::POST, &path, body).await.expect(409);
    outside
        .call(Method::PUT, &format!("{events}/booking1?sendUpdates=none"), hour("Booked", 10))
        .await
        .expect(200);
    outside
        .call(Method::PATCH, &format!("{events}/booking1"), json!({ "location": "Porto" }))
        .await
        .expect(200);
    let series = json!({
        "id": "series1", "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
        "start": { "date": "2026-02-02" }, "end": { "date": "2026-02-03" }
    });
    outside.insert(series).await.expect(200);
    send(outside.calendar(Method::DELETE, &format!("{events}/series1_20260203"))).await.expect(200);
    outside.get(&format!("{events}/series1/instances?showDeleted=true")).await.expect(200);
    outside.get(&format!("{events}/booking1")).await.expect(200);
    let window = "timeMin=2026-02-01T00:00:00Z&timeMax=2026-03-01T00:00:00Z";
    outside
        .get(&format!("{events}?{window}&singleEvents=true&orderBy=startTime&maxResults=2"))
        .await
        .expect(200);
    outside
        .get(&format!("{events}?privateExtendedProperty=a%3D1&privateExtendedProperty=b%3D2"))
        .await
        .expect(200);
    let token = outside.get(events).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();
    send(outside.calendar(Method::DELETE, &format!("{events}/booking1?sendUpdates=none"))).await.expect(200);
    outside.get(&format!("{events}?syncToken={token}")).await.expect(200);
    outside.get(&format!("{events}?syncToken=old")).await.expect(410);
    outside.get(&format!("{events}?showDeleted=true")).await.expect(200);
    let imported = json!({
        "iCalUID": "uid@example.com", "start": { "date": "2026-02-02" }, "end": { "date": "2026-02-03" }
    });
    outside.call(Method::POST, &format!("{events}/import"), imported).await.expect(200);
    let busy = json!({
        "timeMin": "2026-02-01T00:00:00Z", "timeMax": "2026-03-01T00:00:00Z", "items": [{ "id": "primary" }, { "id": "x" }]
    });
    outside.call(Method::POST, "/freeBusy", busy).await.expect(200);
    let holidays = "/calendars/en.portuguese%23holiday%40group.v.calendar.google.com/events";
    outside.get(holidays).await.expect(200);
    outside.fault(json!({ "kind": "rate_limit", "count": 2 })).await;
    outside.get(events).await.expect(429);
    outside.get(events).await.expect(403);
}

#[tokio::test]
async fn recorded_traffic_satisfies_google_s_own_definition() {
    let (checker, definition) =
        (contracts().join("validate_recorded.py"), contracts().join("google-calendar-v3.swagger.json"));
    if !checker.exists() || !definition.exists() {
        eprintln!("NOT CHECKED: there are no contracts in {}; set CONCORD_CONTRACTS", contracts().display());
        return;
    }
    let outside = Outside::start().await;
    talk(&outside).await;
    let lines = outside.control(Method::GET, "/requests?provider=google", None).await.expect(200);
    let lines = lines.as_str().unwrap();
    assert!(!lines.to_lowercase().contains("authorization") && !lines.contains(&outside.token));
    let spoken = lines.lines().count();
    assert!(spoken >= 25, "only {spoken} exchanges were recorded");
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("recorded.jsonl");
    std::fs::write(&recorded, lines).unwrap();
    let checked = Command::new(python()).arg(checker).arg(definition).arg(recorded).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}\n{}", String::from_utf8_lossy(&checked.stderr));
    println!("{said}");
    outside.control(Method::DELETE, "/requests", None).await.expect(204);
    assert_eq!(outside.control(Method::GET, "/requests", None).await.expect(200), "");
}
