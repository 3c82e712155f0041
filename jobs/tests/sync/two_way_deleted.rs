//! What people delete in their own calendars, and what they bring back there.

use concord_domain::{
    booking::BookingStatus,
    connection::EntryState,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_jobs::{
    connections as manage,
    remote_change::{Answer, AnswerError},
};
use concord_storage::{connections, on_both_databases, testing::TestDb};
use serde_json::json;

use crate::world::{ANA, World};

async fn a_deletion_asks_and_cancels_nothing_by_itself(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert_eq!(world.now(&booking).await.draft.status, BookingStatus::Confirmed);

    // Until somebody answers it stays away, whoever resyncs.
    concord_jobs::batch_sync::sync_all_pending(&world.context, world.business.id).await.unwrap();
    world.settle().await;
    world.poll().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(world.changes(&booking).await.len(), 1);

    world.decide(&change, Answer::Revert).await.unwrap();
    assert_eq!(world.outside.one_seen_by(ANA).await.id, id);
    assert!(matches!(world.decide(&change, Answer::Follow).await, Err(AnswerError::Overtaken)));

    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    let again = world.changes(&booking).await.remove(0);
    world.decide(&again, Answer::Follow).await.unwrap();
    assert_eq!(world.now(&booking).await.draft.status, BookingStatus::Cancelled);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(world.sync_states(&booking).await, ["Ana: removed"]);
}

async fn resync_follows_a_deletion_by_the_rules(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let (booking, id) = world.booked().await;
    world.outside.person_deletes(ANA, &id).await;
    let connections = connections::list(db, world.business.id).await.unwrap();
    manage::resync(&world.context, world.business.id, connections[0].id).await.unwrap();
    world.settle().await;
    assert_eq!(world.now(&booking).await.draft.status, BookingStatus::Cancelled);
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Followed));
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
}

async fn who_brings_it_back_themselves_need_not_be_asked(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    assert_eq!(world.outside.one_seen_by(ANA).await.id, id);
}

async fn a_business_can_let_deletions_cancel_but_not_many_at_once(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = world.booked_often().await;
    let ids: Vec<String> = world.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();
    world.outside.person_deletes(ANA, &ids[0]).await;
    world.poll().await;
    for id in &ids[1..] {
        world.outside.person_deletes(ANA, id).await;
    }
    world.poll().await;
    world.only_the_first_was_cancelled(&booked).await;
}

/// Whoever writes sees one entry at a time: an emptied calendar must not cancel one booking after the other.
async fn what_a_write_finds_gone_is_asked_about_whatever_the_rules(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = world.booked_often().await;
    for seen in world.outside.seen_by(ANA).await {
        world.outside.person_deletes(ANA, &seen.id).await;
    }
    // All of them are written anew before anybody has read the calendar.
    world.set_privacy(EntryPrivacy::Full).await;
    world.settle().await;
    world.poll().await;
    for booking in &booked {
        assert_eq!(world.now(booking).await.draft.status, BookingStatus::Confirmed);
        assert_eq!(world.change_of(booking).await.state, RemoteChangeState::Open);
    }
}

async fn what_comes_back_after_a_cancellation_is_asked_about(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.cancel("A-1").await;
    world.settle().await;
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    world.poll().await;
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Restored, RemoteChangeState::Open));
    world.decide(&change, Answer::Follow).await.unwrap();
    assert_eq!(world.now(&booking).await.draft.status, BookingStatus::Confirmed);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);

    world.cancel("A-1").await;
    world.settle().await;
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    world.poll().await;
    let again = world.changes(&booking).await.remove(0);
    world.decide(&again, Answer::Revert).await.unwrap();
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
}

on_both_databases!(
    what_a_write_finds_gone_is_asked_about_whatever_the_rules,
    a_deletion_asks_and_cancels_nothing_by_itself,
    resync_follows_a_deletion_by_the_rules,
    who_brings_it_back_themselves_need_not_be_asked,
    a_business_can_let_deletions_cancel_but_not_many_at_once,
    what_comes_back_after_a_cancellation_is_asked_about,
);
