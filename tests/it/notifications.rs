//! Notifications over HTTP: what people choose, the link that turns digests off, alerts, and bookings that wait for approval.

use chrono::{Duration, Timelike};
use concord_domain::{
    alert::AlertKind,
    audit::HistorySubject,
    notice::NoticeKind,
    notification::DigestDay,
    people::{Actor, Role},
    webhook::EventType,
};
use concord_services::notifications as manage;
use concord_storage::{
    ChangeContext,
    alerts::{self, AlertSubject, NewFailure},
    bookings,
    notices::{self, Audience, NewNotice},
    notifications,
    testing::TestDb,
};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    page_client::{PageClient, person},
    same_history::{Names, compare, row},
    test_app::{TestApp, hour},
};

async fn preferences_are_read_and_set(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    let nina = person(&test_app, Role::Manager, None).await;
    let path = format!("/api/v1/notification_preferences/{}", nina.id);
    let put = async |path: &str, body: Value| api.send(Method::PUT, path, Some(body), &[]).await;
    let found = api.get(&path).await.expect(200);
    assert_eq!((&found["email"], &found["effective"]["conflict"]), (&json!(nina.email), &json!("at_once")));
    assert_eq!(found["effective_digest"]["hour"], 8);

    let defaults = json!({ "deliveries": { "answer": "off", "conflict": "digest" },
        "digest": { "hour": 7, "days": ["monday"], "zone": null }, "digest_off": false });
    assert_eq!(put("/api/v1/notification_defaults", defaults.clone()).await.expect(200), defaults);
    assert_eq!(api.get("/api/v1/notification_defaults").await.expect(200), defaults);
    let own = json!({ "deliveries": { "answer": "at_once" },
        "digest": { "hour": 18, "days": ["friday", "monday"], "zone": "Europe/Berlin" } });
    let set = put(&path, own).await.expect(200);
    assert_eq!(set["effective"]["answer"], "at_once");
    assert_eq!(set["effective"]["conflict"], "digest");
    assert_eq!(
        set["effective_digest"],
        json!({ "hour": 18, "days": ["monday", "friday"], "zone": "Europe/Berlin" })
    );
    let listed = api.get("/api/v1/notification_preferences").await.expect(200);
    assert_eq!(listed["items"], json!([set]));
    for wrong in [
        json!({ "digest": { "hour": 24, "days": ["monday"] } }),
        json!({ "digest": { "hour": 8, "days": [] } }),
        json!({ "deliveries": { "conflict": "never" } }),
        json!({ "deliveries": { "party": "off" } }),
        json!({ "digest": { "hour": 8, "days": ["monday"], "zone": "Mars/Base" } }),
    ] {
        let answer = put(&path, wrong.clone()).await;
        assert!((400..500).contains(&answer.status), "{wrong}: {}", answer.text);
    }
    put(&format!("/api/v1/notification_preferences/{}", Uuid::nil()), json!({}))
        .await
        .problem(404, "not-found");
    test_app.stop().await;
}

async fn page_has_own_choices_and_defaults(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let path = "/settings/notifications";
    let page = manager.get(path).await.text;
    for text in ["Double bookings", "Defaults for everyone", "Default (immediately)", "Digest at"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let defaults = [("kind_conflict", "digest"), ("hour", "7"), ("day_monday", "on")];
    let saved = manager.send("/settings/notifications/business", &defaults).await;
    assert_eq!(saved.leads_to(), path);
    assert!(manager.get(path).await.text.contains("Default (in the digest)"));
    let own = [("kind_conflict", "off"), ("digest_off", "on")];
    assert_eq!(manager.send(path, &own).await.leads_to(), path);
    let kept = notifications::choices(db, test_app.business.id).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(kept.values().any(|choices| choices.digest_off));
    let wrong = manager.send(path, &[("hour", "8")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("Choose at least one day."), "{}", wrong.text);

    let ana = test_app.staff("Ana").await;
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(ana)).await).await;
    let page = staff.get(path).await.text;
    assert!(!page.contains("Defaults for everyone") && !page.contains("Double bookings"), "{page}");
    assert!(page.contains("Changes made in a connected calendar"), "{page}");
    let refused = staff.send("/settings/notifications/business", &defaults).await;
    assert!(refused.status == 403 || refused.status == 404, "{}", refused.status);
    test_app.stop().await;
}

async fn page_says_what_waits_for_the_next_digest(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let path = "/settings/notifications";
    assert!(!manager.get(path).await.text.contains("for your next digest"));
    let now = test_app.app.now();
    // Half a day away, so that no digest is due meanwhile.
    let hour = ((now.with_timezone(&test_app.business.zone).hour() + 12) % 24).to_string();
    let days = DigestDay::ALL.iter().map(|day| format!("day_{day}")).collect::<Vec<_>>();
    let mut own = vec![("kind_change_request", "digest"), ("hour", hour.as_str())];
    own.extend(days.iter().map(|day| (day.as_str(), "on")));
    assert_eq!(manager.send(path, &own).await.leads_to(), path);
    for (number, kind) in
        [NoticeKind::ChangeRequest, NoticeKind::ChangeRequest, NoticeKind::Answer].iter().enumerate()
    {
        let new = NewNotice {
            business: test_app.business.id,
            kind: *kind,
            audience: Audience::Managers,
            subject: (HistorySubject::Business, test_app.business.id.0),
            headline: "Something",
            named_headline: None,
            detail: "",
            link: "/bookings",
            dedupe_key: &number.to_string(),
            wait: Duration::hours(1),
            alert: None,
        };
        let mut tx = test_app.db().begin().await.unwrap();
        notices::raise(&mut tx, &new, now).await.unwrap();
        tx.commit().await.unwrap();
    }
    let page = manager.get(path).await.text;
    let text = "2 notifications wait for your next digest, on ";
    assert!(page.contains(text) && page.contains(&format!(" at {hour:0>2}:00.")), "{page}");
    let off = [own.as_slice(), &[("digest_off", "on")]].concat();
    assert_eq!(manager.send(path, &off).await.leads_to(), path);
    assert!(!manager.get(path).await.text.contains("for your next digest"));
    test_app.stop().await;
}

#[expect(clippy::disallowed_methods, reason = "people and mail servers have clients of their own")]
async fn link_turns_digests_off_by_post_alone(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let nina = person(&test_app, Role::Manager, None).await;
    let digest = manage::digest_of_token("ud_secret");
    let mut tx = test_app.db().begin().await.unwrap();
    let now = test_app.app.now();
    notifications::record_digest(&mut tx, test_app.business.id, nina.id.0, &digest, now).await.unwrap();
    tx.commit().await.unwrap();
    let url = format!("{}/digests/off/ud_secret", test_app.api.base);
    let client = Client::new();
    for _ in 0..2 {
        let asked = client.get(&url).header("accept-language", "de").send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::OK);
        let text = asked.text().await.unwrap();
        assert!(text.contains("Zusammenfassungen abbestellen?"), "opening it changes nothing: {text}");
    }
    let form = [("List-Unsubscribe", "One-Click")];
    let done = client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::OK);
    assert!(done.headers().get("set-cookie").is_none());
    let again = client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("You will get no more digests") && again.contains("Get digests again"), "{again}");
    let path = format!("/api/v1/notification_preferences/{}", nina.id);
    assert_eq!(test_app.api.get(&path).await.expect(200)["choices"]["digest_off"], true);
    let on = url.replace("/digests/off/", "/digests/on/");
    assert_eq!(client.post(&on).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(test_app.api.get(&path).await.expect(200)["choices"]["digest_off"], false);
    let other = format!("{}/digests/off/ud_other", test_app.api.base);
    assert_eq!(client.post(&other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    test_app.stop().await;
}

/// A webhook endpoint that has failed for a while, and that people were told of.
async fn open_alert(test_app: &TestApp) -> AlertSubject {
    let id = Uuid::from_u128(7);
    let subject = AlertSubject { business: test_app.business.id, kind: AlertKind::Webhook, id };
    let new = NewFailure {
        subject,
        staff: None,
        headline: "Webhooks to shop.example fail",
        cause: "Reason: the endpoint answered 500.",
        link: "/settings/webhooks",
    };
    let since = test_app.app.now() - Duration::minutes(12);
    let mut tx = test_app.db().begin().await.unwrap();
    alerts::note_failure(&mut tx, &new, since).await.unwrap();
    let alert = alerts::find_unclosed(&mut tx, subject).await.unwrap().unwrap();
    let place = (test_app.business.id, alert.id);
    assert!(alerts::tell(&mut tx, place, 1, test_app.app.now()).await.unwrap());
    tx.commit().await.unwrap();
    subject
}

async fn alerts_are_on_pages_and_in_the_api(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(manager.get("/alerts").await.text.contains("No alerts."));
    assert_eq!(test_app.api.get("/api/v1/alerts").await.expect(200)["items"], json!([]));
    let subject = open_alert(&test_app).await;
    let page = manager.get("/alerts").await.text;
    for text in ["Webhooks to shop.example fail", "the endpoint answered 500", "Open"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let overview = manager.get("/").await.text;
    assert!(
        overview.contains("Webhooks to shop.example fail") && overview.contains("1 item needs attention")
    );
    let listed = test_app.api.get("/api/v1/alerts?state=open").await.expect(200);
    let item = &listed["items"][0];
    assert_eq!((&item["kind"], &item["state"]), (&json!("webhook"), &json!("open")));
    assert!(item["link"].as_str().unwrap().ends_with("/settings/webhooks"), "{item}");

    let mut tx = test_app.db().begin().await.unwrap();
    concord_jobs::notify::alerts::end(&mut tx, subject, test_app.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(manager.get("/alerts").await.text.contains("Resolved"));
    assert!(!manager.get("/").await.text.contains("Webhooks to shop.example fail"));
    let open = test_app.api.get("/api/v1/alerts?state=open").await.expect(200);
    assert_eq!(open["items"], json!([]));
    let closed = test_app.api.get("/api/v1/alerts?state=closed").await.expect(200);
    assert_eq!(closed["items"].as_array().unwrap().len(), 1);
    let found = concord_storage::events::after(db, test_app.business.id, None, 50).await.unwrap().items;
    assert!(found.iter().any(|event| event.kind == EventType::AlertClosed));
    test_app.stop().await;
}

async fn pending_booking_is_approved_or_declined(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let room = test_app.resource(1).await;
    let status = async |reference: &str| {
        let path = format!("/api/v1/bookings/{reference}");
        test_app.api.get(&path).await.expect(200)["status"].as_str().unwrap().to_owned()
    };
    for (reference, at) in [("first", 9), ("second", 12)] {
        let booking = json!({ "resource": room.id, "status": "pending",
            "starts_at": hour(2, at), "ends_at": hour(2, at + 1) });
        test_app.api.put(&format!("/api/v1/bookings/{reference}"), booking).await.expect(201);
    }
    let page = manager.get("/bookings/first").await.text;
    assert!(page.contains(">Approve<") && page.contains(">Decline<"), "{page}");
    let approved = manager.send("/bookings/first/approve", &[("version", "1")]).await;
    assert_eq!(approved.leads_to(), "/bookings/first");
    assert_eq!(status("first").await, "confirmed");
    assert!(!manager.get("/bookings/first").await.text.contains(">Approve<"));
    manager.send("/bookings/first/approve", &[]).await.leads_to();
    manager.send("/bookings/first/approve/undo", &[("version", "1")]).await.leads_to();
    assert_eq!(status("first").await, "confirmed", "it was changed since");
    manager.send("/bookings/first/approve/undo", &[("version", "2")]).await.leads_to();
    assert_eq!(status("first").await, "pending");

    manager.send("/bookings/second/decline", &[("version", "1")]).await.leads_to();
    assert_eq!(status("second").await, "cancelled");
    manager.send("/bookings/second/restore", &[("status", "pending")]).await.leads_to();
    assert_eq!(status("second").await, "pending");
    let by = ChangeContext { business: test_app.business.id, actor: Actor::System, now: test_app.app.now() };
    bookings::cancel(db, &by, "second", None).await.unwrap();
    manager.send("/bookings/second/approve", &[]).await.leads_to();
    assert_eq!(status("second").await, "cancelled", "somebody has decided");
    test_app.stop().await;
}

async fn notifications_leave_the_same(db: &TestDb) {
    let defaults = [row(
        "/settings/notifications/business",
        &[("kind_conflict", "digest"), ("hour", "7"), ("day_monday", "on")],
        (Method::PUT, "/notification_defaults"),
        json!({ "deliveries": { "conflict": "digest" }, "digest": { "hour": 7, "days": ["monday"] } }),
    )];
    compare(db, async |_, _| Names::new(), &[&defaults]).await;
}

concord_storage::on_both_databases!(
    notifications_leave_the_same,
    preferences_are_read_and_set,
    page_has_own_choices_and_defaults,
    page_says_what_waits_for_the_next_digest,
    link_turns_digests_off_by_post_alone,
    alerts_are_on_pages_and_in_the_api,
    pending_booking_is_approved_or_declined,
);
