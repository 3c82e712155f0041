//! What the pages of calendars do with what is sent to them, without a browser.

use concord_domain::{connection::ConnectionState, people::Role};
use concord_storage::{
    connections,
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    calendars::synced,
    house::{House, hour, stay, until},
    visitor::{Visitor, person},
};

async fn another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let integration = house.connect_google(ana, "ana@example.com").await;
    let calendar = integration["calendars"][0]["name"].as_str().unwrap();
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = house.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1).then_some(())
    })
    .await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let quoted = format!("“{calendar}”");
    assert!(manager.get("/bookings/one").await.text.contains(&quoted));
    let other = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    let seen = other.get("/bookings/one").await;
    assert_eq!(seen.status, 200);
    assert!(!seen.text.contains(&quoted), "{}", seen.text);

    let id = integration["id"].as_str().unwrap().parse().unwrap();
    let mut tx = begin(house.db()).await;
    let (business, now) = (house.business.id, house.app.now());
    connections::set_state(&mut tx, business, id, ConnectionState::Paused, None, now).await.unwrap();
    commit(tx).await;
    let changed = json!({ "title": "Changed" });
    house.api.patch("/api/v1/bookings/one", changed).await.expect(200);
    let overview = manager.get("/").await.text;
    assert!(overview.contains("1 entry waits for a calendar that is paused"), "{overview}");
    assert!(overview.contains("1 entry on hold"), "{overview}");
    house.stop().await;
}

async fn what_stays_in_a_calendar_that_was_disconnected_is_left_there(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let integration = house.connect_google(ana, "ana@example.com").await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = house.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1 && state["pending"] == 0).then_some(())
    })
    .await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    assert!(visitor.get("/bookings?from=").await.text.contains("In Ana&#39;s"));
    let path = format!("/calendars/{}/disconnect", integration["id"].as_str().unwrap());
    assert_eq!(visitor.send(&path, &[("entries", "keep")]).await.leads_to(), "/calendars");
    let page = visitor.get("/bookings/one").await.text;
    assert!(page.contains(">Left there<") && !page.contains(">Synced<"), "{page}");
    assert!(page.contains("The calendar is no longer connected; nobody updates it."), "{page}");
    assert!(!page.contains("and the entry goes from"), "{page}");
    assert!(!visitor.get("/bookings/one/cancel").await.text.contains("the entry goes from"));
    let list = visitor.get("/bookings?from=").await.text;
    assert!(list.contains(">Left there<") && !list.contains("In Ana&#39;s"), "{list}");
    house.stop().await;
}

async fn whoever_connects_an_account_of_somebody_else_is_told(db: &TestDb) {
    let house = House::on(db).await;
    let (ana, ben) = (house.staff("Ana").await, house.staff("Ben Okafor").await);
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    let mix = "Ben Okafor uses the same account: their bookings and busy times mix.";
    for (staff, is_shared) in [(ben, false), (ana, true)] {
        visitor.cookies.clone_from(&known);
        let sent = visitor.send("/calendars/connect/google", &[("staff", &staff.to_string())]).await;
        let consent: url::Url = sent.leads_to().parse().unwrap();
        let callback = house.consent(&consent, "ben@example.com", "allow").await;
        let back = visitor.get(callback.strip_prefix(&house.api.base).unwrap()).await;
        assert_eq!(back.leads_to(), "/calendars");
        visitor.cookies.extend(back.cookies());
        let told = visitor.get("/calendars").await.text;
        assert!(told.contains("is connected."), "{told}");
        assert_eq!(told.contains(mix), is_shared, "{told}");
    }
    house.stop().await;
}

async fn who_keeps_a_calendar_back_is_where_they_came_from(db: &TestDb) {
    let house = House::on(db).await;
    let ana = house.staff("Ana").await.to_string();
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let sent = visitor.send("/calendars/connect/google", &[("staff", &ana)]).await;
    let consent: url::Url = sent.leads_to().parse().unwrap();
    let callback = house.consent(&consent, "ana@example.com", "deny").await;
    let path = callback.strip_prefix(&house.api.base).unwrap();
    let back = visitor.get(path).await;
    assert_eq!(back.leads_to(), "/calendars");
    visitor.cookies.extend(back.cookies());
    let calendars = visitor.get("/calendars").await.text;
    assert!(calendars.contains("The calendar was not connected: access was not granted."), "{calendars}");
    assert_eq!(visitor.get(path).await.status, 400, "an answer works once");
    house.stop().await;
}

async fn the_page_of_a_calendar_says_what_is_under_way(db: &TestDb) {
    let house = House::on(db).await;
    let ana = house.staff("Ana").await;
    let integration = house.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", integration["id"].as_str().unwrap());
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let live = async || visitor.get(&format!("{path}/live")).await.text;
    let quiet = async || (!live().await.contains("data-under-way")).then_some(());
    until("what follows from connecting is done", quiet).await;
    let slow = json!({ "provider": "google", "kind": "latency_ms", "value": 3_000 });
    house.control(Method::POST, "/faults", slow).await;
    let said = visitor.get(&path).await.text;
    assert!(said.contains("compares all that stands in the calendar with the bookings"), "{said}");
    visitor.send(&format!("{path}/resync"), &[]).await;
    let shown = live().await;
    assert!(shown.contains("data-under-way") && shown.contains("Load this page again"), "{shown}");
    house.control(Method::DELETE, "/faults", json!({})).await;
    until("all is quiet again", quiet).await;
    house.stop().await;
}

async fn the_page_of_a_calendar_names_what_a_compare_found(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let integration = house.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", integration["id"].as_str().unwrap());
    let mut entries = Vec::new();
    for (reference, from) in [("stays", 1), ("goes", 3)] {
        let booking = format!("/api/v1/bookings/{reference}");
        let mut body = stay(&room, from, 1);
        body["staff"] = json!([ana]);
        house.api.put(&booking, body).await.expect(201);
        let written = synced(&house, &booking, 1).await;
        entries.push(written["sync"][0]["external_id"].as_str().unwrap().to_owned());
    }
    house.control(Method::DELETE, &format!("/events/{}?provider=google", entries[1]), Value::Null).await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    visitor.send(&format!("{path}/compare"), &[]).await;
    let shown = until("what was found is named", async || {
        let live = visitor.get(&format!("{path}/live")).await.text;
        live.contains("</a>: ").then_some(live)
    })
    .await;
    assert!(shown.contains(">goes</a>: Missing from ") && shown.contains("; somebody is asked"), "{shown}");
    assert!(!shown.contains(">stays</a>: "), "{shown}");
    house.stop().await;
}

concord_storage::on_both_databases!(
    the_page_of_a_calendar_names_what_a_compare_found,
    another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart,
    what_stays_in_a_calendar_that_was_disconnected_is_left_there,
    whoever_connects_an_account_of_somebody_else_is_told,
    who_keeps_a_calendar_back_is_where_they_came_from,
    the_page_of_a_calendar_says_what_is_under_way,
);
