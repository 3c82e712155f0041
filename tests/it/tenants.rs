//! Two businesses in one installation never meet, and a key opens nothing once it is revoked.

use chrono::Duration;
use concord_domain::{
    ids::{JobId, MailId},
    job::{JobKind, QueueClass},
    mail::{MailKind, MailState},
    people::Role,
};
use concord_storage::{
    PageRequest, api_keys,
    jobs::{self, JobOutcome, NewJob},
    mails::{self, NewMail},
    testing::TestDb,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    calendars::synced,
    page_client::person,
    test_app::{ApiClient, TestApp, day, stay, until},
};

/// All operations of the OpenAPI document that need a key: method and path.
async fn operations(api: &ApiClient) -> Vec<(Method, String)> {
    let document = api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, _) in item.as_object().unwrap() {
            if path.starts_with("/api/v1/") {
                found.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    assert!(found.len() > 30, "the document is nearly empty");
    found
}

/// Everything that a business can have, with the ids that stand in paths.
struct TenantFixture {
    paths: Vec<(&'static str, String)>,
    /// All ids, and the reference.
    marks: Vec<String>,
}

/// Work of the business that has failed for good. It is due long after the worker of this test is gone, so that nobody
/// but the test can have run it.
async fn failed_job(test_app: &TestApp) -> JobId {
    let (db, now) = (test_app.db(), test_app.app.now());
    let due_at = now + Duration::days(1);
    let job = NewJob {
        business: Some(test_app.business.id),
        kind: JobKind::SyncBooking,
        subject: uuid::Uuid::from_u128(1),
        queue: QueueClass::Bulk,
        due_at,
    };
    let mut tx = db.begin().await.unwrap();
    let enqueued = jobs::enqueue(&mut tx, job, now).await.unwrap();
    tx.commit().await.unwrap();
    let claimed =
        jobs::claim(db, enqueued, "test", due_at + Duration::minutes(1), due_at).await.unwrap().unwrap();
    let outcome = JobOutcome::Failed { retry_at: None, reason: "Very private".to_owned() };
    let mut tx = db.begin().await.unwrap();
    jobs::finish(&mut tx, &claimed, &outcome, now).await.unwrap();
    tx.commit().await.unwrap();
    claimed.id
}

/// A mail of the business that was refused.
async fn failed_mail(test_app: &TestApp) -> MailId {
    let new = NewMail {
        business: test_app.business.id,
        kind: MailKind::Test,
        to_address: "nobody at all",
        to_name: "",
        subject: "Very private",
        text: "Very private",
        html: "",
        from_domain: "book.example",
        dedupe_key: "tenants",
        sender: None,
        invitation: None,
        reminder: None,
        useful_until: None,
    };
    let now = test_app.app.now();
    let mut tx = test_app.db().begin().await.unwrap();
    mails::create(&mut tx, &new, now).await.unwrap();
    tx.commit().await.unwrap();
    let page = mails::list(test_app.db(), test_app.business.id, None, &PageRequest::default()).await.unwrap();
    let id = page.items[0].id;
    let mut tx = test_app.db().begin().await.unwrap();
    mails::record_failure(&mut tx, id, MailState::Failed, "Very private").await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Ana deletes the booking's entry in her calendar, and somebody is asked about it. Returns the change's id.
async fn question(test_app: &TestApp) -> String {
    let booking = synced(test_app, "/api/v1/bookings/mine-alone", 1).await;
    test_app.person_deletes(booking["sync"][0]["external_id"].as_str().unwrap()).await;
    test_app.remote_change_in_state("open").await["id"].as_str().unwrap().to_owned()
}

/// The customer of another booking is erased. Returns the erasure's id.
async fn erasure(test_app: &TestApp, room: &str) -> String {
    let body = json!({ "resource": room, "check_in": day(40), "check_out": day(41), "status": "cancelled" });
    test_app.api.put("/api/v1/bookings/was-here", body).await.expect(201);
    let whom = json!({ "reference": "was-here" });
    let erasure = test_app.api.post("/api/v1/customers/erase", whom).await.expect(202);
    erasure["id"].as_str().unwrap().to_owned()
}

async fn fixture(test_app: &TestApp) -> TenantFixture {
    let room = test_app.resource(1).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let mut body = stay(&room, 1, 2);
    body["staff"] = json!([ana]);
    body["title"] = json!("Very private");
    let booking = test_app.api.put("/api/v1/bookings/mine-alone", body).await.expect(201);
    let change = question(test_app).await;
    let block = json!({ "resource": room.id, "check_in": day(8), "check_out": day(9) });
    let block = test_app.api.post("/api/v1/calendar_availability", block).await.expect(201);
    let feed =
        test_app.api.post("/api/v1/feeds", json!({ "scope": "business", "name": "All" })).await.expect(201);
    let channel = json!({ "resource": room.id, "platform": "airbnb" });
    let channel = test_app.api.post("/api/v1/channels", channel).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let channel = text(&channel["id"]);
    let calendar = text(&integration["calendars"][0]["id"]);
    let (integration, block_id, feed) = (text(&integration["id"]), text(&block["id"]), text(&feed["id"]));
    let (room, ana) = (room.id.to_string(), ana.to_string());
    let job = failed_job(test_app).await.to_string();
    let mail = failed_mail(test_app).await.to_string();
    let webhook = json!({ "url": "https://mine.example/hook", "description": "Very private" });
    let webhook = test_app.api.post("/api/v1/webhooks", webhook).await.expect(201);
    let webhook = text(&webhook["endpoint"]["id"]);
    let rule = json!({ "channel": "customer_email", "minutes_before": 120 });
    let rule = text(&test_app.api.post("/api/v1/reminder_rules", rule).await.expect(201)["id"]);
    let erasure = erasure(test_app, &room).await;
    let nina = person(test_app, Role::Manager, None).await.id.to_string();
    TenantFixture {
        marks: vec![
            "mine-alone".to_owned(),
            "Very private".to_owned(),
            room.clone(),
            ana.clone(),
            integration.clone(),
            calendar.clone(),
            block_id.clone(),
            feed.clone(),
            channel.clone(),
            job.clone(),
            change.clone(),
            mail.clone(),
            webhook.clone(),
            rule.clone(),
            erasure.clone(),
            nina.clone(),
            text(&booking["id"]),
        ],
        paths: vec![
            ("/bookings/{reference}", "/bookings/mine-alone".to_owned()),
            ("/resources/{id}", format!("/resources/{room}")),
            ("/products/{id}", format!("/products/{room}")),
            ("/staff/{id}", format!("/staff/{ana}")),
            ("/calendars/{calendar}", format!("/calendars/{calendar}")),
            ("/calendar_integrations/{id}", format!("/calendar_integrations/{integration}")),
            ("/calendar_availability/{id}", format!("/calendar_availability/{block_id}")),
            ("/feeds/{id}", format!("/feeds/{feed}")),
            ("/channels/{id}", format!("/channels/{channel}")),
            ("/runs/{run}", format!("/runs/{}", uuid::Uuid::nil())),
            ("/events/{event}", format!("/events/{}", uuid::Uuid::nil())),
            ("/jobs/{id}", format!("/jobs/{job}")),
            ("/remote_changes/{id}", format!("/remote_changes/{change}")),
            ("/mails/{id}", format!("/mails/{mail}")),
            ("/reminder_rules/{id}", format!("/reminder_rules/{rule}")),
            ("/erasures/{id}", format!("/erasures/{erasure}")),
            ("/notification_preferences/{user}", format!("/notification_preferences/{nina}")),
            ("/webhooks/{id}", format!("/webhooks/{webhook}")),
            ("/deliveries/{event}", format!("/deliveries/{}", uuid::Uuid::nil())),
        ],
    }
}

async fn nothing_of_one_business_is_seen_by_another(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let mine = fixture(&test_app).await;
    let before = test_app.api.get("/api/v1/bookings").await.expect(200);
    let (_, other) = test_app.other_business().await;
    for (method, pattern) in operations(&test_app.api).await {
        // Platforms are of the installation, and what a business says of them is its own.
        let pattern = pattern.replace("/platforms/{platform}", "/platforms/airbnb");
        let pattern = pattern.replace("/email_texts/{kind}/{language}", "/email_texts/reminder/de");
        let path = mine.paths.iter().fold(pattern.clone(), |path, (from, to)| path.replace(from, to));
        assert!(!path.contains('{'), "an operation that this test does not know: {pattern}");
        // Bodies that would be accepted, were the thing the caller's own.
        let body = match pattern.rsplit('/').next() {
            Some("settle") => json!({ "as": "booking" }),
            Some("resend") => json!({ "since": test_app.app.now() }),
            _ => json!({}),
        };
        let body = matches!(method, Method::PUT | Method::POST | Method::PATCH).then_some(body);
        let answer = other.send(method.clone(), &path, body, &[]).await;
        for mark in &mine.marks {
            let told = answer.text.replace("/bookings/mine-alone", "");
            assert!(!told.contains(mark), "{method} {path} tells {mark}: {told}");
        }
        if path != pattern && method != Method::PUT {
            answer.problem(404, "not-found");
        }
    }
    // The other's reference is free to me, and stays two bookings.
    let theirs = other.post("/api/v1/resources", json!({ "name": "Theirs" })).await.expect(201);
    let body = json!({ "resource": theirs["id"], "check_in": day(1), "check_out": day(2) });
    other.put("/api/v1/bookings/mine-alone", body).await.expect(201);
    other.delete("/api/v1/bookings/mine-alone").await.expect(200);
    let after = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(references(&after), references(&before));
    assert_eq!(after["items"][0]["status"], "confirmed");
    let failed = test_app.api.get("/api/v1/jobs/failed").await.expect(200);
    let items = failed["items"].as_array().unwrap();
    let left = items.iter().filter(|job| job["kind"] == "sync_booking").count();
    assert_eq!(left, 1, "nobody else has tried it again: {failed}");
    test_app.stop().await;
}

fn references(list: &Value) -> Vec<(&Value, &Value)> {
    list["items"].as_array().unwrap().iter().map(|one| (&one["reference"], &one["version"])).collect()
}

async fn without_a_key_nothing_opens(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let made_up = ApiClient { key: "ck_made_up".to_owned(), ..test_app.api.clone() };
    for (method, path) in operations(&test_app.api).await {
        let none = test_app.api.send_unauthenticated(method.clone(), &path).await;
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"concord\"", "{method} {path}");
        none.problem(401, "unauthorized");
        let wrong = made_up.send(method.clone(), &path, None, &[]).await;
        assert!(wrong.header("www-authenticate").contains("invalid_token"), "{method} {path}");
        wrong.problem(401, "unauthorized");
    }
    test_app.stop().await;
}

async fn a_key_in_another_form_is_told_the_right_one(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let key = &test_app.api.key;
    for header in [key.clone(), format!("Basic {key}"), "Bearer ".to_owned()] {
        let request = test_app.api.http.get(format!("{}/api/v1/bookings", test_app.api.base));
        let answer = request.header("authorization", &header).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"concord\"");
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Send `Authorization: Bearer ck_...`"), "{detail}");
        assert!(!detail.contains("revoked"), "{detail}");
    }
    test_app.stop().await;
}

async fn a_revoked_key_opens_nothing(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    test_app.api.get("/api/v1/bookings").await.expect(200);
    let keys = api_keys::list(test_app.db(), test_app.business.id).await.unwrap();
    until("the use of the key is noted", async || {
        api_keys::list(test_app.db(), test_app.business.id).await.unwrap()[0].last_used_at
    })
    .await;
    let mut tx = test_app.db().begin().await.unwrap();
    api_keys::revoke(&mut tx, test_app.business.id, keys[0].id, test_app.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    test_app.api.get("/api/v1/bookings").await.problem(401, "unauthorized");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    nothing_of_one_business_is_seen_by_another,
    without_a_key_nothing_opens,
    a_key_in_another_form_is_told_the_right_one,
    a_revoked_key_opens_nothing,
);
