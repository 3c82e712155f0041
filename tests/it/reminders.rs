//! Reminders over HTTP: their rules by API and page, and the link by which a customer turns them off.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    page_client::{PageClient, person},
    test_app::{TestApp, hour},
};

async fn rules_are_made_changed_and_deleted(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    assert_eq!(api.get("/api/v1/reminder_rules").await.expect(200)["items"], json!([]));
    let body = json!({ "channel": "customer_email", "minutes_before": 120 });
    let made = api.post("/api/v1/reminder_rules", body.clone()).await.expect(201);
    assert_eq!((&made["kind"], &made["minutes_before"]), (&Value::Null, &json!(120)));
    api.post("/api/v1/reminder_rules", body).await.expect(409);
    for wrong in [
        json!({ "channel": "customer_email", "minutes_before": 4 }),
        json!({ "channel": "customer_email", "minutes_before": 40_321 }),
        json!({ "channel": "customer_email", "kind": "block", "minutes_before": 60 }),
        json!({ "channel": "webhook", "minutes_before": 4 }),
        json!({ "channel": "pigeon", "minutes_before": 60 }),
    ] {
        api.post("/api/v1/reminder_rules", wrong).await.expect(422);
    }
    let path = format!("/api/v1/reminder_rules/{}", made["id"].as_str().unwrap());
    let changed = api.patch(&path, json!({ "kind": "booking", "minutes_before": 180 })).await.expect(200);
    assert_eq!((&changed["kind"], &changed["minutes_before"]), (&json!("booking"), &json!(180)));
    api.patch(&path, json!({ "kind": null })).await.expect(200);
    // At the same time as the mail, and with its own kind.
    let event = json!({ "channel": "webhook", "minutes_before": 180 });
    let event = api.post("/api/v1/reminder_rules", event).await.expect(201);
    let event_path = format!("/api/v1/reminder_rules/{}", event["id"].as_str().unwrap());
    let blocks = api.patch(&event_path, json!({ "kind": "block" })).await.expect(200);
    assert_eq!((&blocks["channel"], &blocks["kind"]), (&json!("webhook"), &json!("block")));
    api.patch(&event_path, json!({ "channel": "customer_email" })).await.expect(422);

    let hours = json!({ "from": "22:00", "until": "07:00" });
    let set = api.send(Method::PUT, "/api/v1/quiet_hours", Some(hours.clone()), &[]).await.expect(200);
    assert_eq!(set, hours);
    assert_eq!(api.get("/api/v1/quiet_hours").await.expect(200), hours);
    for wrong in [json!({ "from": "22:00", "until": null }), json!({ "from": "25:00", "until": "07:00" })] {
        api.send(Method::PUT, "/api/v1/quiet_hours", Some(wrong), &[]).await.expect(422);
    }
    let room = test_app.resource(1).await;
    let booking = json!({ "resource": room.id, "starts_at": hour(3, 12), "ends_at": hour(3, 13),
        "customer": { "name": "Maria", "email": "maria@example.org" } });
    api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    let listed = api.get("/api/v1/bookings/tasting/reminders").await.expect(200);
    assert_eq!(listed["items"][0]["state"], "planned");
    assert_eq!(listed["items"][0]["starts_at"], hour(3, 12));

    assert_eq!(api.send(Method::DELETE, &path, None, &[]).await.status, 204);
    assert_eq!(api.send(Method::DELETE, &path, None, &[]).await.status, 404);
    test_app.stop().await;
}

#[expect(clippy::disallowed_methods, reason = "customers and mail servers have clients of their own")]
async fn customer_turns_reminders_off_by_post_alone(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let booking = json!({ "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10),
        "customer": { "name": "Maria", "email": "maria@example.org", "language": "de" } });
    test_app.api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    let page = test_app.api.get("/api/v1/bookings/tasting/customer_page").await.expect(200);
    let url = format!("{}/reminders/off", page["url"].as_str().unwrap());
    let client = Client::new();
    for _ in 0..2 {
        let asked = client.get(&url).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(
            asked.text().await.unwrap().contains("Erinnerungen abschalten?"),
            "opening it changes nothing"
        );
    }
    // As a mail program does it: without a cookie, and with this body.
    let form = [("List-Unsubscribe", "One-Click")];
    let done = client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    assert!(done.headers().get("set-cookie").is_none());
    let again = client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(
        again.contains("keine Erinnerungen an diese Buchung mehr") && !again.contains("<form"),
        "{again}"
    );
    let other = url.replace("cb_", "cb_x");
    assert_eq!(client.post(&other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    test_app.stop().await;
}

async fn page_shows_rules_and_what_is_planned(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let rule = [("channel", "customer_email"), ("kind", ""), ("amount", "2"), ("unit", "hours")];
    assert_eq!(manager.send("/settings/reminders", &rule).await.leads_to(), "/settings/reminders");
    let event = [("channel", "webhook"), ("kind", ""), ("amount", "1"), ("unit", "days")];
    assert_eq!(manager.send("/settings/reminders", &event).await.leads_to(), "/settings/reminders");
    let room = test_app.resource(1).await;
    let booking = json!({ "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10),
        "customer": { "name": "Maria", "email": "maria@example.org" } });
    test_app.api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    let page = manager.get("/settings/reminders").await.text;
    for text in [
        "2 hours before",
        "Customer, by email",
        "1 day before",
        r#"<option value="webhook""#,
        "<p>Other systems, by webhook</p>",
        "tasting",
        "Planned",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let again = manager.send("/settings/reminders", &rule).await;
    assert!(again.text.contains("There is already such a reminder at this time."), "{}", again.text);
    let quiet = manager.send("/settings/reminders/quiet", &[("from", "22:00"), ("until", "")]).await;
    assert!(quiet.text.contains("Enter two different times"), "{}", quiet.text);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    rules_are_made_changed_and_deleted,
    customer_turns_reminders_off_by_post_alone,
    page_shows_rules_and_what_is_planned,
);
