//! Resources and staff, and what is free of a resource.

use concord_storage::testing::TestDb;
use serde_json::{Value, json};

use crate::test_app::{TestApp, day, hour, stay};

async fn a_resource_lives(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let made = test_app
        .api
        .post("/api/v1/resources", json!({ "name": " Sea View ", "zone": "Asia/Tokyo", "capacity": 2 }))
        .await;
    let path = made.header("location").strip_prefix(&test_app.api.base).unwrap().to_owned();
    let made = made.expect(201);
    assert_eq!(
        (&made["zone"], &made["capacity"], &made["archived_at"]),
        (&json!("Asia/Tokyo"), &json!(2), &Value::Null)
    );
    assert_eq!(test_app.api.get(&path).await.expect(200), made);

    let changed =
        test_app.api.patch(&path, json!({ "zone": null, "buffer_after_minutes": 60 })).await.expect(200);
    assert_eq!(
        (&changed["zone"], &changed["buffer_after_minutes"], &changed["name"]),
        (&Value::Null, &json!(60), &json!("Sea View"))
    );

    let body = |quantity: u32| json!({ "resource": made["id"], "check_in": day(1), "check_out": day(2), "quantity": quantity });
    test_app.api.put("/api/v1/bookings/x", body(2)).await.expect(201);
    let refused = test_app.api.patch(&path, json!({ "capacity": 1 })).await.problem(409, "not-possible");
    assert!(refused["detail"].as_str().unwrap().contains("Unit 2"), "{refused}");
    test_app.api.put("/api/v1/bookings/x", body(1)).await.expect(200);
    assert_eq!(test_app.api.patch(&path, json!({ "capacity": 1 })).await.expect(200)["capacity"], 1);

    let archived = test_app.api.delete(&path).await.expect(200);
    assert!(archived["archived_at"].is_string());
    assert_eq!(test_app.api.delete(&path).await.expect(200), archived);
    assert_eq!(test_app.api.get("/api/v1/resources").await.expect(200)["items"], json!([]));
    // What is booked stays, and nothing new comes.
    assert_eq!(test_app.api.get("/api/v1/bookings/x").await.expect(200)["status"], "confirmed");
    let body = json!({ "resource": made["id"], "check_in": day(5), "check_out": day(6) });
    test_app.api.put("/api/v1/bookings/y", body).await.problem(422, "invalid");
    test_app.stop().await;
}

async fn a_staff_member_lives(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(5).await;
    let made =
        test_app.api.post("/api/v1/staff", json!({ "name": " Ana ", "email": " ana@example.org " })).await;
    let path = made.header("location").strip_prefix(&test_app.api.base).unwrap().to_owned();
    let made = made.expect(201);
    assert_eq!((&made["trade"], &made["email"]), (&json!("general"), &json!("ana@example.org")));
    let changed = test_app.api.patch(&path, json!({ "trade": "technician", "email": "" })).await.expect(200);
    assert_eq!(
        (&changed["trade"], &changed["email"], &changed["name"]),
        (&json!("technician"), &json!(""), &json!("Ana"))
    );
    assert!(test_app.api.delete(&path).await.expect(200)["archived_at"].is_string());
    assert_eq!(test_app.api.get("/api/v1/staff").await.expect(200)["items"], json!([]));
    let mut body = stay(&room, 1, 1);
    body["staff"] = json!([made["id"]]);
    test_app.api.put("/api/v1/bookings/x", body).await.problem(422, "invalid");
    test_app.stop().await;
}

async fn the_calendar_says_what_is_free_and_why_not(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let id = room.id;
    test_app.api.put("/api/v1/bookings/stay", stay(&room, 1, 2)).await.expect(201);
    let timed =
        json!({ "resource": id, "starts_at": hour(2, 9), "ends_at": hour(2, 10), "title": "Inspection" });
    test_app.api.put("/api/v1/bookings/hour", timed).await.expect(201);
    test_app.api.put("/api/v1/bookings/gone", stay(&room, 3, 1)).await.expect(201);
    test_app.api.delete("/api/v1/bookings/gone").await.expect(200);

    let path = format!("/api/v1/resources/{id}/calendar?from={}&until={}", day(0), day(5));
    let calendar = test_app.api.get(&path).await.expect(200);
    assert_eq!((&calendar["zone"], &calendar["capacity"]), (&json!("Europe/Lisbon"), &json!(2)));
    let free: Vec<u64> =
        calendar["days"].as_array().unwrap().iter().map(|day| day["free_units"].as_u64().unwrap()).collect();
    assert_eq!(free, [2, 1, 0, 2, 2]);
    assert_eq!((&calendar["from"], &calendar["until"]), (&json!(day(0)), &json!(day(5))));
    assert_eq!(test_app.api.get(&path.replace("until", "to")).await.expect(200), calendar);
    assert_eq!(
        calendar["days"][2],
        json!({ "date": day(2), "free_units": 0, "available": false, "room": "partly" })
    );
    let rooms: Vec<&Value> = calendar["days"].as_array().unwrap().iter().map(|day| &day["room"]).collect();
    assert_eq!(rooms, ["free", "partly", "partly", "free", "free"]);
    let why: Vec<(&Value, &Value)> = calendar["occupied"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["reference"], &one["title"]))
        .collect();
    assert_eq!(why, [(&json!("stay"), &json!("")), (&json!("hour"), &json!("Inspection"))]);
    assert_eq!(test_app.api.get(&path.replace("resources", "products")).await.expect(200), calendar);

    let without = test_app.api.get(&format!("/api/v1/resources/{id}/calendar")).await.expect(200);
    assert_eq!(without["days"].as_array().unwrap().len(), 31);
    for query in
        [(day(1), day(1)), (day(0), day(400))].map(|(from, until)| format!("from={from}&until={until}"))
    {
        test_app.api.get(&format!("/api/v1/resources/{id}/calendar?{query}")).await.problem(422, "invalid");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_resource_lives,
    a_staff_member_lives,
    the_calendar_says_what_is_free_and_why_not
);
