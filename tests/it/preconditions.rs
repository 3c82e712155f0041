//! Changes that are made only if nobody else was faster.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{TestApp, stay};

async fn whoever_has_read_an_old_version_is_told(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let path = "/api/v1/bookings/C-1";
    let put = async |title: &str, headers: &[(&str, &str)]| {
        let mut body = stay(&room, 1, 1);
        body["title"] = json!(title);
        test_app.api.send(Method::PUT, path, Some(body), headers).await
    };
    put("nobody", &[("if-match", "*")]).await.problem(412, "stale");
    put("nobody", &[("if-match", "\"1\"")]).await.problem(412, "stale");
    test_app.api.get(path).await.problem(404, "not-found");

    let created = put("one", &[("if-none-match", "*")]).await;
    assert_eq!(created.header("etag"), "\"1\"");
    created.expect(201);
    let refused = put("two", &[("if-none-match", "*")]).await.problem(412, "stale");
    assert_eq!(refused["current_version"], 1);
    assert_eq!(put("two", &[("if-match", "\"1\"")]).await.expect(200)["version"], 2);
    put("three", &[("if-match", "\"1\"")]).await.problem(412, "stale");
    assert_eq!(put("three", &[("if-match", "*")]).await.expect(200)["version"], 3);
    for bad in ["3", "\"three\"", ""] {
        put("four", &[("if-match", bad)]).await.problem(400, "malformed");
    }

    let stale = [("if-match", "\"2\"")];
    test_app.api.send(Method::PATCH, path, Some(json!({ "title": "x" })), &stale).await.problem(412, "stale");
    test_app.api.send(Method::DELETE, path, None, &stale).await.problem(412, "stale");
    assert_eq!(test_app.api.get(path).await.expect(200)["title"], "three");
    let current = [("if-match", "\"3\"")];
    test_app.api.send(Method::DELETE, path, None, &current).await.expect(200);
    test_app.stop().await;
}

/// Six who each change another field at once: nobody's change is lost.
async fn patches_at_once_all_hold(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let path = "/api/v1/bookings/C-2";
    test_app.api.put(path, stay(&room, 1, 1)).await.expect(201);
    let patches = [
        json!({ "title": "T" }),
        json!({ "notes": "N" }),
        json!({ "location": "L" }),
        json!({ "party_size": 7 }),
        json!({ "customer": { "name": "M" } }),
        json!({ "customer": { "phone": "1" } }),
    ];
    let held = patch_at_once(&test_app, path, &patches).await;
    assert_eq!(test_app.api.get(path).await.expect(200)["version"], 1 + held);
    test_app.stop().await;
}

/// Sends all of them at once. Returns how many were accepted: each of those stands in what is read afterwards.
async fn patch_at_once(test_app: &TestApp, path: &str, patches: &[Value]) -> usize {
    let answers =
        futures::future::join_all(patches.iter().map(|patch| test_app.api.patch(path, patch.clone()))).await;
    let after = test_app.api.get(path).await.expect(200);
    let mut held = 0;
    for (patch, answer) in patches.iter().zip(answers) {
        match answer.status {
            200 => held += 1,
            // Told to try again, which is not lost either.
            503 => continue,
            status => panic!("{status} {}", answer.text),
        }
        assert!(says(&after, patch), "{patch} is lost: {after}");
    }
    held
}

/// Whether a thing has every field of a patch.
fn says(thing: &Value, patch: &Value) -> bool {
    match patch {
        Value::Object(fields) => fields.iter().all(|(name, value)| says(&thing[name], value)),
        value => thing == value,
    }
}

async fn patches_of_settings_at_once_all_hold(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let feed = json!({ "scope": "business", "name": "All" });
    let feed = test_app.api.post("/api/v1/feeds", feed).await.expect(201);
    let resource = [
        json!({ "name": "Sea View" }),
        json!({ "capacity": 3 }),
        json!({ "zone": "Asia/Kolkata" }),
        json!({ "buffer_before_minutes": 5 }),
        json!({ "buffer_after_minutes": 10 }),
    ];
    let staff =
        [json!({ "name": "Anna" }), json!({ "email": "anna@example.org" }), json!({ "trade": "driver" })];
    let feeds = [json!({ "name": "Everything" }), json!({ "privacy": "full" })];
    let business = [
        json!({ "name": "Harbour" }),
        json!({ "entry_privacy": "full" }),
        json!({ "mark_cancelled": true }),
        json!({ "remote_moves": "ask" }),
        json!({ "remote_deletions": "follow" }),
    ];
    for round in 0..5 {
        let path = format!("/api/v1/resources/{}", room.id);
        assert!(patch_at_once(&test_app, &path, &resource).await > 0, "round {round}");
        assert!(patch_at_once(&test_app, &format!("/api/v1/staff/{ana}"), &staff).await > 0);
        let path = format!("/api/v1/feeds/{}", feed["id"].as_str().unwrap());
        assert!(patch_at_once(&test_app, &path, &feeds).await > 0);
        assert!(patch_at_once(&test_app, "/api/v1/business", &business).await > 0);
        // Back to where they differ from what the next round sends.
        let back = json!({ "name": "x", "capacity": 1, "zone": null, "buffer_before_minutes": 0,
            "buffer_after_minutes": 0 });
        test_app.api.patch(&format!("/api/v1/resources/{}", room.id), back).await.expect(200);
        let back = json!({ "name": "x", "email": "", "trade": "general" });
        test_app.api.patch(&format!("/api/v1/staff/{ana}"), back).await.expect(200);
        test_app.api.patch(&path, json!({ "name": "x", "privacy": "busy" })).await.expect(200);
        let back = json!({ "name": "x", "entry_privacy": "minimal", "mark_cancelled": false,
            "remote_moves": "follow", "remote_deletions": "ask" });
        test_app.api.patch("/api/v1/business", back).await.expect(200);
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    whoever_has_read_an_old_version_is_told,
    patches_at_once_all_hold,
    patches_of_settings_at_once_all_hold,
);
