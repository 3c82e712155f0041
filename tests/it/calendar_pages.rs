//! What the pages of calendars do with what is sent to them, without a browser.

use chrono::Duration;
use concord_domain::{
    audit::SyncOutcome,
    connection::ConnectionState,
    people::{Actor, Role},
};
use concord_storage::{
    PageRequest, connections, history,
    sync_log::{self, NewSyncLogEntry},
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    calendars::synced,
    page_client::{PageClient, person},
    test_app::{TestApp, hour, stay, until},
};

async fn another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let calendar = integration["calendars"][0]["name"].as_str().unwrap();
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    test_app.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = test_app.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1).then_some(())
    })
    .await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let quoted = format!("“{calendar}”");
    assert!(manager.get("/bookings/one").await.text.contains(&quoted));
    let other = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    let seen = other.get("/bookings/one").await;
    assert_eq!(seen.status, 200);
    assert!(!seen.text.contains(&quoted), "{}", seen.text);

    let id = integration["id"].as_str().unwrap().parse().unwrap();
    let mut tx = begin(test_app.db()).await;
    let (business, now) = (test_app.business.id, test_app.app.now());
    connections::set_state(&mut tx, business, id, ConnectionState::Paused, None, now).await.unwrap();
    commit(tx).await;
    let changed = json!({ "title": "Changed" });
    test_app.api.patch("/api/v1/bookings/one", changed).await.expect(200);
    let overview = manager.get("/").await.text;
    assert!(overview.contains("1 entry is waiting for a calendar that is paused"), "{overview}");
    assert!(overview.contains("1 entry on hold"), "{overview}");
    test_app.stop().await;
}

async fn what_stays_in_a_calendar_that_was_disconnected_is_left_there(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    test_app.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = test_app.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1 && state["pending"] == 0).then_some(())
    })
    .await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(visitor.get("/bookings?from=").await.text.contains("In Ana&#39;s"));
    let path = format!("/calendars/{}/disconnect", integration["id"].as_str().unwrap());
    assert_eq!(visitor.send(&path, &[("entries", "keep")]).await.leads_to(), "/calendars");
    let page = visitor.get("/bookings/one").await.text;
    assert!(page.contains(">No longer synced<") && !page.contains(">In sync<"), "{page}");
    assert!(page.contains("The calendar is no longer connected, so this entry is not updated."), "{page}");
    assert!(!page.contains("and the entry is deleted from"), "{page}");
    assert!(!visitor.get("/bookings/one/cancel").await.text.contains("the entry is deleted from"));
    let list = visitor.get("/bookings?from=").await.text;
    assert!(list.contains(">No longer synced<") && !list.contains("In Ana&#39;s"), "{list}");
    test_app.stop().await;
}

async fn whoever_connects_an_account_of_somebody_else_is_told(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (ana, ben) = (test_app.staff("Ana").await, test_app.staff("Ben Okafor").await);
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    let mix = "Ben Okafor uses the same account, so their bookings and busy times are mixed.";
    for (staff, is_account_shared) in [(ben, false), (ana, true)] {
        visitor.cookies.clone_from(&known);
        let sent = visitor.send("/calendars/connect/google", &[("staff", &staff.to_string())]).await;
        let consent: url::Url = sent.leads_to().parse().unwrap();
        let callback = test_app.consent(&consent, "ben@example.com", "allow").await;
        let back = visitor.get(callback.strip_prefix(&test_app.api.base).unwrap()).await;
        assert_eq!(back.leads_to(), "/calendars");
        visitor.cookies.extend(back.cookies());
        let told = visitor.get("/calendars").await.text;
        assert!(told.contains("is connected."), "{told}");
        assert_eq!(told.contains(mix), is_account_shared, "{told}");
    }
    test_app.stop().await;
}

async fn who_keeps_a_calendar_back_is_where_they_came_from(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await.to_string();
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let sent = visitor.send("/calendars/connect/google", &[("staff", &ana)]).await;
    let consent: url::Url = sent.leads_to().parse().unwrap();
    let callback = test_app.consent(&consent, "ana@example.com", "deny").await;
    let path = callback.strip_prefix(&test_app.api.base).unwrap();
    let back = visitor.get(path).await;
    assert_eq!(back.leads_to(), "/calendars");
    visitor.cookies.extend(back.cookies());
    let calendars = visitor.get("/calendars").await.text;
    assert!(calendars.contains("Calendar not connected: access was not granted."), "{calendars}");
    assert_eq!(visitor.get(path).await.status, 400, "an answer works once");
    test_app.stop().await;
}

async fn the_page_of_a_calendar_says_what_is_under_way(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", integration["id"].as_str().unwrap());
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let live = async || visitor.get(&format!("{path}/live")).await.text;
    let quiet = async || (!live().await.contains("data-under-way")).then_some(());
    until("what follows from connecting is done", quiet).await;
    let slow = json!({ "provider": "google", "kind": "latency_ms", "value": 3_000 });
    test_app.control(Method::POST, "/faults", slow).await;
    let said = visitor.get(&path).await.text;
    assert!(said.contains("checks every entry in the calendar"), "{said}");
    visitor.send(&format!("{path}/resync"), &[]).await;
    let shown = live().await;
    assert!(shown.contains("data-under-way") && shown.contains("Reload the page"), "{shown}");
    test_app.control(Method::DELETE, "/faults", json!({})).await;
    until("all is quiet again", quiet).await;
    test_app.stop().await;
}

async fn the_page_of_a_calendar_names_what_a_compare_found(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", integration["id"].as_str().unwrap());
    let mut entries = Vec::new();
    for (reference, from) in [("stays", 1), ("goes", 3)] {
        let booking = format!("/api/v1/bookings/{reference}");
        let mut body = stay(&room, from, 1);
        body["staff"] = json!([ana]);
        test_app.api.put(&booking, body).await.expect(201);
        let written = synced(&test_app, &booking, 1).await;
        entries.push(written["sync"][0]["external_id"].as_str().unwrap().to_owned());
    }
    test_app.control(Method::DELETE, &format!("/events/{}?provider=google", entries[1]), Value::Null).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    visitor.send(&format!("{path}/compare"), &[]).await;
    let shown = until("what was found is named", async || {
        let live = visitor.get(&format!("{path}/live")).await.text;
        live.contains("</a>: ").then_some(live)
    })
    .await;
    assert!(shown.contains(">goes</a>: Missing from ") && shown.contains("; needs a decision"), "{shown}");
    assert!(!shown.contains(">stays</a>: "), "{shown}");
    test_app.stop().await;
}

/// The last of its fields is wrong: none of those before it is saved.
async fn settings_are_saved_together_or_not_at_all(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let before = test_app.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", before["id"].as_str().unwrap());
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let settings = |deletions| {
        [("direction", "out"), ("coverage", "everything"), ("moves", "ask"), ("deletions", deletions)]
    };
    assert_eq!(visitor.send(&path, &settings("sometimes")).await.status, 400);
    let list = format!("/api/v1/calendar_integrations?staff={ana}");
    let after = test_app.api.get(&list).await.expect(200)["items"][0].clone();
    for field in ["direction", "coverage", "remote_moves", "remote_deletions"] {
        assert_eq!(after[field], before[field]);
    }
    assert_eq!(visitor.send(&path, &settings("revert")).await.leads_to(), path);
    let after = test_app.api.get(&list).await.expect(200)["items"][0].clone();
    let told =
        ["direction", "coverage", "remote_moves", "remote_deletions"].map(|field| after[field].clone());
    assert_eq!(told, ["out", "everything", "ask", "revert"].map(Value::from));
    test_app.stop().await;
}

async fn own_log_of_several_calendars_goes_on(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, "ana@example.com").await;
    test_app.connect_google(ana, "ben@example.com").await;
    let connections = connections::of_staff(test_app.db(), test_app.business.id, ana).await.unwrap();
    assert_eq!(connections.len(), 2);
    let mut tx = begin(test_app.db()).await;
    for number in 0..60 {
        let line = NewSyncLogEntry {
            business: test_app.business.id,
            connection: Some(connections[number % 2].id),
            booking: None,
            channel: None,
            operation: "create",
            outcome: SyncOutcome::Ok,
            detail: &format!("line {number} of sixty"),
            duration_ms: 1,
            at: test_app.app.now() + Duration::seconds(600 - i64::try_from(number).unwrap()),
        };
        sync_log::append(&mut tx, &line).await.unwrap();
    }
    commit(tx).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(ana)).await).await;
    let first = visitor.get("/settings/sync-log").await.text;
    assert!(first.contains("Line 0 of sixty") && first.contains("Line 49 of sixty"), "{first}");
    let older = first.split("href=\"/settings/sync-log?after=").nth(1).expect("there is more");
    let older = older.split('"').next().unwrap();
    let second = visitor.get(&format!("/settings/sync-log?after={older}")).await.text;
    assert!(second.contains("Line 50 of sixty") && second.contains("Line 59 of sixty"), "{second}");
    assert!(!second.contains("Line 49 of sixty"), "{second}");
    test_app.stop().await;
}

async fn whoever_connects_a_calendar_is_in_the_history(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let me = person(&test_app, Role::Manager, None).await;
    let visitor = PageClient::signed_in(&test_app, &me).await;
    let sent = visitor.send("/calendars/connect/google", &[("staff", &ana.to_string())]).await;
    let consent: url::Url = sent.leads_to().parse().unwrap();
    let callback = test_app.consent(&consent, "ana@example.com", "allow").await;
    visitor.get(callback.strip_prefix(&test_app.api.base).unwrap()).await.leads_to();
    let ben = test_app.staff("Ben").await;
    test_app.connect_google(ben, "ben@example.com").await;
    let lines = history::list(test_app.db(), test_app.business.id, &PageRequest::default()).await.unwrap();
    let actors: Vec<_> =
        lines.items.iter().filter(|line| line.action == "connected").map(|line| &line.actor).collect();
    assert!(
        matches!(actors[..], [Actor::ApiKey { .. }, Actor::User { id, .. }] if *id == me.id),
        "{actors:?}"
    );
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    settings_are_saved_together_or_not_at_all,
    own_log_of_several_calendars_goes_on,
    whoever_connects_a_calendar_is_in_the_history,
    the_page_of_a_calendar_names_what_a_compare_found,
    another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart,
    what_stays_in_a_calendar_that_was_disconnected_is_left_there,
    whoever_connects_an_account_of_somebody_else_is_told,
    who_keeps_a_calendar_back_is_where_they_came_from,
    the_page_of_a_calendar_says_what_is_under_way,
);
