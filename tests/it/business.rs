//! The business itself: its settings, and the rules for what people change in their calendars.

use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{TestApp, stay};

const PATH: &str = "/api/v1/business";

async fn the_rules_for_what_people_change_are_the_business_own(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let read = test_app.api.get(PATH).await;
    let tag = read.header("etag").to_owned();
    let before = read.expect(200);
    assert_eq!(before["id"], json!(test_app.business.id));
    assert_eq!(
        (&before["remote_moves"], &before["remote_deletions"]),
        (&json!("follow"), &json!("ask")),
        "{before}"
    );
    // Nothing to change changes nothing.
    let same = test_app.api.patch(PATH, json!({ "remote_moves": "follow" })).await;
    assert_eq!(same.header("etag"), tag);
    assert_eq!(same.expect(200), before);

    let wish = json!({ "remote_moves": "ask", "remote_deletions": "revert" });
    let changed = test_app.api.send(Method::PATCH, PATH, Some(wish), &[("if-match", &tag)]).await;
    let newer = changed.header("etag").to_owned();
    assert_ne!(newer, tag);
    let mut expected = before;
    expected["remote_moves"] = json!("ask");
    expected["remote_deletions"] = json!("revert");
    assert_eq!(changed.expect(200), expected);
    assert_eq!(test_app.api.get(PATH).await.expect(200), expected);

    let stale =
        test_app.api.send(Method::PATCH, PATH, Some(json!({ "name": "x" })), &[("if-match", &tag)]).await;
    let stale = stale.problem(412, "stale");
    assert_eq!(format!("\"{}\"", stale["current_version"]), newer);
    for bad in [("if-none-match", "*"), ("if-match", "7")] {
        test_app
            .api
            .send(Method::PATCH, PATH, Some(json!({ "name": "x" })), &[bad])
            .await
            .problem(400, "malformed");
    }
    assert_eq!(test_app.api.get(PATH).await.expect(200), expected);
    test_app.stop().await;
}

async fn other_settings_are_changed_and_checked(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let wish = json!({ "name": " Harbour & Sons ", "zone": "Asia/Tokyo", "entry_privacy": "full",
        "mark_cancelled": true });
    let changed = test_app.api.patch(PATH, wish).await.expect(200);
    for (field, value) in [
        ("name", json!("Harbour & Sons")),
        ("zone", json!("Asia/Tokyo")),
        ("entry_privacy", json!("full")),
        ("mark_cancelled", json!(true)),
        ("remote_moves", json!("follow")),
    ] {
        assert_eq!(changed[field], value, "{changed}");
    }
    for bad in [
        json!({ "name": " " }),
        json!({ "zone": "Mars/Olympus" }),
        json!({ "remote_moves": "never" }),
        json!({ "slug": "other" }),
    ] {
        test_app.api.patch(PATH, bad.clone()).await.problem(422, "invalid");
        assert_eq!(test_app.api.get(PATH).await.expect(200), changed, "{bad}");
    }
    // Nights are counted in the zone.
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/stay", stay(&room, 1, 2)).await.expect(201);
    test_app.api.patch(PATH, json!({ "zone": "Europe/Lisbon" })).await.problem(409, "not-possible");
    assert_eq!(test_app.api.get(PATH).await.expect(200)["zone"], Value::from("Asia/Tokyo"));
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    the_rules_for_what_people_change_are_the_business_own,
    other_settings_are_changed_and_checked,
);
