//! What persons do in their calendars, and what is seen of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ANA, BEN, SandboxClient, column, hour};

async fn add(outside: &SandboxClient, extra: Value) -> crate::client::SandboxResponse {
    let mut body = json!({
        "provider": "google", "account": ANA, "title": "Dentist",
        "starts_at": "2026-02-02T09:00:00Z", "ends_at": "2026-02-02T10:00:00Z"
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    outside.control(Method::POST, "/events", Some(body)).await
}

#[tokio::test]
async fn control_writes_reach_application_and_history() {
    let outside = SandboxClient::start().await;
    let entry = add(&outside, json!({})).await.expect(201);
    let id = entry["id"].as_str().unwrap();
    assert_eq!(entry["calendar"], ANA);
    let token = outside.get("/calendars/primary/events").await.expect(200);
    assert_eq!(column(&token, "summary"), ["Dentist"]);
    let path = format!("/calendars/primary/events?syncToken={}", token["nextSyncToken"].as_str().unwrap());

    let control = format!("/events/{id}?provider=google");
    let moved = json!({ "starts_at": "2026-02-02T12:00:00+01:00" });
    let moved = outside.control(Method::PATCH, &control, Some(moved)).await.expect(200);
    assert_eq!(
        (&moved["starts_at"], &moved["ends_at"]),
        (&json!("2026-02-02T11:00:00Z"), &json!("2026-02-02T12:00:00Z"))
    );
    let seen = outside.get(&path).await.expect(200);
    assert_eq!(seen["items"][0]["start"]["dateTime"], "2026-02-02T11:00:00Z");
    assert_eq!(seen["items"][0]["etag"], moved["etag"]);

    let patch = json!({ "summary": "Dentist!" });
    outside.call(Method::PATCH, &format!("/calendars/primary/events/{id}"), patch).await.expect(200);
    let gone = outside.control(Method::DELETE, &control, None).await.expect(200);
    assert_eq!(gone["deleted"], true);
    outside.control(Method::DELETE, &control, None).await.expect(410);
    outside.control(Method::PATCH, &control, Some(json!({ "title": "x" }))).await.expect(410);

    let all = outside
        .control(Method::GET, &format!("/events?provider=google&account={ANA}"), None)
        .await
        .expect(200);
    let history = all[0]["history"].as_array().unwrap();
    let actions: Vec<_> = history.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["person_insert", "person_patch", "patch", "person_delete"]);
    assert_eq!(history[1]["starts_at"], "2026-02-02T11:00:00Z");
    assert_eq!(history[3]["etag"], all[0]["etag"]);
}

#[tokio::test]
async fn days_calendars_and_private_properties_are_told() {
    let outside = SandboxClient::start().await;
    let list = outside.get("/users/me/calendarList").await.expect(200);
    let second = list["items"][1]["id"].as_str().unwrap();
    let days = json!({
        "starts_at": "2026-02-02", "ends_at": "2026-02-04", "all_day": true, "calendar": second,
        "transparency": "transparent", "recurrence": "RRULE:FREQ=YEARLY"
    });
    let days = add(&outside, days).await.expect(201);
    assert_eq!(
        (&days["all_day"], &days["ends_at"], &days["calendar"]),
        (&json!(true), &json!("2026-02-04"), &json!(second))
    );
    assert_eq!(days["raw"]["recurrence"], json!(["RRULE:FREQ=YEARLY"]));
    let mut body = hour("Booking", 9);
    body["extendedProperties"] = json!({ "private": { "booking": "7" } });
    outside.insert(body).await.expect(200);
    let in_calendar = async |calendar: &str| {
        let path = format!("/events?provider=google&account={ANA}&calendar={calendar}");
        outside.control(Method::GET, &path, None).await.expect(200)
    };
    assert_eq!(in_calendar(second).await.as_array().unwrap().len(), 1);
    let booking = in_calendar("primary").await;
    assert_eq!(booking[0]["private_properties"], json!({ "booking": "7" }));
    assert_eq!(booking[0]["ical_uid"], booking[0]["raw"]["iCalUID"]);
}

#[tokio::test]
async fn the_same_id_in_two_calendars_must_be_told_apart() {
    let mut outside = SandboxClient::start().await;
    let mut body = hour("Ana's", 9);
    body["id"] = "booking1".into();
    outside.insert(body.clone()).await.expect(200);
    let ben = outside.grant(BEN, "https://www.googleapis.com/auth/calendar").await;
    outside.token = ben["access_token"].as_str().unwrap().into();
    outside.insert(body).await.expect(200);
    outside.control(Method::DELETE, "/events/booking1?provider=google", None).await.expect(409);
    outside
        .control(Method::DELETE, &format!("/events/booking1?provider=google&account={BEN}"), None)
        .await
        .expect(200);
    let ana = outside.control(Method::GET, &format!("/events?account={ANA}"), None).await.expect(200);
    assert_eq!(ana[0]["deleted"], false);
}

#[tokio::test]
async fn an_entry_without_a_person_is_of_the_one_who_is_connected() {
    let outside = SandboxClient::start().await;
    let body = json!({
        "provider": "google", "title": "Dentist",
        "starts_at": "2026-02-02T09:00:00Z", "ends_at": "2026-02-02T10:00:00Z"
    });
    let entry = outside.control(Method::POST, "/events", Some(body)).await.expect(201);
    assert_eq!((&entry["account"], &entry["calendar"]), (&json!(ANA), &json!(ANA)));
}

#[tokio::test]
async fn accounts_and_calendars_can_be_added() {
    let outside = SandboxClient::start().await;
    let body = json!({ "provider": "google", "email": "Eve@example.com", "name": "Eve", "zone": "America/New_York" });
    let eve = outside.control(Method::POST, "/accounts", Some(body.clone())).await.expect(201);
    assert_eq!((&eve["email"], &eve["zone"]), (&json!("eve@example.com"), &json!("America/New_York")));
    outside.control(Method::POST, "/accounts", Some(body)).await.expect(409);
    let entry = add(
        &outside,
        json!({ "account": "eve@example.com", "starts_at": "2026-02-02T09:00", "ends_at": "2026-02-02T10:00" }),
    );
    assert_eq!(entry.await.expect(201)["starts_at"], "2026-02-02T14:00:00Z");
    let accounts = outside.control(Method::GET, "/accounts?provider=google", None).await.expect(200);
    assert_eq!(accounts.as_array().unwrap().len(), 5);
    for (path, wrong) in [
        ("/accounts", json!({ "provider": "google", "email": "nobody" })),
        ("/accounts", json!({ "provider": "google", "email": "a@b.c", "zone": "Mars" })),
        ("/accounts", json!({ "provider": "yahoo", "email": "a@b.c" })),
        ("/grants", json!({ "provider": "google" })),
    ] {
        outside.control(Method::POST, path, Some(wrong)).await.expect(400);
    }
    for (path, wrong) in [
        ("/grants", json!({ "provider": "google", "account": "nobody@example.com" })),
        ("/calendars", json!({ "provider": "google", "account": "nobody@example.com", "name": "x" })),
    ] {
        outside.control(Method::POST, path, Some(wrong)).await.expect(404);
    }
}

#[tokio::test]
async fn bad_wishes_are_refused_in_a_sentence() {
    let outside = SandboxClient::start().await;
    for wrong in [
        json!({ "provider": "yahoo" }),
        json!({ "starts_at": null }),
        json!({ "starts_at": "tomorrow" }),
        json!({ "ends_at": "2026-02-02T09:00:00Z" }),
        json!({ "ends_at": "2026-02-03" }),
        json!({ "all_day": true }),
        json!({ "title": 7 }),
        json!({ "color": "red" }),
        json!({ "recurrence": "RRULE:FREQ=SECONDLY" }),
    ] {
        let answer = add(&outside, wrong.clone()).await.expect(400);
        assert!(answer["error"].is_string(), "{wrong}");
    }
    add(&outside, json!({ "account": "nobody@example.com" })).await.expect(404);
    add(&outside, json!({ "calendar": "nowhere" })).await.expect(404);
    outside.control(Method::GET, "/events?provider=yahoo", None).await.expect(400);
    outside.control(Method::GET, "/events?colour=red", None).await.expect(400);
    outside.control(Method::PATCH, "/events/nothere?provider=google", Some(json!({}))).await.expect(404);
    outside.control(Method::GET, "/nothing", None).await.expect(404);
}
