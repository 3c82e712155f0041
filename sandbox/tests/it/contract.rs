//! Recorded traffic held against the providers' own definitions of their APIs.

use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::client::{ANA, SandboxClient, hour, send};
use crate::google_client::python;
use crate::graph::{FEBRUARY, GraphTestClient, PROPERTY, event, series};
use crate::listener::{NotificationListener, ValidationReply};

/// Where the providers' definitions and their checker are: `CONCORD_CONTRACTS`, or beside the project.
fn contracts() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/contracts");
    std::env::var_os("CONCORD_CONTRACTS").map_or_else(|| beside.into(), PathBuf::from)
}

/// A bit of everything that the API can do.
async fn exercise_api(outside: &SandboxClient) {
    let events = "/calendars/primary/events";
    let list = outside.get("/users/me/calendarList?maxResults=2").await.expect(200);
    let next = list["nextPageToken"].as_str().unwrap();
    outside.get(&format!("/users/me/calendarList?maxResults=2&pageToken={next}")).await.expect(200);
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
    outside.get(&format!("{events}/booking1")).await.expect(200);
    let window = "timeMin=2026-02-01T00:00:00Z&timeMax=2026-03-01T00:00:00Z";
    outside.get(&format!("{events}?{window}&singleEvents=true&maxResults=2")).await.expect(200);
    let token = outside.get(events).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();
    send(outside.calendar(Method::DELETE, &format!("{events}/booking1?sendUpdates=none"))).await.expect(200);
    outside.get(&format!("{events}?syncToken={token}")).await.expect(200);
    outside.get(&format!("{events}?syncToken=old")).await.expect(410);
    outside.get(&format!("{events}?showDeleted=true")).await.expect(200);
    let busy = json!({
        "timeMin": "2026-02-01T00:00:00Z", "timeMax": "2026-03-01T00:00:00Z", "items": [{ "id": "primary" }, { "id": "x" }]
    });
    outside.call(Method::POST, "/freeBusy", busy).await.expect(200);
    let holidays = "/calendars/en.portuguese%23holiday%40group.v.calendar.google.com/events";
    outside.get(holidays).await.expect(200);
    let listener = NotificationListener::start(ValidationReply::Refuses).await;
    let channel =
        json!({ "id": "c1", "type": "web_hook", "address": listener.url, "params": { "ttl": "3600" } });
    let channel = outside.call(Method::POST, &format!("{events}/watch"), channel).await.expect(200);
    let stop = json!({ "id": "c1", "resourceId": channel["resourceId"] });
    outside.call(Method::POST, "/channels/stop", stop).await.expect(200);
    outside.fault(json!({ "kind": "rate_limit", "count": 2 })).await;
    outside.get(events).await.expect(429);
    outside.get(events).await.expect(403);
}

/// Holds recorded traffic against a definition with the checker of the contracts, and returns what that says.
async fn validate_traffic(outside: &SandboxClient, provider: &str, definition: &str, least: usize) -> String {
    let (checker, definition) = (contracts().join("validate_recorded.py"), contracts().join(definition));
    if !checker.exists() || !definition.exists() {
        return format!(
            "NOT CHECKED: there are no contracts in {}; set CONCORD_CONTRACTS",
            contracts().display()
        );
    }
    let lines =
        outside.control(Method::GET, &format!("/requests?provider={provider}"), None).await.expect(200);
    let lines = lines.as_str().unwrap();
    assert!(!lines.to_lowercase().contains("authorization"));
    let spoken = lines.lines().count();
    assert!(spoken >= least, "only {spoken} exchanges were recorded");
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("recorded.jsonl");
    std::fs::write(&recorded, lines).unwrap();
    let checked = Command::new(python()).arg(checker).arg(definition).arg(recorded).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}\n{}", String::from_utf8_lossy(&checked.stderr));
    assert!(!lines.contains(&outside.token));
    said.into_owned()
}

#[tokio::test]
async fn recorded_traffic_satisfies_google_s_own_definition() {
    let outside = SandboxClient::start().await;
    exercise_api(&outside).await;
    println!("{}", validate_traffic(&outside, "google", "google-calendar-v3.swagger.json", 21).await);
    outside.control(Method::DELETE, "/requests", None).await.expect(204);
    assert_eq!(outside.control(Method::GET, "/requests", None).await.expect(200), "");
}

/// A bit of everything that Graph can do.
async fn talk_to_graph(graph: &GraphTestClient) {
    graph.read("/me").await.expect(200);
    let rota = graph.calendar("Clinic rota").await;
    graph.read("/me/calendars?$top=1&$skip=1").await.expect(200);
    let mut body = event("Booking", 9);
    body["transactionId"] = "b1".into();
    body["body"] = json!({ "contentType": "text", "content": "Ana" });
    body["location"] = json!({ "displayName": "Room 1" });
    body["attendees"] = json!([{ "type": "optional", "emailAddress": { "address": "ana@example.com" } }]);
    body["singleValueExtendedProperties"] = json!([{ "id": PROPERTY, "value": "1" }]);
    let made = graph.post(body.clone()).await;
    let events = format!("/me/calendars/{rota}/events");
    let master = graph.write(Method::POST, &events, series("Rota", 3)).await.expect(201);
    let one = format!("/me/events/{}", made["id"].as_str().unwrap());
    graph.write(Method::PATCH, &one, json!({ "subject": "Booked", "showAs": "tentative" })).await.expect(200);
    let early = json!({ "end": { "dateTime": "2026-02-01T09:00:00", "timeZone": "UTC" } });
    graph.write(Method::PATCH, &one, early).await.expect(400);
    let filter = format!("singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq '1')");
    let expand = format!("singleValueExtendedProperties($filter=id eq '{PROPERTY}')");
    let query = [("$filter", filter), ("$expand", expand.clone()), ("$top", "5".into())];
    send(graph.request(Method::GET, "/me/events").query(&query)).await.expect(200);
    send(graph.request(Method::GET, &one).query(&[("$expand", expand)])).await.expect(200);
    graph.read(&format!("/me/calendarView?{FEBRUARY}")).await.expect(200);
    graph
        .read(&format!("/me/calendars/{rota}/calendarView?{FEBRUARY}&$select=subject,start"))
        .await
        .expect(200);
    let delta = format!("/me/calendars/{rota}/calendarView/delta()?{FEBRUARY}");
    let (told, link) = graph.round(&delta).await;
    let second = told.iter().find(|one| one["type"] == "occurrence").unwrap()["id"].as_str().unwrap();
    graph.write(Method::PATCH, &format!("{events}/{second}"), json!({ "subject": "x" })).await.expect(200);
    graph.remove(&one).await.expect(204);
    graph.remove(&one).await.expect(204);
    graph.remove(&one).await.expect(404);
    graph.remove(&format!("{events}/{}", master["id"].as_str().unwrap())).await.expect(204);
    graph.round(&link).await;
    graph.read(&format!("/me/calendars/{rota}/calendarView/delta?$deltatoken=old")).await.expect(410);
    let listener = NotificationListener::start(ValidationReply::Right).await;
    let last = made["createdDateTime"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let end = |days| (last + chrono::Duration::days(days)).to_rfc3339();
    let subscription = json!({
        "changeType": "created,updated,deleted", "notificationUrl": listener.url, "resource": "me/events",
        "lifecycleNotificationUrl": listener.url, "expirationDateTime": end(1), "clientState": "s3cret",
    });
    let made = graph.write(Method::POST, "/subscriptions", subscription).await.expect(201);
    let one = format!("/subscriptions/{}", made["id"].as_str().unwrap());
    graph.write(Method::PATCH, &one, json!({ "expirationDateTime": end(6) })).await.expect(200);
    graph.remove(&one).await.expect(204);
    graph.graph_fault(json!({ "kind": "rate_limit", "count": 2 })).await;
    graph.read("/me/events").await.expect(429);
    graph.read("/me/events").await.expect(503);
}

#[tokio::test]
async fn recorded_traffic_satisfies_graph_s_own_definition() {
    let graph = GraphTestClient::start().await;
    talk_to_graph(&graph).await;
    println!("{}", validate_traffic(&graph, "microsoft", "graph-calendar.openapi.json", 23).await);
}
