//! What waited while a calendar was not served is there once when it is again.

use concord_domain::connection::ConnectionState;
use concord_services::connections as manage;
use concord_storage::{on_both_databases, testing::TestDb};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture, titled};

impl SyncFixture<'_> {
    /// Ten bookings stand in Ana's calendar.
    async fn ten(&self) {
        for number in 0..10 {
            self.put(&format!("A-{number}"), &self.numbered(number)).await;
        }
        self.settle().await;
        self.poll().await;
        assert_eq!(self.outside.seen_by(ANA).await.len(), 10);
    }

    fn numbered(&self, number: i64) -> concord_domain::booking::BookingDraft {
        self.draft(&[&self.ana], 6_000 + number * 100, 6_060 + number * 100)
    }

    /// Twenty bookings change: ten are made, five changed twice, five cancelled.
    async fn meanwhile(&self) {
        for number in 10..20 {
            self.put(&format!("A-{number}"), &self.numbered(number)).await;
        }
        for number in 0..5 {
            self.put(&format!("A-{number}"), &titled(&self.numbered(number), "First")).await;
            self.put(&format!("A-{number}"), &titled(&self.numbered(number), "Second")).await;
        }
        for number in 5..10 {
            self.cancel(&format!("A-{number}")).await;
        }
        self.settle().await;
    }

    /// Each of the twenty was written once.
    async fn is_written_once(&self) {
        let writes = self.outside.writes().await;
        assert_eq!(writes.len(), 20, "{writes:?}");
        let titles = self.outside.titles(ANA).await;
        assert_eq!(titles.iter().filter(|title| title.contains("Second")).count(), 5);
        assert_eq!((titles.len(), self.failed().await.len()), (15, 0));
    }
}

async fn after_a_pause_what_waited_is_written_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.ten().await;
    manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.outside.forget_calls().await;
    fixture.meanwhile().await;
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    fixture.is_written_once().await;
}

async fn after_a_dead_grant_what_waited_is_written_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.ten().await;
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.poll().await;
    assert_eq!(fixture.state(id).await, ConnectionState::NeedsReconnect);
    fixture.outside.no_faults().await;
    fixture.outside.forget_calls().await;
    fixture.meanwhile().await;
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id, "the same account is adopted");
    fixture.settle().await;
    fixture.is_written_once().await;
}

async fn after_an_outage_what_waited_is_written_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.ten().await;
    fixture.outside.fault(json!({ "kind": "server_error", "probability": 1.0 })).await;
    for number in 10..20 {
        fixture.put(&format!("A-{number}"), &fixture.numbered(number)).await;
    }
    fixture.drain().await;
    fixture.outside.no_faults().await;
    fixture.settle().await;
    assert_eq!((fixture.outside.seen_by(ANA).await.len(), fixture.failed().await.len()), (20, 0));
}

on_both_databases!(
    after_a_pause_what_waited_is_written_once,
    after_a_dead_grant_what_waited_is_written_once,
    after_an_outage_what_waited_is_written_once,
);
