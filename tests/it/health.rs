//! What those who run Concord ask it.

use chrono::Duration;
use concord_domain::{audit::SyncOutcome, clock::Clock};
use concord_storage::{
    sync_log::{self, NewSyncLogEntry},
    testing::{self, TestDb},
};
use reqwest::Method;
use serde_json::json;

use crate::test_app::{TestApp, TestAppOptions, stay, until};

async fn it_says_how_it_is(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    test_app.is_ready().await;
    let health = test_app.api.send_unauthenticated(Method::GET, "/api/health").await.expect(200);
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["database"], json!({ "kind": test_app.db().kind(), "status": "ok" }));
    assert_eq!(health["queue"], json!({ "kind": "memory", "status": "ok" }));

    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/m-1", stay(&room, 1, 1)).await.expect(201);
    let business = testing::business(test_app.db()).await;
    let ana = testing::staff(test_app.db(), &business, "Ana").await;
    let connection = testing::connection(test_app.db(), &testing::keyring(), &ana).await;
    let now = Clock::system().now();
    for at in [now, now - Duration::minutes(50), now - Duration::minutes(70)] {
        let mut tx = testing::begin(test_app.db()).await;
        let line = NewSyncLogEntry {
            business: business.id,
            connection: Some(connection),
            booking: None,
            channel: None,
            operation: "import",
            outcome: SyncOutcome::Failed,
            detail: "",
            duration_ms: 0,
            at,
        };
        sync_log::append(&mut tx, &line).await.unwrap();
        testing::commit(tx).await;
    }
    let metrics = test_app.api.send_unauthenticated(Method::GET, "/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    for line in [
        "concord_build_info{version=\"",
        "concord_database_up{kind=\"",
        "concord_database_writable{kind=\"",
        "concord_jobs{kind=\"retention\"",
        "concord_oldest_due_seconds ",
        "concord_queue_messages{queue=\"interactive\"} ",
        "concord_sync_attempts_last_hour{provider=\"google\",operation=\"import\",outcome=\"failed\"} 2\n",
        "concord_http_requests_total{method=\"PUT\",route=\"/api/v1/bookings/{reference}\",status=\"201\"} ",
        "concord_http_request_duration_seconds_bucket{le=\"+Inf\",method=\"PUT\",route=\"/api/v1/bookings/{reference}\"} ",
    ] {
        assert!(metrics.text.contains(line), "{line} is missing in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains("m-1"), "routes, not paths");
    for line in metrics.text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }

    test_app.db().close().await;
    let health = until("it is noticed", async || {
        let health = test_app.api.send_unauthenticated(Method::GET, "/api/health").await;
        (health.status == 503).then_some(health.body)
    })
    .await;
    assert_eq!((&health["status"], &health["database"]["status"]), (&json!("down"), &json!("down")));
    assert_eq!(test_app.api.send_unauthenticated(Method::GET, "/readyz").await.status, 503);
    assert!(
        test_app
            .api
            .send_unauthenticated(Method::GET, "/metrics")
            .await
            .text
            .contains("concord_database_up{kind=\"")
    );
    let down = test_app.api.get("/api/v1/bookings").await;
    assert_eq!(down.header("retry-after"), "5");
    let problem = down.problem(503, "unavailable");
    assert!(problem["request_id"].is_string(), "{problem}");
}

async fn what_took_too_long_is_counted(db: &TestDb) {
    let settings = vec![("server.request_timeout_seconds", "3".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, "ana@example.com").await;
    let slow = json!({ "provider": "google", "kind": "latency_ms", "value": 10_000 });
    test_app.control(Method::POST, "/faults", slow).await;
    let test = format!("/api/v1/calendar_integrations/{}/test", integration["id"].as_str().unwrap());
    assert_eq!(test_app.api.post(&test, json!({})).await.status, 503);
    test_app.control(Method::DELETE, "/faults", json!({})).await;
    let metrics = test_app.api.send_unauthenticated(Method::GET, "/metrics").await.text;
    let line = "{method=\"POST\",route=\"/api/v1/calendar_integrations/{id}/test\",status=\"503\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    test_app.stop().await;
}

concord_storage::on_both_databases!(it_says_how_it_is, what_took_too_long_is_counted);
