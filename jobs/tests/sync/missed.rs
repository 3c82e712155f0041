//! What people did to entries of ours while there was no cursor that would have told of it: a read of everything tells.

use chrono::Duration;
use concord_domain::{
    connection::{Coverage, Direction},
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_jobs::batch_sync;
use concord_storage::{on_both_databases, testing::TestDb};
use serde_json::json;

use crate::{
    two_way::minutes,
    world::{ANA, World, titled},
};

impl World<'_> {
    /// The next poll finds its cursor expired.
    async fn poll_anew(&self) {
        self.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
        self.poll().await;
    }
}

async fn a_deletion_is_found_by_the_read_after_the_cursor_expired(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    world.poll().await;
    world.outside.person_deletes(ANA, &id).await;
    world.outside.forget_calls().await;
    world.poll_anew().await;
    assert_eq!(world.outside.hits().await, 1);
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    let told = format!("{ANA}: full read: 0 written, 0 removed, 1 of our entries were changed there");
    assert_eq!(world.log_lines().await.last().unwrap().detail, told);
    assert_eq!(world.outside.writes().await, Vec::<String>::new());

    // Whoever is asked is asked once, however often everything is read.
    world.poll_anew().await;
    assert_eq!(world.changes(&booking).await.len(), 1);
}

/// What was read is forgotten when nothing is to be read any more.
async fn a_deletion_is_found_by_the_first_read(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    let connection = world.sync(&booking).await[0].connection;
    world.set(connection, Direction::Out, Coverage::Assigned).await;
    world.settle().await;
    world.outside.person_deletes(ANA, &id).await;
    world.set(connection, Direction::Both, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
}

async fn what_stands_elsewhere_was_not_deleted(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    let far = Duration::days(400).num_minutes();
    world.person_moves(&id, far, far + 60).await;
    world.poll_anew().await;
    assert_eq!(minutes(&world.now(&booking).await), (far, far + 60));
}

async fn many_at_once_are_asked_about(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = world.booked_often().await;
    let ids: Vec<String> = world.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();
    world.outside.person_deletes(ANA, &ids[0]).await;
    world.poll_anew().await;
    for id in &ids[1..] {
        world.outside.person_deletes(ANA, id).await;
    }
    world.poll_anew().await;
    world.only_the_first_was_cancelled(&booked).await;
}

/// That the answer to an update was lost says nothing of a deletion, which none of our writes explains.
async fn deletion_is_asked_about_though_an_update_is_unanswered(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    world.put("A-1", &titled(&world.hour(), "Second")).await;
    world.drain().await;
    assert_eq!(world.outside.hits().await, 1);
    world.outside.person_deletes(ANA, &id).await;
    world.outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    batch_sync::import_all(&world.context, world.business.id).await.unwrap();
    world.settle().await;
    world.poll().await;
    let changes = world.changes(&booking).await;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].kind, changes[0].state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert!(world.outside.seen_by(ANA).await.is_empty(), "until somebody answers nothing is written");
}

on_both_databases!(
    a_deletion_is_found_by_the_read_after_the_cursor_expired,
    a_deletion_is_found_by_the_first_read,
    what_stands_elsewhere_was_not_deleted,
    many_at_once_are_asked_about,
    deletion_is_asked_about_though_an_update_is_unanswered,
);
