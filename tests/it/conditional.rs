//! Changes that are made only if nobody else was faster.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::json;

use crate::house::{House, stay};

async fn whoever_has_read_an_old_version_is_told(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await;
    let path = "/api/v1/bookings/C-1";
    let put = async |title: &str, headers: &[(&str, &str)]| {
        let mut body = stay(&room, 1, 1);
        body["title"] = json!(title);
        house.api.send(Method::PUT, path, Some(body), headers).await
    };
    put("nobody", &[("if-match", "*")]).await.problem(412, "stale");
    put("nobody", &[("if-match", "\"1\"")]).await.problem(412, "stale");
    house.api.get(path).await.problem(404, "not-found");

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
    house.api.send(Method::PATCH, path, Some(json!({ "title": "x" })), &stale).await.problem(412, "stale");
    house.api.send(Method::DELETE, path, None, &stale).await.problem(412, "stale");
    assert_eq!(house.api.get(path).await.expect(200)["title"], "three");
    let current = [("if-match", "\"3\"")];
    house.api.send(Method::DELETE, path, None, &current).await.expect(200);
    house.stop().await;
}

/// Ten who each change another field at once: nobody's change is lost.
async fn patches_at_once_all_hold(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await;
    let path = "/api/v1/bookings/C-2";
    house.api.put(path, stay(&room, 1, 1)).await.expect(201);
    let patches = [
        json!({ "title": "T" }),
        json!({ "notes": "N" }),
        json!({ "location": "L" }),
        json!({ "party_size": 7 }),
        json!({ "customer": { "name": "M" } }),
        json!({ "customer": { "phone": "1" } }),
    ];
    let answers =
        futures::future::join_all(patches.iter().map(|patch| house.api.patch(path, patch.clone()))).await;
    let mut refused = 0;
    for answer in answers {
        match answer.status {
            200 => {}
            // Told to try again, which is not lost either.
            503 => refused += 1,
            status => panic!("{status} {}", answer.text),
        }
    }
    let after = house.api.get(path).await.expect(200);
    assert_eq!(after["version"], 1 + patches.len() - refused);
    house.stop().await;
}

concord_storage::on_both_databases!(whoever_has_read_an_old_version_is_told, patches_at_once_all_hold);
