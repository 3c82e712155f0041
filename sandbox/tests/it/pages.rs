//! What a person sees and does in the browser, without script.

use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::client::{ANA, SandboxClient, SandboxResponse, hour, send};

const PAGE: &str = "/calendar/google/ana%40example.com";

async fn page(outside: &SandboxClient, path: &str) -> String {
    let answer = send(outside.http.get(outside.url(path))).await.expect(200);
    answer.as_str().map_or_else(|| answer.to_string(), String::from)
}

async fn submit(outside: &SandboxClient, action: &str, fields: &[(&str, &str)]) -> SandboxResponse {
    let mut form = vec![("calendar", ANA), ("week", "2026-02-02")];
    form.extend(fields);
    send(outside.http.post(outside.url(&format!("{PAGE}/{action}"))).form(&form)).await
}

async fn entries(outside: &SandboxClient) -> Value {
    outside.control(reqwest::Method::GET, &format!("/events?account={ANA}"), None).await.expect(200)
}

#[tokio::test]
async fn the_first_page_leads_to_every_calendar() {
    let outside = SandboxClient::start().await;
    let home = page(&outside, "/").await;
    for text in ["Ana Pereira", "Ben Okafor", "Clinic rota", "Holidays in Portugal"] {
        assert!(home.contains(text), "{text}");
    }
    for link in home.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        if link.starts_with('/') {
            page(&outside, &link.replace("&amp;", "&")).await;
        }
    }
    outside.fault(json!({ "kind": "server_error" })).await;
    assert!(page(&outside, "/").await.contains("1 fault is active"));
}

#[tokio::test]
async fn a_booking_shows_in_its_week_and_nothing_in_it_is_markup() {
    let outside = SandboxClient::start().await;
    let mut body = hour("<script>alert('x')</script>", 9);
    body["id"] = "booking1".into();
    body["location"] = "\"Porto\" & <b>".into();
    outside.insert(body).await.expect(200);
    let week = page(&outside, &format!("{PAGE}?week=2026-02-05&entry=booking1")).await;
    assert!(week.contains("simulates Google Calendar"));
    assert!(week.contains("2 – 8 February 2026"));
    assert!(
        week.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") && !week.contains("<script>alert")
    );
    assert!(week.contains("--from:540;--for:60;--lane:0;--lanes:1"));
    assert!(week.contains("Added by an application"));
    assert!(!page(&outside, &format!("{PAGE}?week=2026-02-09")).await.contains("alert("));
    for wrong in ["?week=nonsense", "?week=99999-01-01", "?entry=nothere"] {
        page(&outside, &format!("{PAGE}{wrong}")).await;
    }
    for nowhere in
        ["/calendar/google/nobody", "/calendar/yahoo/ana%40example.com", &format!("{PAGE}?calendar=x")]
    {
        send(outside.http.get(outside.url(nowhere))).await.expect(404);
    }
}

#[tokio::test]
async fn a_person_adds_moves_and_deletes() {
    let outside = SandboxClient::start().await;
    let times = [("first_day", "2026-02-02"), ("last_day", "2026-02-02"), ("from", "09:00"), ("to", "10:30")];
    let mut fields = vec![("title", "Dentist")];
    fields.extend(times);
    let added = submit(&outside, "add", &fields).await;
    assert_eq!(added.status.as_u16(), 303);
    let back = added.headers[LOCATION].to_str().unwrap().to_owned();
    assert!(page(&outside, &back).await.contains("Added to the calendar."));
    let id = entries(&outside).await[0]["id"].as_str().unwrap().to_owned();

    let days = [
        ("entry", id.as_str()),
        ("title", "Off"),
        ("first_day", "2026-02-10"),
        ("last_day", "2026-02-11"),
        ("all_day", "on"),
    ];
    let moved = submit(&outside, "change", &days).await;
    assert!(moved.headers[LOCATION].to_str().unwrap().contains("week=2026-02-10"));
    let entry = entries(&outside).await[0].clone();
    assert_eq!((&entry["starts_at"], &entry["ends_at"]), (&json!("2026-02-10"), &json!("2026-02-12")));
    let form = page(&outside, &format!("{PAGE}?week=2026-02-10&entry={id}")).await;
    assert!(form.contains("name=\"last_day\" value=\"2026-02-11\""));

    assert_eq!(submit(&outside, "delete", &[("entry", &id)]).await.status.as_u16(), 303);
    assert_eq!(entries(&outside).await[0]["deleted"], true);
    assert!(page(&outside, &format!("{PAGE}?entry={id}")).await.contains("has been deleted"));
    submit(&outside, "delete", &[("entry", &id)]).await.expect(422);
}

#[tokio::test]
async fn a_form_that_cannot_be_saved_comes_back_with_what_was_typed() {
    let outside = SandboxClient::start().await;
    let fields = [
        ("title", "Long \"title\""),
        ("first_day", "2026-02-02"),
        ("last_day", "2026-02-02"),
        ("from", "11:00"),
        ("to", "10:00"),
    ];
    let answer = submit(&outside, "add", &fields).await.expect(422);
    let text = answer.as_str().unwrap();
    assert!(
        text.contains("The end must be after the start.")
            && text.contains("value=\"Long &quot;title&quot;\"")
    );
    assert_eq!(entries(&outside).await, json!([]));
    let holidays = "en.portuguese#holiday@group.v.calendar.google.com";
    let form =
        [("calendar", holidays), ("first_day", "2026-02-02"), ("last_day", "2026-02-02"), ("all_day", "on")];
    let refused = send(outside.http.post(outside.url(&format!("{PAGE}/add"))).form(&form)).await;
    refused.expect(422);
}

#[tokio::test]
async fn one_occurrence_can_be_changed_and_the_revision_moves() {
    let outside = SandboxClient::start().await;
    let series = json!({
        "id": "series1", "summary": "Stand-up", "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
        "start": { "dateTime": "2026-02-02T09:00:00", "timeZone": "Europe/Lisbon" },
        "end": { "dateTime": "2026-02-02T09:15:00", "timeZone": "Europe/Lisbon" },
    });
    outside.insert(series).await.expect(200);
    let week = page(&outside, &format!("{PAGE}?week=2026-02-02")).await;
    assert_eq!(week.matches("class=\"entry application short\"").count(), 3);
    let before = page(&outside, &format!("{PAGE}/revision")).await;
    let fields = [
        ("entry", "series1_20260203T090000Z"),
        ("title", "Later"),
        ("first_day", "2026-02-03"),
        ("last_day", "2026-02-03"),
        ("from", "15:00"),
        ("to", "16:00"),
    ];
    assert_eq!(submit(&outside, "change", &fields).await.status.as_u16(), 303);
    let week = page(&outside, &format!("{PAGE}?week=2026-02-02")).await;
    assert_eq!(week.matches("class=\"entry application short\"").count(), 2);
    assert!(week.contains("Later"));
    assert_ne!(page(&outside, &format!("{PAGE}/revision")).await, before);
}
