//! Recurring events: expansion, changed and cancelled occurrences, incremental reads of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{SandboxClient, column, send};

const EVENTS: &str = "/calendars/primary/events";
const AUTUMN: &str = "singleEvents=true&timeMin=2026-10-01T00:00:00Z&timeMax=2026-11-10T00:00:00Z";

/// Mondays at nine in Lisbon, four times, over the end of summer time on 25 October 2026.
async fn mondays() -> SandboxClient {
    let outside = SandboxClient::start().await;
    let series = json!({
        "id": "rota1", "summary": "Rota", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
        "start": { "dateTime": "2026-10-12T09:00:00", "timeZone": "Europe/Lisbon" },
        "end": { "dateTime": "2026-10-12T10:00:00", "timeZone": "Europe/Lisbon" },
    });
    outside.insert(series).await.expect(200);
    outside
}

/// In order: a list has them by their last change.
fn starts(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    let mut starts: Vec<_> =
        items.iter().map(|item| item["start"]["dateTime"].as_str().unwrap_or("-")).collect();
    starts.sort_unstable();
    starts
}

#[tokio::test]
async fn occurrences_keep_their_hour_over_the_end_of_summer_time() {
    let outside = mondays().await;
    let list = outside.get(&format!("{EVENTS}?{AUTUMN}")).await.expect(200);
    let expected = [
        "2026-10-12T09:00:00+01:00",
        "2026-10-19T09:00:00+01:00",
        "2026-10-26T09:00:00Z",
        "2026-11-02T09:00:00Z",
    ];
    assert_eq!(starts(&list), expected);
    let ids = ["rota1_20261012T080000Z", "rota1_20261019T080000Z", "rota1_20261026T090000Z"];
    assert_eq!(column(&list, "id")[..3], ids);
    assert_eq!(list["items"][0]["recurringEventId"], "rota1");
    let whole = outside.get(EVENTS).await.expect(200);
    assert_eq!(column(&whole, "id"), ["rota1"]);
    assert_eq!(whole["items"][0]["recurrence"], json!(["RRULE:FREQ=WEEKLY;COUNT=4"]));
    let page = outside.get(&format!("{EVENTS}?{AUTUMN}&maxResults=3")).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    assert!(page["nextPageToken"].is_string());
    let busy = json!({
        "timeMin": "2026-10-26T00:00:00Z", "timeMax": "2026-10-27T00:00:00Z", "items": [{ "id": "primary" }]
    });
    let busy = outside.call(Method::POST, "/freeBusy", busy).await.expect(200);
    assert_eq!(busy["calendars"]["primary"]["busy"][0]["start"], "2026-10-26T09:00:00Z");
}

#[tokio::test]
async fn one_occurrence_is_moved_another_cancelled() {
    let outside = mondays().await;
    let single = outside.get(&format!("{EVENTS}?singleEvents=true")).await.expect(200);
    let single = single["nextSyncToken"].as_str().unwrap().to_owned();
    let whole = outside.get(EVENTS).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();

    let second = format!("{EVENTS}/rota1_20261019T080000Z");
    assert_eq!(
        outside.get(&second).await.expect(200)["originalStartTime"]["dateTime"],
        "2026-10-19T09:00:00+01:00"
    );
    let later = json!({
        "start": { "dateTime": "2026-10-20T14:00:00Z" }, "end": { "dateTime": "2026-10-20T15:00:00Z" }
    });
    let moved = outside.call(Method::PATCH, &second, later).await.expect(200);
    assert_eq!(moved["id"], "rota1_20261019T080000Z");
    let third = format!("{EVENTS}/rota1_20261026T090000Z");
    send(outside.calendar(Method::DELETE, &third)).await.expect(200);
    send(outside.calendar(Method::DELETE, &third)).await.expect(410);
    outside.get(&format!("{EVENTS}/rota1_20261027T090000Z")).await.expect(404);

    let list = outside.get(&format!("{EVENTS}?{AUTUMN}")).await.expect(200);
    let expected = ["2026-10-12T09:00:00+01:00", "2026-10-20T15:00:00+01:00", "2026-11-02T09:00:00Z"];
    assert_eq!(starts(&list), expected);
    let unexpanded = outside.get(EVENTS).await.expect(200);
    assert_eq!(column(&unexpanded, "status"), ["confirmed", "confirmed", "cancelled"]);
    for (token, extra) in [(single, "&singleEvents=true"), (whole, "")] {
        let new = outside.get(&format!("{EVENTS}?syncToken={token}{extra}")).await.expect(200);
        assert_eq!(column(&new, "id"), ["rota1_20261019T080000Z", "rota1_20261026T090000Z"]);
        assert_eq!(new["items"][1]["originalStartTime"]["dateTime"], "2026-10-26T09:00:00Z");
        assert_eq!(new["items"][1]["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_shortened_series_tells_of_the_occurrences_that_are_gone() {
    let outside = mondays().await;
    let token = outside.get(&format!("{EVENTS}?singleEvents=true")).await.expect(200);
    let token = token["nextSyncToken"].as_str().unwrap().to_owned();
    let path = format!("{EVENTS}?singleEvents=true&syncToken={token}");
    let shorter = json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"] });
    outside.call(Method::PATCH, &format!("{EVENTS}/rota1"), shorter).await.expect(200);
    let new = outside.get(&path).await.expect(200);
    assert_eq!(column(&new, "status"), ["cancelled", "cancelled", "confirmed", "confirmed"]);
    assert_eq!(column(&new, "id")[0], "rota1_20261026T090000Z");

    send(outside.calendar(Method::DELETE, &format!("{EVENTS}/rota1"))).await.expect(200);
    let gone = outside.get(&path).await.expect(200);
    assert_eq!(column(&gone, "status"), ["cancelled"; 4]);
    assert!(column(&outside.get(&format!("{EVENTS}?{AUTUMN}")).await.expect(200), "id").is_empty());
}

#[tokio::test]
async fn changed_occurrences_go_with_their_series() {
    let outside = mondays().await;
    let fourth = format!("{EVENTS}/rota1_20261102T090000Z");
    outside.call(Method::PATCH, &fourth, json!({ "summary": "Last" })).await.expect(200);
    let shorter = json!({ "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"] });
    outside.call(Method::PATCH, &format!("{EVENTS}/rota1"), shorter).await.expect(200);
    assert_eq!(outside.get(&fourth).await.expect(200)["status"], "cancelled");
    let list = outside.get(&format!("{EVENTS}?{AUTUMN}")).await.expect(200);
    assert_eq!(column(&list, "summary"), ["Rota", "Rota", "Rota"]);
}

#[tokio::test]
async fn whole_days_recur_by_date() {
    let outside = SandboxClient::start().await;
    let series = json!({
        "id": "monthend", "summary": "Off", "recurrence": ["RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20261231"],
        "start": { "date": "2026-10-31" }, "end": { "date": "2026-11-01" },
    });
    outside.insert(series).await.expect(200);
    let list = outside.get(&format!("{EVENTS}?singleEvents=true")).await.expect(200);
    assert_eq!(column(&list, "id"), ["monthend_20261031", "monthend_20261130", "monthend_20261231"]);
    assert_eq!(list["items"][1]["end"], json!({ "date": "2026-12-01" }));
}
