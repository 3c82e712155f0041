//! The state of sync in a word, at the top of each page.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::json;

use crate::{
    channel_pages::{at_airbnb, open},
    feeds::fetch,
    house::{House, until},
    visitor::{Visitor, person},
};

/// Waits until the overview says so.
async fn overview_says(visitor: &Visitor<'_>, words: &str) -> String {
    until(words, async || {
        let shown = visitor.get("/").await.text;
        shown.contains(words).then_some(shown)
    })
    .await
}

/// A platform that asks to come later is asked later, for as long as it says so: that never counts as work given up.
async fn feed_that_cannot_be_read_is_not_in_agreement(db: &TestDb) {
    let house: House = open(db).await;
    let room = house.resource(1).await;
    let listing = at_airbnb(&house);
    let body = json!({ "resource": room.id, "platform": "airbnb", "import_url": listing.export_url });
    let channel = house.api.post("/api/v1/channels", body).await.expect(201);
    let url = channel["feed_url"].as_str().unwrap();
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    until("it is read", async || {
        fetch(&house.api, Method::GET, url, &[("user-agent", "Airbnb/1.0")]).await;
        visitor.get("/").await.text.contains("In agreement").then_some(())
    })
    .await;

    let faults = format!("/ota/{}/faults", listing.id);
    house.control(Method::POST, &faults, json!({ "kind": "rate_limit" })).await;
    let sync = format!("/api/v1/channels/{}/sync", channel["id"].as_str().unwrap());
    house.api.post(&sync, json!({})).await.expect(202);
    let shown = overview_says(&visitor, "1 feed cannot be read").await;
    assert!(!shown.contains("In agreement"), "{shown}");

    house.control(Method::DELETE, &faults, json!({})).await;
    house.api.post(&sync, json!({})).await.expect(202);
    overview_says(&visitor, "In agreement").await;
    house.stop().await;
}

concord_storage::on_both_databases!(feed_that_cannot_be_read_is_not_in_agreement);
