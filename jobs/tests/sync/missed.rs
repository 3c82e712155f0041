//! What people did to entries of ours while there was no cursor that would have told of it: a read of everything tells.

use chrono::Duration;
use concord_domain::{
    connection::{Coverage, Direction},
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_services::connections as manage;
use concord_storage::{on_both_databases, testing::TestDb};
use serde_json::json;

use crate::{
    fixture::{ANA, SyncFixture, titled},
    two_way::minutes,
};

impl SyncFixture<'_> {
    /// The next poll finds its cursor expired.
    async fn poll_anew(&self) {
        self.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
        self.poll().await;
    }
}

async fn a_deletion_is_found_by_the_read_after_the_cursor_expired(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.outside.forget_calls().await;
    fixture.poll_anew().await;
    assert_eq!(fixture.outside.hits().await, 1);
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    let told = format!("{ANA}: full read: 0 updated, 0 removed, 1 of our entries changed in the calendar");
    assert_eq!(fixture.log_lines().await.last().unwrap().detail, told);
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());

    // Whoever is asked is asked once, however often everything is read.
    fixture.poll_anew().await;
    assert_eq!(fixture.changes(&booking).await.len(), 1);
}

/// What was read is forgotten when nothing is to be read any more.
async fn a_deletion_is_found_by_the_first_read(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    let connection = fixture.sync(&booking).await[0].connection;
    fixture.set(connection, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.set(connection, Direction::Both, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
}

async fn what_stands_elsewhere_was_not_deleted(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    let far = Duration::days(400).num_minutes();
    fixture.person_moves(&id, far, far + 60).await;
    fixture.poll_anew().await;
    assert_eq!(minutes(&fixture.now(&booking).await), (far, far + 60));
}

async fn many_at_once_are_asked_about(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = fixture.booked_often().await;
    let ids: Vec<String> = fixture.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();
    fixture.outside.person_deletes(ANA, &ids[0]).await;
    fixture.poll_anew().await;
    for id in &ids[1..] {
        fixture.outside.person_deletes(ANA, id).await;
    }
    fixture.poll_anew().await;
    fixture.only_the_first_was_cancelled(&booked).await;
}

/// That the answer to an update was lost says nothing of a deletion, which none of our writes explains.
async fn deletion_is_asked_about_though_an_update_is_unanswered(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    fixture.put("A-1", &titled(&fixture.hour(), "Second")).await;
    fixture.drain().await;
    assert_eq!(fixture.outside.hits().await, 1);
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    manage::import_all(&fixture.context, fixture.business.id).await.unwrap();
    fixture.settle().await;
    fixture.poll().await;
    let changes = fixture.changes(&booking).await;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].kind, changes[0].state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert!(fixture.outside.seen_by(ANA).await.is_empty(), "until somebody answers nothing is written");
}

on_both_databases!(
    a_deletion_is_found_by_the_read_after_the_cursor_expired,
    a_deletion_is_found_by_the_first_read,
    what_stands_elsewhere_was_not_deleted,
    many_at_once_are_asked_about,
    deletion_is_asked_about_though_an_update_is_unanswered,
);
