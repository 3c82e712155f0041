//! What those who run Concord ask it.

use chrono::Duration;
use concord_domain::{clock::Clock, record::SyncOutcome};
use concord_storage::{
    sync_log::{self, NewLine},
    testing::{self, TestDb},
};
use reqwest::Method;
use serde_json::json;

use crate::house::{House, Wishes, stay, until};

async fn it_says_how_it_is(db: &TestDb) {
    let house = House::on(db).await;
    house.is_ready().await;
    let health = house.api.plain(Method::GET, "/api/health").await.expect(200);
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["database"], json!({ "kind": house.db().kind(), "status": "ok" }));
    assert_eq!(health["queue"], json!({ "kind": "memory", "status": "ok" }));

    let room = house.resource(1).await;
    house.api.put("/api/v1/bookings/m-1", stay(&room, 1, 1)).await.expect(201);
    let business = testing::business(house.db()).await;
    let ana = testing::staff(house.db(), &business, "Ana").await;
    let connection = testing::connection(house.db(), &testing::keyring(), &ana).await;
    let now = Clock::system().now();
    for at in [now, now - Duration::minutes(50), now - Duration::minutes(70)] {
        let mut tx = testing::begin(house.db()).await;
        let line = NewLine {
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
    let metrics = house.api.plain(Method::GET, "/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "concord_build_info{version=\"",
        "concord_database_up{kind=\"",
        "concord_database_writable{kind=\"",
        "concord_jobs{kind=\"retention\"",
        "concord_oldest_due_seconds ",
        "concord_queue_messages{queue=\"interactive\"} ",
        "concord_sync_attempts_last_hour{provider=\"google\",operation=\"import\",outcome=\"failed\"} 2\n",
        "concord_http_requests_total{method=\"PUT\",route=\"/api/v1/bookings/{reference}\",status=\"201\"} ",
        "concord_http_request_duration_seconds_bucket{method=\"PUT\",route=\"/api/v1/bookings/{reference}\",le=\"+Inf\"} ",
    ] {
        assert!(metrics.text.contains(line), "{line} is missing in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains("m-1"), "routes, not paths");
    for line in metrics.text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }

    house.db().close().await;
    let health = until("it is noticed", async || {
        let health = house.api.plain(Method::GET, "/api/health").await;
        (health.status == 503).then_some(health.body)
    })
    .await;
    assert_eq!((&health["status"], &health["database"]["status"]), (&json!("down"), &json!("down")));
    assert_eq!(house.api.plain(Method::GET, "/readyz").await.status, 503);
    assert!(house.api.plain(Method::GET, "/metrics").await.text.contains("concord_database_up{kind=\""));
    let down = house.api.get("/api/v1/bookings").await;
    assert_eq!(down.header("retry-after"), "5");
    let problem = down.problem(503, "unavailable");
    assert!(problem["request_id"].is_string(), "{problem}");
}

async fn what_took_too_long_is_counted(db: &TestDb) {
    let settings = vec![("server.request_timeout_seconds", "3".to_owned())];
    let house = House::with(db, Wishes { settings, ..Wishes::default() }).await;
    let ana = house.staff("Ana").await;
    let integration = house.connect_google(ana, "ana@example.com").await;
    let slow = json!({ "provider": "google", "kind": "latency_ms", "value": 10_000 });
    house.control(Method::POST, "/faults", slow).await;
    let test = format!("/api/v1/calendar_integrations/{}/test", integration["id"].as_str().unwrap());
    assert_eq!(house.api.post(&test, json!({})).await.status, 503);
    house.control(Method::DELETE, "/faults", json!({})).await;
    let metrics = house.api.plain(Method::GET, "/metrics").await.text;
    let line = "{method=\"POST\",route=\"/api/v1/calendar_integrations/{id}/test\",status=\"503\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    house.stop().await;
}

concord_storage::on_both_databases!(it_says_how_it_is, what_took_too_long_is_counted);
