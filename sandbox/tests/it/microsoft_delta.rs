//! Change tracking of a calendar view.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::send;
use crate::graph::{FEBRUARY, GraphTestClient, code, each, event, series};

fn start() -> String {
    format!("/me/calendarView/delta?{FEBRUARY}")
}

/// Ids of what is there and of what is gone.
fn sorted(items: &[Value]) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (gone, there): (Vec<_>, Vec<_>) = items.iter().partition(|item| item["@removed"].is_object());
    (each(there, "id").into_iter().collect(), each(gone, "id").into_iter().collect())
}

#[tokio::test]
async fn delta_round_is_paged_with_duplicates_then_incremental() {
    let graph = GraphTestClient::start().await;
    for number in 0..35 {
        graph.post(event(&format!("Booking {number}"), 9)).await;
    }
    let (items, link) = graph.round(&start()).await;
    let (there, gone) = sorted(&items);
    assert_eq!((there.len(), gone.len()), (35, 0));
    assert!(items.len() > 35, "nothing came twice");
    let (nothing, link) = graph.round(&link).await;
    assert!(nothing.is_empty());

    let of = |number: usize| format!("/me/events/{}", items[number]["id"].as_str().unwrap());
    graph.remove(&of(0)).await.expect(204);
    graph.write(Method::PATCH, &of(1), json!({ "subject": "Changed" })).await.expect(200);
    let march = json!({
        "start": { "dateTime": "2026-03-02T09:00:00", "timeZone": "UTC" },
        "end": { "dateTime": "2026-03-02T10:00:00", "timeZone": "UTC" },
    });
    graph.write(Method::PATCH, &of(2), march).await.expect(200);
    let (new, link) = graph.round(&link).await;
    let id = |number: usize| items[number]["id"].as_str().unwrap();
    assert_eq!(sorted(&new), (BTreeSet::from([id(1)]), BTreeSet::from([id(0), id(2)])));
    assert_eq!(new[0]["@removed"]["reason"], "deleted");
    // The same link tells the same again.
    assert_eq!(graph.round(&link).await.0.len(), 0);
}

#[tokio::test]
async fn delta_page_size_follows_prefer_header() {
    let graph = GraphTestClient::start().await;
    for number in 0..12 {
        graph.post(event(&format!("Booking {number}"), 9)).await;
    }
    let calendar = graph.calendar("Calendar").await;
    for path in [
        start(),
        format!("/me/calendarView/delta()?{FEBRUARY}"),
        format!("/me/calendars/{calendar}/calendarView/delta()?{FEBRUARY}"),
    ] {
        let page = graph.read(&path).await.expect(200);
        assert_eq!(page["value"].as_array().unwrap().len(), 10, "{path}");
        let request = graph.request(Method::GET, &path).header("Prefer", "odata.maxpagesize=50");
        let page = send(request).await.expect(200);
        assert_eq!(page["value"].as_array().unwrap().len(), 12);
        assert!(page["@odata.deltaLink"].as_str().unwrap().contains("$deltatoken="));
    }
}

#[tokio::test]
async fn delta_series_changes_as_one() {
    let graph = GraphTestClient::start().await;
    let master = graph.post(series("Rota", 4)).await;
    let (items, link) = graph.round(&start()).await;
    assert_eq!(
        each(&items, "type"),
        ["seriesMaster", "occurrence", "occurrence", "occurrence", "occurrence"]
    );
    assert!(items[1]["subject"].is_null() && items[1]["seriesMasterId"] == master["id"]);

    let occurrence = |number: usize| format!("/me/events/{}", items[number]["id"].as_str().unwrap());
    graph.write(Method::PATCH, &occurrence(2), json!({ "subject": "Swapped" })).await.expect(200);
    graph.remove(&occurrence(3)).await.expect(204);
    let (new, link) = graph.round(&link).await;
    let (there, gone) = sorted(&new);
    let left = [0, 1, 2, 4].map(|number| items[number]["id"].as_str().unwrap());
    assert_eq!((there, gone.len()), (BTreeSet::from(left), 0));
    assert_ne!(new[0]["@odata.etag"], items[0]["@odata.etag"]);
    let swapped = new.iter().find(|item| item["type"] == "exception").unwrap();
    assert_eq!((&swapped["id"], &swapped["subject"]), (&items[2]["id"], &json!("Swapped")));

    // Put to another hour, its occurrences have other ids, and the old ones are told by nothing.
    let id = master["id"].as_str().unwrap();
    let later = json!({
        "start": { "dateTime": "2026-02-02T15:00:00", "timeZone": "UTC" },
        "end": { "dateTime": "2026-02-02T16:00:00", "timeZone": "UTC" },
    });
    graph.write(Method::PATCH, &format!("/me/events/{id}"), later).await.expect(200);
    let (new, link) = graph.round(&link).await;
    let (there, gone) = sorted(&new);
    assert!(there.contains(id) && there.len() == 5 && gone.is_empty(), "{new:?}");
    assert!(items[1..].iter().all(|item| !there.contains(item["id"].as_str().unwrap())));

    graph.remove(&format!("/me/events/{id}")).await.expect(204);
    let (gone, _) = graph.round(&link).await;
    let (there, gone) = sorted(&gone);
    assert_eq!((there.len(), gone), (0, BTreeSet::from([id])));
}

#[tokio::test]
async fn a_cursor_of_another_calendar_or_none_at_all_is_gone() {
    let graph = GraphTestClient::start().await;
    let (_, link) = graph.round(&start()).await;
    let token = link.split("$deltatoken=").nth(1).unwrap();
    let rota = graph.calendar("Clinic rota").await;
    for path in [
        format!("/me/calendars/{rota}/calendarView/delta?$deltatoken={token}"),
        "/me/calendarView/delta?$deltatoken=old".into(),
        "/me/calendarView/delta?$skiptoken=old".into(),
    ] {
        let gone = graph.read(&path).await;
        assert_eq!((gone.status.as_u16(), code(&gone)), (410, "SyncStateNotFound"), "{path}");
    }
    for extra in ["$top=5", "$select=subject", "$filter=subject eq 'x'"] {
        let refused = graph.read(&format!("{}&{extra}", start())).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (400, "ErrorInvalidUrlQuery"), "{extra}");
    }
    assert_eq!(code(&graph.read("/me/calendarView/delta").await), "ErrorInvalidParameter");
}

#[tokio::test]
async fn what_is_put_into_another_calendar_is_removed_from_the_first() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("Haircut", 9)).await;
    let id = made["id"].as_str().unwrap();
    let rota = graph.calendar("Clinic rota").await;
    let (_, own) = graph.round(&start()).await;
    let (_, other) = graph.round(&format!("/me/calendars/{rota}/calendarView/delta?{FEBRUARY}")).await;
    let to = json!({ "calendar": rota });
    graph.control(Method::POST, &format!("/events/{id}/move"), Some(to)).await.expect(200);
    let (gone, _) = graph.round(&own).await;
    assert_eq!((gone.len(), &gone[0]["id"], gone[0]["@removed"].is_object()), (1, &made["id"], true));
    let (new, _) = graph.round(&other).await;
    assert_eq!((new.len(), &new[0]["id"], &new[0]["subject"]), (1, &made["id"], &json!("Haircut")));
}
