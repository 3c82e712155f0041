//! The life of an event at Microsoft.

use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde_json::{Value, json};

use crate::client::send;
use crate::graph::{EVA, FEBRUARY, GRACE, GraphTestClient, PROPERTY, code, each, event, series};

#[tokio::test]
async fn the_person_and_their_calendars_are_told() {
    let mut graph = GraphTestClient::start().await;
    let me = graph.read("/me").await.expect(200);
    assert_eq!((&me["mail"], &me["displayName"]), (&json!(EVA), &json!("Eva Lindholm")));
    let first = graph.read("/me/calendars?$top=2").await.expect(200);
    assert_eq!(first["value"][0]["isDefaultCalendar"], true);
    let rest = graph.read(first["@odata.nextLink"].as_str().unwrap()).await.expect(200);
    let names =
        [each(first["value"].as_array().unwrap(), "name"), each(rest["value"].as_array().unwrap(), "name")];
    let mut names = names.concat();
    names.sort_unstable();
    assert_eq!(names, ["Birthdays", "Calendar", "Clinic rota"]);
    assert!(rest["@odata.nextLink"].is_null());
    let birthdays = graph.calendar("Birthdays").await;
    let refused =
        graph.write(Method::POST, &format!("/me/calendars/{birthdays}/events"), event("a", 9)).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (403, "ErrorAccessDenied"));
    assert_eq!(code(&graph.read("/me/calendars/primary/events").await), "ErrorInvalidIdMalformed");

    let private = graph.consent(GRACE, None).await;
    graph.token = private["access_token"].as_str().unwrap().into();
    let me = graph.read("/me").await.expect(200);
    assert_eq!((&me["mail"], &me["userPrincipalName"]), (&Value::Null, &json!(GRACE)));
}

#[tokio::test]
async fn event_follows_preferred_zone_and_body_type() {
    let graph = GraphTestClient::start().await;
    let mut body = event("Haircut", 9);
    body["start"] = json!({ "dateTime": "2026-02-02T10:00:00", "timeZone": "Romance Standard Time" });
    body["end"] = json!({ "dateTime": "2026-02-02T11:00:00", "timeZone": "Europe/Paris" });
    body["body"] = json!({ "contentType": "text", "content": "Ana < Ben" });
    body["location"] = json!({ "displayName": "Room 1" });
    let made = graph.post(body).await;
    assert_eq!(made["start"], json!({ "dateTime": "2026-02-02T09:00:00.0000000", "timeZone": "UTC" }));
    assert_eq!(
        (&made["originalStartTimeZone"], &made["originalEndTimeZone"]),
        (&json!("Romance Standard Time"), &json!("Europe/Paris"))
    );
    assert_eq!((&made["type"], &made["showAs"]), (&json!("singleInstance"), &json!("busy")));
    assert_eq!((&made["body"]["contentType"], &made["bodyPreview"]), (&json!("html"), &json!("Ana < Ben")));
    assert!(made["body"]["content"].as_str().unwrap().contains("Ana &lt; Ben"));
    let path = format!("/me/events/{}", made["id"].as_str().unwrap());
    let request = graph.request(Method::GET, &path);
    let preferred = "outlook.timezone=\"Tokyo Standard Time\", outlook.body-content-type=\"text\"";
    let answer = send(request.header("Prefer", preferred)).await;
    assert!(answer.headers["preference-applied"].to_str().unwrap().contains("outlook.timezone"));
    let read = answer.expect(200);
    assert_eq!(
        read["start"],
        json!({ "dateTime": "2026-02-02T18:00:00.0000000", "timeZone": "Tokyo Standard Time" })
    );
    assert_eq!(read["body"], json!({ "contentType": "text", "content": "Ana < Ben" }));
    let selected = graph.read(&format!("{path}?$select=subject")).await.expect(200);
    assert_eq!(selected.as_object().unwrap().len(), 3, "{selected}");
}

#[tokio::test]
async fn post_with_transaction_id_is_idempotent() {
    let graph = GraphTestClient::start().await;
    let mut body = event("Haircut", 9);
    body["transactionId"] = "b1".into();
    let first = graph.post(body.clone()).await;
    let refused = async || {
        let refused = graph.write(Method::POST, "/me/events", body.clone()).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (400, "ErrorDuplicateTransactionId"));
        assert_eq!(refused.body["error"]["@event.existingEventId"], first["id"]);
    };
    refused().await;
    assert_ne!(graph.post(event("Haircut", 9)).await["id"], first["id"]);
    let path = format!("/me/events/{}", first["id"].as_str().unwrap());
    graph.remove(&path).await.expect(204);
    refused().await;
    graph.remove(&path).await.expect(204);
    assert_ne!(graph.post(body.clone()).await["id"], first["id"]);
}

#[tokio::test]
async fn stale_etag_changes_nothing_and_deleted_event_is_gone() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("Haircut", 9)).await;
    let path = format!("/me/events/{}", made["id"].as_str().unwrap());
    let etag = made["@odata.etag"].as_str().unwrap();
    assert!(etag.starts_with("W/\"") && etag.contains(made["changeKey"].as_str().unwrap()));
    let patched = graph.write(Method::PATCH, &path, json!({ "subject": "Haircut!" })).await.expect(200);
    assert_ne!(patched["changeKey"], made["changeKey"]);
    let stale = |method| graph.request(method, &path).header(IF_MATCH, etag);
    let refused = send(stale(Method::PATCH).json(&json!({ "subject": "x" }))).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (412, "ErrorIrresolvableConflict"));
    send(stale(Method::DELETE)).await.expect(412);
    assert_eq!(graph.read(&path).await.expect(200)["subject"], "Haircut!");
    let usual = send(graph.bare(Method::GET, &path)).await.expect(200)["id"].as_str().unwrap().to_owned();
    graph.remove(&path).await.expect(204);
    // It lies among the deleted items now: there by the id that does not change, and listed by no calendar.
    graph.read(&format!("/me/events/{usual}")).await.expect(404);
    let deleted = graph.read(&path).await.expect(200);
    assert_ne!(deleted["@odata.etag"], patched["@odata.etag"]);
    assert!(graph.read("/me/events").await.expect(200)["value"].as_array().unwrap().is_empty());
    graph.remove(&path).await.expect(204);
    for gone in [graph.read(&path).await, graph.remove(&path).await] {
        assert_eq!((gone.status.as_u16(), code(&gone)), (404, "ErrorItemNotFound"));
    }
    assert_eq!(code(&graph.read("/me/events/booking1").await), "ErrorInvalidIdMalformed");
}

#[tokio::test]
async fn an_event_is_found_again_by_its_extended_property() {
    let graph = GraphTestClient::start().await;
    let mut body = event("Haircut", 9);
    body["singleValueExtendedProperties"] = json!([{ "id": PROPERTY, "value": "b'1" }]);
    let made = graph.post(body).await;
    assert!(made["singleValueExtendedProperties"].is_null());
    graph.post(event("Other", 9)).await;
    let search = |value: &str| {
        let filter =
            format!("singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq '{value}')");
        let expand = format!("singleValueExtendedProperties($filter=id eq '{PROPERTY}')");
        graph.request(Method::GET, "/me/events").query(&[("$filter", filter), ("$expand", expand)])
    };
    let found = send(search("b''1")).await.expect(200);
    assert_eq!(each(found["value"].as_array().unwrap(), "subject"), ["Haircut"]);
    assert_eq!(found["value"][0]["singleValueExtendedProperties"][0]["value"], "b'1");
    assert_eq!(send(search("b2")).await.expect(200)["value"], json!([]));
    let path = format!("/me/events/{}", made["id"].as_str().unwrap());
    graph.write(Method::PATCH, &path, json!({ "subject": "Moved" })).await.expect(200);
    assert_eq!(send(search("b''1")).await.expect(200)["value"][0]["subject"], "Moved");
    let all = graph.control(Method::GET, "/events?provider=microsoft", None).await.expect(200);
    assert_eq!(all[1]["private_properties"], json!({ PROPERTY: "b'1" }));
}

#[tokio::test]
async fn move_changes_default_id_but_not_immutable_id() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("Haircut", 9)).await;
    let immutable = made["id"].as_str().unwrap();
    let path = format!("/me/events/{immutable}");
    let usual = send(graph.bare(Method::GET, &path)).await.expect(200)["id"].as_str().unwrap().to_owned();
    assert_ne!(usual, immutable);
    let to = json!({ "calendar": graph.calendar("Clinic rota").await });
    graph.control(Method::POST, &format!("/events/{immutable}/move"), Some(to)).await.expect(200);
    assert_eq!(graph.read(&path).await.expect(200)["id"], immutable);
    graph.read(&format!("/me/events/{usual}")).await.expect(404);
    let rota = graph.calendar("Clinic rota").await;
    graph.read(&format!("/me/calendars/{rota}/events/{immutable}")).await.expect(200);
    let own = graph.calendar("Calendar").await;
    graph.read(&format!("/me/calendars/{own}/events/{immutable}")).await.expect(404);
    graph.remove(&path).await.expect(204);
    graph
        .control(Method::POST, &format!("/events/{immutable}/restore?calendar={rota}"), None)
        .await
        .expect(200);
    graph.read(&path).await.expect(200);
}

#[tokio::test]
async fn views_come_by_start_ten_at_a_time_with_series_as_occurrences() {
    let graph = GraphTestClient::start().await;
    let master = graph.post(series("Rota", 12)).await;
    assert_eq!(master["type"], "seriesMaster");
    graph.post(event("Early", 7)).await;
    let first = graph.read(&format!("/me/calendarView?{FEBRUARY}")).await.expect(200);
    let items = first["value"].as_array().unwrap();
    assert_eq!(items.len(), 10);
    assert_eq!(each(items, "subject")[..2], ["Early", "Rota"]);
    assert_eq!((&items[1]["type"], &items[1]["seriesMasterId"]), (&json!("occurrence"), &master["id"]));
    let rest = graph.read(first["@odata.nextLink"].as_str().unwrap()).await.expect(200);
    assert_eq!(rest["value"].as_array().unwrap().len(), 3);
    assert_eq!(graph.read("/me/events").await.expect(200)["value"].as_array().unwrap().len(), 2);

    let second = items[2]["id"].as_str().unwrap();
    let later = json!({
        "start": { "dateTime": "2026-02-03T15:00:00", "timeZone": "UTC" },
        "end": { "dateTime": "2026-02-03T16:00:00", "timeZone": "UTC" },
    });
    let moved = graph.write(Method::PATCH, &format!("/me/events/{second}"), later).await.expect(200);
    assert_eq!((&moved["type"], &moved["id"]), (&json!("exception"), &json!(second)));
    let third = items[3]["id"].as_str().unwrap();
    graph.remove(&format!("/me/events/{third}")).await.expect(204);
    graph.read(&format!("/me/events/{third}")).await.expect(404);
    let left = graph.read(&format!("/me/calendarView?{FEBRUARY}&$top=50")).await.expect(200);
    assert_eq!(left["value"].as_array().unwrap().len(), 12);
    assert_eq!(left["value"][2]["start"]["dateTime"], "2026-02-03T15:00:00.0000000");
    assert_eq!(code(&graph.read("/me/calendarView").await), "ErrorInvalidParameter");
}

#[tokio::test]
async fn whole_days_keep_their_date_in_any_zone() {
    let graph = GraphTestClient::start().await;
    let at = |day: &str| json!({ "dateTime": format!("{day}T00:00:00"), "timeZone": "Tokyo Standard Time" });
    let body =
        json!({ "subject": "Off", "isAllDay": true, "start": at("2026-02-02"), "end": at("2026-02-04") });
    let made = graph.post(body).await;
    let utc = json!({ "dateTime": "2026-02-02T00:00:00.0000000", "timeZone": "UTC" });
    assert_eq!((&made["isAllDay"], &made["start"]), (&json!(true), &utc));
    let path = format!("/me/events/{}", made["id"].as_str().unwrap());
    let half = json!({ "end": { "dateTime": "2026-02-04T12:00:00", "timeZone": "Tokyo Standard Time" } });
    let refused = graph.write(Method::PATCH, &path, half).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (400, "ErrorPropertyValidationFailure"));
    let entries = graph.control(Method::GET, &format!("/events?account={EVA}"), None).await.expect(200);
    assert_eq!(
        (&entries[0]["starts_at"], &entries[0]["ends_at"]),
        (&json!("2026-02-02"), &json!("2026-02-04"))
    );
}

#[tokio::test]
async fn what_a_person_does_in_outlook_is_seen_by_the_application() {
    let graph = GraphTestClient::start().await;
    let body = json!({
        "provider": "microsoft", "account": EVA, "title": "Dentist", "location": "Porto",
        "starts_at": "2026-02-02T09:00", "ends_at": "2026-02-02T10:00"
    });
    let entry = graph.control(Method::POST, "/events", Some(body)).await.expect(201);
    let id = entry["id"].as_str().unwrap();
    let read = graph.read(&format!("/me/events/{id}")).await.expect(200);
    assert_eq!((&read["subject"], &read["location"]["displayName"]), (&json!("Dentist"), &json!("Porto")));
    assert_eq!(read["@odata.etag"], entry["etag"]);
    let control = format!("/events/{id}?provider=microsoft");
    let weekly = json!({ "recurrence": "RRULE:FREQ=WEEKLY;COUNT=3" });
    graph.control(Method::PATCH, &control, Some(weekly)).await.expect(200);
    let read = graph.read(&format!("/me/events/{id}")).await.expect(200);
    assert_eq!(
        (&read["type"], &read["recurrence"]["pattern"]["type"]),
        (&json!("seriesMaster"), &json!("weekly"))
    );
    let copy = graph.control(Method::POST, &format!("/events/{id}/duplicate"), None).await.expect(201);
    assert_eq!((&copy["title"], copy["id"] == *id), (&json!("Dentist"), false));
    graph.control(Method::PATCH, &control, Some(json!({ "status": "cancelled" }))).await.expect(200);
    assert_eq!(graph.read(&format!("/me/events/{id}")).await.expect(200)["isCancelled"], true);
    let control = format!("{control}&for_good=true");
    let gone = graph.control(Method::DELETE, &control, None).await.expect(200);
    assert_eq!(gone["deleted"], true);
    graph.read(&format!("/me/events/{id}")).await.expect(404);
    let refused = json!({ "recurrence": "RRULE:FREQ=MONTHLY;BYDAY=-1FR" });
    let copy = format!("/events/{}", copy["id"].as_str().unwrap());
    graph.control(Method::PATCH, &copy, Some(refused)).await.expect(400);
}

#[tokio::test]
async fn a_calendar_of_outlook_has_its_page() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("Hair & <cut>", 9)).await;
    let home = send(graph.http.get(graph.url("/"))).await.expect(200);
    assert!(home.as_str().unwrap().contains("Farid Rahimi"));
    let address = made["webLink"].as_str().unwrap();
    let week = send(graph.http.get(address)).await.expect(200);
    let week = week.as_str().unwrap();
    assert!(week.contains("simulates Outlook") && week.contains("Hair &amp; &lt;cut&gt;"));
    let entry = week.split("name=\"entry\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let calendar = graph.calendar("Calendar").await;
    let form = [("entry", entry), ("calendar", &calendar), ("week", "2026-02-02")];
    let page = graph.url("/calendar/microsoft/eva%40northwind.example");
    for (action, live) in [("duplicate", 2), ("delete", 1), ("restore", 2)] {
        let done = send(graph.http.post(format!("{page}/{action}")).form(&form)).await;
        assert_eq!(done.status.as_u16(), 303, "{}", done.body);
        let view = graph.read(&format!("/me/calendarView?{FEBRUARY}")).await.expect(200);
        assert_eq!(view["value"].as_array().unwrap().len(), live, "{action}");
    }
}
