//! What other systems are told of connected calendars.

use chrono::Duration;
use concord_domain::webhook::{EventSubject, EventType};
use concord_services::connections as manage;
use concord_storage::{events, on_both_databases, testing::TestDb};
use serde_json::{Value, json};

use crate::fixture::SyncFixture;

/// Events about connections, in their order.
async fn told(fixture: &SyncFixture<'_>) -> Vec<(EventType, Value)> {
    let found = events::after(fixture.db, fixture.business.id, None, 200).await.unwrap().items;
    let about = found.into_iter().filter(|event| event.subject_kind == EventSubject::Connection);
    about.map(|event| (event.kind, serde_json::from_str(&event.data).unwrap())).collect()
}

async fn kinds(fixture: &SyncFixture<'_>) -> Vec<EventType> {
    told(fixture).await.into_iter().map(|(kind, _)| kind).collect()
}

async fn account_is_told_when_it_comes_dies_and_goes(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.poll().await;
    fixture.connect(&fixture.ana, &fixture.ana.email).await;
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), id, false).await.unwrap();
    fixture.settle().await;
    let told = told(&fixture).await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            EventType::ConnectionConnected,
            EventType::ConnectionNeedsReconnect,
            EventType::ConnectionConnected,
            EventType::ConnectionDisconnected,
        ]
    );
    let (_, dead) = &told[1];
    assert_eq!((&dead["connection"], &dead["staff"]), (&json!(id), &json!(fixture.ana.id)));
    assert_eq!((&dead["account"], &dead["provider"]), (&json!(fixture.ana.email), &json!("google")));
    assert_eq!(dead["reason"], "Ana's Google calendar needs to be reconnected");
    assert_eq!(told[0].1["reason"], Value::Null);
}

async fn failing_sync_is_told_once_and_so_is_its_recovery(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.outside.fault(json!({ "kind": "server_error" })).await;
    for number in 0..3 {
        let draft = fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60);
        fixture.put(&format!("B-{number}"), &draft).await;
    }
    for _ in 0..20 {
        fixture.drain().await;
        fixture.clock.advance(Duration::seconds(30));
    }
    assert_eq!(kinds(&fixture).await, [EventType::ConnectionConnected, EventType::SyncFailed]);
    fixture.outside.no_faults().await;
    fixture.clock.advance(Duration::hours(1));
    fixture.settle().await;
    assert_eq!(
        kinds(&fixture).await,
        [EventType::ConnectionConnected, EventType::SyncFailed, EventType::SyncRecovered]
    );
}

on_both_databases!(
    account_is_told_when_it_comes_dies_and_goes,
    failing_sync_is_told_once_and_so_is_its_recovery,
);
