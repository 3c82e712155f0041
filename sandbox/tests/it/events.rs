//! The life of an event.

use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{ANA, SandboxClient, SandboxResponse, column, hour, send};

const EVENT: &str = "/calendars/primary/events/booking1";

async fn booked(outside: &SandboxClient) -> Value {
    let mut body = hour("Haircut", 9);
    body["id"] = "booking1".into();
    outside.insert(body).await.expect(200)
}

async fn conditional(outside: &SandboxClient, method: Method, etag: &str, body: &Value) -> SandboxResponse {
    send(outside.calendar(method, EVENT).header(IF_MATCH, etag).json(body)).await
}

#[tokio::test]
async fn an_inserted_event_is_read_back_as_google_writes_it() {
    let outside = SandboxClient::start().await;
    let event = booked(&outside).await;
    assert_eq!(event["kind"], "calendar#event");
    assert_eq!(event["status"], "confirmed");
    assert_eq!(event["start"], json!({ "dateTime": "2026-02-02T09:00:00Z", "timeZone": "Europe/Lisbon" }));
    assert_eq!(event["organizer"], json!({ "email": ANA, "self": true }));
    assert_eq!((&event["sequence"], &event["reminders"]["useDefault"]), (&json!(0), &json!(true)));
    assert_eq!(event["iCalUID"], "booking1@google.com");
    assert_eq!(outside.get(EVENT).await.expect(200), event);
    let by_address = outside.get("/calendars/ana%40example.com/events/booking1").await.expect(200);
    assert_eq!(by_address, event);
}

#[tokio::test]
async fn an_id_is_taken_for_ever_but_a_tombstone_can_be_brought_back() {
    let outside = SandboxClient::start().await;
    booked(&outside).await;
    let mut again = hour("Haircut", 9);
    again["id"] = "booking1".into();
    let refused = outside.insert(again.clone()).await;
    assert_eq!((refused.status, refused.reason()), (StatusCode::CONFLICT, "duplicate"));

    send(outside.calendar(Method::DELETE, EVENT)).await.expect(200);
    let second = send(outside.calendar(Method::DELETE, EVENT)).await;
    assert_eq!((second.status, second.reason()), (StatusCode::GONE, "deleted"));
    assert_eq!(outside.insert(again.clone()).await.expect(409)["error"]["code"], 409);
    assert_eq!(outside.get(EVENT).await.expect(200)["status"], "cancelled");

    let silent = outside.call(Method::PUT, EVENT, hour("Haircut", 10)).await.expect(200);
    assert_eq!(silent["status"], "cancelled");
    again["status"] = "confirmed".into();
    let back = outside.call(Method::PUT, EVENT, again).await.expect(200);
    assert_eq!(back["status"], "confirmed");
    assert_eq!(column(&outside.get("/calendars/primary/events").await.expect(200), "id"), ["booking1"]);
    send(outside.calendar(Method::DELETE, EVENT)).await.expect(200);
}

#[tokio::test]
async fn etags_change_with_each_write_and_conditions_hold() {
    let outside = SandboxClient::start().await;
    let first = booked(&outside).await;
    let old = first["etag"].as_str().unwrap();
    assert!(old.starts_with('"') && old.ends_with('"'));
    let patched = conditional(&outside, Method::PATCH, old, &json!({ "summary": "Trim" })).await.expect(200);
    let new = patched["etag"].as_str().unwrap();
    assert_ne!(old, new);
    for (method, body) in
        [(Method::PATCH, json!({})), (Method::PUT, hour("x", 9)), (Method::DELETE, json!({}))]
    {
        let refused = conditional(&outside, method, old, &body).await;
        assert_eq!((refused.status, refused.reason()), (StatusCode::PRECONDITION_FAILED, "conditionNotMet"));
    }
    let unchanged = send(outside.calendar(Method::GET, EVENT).header(IF_NONE_MATCH, new)).await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    let changed = send(outside.calendar(Method::GET, EVENT).header(IF_NONE_MATCH, old)).await;
    assert_eq!(changed.headers[ETAG], new);
    changed.expect(200);
    conditional(&outside, Method::DELETE, new, &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_put_replaces_and_a_patch_merges() {
    let outside = SandboxClient::start().await;
    let mut body = hour("Haircut", 9);
    body.as_object_mut().unwrap().extend(
        json!({
            "id": "booking1", "description": "d", "location": "l", "colorId": "11", "visibility": "private",
            "transparency": "transparent", "extendedProperties": { "private": { "a": "1", "b": "2" } },
            "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": 30 }] },
            "attendees": [{ "email": ANA }, { "email": "guest@example.com", "responseStatus": "accepted" }],
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    let full = outside.insert(body).await.expect(200);
    assert_eq!(
        full["attendees"],
        json!([
            { "email": ANA, "responseStatus": "needsAction", "self": true },
            { "email": "guest@example.com", "responseStatus": "accepted" }
        ])
    );
    let patch = json!({ "description": null, "extendedProperties": { "private": { "a": null, "c": "3" } } });
    let patched = outside.call(Method::PATCH, EVENT, patch).await.expect(200);
    assert_eq!(patched["extendedProperties"]["private"], json!({ "b": "2", "c": "3" }));
    assert_eq!((&patched["description"], &patched["location"]), (&Value::Null, &json!("l")));
    assert_eq!(patched["sequence"], 0);

    let both = json!({ "start": { "date": "2026-02-02" }, "end": { "date": "2026-02-04" } });
    assert_eq!(outside.call(Method::PATCH, EVENT, both).await.reason(), "invalid");
    let days = json!({
        "start": { "date": "2026-02-02", "dateTime": null }, "end": { "date": "2026-02-04", "dateTime": null }
    });
    let days = outside.call(Method::PATCH, EVENT, days).await.expect(200);
    assert_eq!((&days["end"], &days["sequence"]), (&json!({ "date": "2026-02-04" }), &json!(1)));

    let replaced = outside.call(Method::PUT, EVENT, hour("Only this", 9)).await.expect(200);
    for gone in ["location", "colorId", "extendedProperties", "attendees", "transparency"] {
        assert!(replaced[gone].is_null(), "{gone}");
    }
    let mut stale = hour("x", 9);
    stale["sequence"] = 0.into();
    assert_eq!(outside.call(Method::PUT, EVENT, stale).await.reason(), "invalid");
}

#[tokio::test]
async fn bad_events_are_refused_with_a_reason() {
    let outside = SandboxClient::start().await;
    let with = |name: &str, value: Value| {
        let mut body = hour("x", 9);
        body[name] = value;
        body
    };
    let cases = [
        (with("id", "UPPER".into()), 400, "invalid"),
        (with("id", "abcd".into()), 400, "invalid"),
        (with("id", "has-a-dash".into()), 400, "invalid"),
        (with("colorId", "12".into()), 400, "invalid"),
        (with("status", "cancelled".into()), 400, "invalid"),
        (with("end", json!({ "dateTime": "2026-02-02T09:00:00Z" })), 400, "timeRangeEmpty"),
        (with("start", Value::Null), 400, "required"),
        (json!([1]), 400, "parseError"),
    ];
    for (body, status, reason) in cases {
        let answer = outside.insert(body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (status, reason), "{body}");
    }
    let mut both = hour("x", 9);
    both["id"] = "booking1".into();
    both["iCalUID"] = "uid@example.com".into();
    assert_eq!(outside.insert(both).await.reason(), "invalid");
    for path in ["/calendars/primary/events/nothere", "/calendars/ben%40example.com/events", "/nonsense"] {
        let answer = outside.get(path).await;
        assert_eq!((answer.status, answer.reason()), (StatusCode::NOT_FOUND, "notFound"), "{path}");
    }
    let holidays = "/calendars/en.portuguese%23holiday%40group.v.calendar.google.com/events";
    assert_eq!(outside.get(holidays).await.expect(200)["accessRole"], "reader");
    let refused = outside.call(Method::POST, holidays, hour("x", 9)).await;
    assert_eq!((refused.status, refused.reason()), (StatusCode::FORBIDDEN, "requiredAccessLevel"));
}

#[tokio::test]
async fn busy_times_are_joined_and_free_ones_left_out() {
    let outside = SandboxClient::start().await;
    let with = |hour_of_day, name: &str, value: Value| {
        let mut body = hour("x", hour_of_day);
        body[name] = value;
        body
    };
    outside.insert(hour("a", 9)).await.expect(200);
    outside.insert(with(10, "status", "tentative".into())).await.expect(200);
    outside.insert(with(12, "transparency", "transparent".into())).await.expect(200);
    let declined = json!([{ "email": ANA, "responseStatus": "declined" }]);
    outside.insert(with(13, "attendees", declined)).await.expect(200);
    let day = json!({ "start": { "date": "2026-02-03" }, "end": { "date": "2026-02-04" } });
    outside.insert(day).await.expect(200);
    let query = json!({
        "timeMin": "2026-02-02T09:30:00Z", "timeMax": "2026-02-05T00:00:00Z",
        "items": [{ "id": ANA }, { "id": "ben@example.com" }]
    });
    let answer = outside.call(Method::POST, "/freeBusy", query).await.expect(200);
    let expected = json!([
        { "start": "2026-02-02T09:30:00Z", "end": "2026-02-02T11:00:00Z" },
        { "start": "2026-02-03T00:00:00Z", "end": "2026-02-04T00:00:00Z" }
    ]);
    assert_eq!(answer["calendars"][ANA]["busy"], expected);
    assert_eq!(answer["calendars"]["ben@example.com"]["errors"][0]["reason"], "notFound");
    let empty = json!({ "timeMin": "2026-02-02T09:30:00Z", "timeMax": "2026-02-02T09:30:00Z" });
    assert_eq!(outside.call(Method::POST, "/freeBusy", empty).await.reason(), "timeRangeEmpty");
}
