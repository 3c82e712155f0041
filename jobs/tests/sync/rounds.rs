//! A driver's day as it stands in their calendar.

use concord_domain::booking::{BookingDraft, BookingKind};
use concord_storage::{on_both_databases, testing::TestDb};

use crate::fixture::{ANA, SyncFixture};

impl SyncFixture<'_> {
    fn delivery(&self, from: i64, place: &str) -> BookingDraft {
        let draft = self.draft(&[&self.ana], from, from + 10);
        BookingDraft { kind: BookingKind::Delivery, location: place.to_owned(), ..draft }
    }
}

async fn every_stop_says_its_number_whatever_changes(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.put("D-1", &fixture.delivery(60, "Rua A 1")).await;
    fixture.put("D-2", &fixture.delivery(90, "Rua B 2")).await;
    fixture.settle().await;
    let both = ["Stop 1 of 2: Maria, Rua A 1", "Stop 2 of 2: Maria, Rua B 2"];
    assert_eq!(fixture.outside.titles(ANA).await, both);

    // Before both of them, changed ten times in a row: an entry costs a run or two. One is new; the words of the two others
    // are written beside what people may have added, which takes a second call each.
    fixture.outside.forget_calls().await;
    for minute in 0..10 {
        fixture.put("D-3", &fixture.delivery(20 + minute, "Rua C 3")).await;
    }
    fixture.settle().await;
    let three = ["Stop 1 of 3: Maria, Rua C 3", "Stop 2 of 3: Maria, Rua A 1", "Stop 3 of 3: Maria, Rua B 2"];
    assert_eq!(fixture.outside.titles(ANA).await, three);
    assert_eq!(fixture.outside.writes().await.len(), 1 + 2 * 2);

    fixture.outside.forget_calls().await;
    fixture.cancel("D-3").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, both);
    assert_eq!(fixture.outside.writes().await.len(), 1 + 2 * 2);
}

on_both_databases!(every_stop_says_its_number_whatever_changes);
