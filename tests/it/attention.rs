//! The state of sync in a word, at the top of each page.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::Method;
use serde_json::json;

use crate::{
    channel_pages::{at_airbnb, open},
    feeds::fetch,
    page_client::{PageClient, person},
    test_app::{TestApp, until},
};

/// Waits until the overview says so.
async fn overview_says(visitor: &PageClient<'_>, words: &str) -> String {
    until(words, async || {
        let shown = visitor.get("/").await.text;
        shown.contains(words).then_some(shown)
    })
    .await
}

/// A platform that asks to come later is asked later, for as long as it says so: that never counts as work given up.
async fn feed_that_cannot_be_read_is_not_in_agreement(db: &TestDb) {
    let test_app: TestApp = open(db).await;
    let room = test_app.resource(1).await;
    let listing = at_airbnb(&test_app);
    let body = json!({ "resource": room.id, "platform": "airbnb", "import_url": listing.export_url });
    let channel = test_app.api.post("/api/v1/channels", body).await.expect(201);
    let url = channel["feed_url"].as_str().unwrap();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    until("it is read", async || {
        fetch(&test_app.api, Method::GET, url, &[("user-agent", "Airbnb/1.0")]).await;
        visitor.get("/").await.text.contains("In sync</a>").then_some(())
    })
    .await;

    let fault = json!({ "provider": "ota", "account": listing.id, "kind": "rate_limit" });
    test_app.control(Method::POST, "/faults", fault).await;
    let sync = format!("/api/v1/channels/{}/sync", channel["id"].as_str().unwrap());
    test_app.api.post(&sync, json!({})).await.expect(202);
    let shown = overview_says(&visitor, "1 feed failed to sync").await;
    assert!(!shown.contains("In sync</a>"), "{shown}");

    test_app.control(Method::DELETE, "/faults", json!({})).await;
    test_app.api.post(&sync, json!({})).await.expect(202);
    overview_says(&visitor, "In sync</a>").await;
    test_app.stop().await;
}

concord_storage::on_both_databases!(feed_that_cannot_be_read_is_not_in_agreement);
