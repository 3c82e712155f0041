//! The main job, seen through the API: a booking reaches a calendar, busy times come back.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::test_app::{TestApp, TestAppOptions, day, hour, stay, until};

const ANA: &str = "ana@example.com";

/// The entries of ours that stand in the sandbox's Google.
pub(crate) async fn standing(test_app: &TestApp) -> Vec<Value> {
    let all = test_app.remote_entries().await;
    all.into_iter()
        .filter(|entry| entry["deleted"] == false && entry["private_properties"] != json!({}))
        .collect()
}

pub(crate) async fn synced(test_app: &TestApp, path: &str, version: i64) -> Value {
    until("the booking stands in the calendar", async || {
        let booking = test_app.api.get(path).await.expect(200);
        let states = booking["sync"].as_array().unwrap();
        (booking["version"] == version
            && !states.is_empty()
            && states.iter().all(|one| one["state"] == "synced"))
        .then_some(booking)
    })
    .await
}

async fn there_and_gone_again(test_app: TestApp) {
    let room = test_app.resource(2).await;
    let (ana, ben) = (test_app.staff("Ana").await, test_app.staff("Ben").await);
    let integration = test_app.connect_google(ana, ANA).await;
    assert_eq!((&integration["state"], &integration["account_email"]), (&json!("active"), &json!(ANA)));
    test_app.connect_google(ben, "ben@example.com").await;

    let path = "/api/v1/bookings/G-1";
    let body = json!({
        "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "title": "Tasting",
        "customer": { "name": "Maria Silva" }, "staff": [ana],
    });
    let created = test_app.api.put(path, body).await.expect(201);
    assert_eq!(created["sync"][0]["connection"], integration["id"]);
    let booking = synced(&test_app, path, 1).await;
    let state = &booking["sync"][0];
    assert_eq!(
        (&state["provider"], &state["staff_name"], &state["last_error"]),
        (&json!("google"), &json!("Ana"), &Value::Null)
    );
    let entries = standing(&test_app).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["title"], "Sea View — Maria (Tasting)");
    assert_eq!((&entries[0]["account"], &entries[0]["id"]), (&json!(ANA), &state["external_id"]));
    assert!(!entries[0].to_string().contains("Silva"), "minimal personal data");

    test_app.api.patch(path, json!({ "title": "Dinner", "ends_at": hour(1, 12) })).await.expect(200);
    synced(&test_app, path, 2).await;
    let entries = standing(&test_app).await;
    assert_eq!((entries.len(), &entries[0]["title"]), (1, &json!("Sea View — Maria (Dinner)")));

    // Given to somebody else it moves.
    test_app.api.patch(path, json!({ "staff": [ben] })).await.expect(200);
    until("it stands in Ben's calendar alone", async || {
        let entries = standing(&test_app).await;
        (entries.len() == 1 && entries[0]["account"] == "ben@example.com").then_some(())
    })
    .await;
    test_app.api.delete(path).await.expect(200);
    until("nothing of it stands anywhere", async || standing(&test_app).await.is_empty().then_some(())).await;

    let log = test_app.api.get("/api/v1/sync_log?outcome=ok").await.expect(200);
    assert!(log["items"].as_array().unwrap().len() >= 4, "{log}");
    assert_eq!(log["last_24_hours"]["success_rate"], 1.0);
    let id = integration["id"].as_str().unwrap();
    let of_ana = test_app.api.get(&format!("/api/v1/sync_log?connection={id}")).await.expect(200);
    assert!(of_ana["items"].as_array().unwrap().iter().all(|line| line["connection"] == id));
    test_app.stop().await;
}

async fn who_changes_one_setting_leaves_the_others(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, ANA).await;
    let path = format!("/api/v1/calendar_integrations/{}", integration["id"].as_str().unwrap());
    for (direction, coverage) in [("out", "everything"), ("both", "assigned")].repeat(5) {
        let (one, other) = futures::future::join(
            test_app.api.patch(&path, json!({ "direction": direction })),
            test_app.api.patch(&path, json!({ "coverage": coverage })),
        )
        .await;
        one.expect(200);
        other.expect(200);
        let both = test_app.api.get(&path).await.expect(200);
        assert_eq!((&both["direction"], &both["coverage"]), (&json!(direction), &json!(coverage)));
    }
    test_app.stop().await;
}

async fn a_booking_reaches_the_calendar(db: &TestDb) {
    there_and_gone_again(TestApp::start(db).await).await;
}

async fn a_booking_reaches_the_calendar_through_redis(db: &TestDb) {
    there_and_gone_again(TestApp::start_with_redis(db).await).await;
}

async fn busy_times_come_back(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(5).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, ANA).await;
    let id = integration["id"].as_str().unwrap();
    let appointment = json!({
        "provider": "google", "account": ANA, "title": "Dentist", "starts_at": hour(2, 9), "ends_at": hour(2, 10),
    });
    let outside = test_app.control(Method::POST, "/events", appointment).await;
    test_app.api.post(&format!("/api/v1/calendar_integrations/{id}/sync"), json!({})).await.expect(202);
    let busy = async || {
        let events =
            test_app.api.get(&format!("/api/v1/calendar_integrations/{id}/events")).await.expect(200);
        events["busy"].as_array().unwrap().clone()
    };
    let found = until("the appointment is known", async || busy().await.first().cloned()).await;
    assert_eq!((&found["starts_at"], &found["ends_at"]), (&json!(hour(2, 9)), &json!(hour(2, 10))));

    let body =
        json!({ "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 11), "staff": [ana] });
    let refused = test_app.api.put("/api/v1/bookings/x", body.clone()).await.problem(409, "taken");
    let conflict = &refused["conflicts"][0];
    assert_eq!(
        (&conflict["source"], &conflict["subject_name"], &conflict["reference"]),
        (&json!("busy"), &json!("Ana"), &Value::Null)
    );
    assert!(conflict["calendar"].is_string());
    assert!(!refused.to_string().contains("Dentist"), "what it is about is nobody's business");
    assert!(!refused["alternatives"].as_array().unwrap().is_empty());

    let event = format!("/events/{}?provider=google&account={ANA}", outside["id"].as_str().unwrap());
    test_app.control(Method::DELETE, &event, json!({})).await;
    test_app.api.post("/api/v1/sync/availability", json!({})).await.expect(202);
    until("the appointment is forgotten", async || busy().await.is_empty().then_some(())).await;
    test_app.api.put("/api/v1/bookings/x", body).await.expect(201);

    // What the outside puts there afterwards is a conflict.
    let appointment = json!({
        "provider": "google", "account": ANA, "title": "Dentist", "starts_at": hour(2, 10), "ends_at": hour(2, 12),
    });
    test_app.control(Method::POST, "/events", appointment).await;
    test_app.api.post("/api/v1/sync/availability", json!({})).await.expect(202);
    let conflict = until("the conflict is listed", async || {
        test_app.api.get("/api/v1/conflicts").await.expect(200)["items"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&conflict["source"], &conflict["subject_name"]), (&json!("busy"), &json!("Ana")));
    test_app.api.delete("/api/v1/bookings/x").await.expect(200);
    assert_eq!(test_app.api.get("/api/v1/conflicts").await.expect(200)["items"], json!([]));
    test_app.stop().await;
}

async fn an_integration_is_set_up_as_its_owner_wants(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(5).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, ANA).await;
    let path = format!("/api/v1/calendar_integrations/{}", integration["id"].as_str().unwrap());
    assert_eq!(test_app.api.get(&path).await.expect(200)["id"], integration["id"]);
    let report = test_app.api.post(&format!("{path}/test"), json!({})).await.expect(200);
    assert_eq!(
        (&report["ok"], report["calendars"].as_u64()),
        (&json!(true), Some(integration["calendars"].as_array().unwrap().len() as u64))
    );

    let named = |name: &str| {
        let calendars = integration["calendars"].as_array().unwrap();
        let found = calendars.iter().find(|one| one["name"].as_str().unwrap().contains(name));
        found.unwrap_or_else(|| panic!("{name}: {calendars:?}"))["id"].as_str().unwrap().to_owned()
    };
    let rota = format!("{path}/calendars/{}", named("rota"));
    let after = test_app.api.patch(&rota, json!({ "writes": true, "reads": true })).await.expect(200);
    let written: Vec<&Value> = after["calendars"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["writes"] == true)
        .map(|one| &one["name"])
        .collect();
    assert_eq!(written, ["Clinic rota"]);
    test_app.api.patch(&rota, json!({ "writes": false })).await.problem(422, "invalid");
    let holidays = format!("{path}/calendars/{}", named("Holidays"));
    test_app.api.patch(&holidays, json!({ "writes": true })).await.problem(422, "invalid");

    let mut body = stay(&room, 1, 1);
    body["staff"] = json!([ana]);
    test_app.api.put("/api/v1/bookings/a", body.clone()).await.expect(201);
    synced(&test_app, "/api/v1/bookings/a", 1).await;
    let events = test_app.api.get(&format!("{path}/events")).await.expect(200);
    assert_eq!(
        (&events["entries"][0]["reference"], &events["entries"][0]["calendar"]),
        (&json!("a"), &json!("Clinic rota"))
    );
    assert_eq!(events["entries"][0]["check_in"], day(1));

    for (change, field) in [
        (json!({ "state": "disconnected" }), "state"),
        (json!({ "is_default": false }), "is_default"),
        (json!({ "direction": "sideways" }), "direction"),
    ] {
        let problem = test_app.api.patch(&path, change).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let paused =
        test_app.api.patch(&path, json!({ "state": "paused", "coverage": "everything" })).await.expect(200);
    assert_eq!((&paused["state"], &paused["coverage"]), (&json!("paused"), &json!("everything")));
    test_app.api.post(&format!("{path}/sync"), json!({})).await.problem(409, "not-possible");
    test_app.api.put("/api/v1/bookings/b", stay(&room, 3, 1)).await.expect(201);
    assert_eq!(standing(&test_app).await.len(), 1);
    test_app.api.patch(&path, json!({ "state": "active" })).await.expect(200);
    synced(&test_app, "/api/v1/bookings/b", 1).await;
    assert_eq!(standing(&test_app).await.len(), 2);
    until("all is in agreement", async || {
        let state = test_app.api.get("/api/v1/sync").await.expect(200);
        (state == json!({ "synced": 2, "pending": 0, "waiting": 0, "failed": 0 })).then_some(())
    })
    .await;

    let gone = test_app.api.delete(&format!("{path}?remove_entries=true")).await.expect(200);
    assert_eq!(gone["state"], "disconnected");
    until("the entries are gone", async || standing(&test_app).await.is_empty().then_some(())).await;
    assert_eq!(test_app.api.get("/api/v1/calendar_integrations").await.expect(200)["items"], json!([]));
    test_app.api.delete(&path).await.problem(404, "not-found");
    test_app.api.patch(&path, json!({ "direction": "out" })).await.problem(404, "not-found");
    test_app.stop().await;
}

async fn what_failed_is_listed_and_tried_again(db: &TestDb) {
    let settings = vec![("sync.tries", "1".to_owned()), ("sync.slow_retry_seconds", "600".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let room = test_app.resource(5).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, ANA).await;
    // Otherwise the first reading would meet the fault.
    until("the calendar was read", async || {
        let list = test_app.api.get("/api/v1/calendar_integrations").await.expect(200);
        list["items"][0]["calendars"][0]["last_import_at"].as_str().map(str::to_owned)
    })
    .await;
    let fault = json!({ "provider": "google", "kind": "server_error", "probability": 1.0, "count": 1000 });
    test_app.control(Method::POST, "/faults", fault).await;
    let mut body = stay(&room, 1, 1);
    body["staff"] = json!([ana]);
    test_app.api.put("/api/v1/bookings/f", body).await.expect(201);
    let job = until("the job has failed", async || {
        let failed = test_app.api.get("/api/v1/jobs/failed").await.expect(200);
        failed["items"].as_array().unwrap().iter().find(|job| job["kind"] == "sync_booking").cloned()
    })
    .await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("failed"), &json!(1)));
    assert!(job["last_error"].as_str().is_some_and(|words| !words.is_empty()), "{job}");
    let booking = test_app.api.get("/api/v1/bookings/f").await.expect(200);
    assert_eq!(booking["sync"][0]["state"], "failed");
    assert!(booking["sync"][0]["last_error"].is_string());

    test_app.control(Method::DELETE, "/faults", json!({})).await;
    let retry = format!("/api/v1/jobs/{}/retry", job["id"].as_str().unwrap());
    test_app.api.post(&retry, json!({})).await.expect(202);
    synced(&test_app, "/api/v1/bookings/f", 1).await;
    test_app.api.post(&retry, json!({})).await.problem(404, "not-found");
    test_app.api.post("/api/v1/sync/pending", json!({})).await.expect(202);
    assert_eq!(standing(&test_app).await.len(), 1);
    test_app.stop().await;
}

async fn a_consent_that_is_denied_or_used_twice_connects_nothing(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let begin = async || {
        let begun = test_app
            .api
            .post("/api/v1/calendar_integrations/google/authorize", json!({ "staff": ana }))
            .await;
        begun.expect(200)["url"].as_str().unwrap().parse().unwrap()
    };
    let none = async || {
        let list = test_app.api.get("/api/v1/calendar_integrations").await.expect(200);
        assert_eq!(list["items"], json!([]));
    };
    let denied = test_app.consent(&begin().await, ANA, "deny").await;
    let answer = test_app.api.send_unauthenticated(Method::GET, &denied).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("Access was not granted, so nothing was connected."), "{}", answer.text);
    assert!(!answer.text.contains("Status 400"), "{}", answer.text);
    none().await;
    let state = async || {
        let page: Url = begin().await;
        page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    };
    for query in [
        String::new(),
        "?code=x".to_owned(),
        "?state=made-up&code=x".to_owned(),
        "?error=server_error&state=made-up".to_owned(),
        format!("?state={}", state().await),
        format!("?state={}&error=server_error", state().await),
        format!("?state={}&code=made-up", state().await),
    ] {
        let answer = test_app.follow_callback(&format!("/oauth/calendar/google/callback{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        assert!(!answer.text.contains("invalid_grant"), "{}", answer.text);
    }
    let allowed = test_app.consent(&begin().await, ANA, "allow").await;
    let fault = json!({ "provider": "google", "kind": "server_error", "probability": 1.0, "count": 1 });
    test_app.control(Method::POST, "/faults", fault).await;
    assert_eq!(test_app.follow_callback(&allowed).await.status, 502);
    test_app.control(Method::DELETE, "/faults", json!({})).await;
    none().await;
    let allowed = test_app.consent(&begin().await, ANA, "allow").await;
    let connected = test_app.follow_callback(&allowed).await;
    assert_eq!(connected.status, 200, "who has no session is not asked to sign in");
    assert!(connected.text.contains("is connected") && connected.text.contains(ANA), "{}", connected.text);
    assert!(connected.text.contains("href=\"/calendars\""), "{}", connected.text);
    assert_eq!(
        test_app.api.send_unauthenticated(Method::GET, "/calendars").await.status,
        303,
        "to sign in, and then there"
    );
    assert_eq!(test_app.api.send_unauthenticated(Method::GET, "/settings/calendars").await.status, 404);
    let again = test_app.api.send_unauthenticated(Method::GET, &allowed).await;
    assert!((400..500).contains(&again.status), "{} {}", again.status, again.text);
    let list = test_app.api.get("/api/v1/calendar_integrations").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    test_app.stop().await;
}

async fn entries_follow_a_resource_that_is_renamed(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, ANA).await;
    let mut body = stay(&room, 1, 1);
    body["staff"] = json!([ana]);
    test_app.api.put("/api/v1/bookings/r", body).await.expect(201);
    synced(&test_app, "/api/v1/bookings/r", 1).await;
    test_app
        .api
        .patch(&format!("/api/v1/resources/{}", room.id), json!({ "name": "Hill Top" }))
        .await
        .expect(200);
    until("the entry has the new name", async || {
        standing(&test_app).await.iter().any(|entry| entry.to_string().contains("Hill Top")).then_some(())
    })
    .await;
    assert_eq!(standing(&test_app).await.len(), 1);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    who_changes_one_setting_leaves_the_others,
    a_booking_reaches_the_calendar,
    a_booking_reaches_the_calendar_through_redis,
    busy_times_come_back,
    an_integration_is_set_up_as_its_owner_wants,
    what_failed_is_listed_and_tried_again,
    a_consent_that_is_denied_or_used_twice_connects_nothing,
    entries_follow_a_resource_that_is_renamed,
);
