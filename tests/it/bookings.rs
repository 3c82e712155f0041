//! What can be done with a booking, from its making to its end.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{TestApp, day, hour, stay};

async fn a_booking_lives(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let ana = test_app.staff("Ana").await;
    let path = "/api/v1/bookings/2026-0412";

    let body = json!({
        "resource": room.id, "starts_at": format!("{}T10:00:00+01:00", day(1)), "ends_at": format!("{}T12:00:00+01:00", day(1)),
        "title": "Tasting", "customer": { "name": "Maria Silva", "email": "maria@example.org" },
        "party_size": 4, "staff": [ana], "notes": "Window\ntable", "source": "website",
    });
    let created = test_app.api.put(path, body.clone()).await;
    assert_eq!(created.header("location"), format!("{}{path}", test_app.api.base));
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("cache-control"), "no-store");
    let created = created.expect(201);
    for (field, value) in [
        ("reference", json!("2026-0412")),
        ("version", json!(1)),
        ("resource", json!(room.id)),
        ("kind", json!("booking")),
        ("status", json!("confirmed")),
        ("starts_at", json!(hour(1, 9))),
        ("ends_at", json!(hour(1, 11))),
        ("title", json!("Tasting")),
        (
            "customer",
            json!({ "name": "Maria Silva", "email": "maria@example.org", "phone": "", "language": null }),
        ),
        ("party_size", json!(4)),
        ("quantity", json!(1)),
        ("staff", json!([ana])),
        ("notes", json!("Window\ntable")),
        ("source", json!("website")),
        ("sync", json!([])),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    assert!(created.get("check_in").is_none());

    // The same again is nothing new, and so is the answer itself.
    assert_eq!(test_app.api.put(path, body).await.expect(200), created);
    assert_eq!(test_app.api.put(path, created.clone()).await.expect(200), created);
    assert_eq!(test_app.api.get(path).await.expect(200), created);

    let stay = json!({ "resource": room.id, "check_in": day(1), "check_out": day(3), "status": "pending" });
    let replaced = test_app.api.put(path, stay).await.expect(200);
    assert_eq!((&replaced["version"], &replaced["id"]), (&json!(2), &created["id"]));
    assert_eq!((&replaced["title"], &replaced["staff"]), (&json!(""), &json!([])));
    assert_eq!((&replaced["check_in"], &replaced["check_out"]), (&json!(day(1)), &json!(day(3))));
    assert!(replaced.get("starts_at").is_none());

    let cancelled = test_app.api.delete(path).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("cancelled"), &json!(3)));
    assert_eq!(test_app.api.delete(path).await.expect(200), cancelled);

    let history = test_app.api.get(&format!("{path}/history")).await.expect(200);
    let actions: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["cancelled", "changed", "created"]);
    assert_eq!(history["items"][0]["actor"]["kind"], "api_key");
    assert_eq!(history["items"][1]["detail"]["changes"]["title"], json!(["Tasting", ""]));
    test_app.stop().await;
}

async fn a_booking_needs_no_reference_of_the_callers(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let made = test_app.api.post("/api/v1/bookings", stay(&room, 3, 2)).await;
    let (location, tag) = (made.header("location").to_owned(), made.header("etag").to_owned());
    let made = made.expect(201);
    let reference = made["reference"].as_str().unwrap();
    assert!(reference.starts_with("B-") && location.ends_with(&format!("/api/v1/bookings/{reference}")));
    assert_eq!(tag, "\"1\"");
    let found = test_app.api.get(&format!("/api/v1/bookings/{reference}")).await.expect(200);
    assert_eq!(found["id"], made["id"]);
    test_app.api.post("/api/v1/bookings", stay(&room, 3, 2)).await.problem(409, "taken");

    let mut named = stay(&room, 10, 2);
    named["reference"] = json!("mine");
    test_app.api.post("/api/v1/bookings", named.clone()).await.expect(201);
    named["title"] = json!("Another");
    test_app.api.post("/api/v1/bookings", named).await.problem(409, "not-possible");
    assert_ne!(test_app.api.get("/api/v1/bookings/mine").await.expect(200)["title"], "Another");

    let body = Some(("application/json", stay(&room, 20, 2).to_string()));
    let key = [("idempotency-key", "once")];
    let first = test_app.api.raw(Method::POST, "/api/v1/bookings", body.clone(), &key).await.expect(201);
    let again = test_app.api.raw(Method::POST, "/api/v1/bookings", body, &key).await.expect(201);
    assert_eq!(first["reference"], again["reference"]);
    test_app.stop().await;
}

async fn a_part_can_be_changed(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let ana = test_app.staff("Ana").await;
    let path = "/api/v1/bookings/P-1";
    let body = json!({
        "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "title": "One", "party_size": 3,
        "customer": { "name": "Maria", "email": "maria@example.org", "phone": "123" }, "staff": [ana], "quantity": 2,
    });
    let before = test_app.api.put(path, body).await.expect(201);

    let patch = async |patch: Value| test_app.api.patch(path, patch).await.expect(200);
    let after = patch(json!({ "title": "Two", "customer": { "email": null }, "party_size": null })).await;
    assert_eq!((&after["title"], &after["version"]), (&json!("Two"), &json!(2)));
    assert_eq!(after["customer"], json!({ "name": "Maria", "email": "", "phone": "123", "language": null }));
    assert_eq!(after["party_size"], Value::Null);
    for stays in ["staff", "quantity", "starts_at", "ends_at", "created_at", "id"] {
        assert_eq!(after[stays], before[stays], "{stays}");
    }
    assert_eq!(patch(json!({})).await["version"], 2);
    assert_eq!(patch(json!({ "ends_at": hour(1, 11) })).await["starts_at"], hour(1, 9));
    let nights = patch(json!({ "check_in": day(2), "check_out": day(4) })).await;
    assert_eq!((nights.get("starts_at"), &nights["check_out"]), (None, &json!(day(4))));
    let done = patch(json!({ "status": "completed", "staff": null })).await;
    assert_eq!((&done["status"], &done["staff"]), (&json!("completed"), &json!([])));

    let refused =
        test_app.api.patch(path, json!({ "status": null, "quantity": null })).await.problem(422, "invalid");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2);
    test_app.api.patch(path, json!([])).await.problem(400, "malformed");
    test_app.api.patch(path, json!({ "starts_at": hour(1, 9) })).await.problem(422, "invalid");
    test_app.api.patch("/api/v1/bookings/nowhere", json!({ "title": "x" })).await.problem(404, "not-found");
    assert_eq!(test_app.api.get(path).await.expect(200), done);
    test_app.stop().await;
}

async fn what_stands_there_is_named(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let ana = test_app.staff("Ana").await;
    let mut first = stay(&room, 10, 3);
    first["title"] = json!("Honeymoon");
    first["staff"] = json!([ana]);
    test_app.api.put("/api/v1/bookings/first", first).await.expect(201);

    let refused = test_app.api.put("/api/v1/bookings/second", stay(&room, 12, 2)).await.problem(409, "taken");
    let conflict = &refused["conflicts"][0];
    assert_eq!(refused["conflicts"].as_array().unwrap().len(), 1);
    assert_eq!((&conflict["reference"], &conflict["title"]), (&json!("first"), &json!("Honeymoon")));
    assert_eq!((&conflict["source"], &conflict["subject_kind"]), (&json!("booking"), &json!("resource")));
    assert_eq!((&conflict["subject_id"], &conflict["subject_name"]), (&json!(room.id), &json!("Sea View")));
    assert!(refused["detail"].as_str().unwrap().contains("Sea View is taken by first"), "{refused}");
    test_app.api.get("/api/v1/bookings/second").await.problem(404, "not-found");

    // Each alternative is free, as long, and can be booked as it is answered.
    let alternatives = refused["alternatives"].as_array().unwrap();
    assert!(!alternatives.is_empty(), "{refused}");
    for (index, alternative) in alternatives.iter().enumerate() {
        let body = json!({ "resource": room.id, "check_in": alternative["check_in"], "check_out": alternative["check_out"] });
        let path = format!("/api/v1/bookings/alternative-{index}");
        test_app.api.put(&path, body).await.expect(201);
        test_app.api.delete(&path).await.expect(200);
    }

    // Departure and arrival on one day.
    test_app.api.put("/api/v1/bookings/third", stay(&room, 13, 1)).await.expect(201);
    // A person is in one place at a time, whatever the room.
    let other_room = test_app.resource(1).await;
    let mut elsewhere = stay(&other_room, 11, 1);
    elsewhere["staff"] = json!([ana]);
    let refused = test_app.api.put("/api/v1/bookings/fourth", elsewhere).await.problem(409, "taken");
    assert_eq!(refused["conflicts"][0]["subject_kind"], "staff");
    assert_eq!(refused["conflicts"][0]["subject_name"], "Ana");
    // Once cancelled it is in nobody's way, until somebody else has taken its place.
    test_app.api.delete("/api/v1/bookings/first").await.expect(200);
    test_app.api.put("/api/v1/bookings/second", stay(&room, 11, 2)).await.expect(201);
    test_app
        .api
        .patch("/api/v1/bookings/first", json!({ "status": "confirmed" }))
        .await
        .problem(409, "taken");
    test_app.stop().await;
}

async fn capacity_is_kept(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(3).await;
    let with = |quantity: u32| {
        let mut body = stay(&room, 5, 2);
        body["quantity"] = json!(quantity);
        body
    };
    test_app.api.put("/api/v1/bookings/a", with(2)).await.expect(201);
    test_app.api.put("/api/v1/bookings/b", with(2)).await.problem(409, "taken");
    test_app.api.put("/api/v1/bookings/b", with(1)).await.expect(201);
    let too_many = test_app.api.put("/api/v1/bookings/c", with(4)).await.problem(422, "invalid");
    let fault = json!({ "field": "quantity", "message": "is 4, but Sea View has 3 units" });
    assert_eq!(too_many["errors"], json!([fault]));
    test_app.api.patch("/api/v1/bookings/a", json!({ "quantity": 1 })).await.expect(200);
    test_app.api.put("/api/v1/bookings/c", with(1)).await.expect(201);
    test_app.stop().await;
}

async fn blocks_stand_in_the_way(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let block = json!({ "resource": room.id, "check_in": day(1), "check_out": day(4), "title": "Painting" });
    let made = test_app.api.post("/api/v1/calendar_availability", block.clone()).await;
    assert!(made.header("location").contains("/api/v1/bookings/block-"), "{:?}", made.headers);
    let made = made.expect(201);
    assert_eq!((&made["quantity"], &made["title"]), (&json!(2), &json!("Painting")));
    test_app.api.post("/api/v1/calendar_availability", block).await.problem(409, "taken");
    let refused = test_app.api.put("/api/v1/bookings/x", stay(&room, 3, 2)).await.problem(409, "taken");
    assert_eq!(refused["conflicts"][0]["title"], "Painting");
    let list = test_app.api.get("/api/v1/calendar_availability").await.expect(200);
    assert_eq!(list["items"], json!([made]));
    // In whatever state it holds, until it has ended.
    let like_a_block = async |reference: &str, changes: Value| {
        let mut body = stay(&room, 10, 1);
        body["kind"] = json!("block");
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        test_app.api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201);
    };
    like_a_block("approved", json!({ "status": "approved" })).await;
    like_a_block("called-off", json!({ "status": "cancelled" })).await;
    like_a_block("over", json!({ "check_in": "2026-01-05", "check_out": "2026-01-06" })).await;
    like_a_block("no-block", json!({ "kind": "booking" })).await;
    let list = test_app.api.get("/api/v1/calendar_availability").await.expect(200);
    let references: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| &one["reference"]).collect();
    assert_eq!(references, [&made["reference"], &json!("approved")]);
    test_app.api.delete("/api/v1/bookings/approved").await.expect(200);

    let path = format!("/api/v1/calendar_availability/{}", made["id"].as_str().unwrap());
    assert_eq!(test_app.api.delete(&path).await.expect(200)["status"], "cancelled");
    assert_eq!(test_app.api.get("/api/v1/calendar_availability").await.expect(200)["items"], json!([]));
    let booked = test_app.api.put("/api/v1/bookings/x", stay(&room, 3, 2)).await.expect(201);
    // A booking is no block.
    let path = format!("/api/v1/calendar_availability/{}", booked["id"].as_str().unwrap());
    test_app.api.delete(&path).await.problem(404, "not-found");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_booking_lives,
    a_booking_needs_no_reference_of_the_callers,
    a_part_can_be_changed,
    what_stands_there_is_named,
    capacity_is_kept,
    blocks_stand_in_the_way,
);
