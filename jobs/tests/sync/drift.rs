//! What stands in a calendar is compared with what should: nightly, and by hand.

use chrono::Duration;
use concord_domain::{
    connection::{Coverage, Direction},
    ids::ConnectionId,
};
use concord_services::connections as manage;
use concord_storage::{
    bookings, connections::DriftFigures, on_both_databases, remote_changes, sync_log, testing::TestDb,
};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};

impl SyncFixture<'_> {
    async fn compare(&self, id: ConnectionId) -> DriftFigures {
        manage::compare(&self.context, self.business.id, id).await.unwrap();
        self.settle().await;
        self.connection(id).await.drift
    }

    /// Ana is connected and has that many bookings, of which all are written.
    async fn with_bookings(&self, number: i64) -> (ConnectionId, Vec<String>) {
        let id = self.connected(&self.ana).await;
        for number in 0..number {
            let from = 6_000 + number * 100;
            self.put(&format!("A-{number}"), &self.draft(&[&self.ana], from, from + 60)).await;
        }
        self.settle().await;
        self.poll().await;
        let ids = self.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();
        (id, ids)
    }

    async fn questions(&self) -> usize {
        remote_changes::open(self.db, self.business.id, None).await.unwrap().len()
    }
}

impl SyncFixture<'_> {
    /// What was told of single entries, as `reference: detail`.
    async fn told_of_each(&self, id: ConnectionId) -> Vec<String> {
        let checked = self.connection(id).await.drift.checked_at.unwrap();
        let lines = sync_log::differences(self.db, self.business.id, id, checked, 100).await.unwrap();
        let mut told = Vec::new();
        for line in lines {
            let booking = match line.booking_id {
                Some(id) => bookings::by_id(self.db, self.business.id, id).await.unwrap(),
                None => None,
            };
            let reference = booking.map(|booking| booking.reference).unwrap_or_default();
            told.push(format!("{reference}: {}", line.detail));
        }
        told
    }
}

fn shown(drift: DriftFigures) -> [i64; 4] {
    [drift.standing, drift.missing, drift.different, drift.extra]
}

async fn what_agrees_is_said_to_and_costs_no_write(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (id, _) = fixture.with_bookings(4).await;
    fixture.outside.forget_calls().await;
    assert_eq!(shown(fixture.compare(id).await), [4, 0, 0, 0]);
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    // And the next night by itself.
    let before = fixture.connection(id).await.drift.checked_at.unwrap();
    fixture.clock.advance(Duration::hours(30));
    fixture.settle().await;
    assert!(fixture.connection(id).await.drift.checked_at.unwrap() > before);
}

async fn what_is_missing_is_asked_about_and_not_written_again(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (id, ids) = fixture.with_bookings(4).await;
    fixture.outside.person_deletes(ANA, &ids[0]).await;
    fixture.outside.forget_calls().await;
    assert_eq!(shown(fixture.compare(id).await), [3, 1, 0, 0]);
    let told = format!("A-0: missing from {ANA}; needs a decision");
    assert_eq!(fixture.told_of_each(id).await, [told]);
    assert_eq!((fixture.questions().await, fixture.outside.seen_by(ANA).await.len()), (1, 3));
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    assert_eq!(shown(fixture.compare(id).await), [3, 0, 0, 0], "whoever is asked is asked once");
}

async fn what_differs_in_a_calendar_that_is_only_written_is_put_right(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (id, ids) = fixture.with_bookings(4).await;
    fixture.set(id, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    fixture.outside.person_changes(ANA, &ids[0], json!({ "title": "Mine" })).await;
    fixture.outside.person_changes(ANA, &ids[1], json!({ "description": "Mine" })).await;
    assert_eq!(shown(fixture.compare(id).await), [2, 0, 2, 0]);
    let told = fixture.told_of_each(id).await;
    assert_eq!(
        told[told.len() - 2..],
        [format!("A-0: changed in {ANA}; reverted"), format!("A-1: changed in {ANA}; written again")]
    );
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Massage)"; 4]);
    assert!(fixture.outside.seen_by(ANA).await.iter().all(|seen| seen.description != "Mine"));
    assert_eq!(shown(fixture.compare(id).await), [4, 0, 0, 0]);
}

async fn a_loss_of_most_is_believed_at_the_second_sight_only(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (id, ids) = fixture.with_bookings(4).await;
    for gone in &ids[..3] {
        fixture.outside.person_deletes(ANA, gone).await;
    }
    let held = fixture.compare(id).await;
    assert_eq!((shown(held), held.held_since.is_some()), ([1, 3, 0, 0], true));
    let to_recheck =
        |number| format!("A-{number}: missing from {ANA}; checked again before anything is changed");
    assert_eq!(fixture.told_of_each(id).await, [to_recheck(0), to_recheck(1), to_recheck(2)]);
    let again = fixture.compare(id).await;
    assert_eq!(again.held_since, held.held_since, "asking twice is no second sight");
    assert_eq!(fixture.questions().await, 0);
    fixture.clock.advance(Duration::minutes(10));
    fixture.settle().await;
    assert_eq!((fixture.questions().await, fixture.outside.seen_by(ANA).await.len()), (3, 1));
}

on_both_databases!(
    what_agrees_is_said_to_and_costs_no_write,
    what_is_missing_is_asked_about_and_not_written_again,
    what_differs_in_a_calendar_that_is_only_written_is_put_right,
    a_loss_of_most_is_believed_at_the_second_sight_only,
);
