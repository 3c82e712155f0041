//! A secret stands in no log line, no answer and no error.

use std::collections::BTreeSet;

use concord_domain::{
    ids::{ConnectionId, StaffId},
    people::Role,
};
use concord_storage::{
    connections::{self, StoredTokens},
    resources::Resource,
    testing::TestDb,
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    logs,
    page_client::{PageClient, person},
    test_app::{TestApp, stay, until},
};

/// Follows every link from the overview; `Visitor` looks for every secret in every page. Returns the paths.
async fn every_page(visitor: &PageClient<'_>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        if seen.len() == 200 || !seen.insert(path.clone()) {
            continue;
        }
        let page = visitor.get(&path).await;
        assert!(page.status < 400, "{path} answers {}", page.status);
        let links = page.text.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next());
        ahead.extend(links.map(|link| format!("/{}", link.split('#').next().unwrap_or_default())));
    }
    seen
}

/// Connects an account; the code and the state of it are kept out. The integration's id.
async fn connect_calendar(test_app: &TestApp, staff: StaffId) -> String {
    let begun =
        test_app.api.post("/api/v1/calendar_integrations/google/authorize", json!({ "staff": staff })).await;
    let consent: url::Url = begun.expect(200)["url"].as_str().unwrap().parse().unwrap();
    let callback: url::Url = test_app.consent(&consent, "ana@example.com", "allow").await.parse().unwrap();
    test_app.follow_callback(callback.as_str()).await;
    for (name, value) in callback.query_pairs().filter(|(name, _)| name == "code" || name == "state") {
        assert!(value.len() > 20, "{name}");
        logs::keep_out(&value);
    }
    let list = test_app.api.get("/api/v1/calendar_integrations").await.expect(200);
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn stored_tokens(test_app: &TestApp, connection: ConnectionId) -> StoredTokens {
    connections::tokens(test_app.db(), &test_app.app.context.ring, test_app.business.id, connection)
        .await
        .unwrap()
}

async fn keep_tokens_out(test_app: &TestApp, connection: ConnectionId) {
    let tokens = stored_tokens(test_app, connection).await;
    for token in [tokens.access, tokens.refresh].into_iter().flatten() {
        assert!(token.expose_secret().len() > 20);
        logs::keep_out(token.expose_secret());
    }
}

async fn read_feed(test_app: &TestApp) {
    let feed =
        test_app.api.post("/api/v1/feeds", json!({ "scope": "business", "name": "All" })).await.expect(201);
    let url = feed["url"].as_str().unwrap().to_owned();
    test_app.api.send_unauthenticated(Method::GET, &url).await;
    test_app.api.send_unauthenticated(Method::GET, &format!("{url}x")).await;
    logs::keep_out(url.rsplit('/').next().unwrap().trim_end_matches(".ics"));
}

/// Writes an entry, which fails and has its token refreshed at first.
async fn write_entry_over_faults(test_app: &TestApp, room: &Resource, staff: StaffId) {
    let expire = json!({ "provider": "google", "kind": "expire_token", "probability": 1.0, "count": 1 });
    test_app.control(Method::POST, "/faults", expire).await;
    let fail = json!({ "provider": "google", "kind": "server_error", "probability": 1.0, "count": 1 });
    test_app.control(Method::POST, "/faults", fail).await;
    let mut body = stay(room, 1, 1);
    body["staff"] = json!([staff]);
    test_app.api.put("/api/v1/bookings/s", body).await.expect(201);
    until("the booking stands in the calendar", async || {
        let booking = test_app.api.get("/api/v1/bookings/s").await.expect(200);
        (booking["sync"][0]["state"] == "synced").then_some(())
    })
    .await;
}

/// `ApiClient` and `PageClient` look for every secret in every answer.
async fn visit_api_and_pages(test_app: &TestApp, id: &str) {
    test_app.api.post(&format!("/api/v1/calendar_integrations/{id}/test"), json!({})).await.expect(200);
    for path in [
        "/api/v1/calendar_integrations",
        &format!("/api/v1/calendar_integrations/{id}/events"),
        "/api/v1/sync_log?limit=200",
        "/api/v1/jobs/failed",
        "/api/v1/feeds",
        "/api/v1/bookings/s/history",
        "/api/v1/bookings?cursor=x",
        "/metrics",
        "/api/health",
        "/api/openapi.json",
        "/api/docs",
    ] {
        test_app.api.get(path).await;
    }
    let manager = PageClient::signed_in(test_app, &person(test_app, Role::Manager, None).await).await;
    let pages = every_page(&manager).await;
    for page in ["/bookings/s", &format!("/calendars/{id}"), "/feeds", "/settings/people"] {
        assert!(pages.contains(page), "{page} is not among {pages:?}");
    }
}

async fn no_secret_is_told(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let ana = test_app.staff("Ana").await;
    let id = connect_calendar(&test_app, ana).await;
    let connection = ConnectionId(id.parse().unwrap());
    keep_tokens_out(&test_app, connection).await;
    read_feed(&test_app).await;
    write_entry_over_faults(&test_app, &room, ana).await;
    keep_tokens_out(&test_app, connection).await;
    visit_api_and_pages(&test_app, &id).await;
    test_app.api.delete(&format!("/api/v1/calendar_integrations/{id}?remove_entries=true")).await.expect(200);
    until("the grant is ended", async || {
        stored_tokens(&test_app, connection).await.refresh.is_none().then_some(())
    })
    .await;
    let master_key = test_app.app.config.security.master_key.as_ref().unwrap().expose_secret().to_owned();
    logs::keep_out(&master_key);
    logs::keep_out("sandbox-google-secret");
    test_app.stop().await;
    assert!(logs::written().len() > 1_000, "nothing was collected");
    logs::check();
}

concord_storage::on_both_databases!(no_secret_is_told);
