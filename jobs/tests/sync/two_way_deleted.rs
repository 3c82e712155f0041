//! What people delete in their own calendars, and what they bring back there.

use concord_domain::{
    booking::BookingStatus,
    connection::EntryState,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_services::{
    connections as manage,
    remote_changes::{AnswerError, RemoteChangeAnswer},
};
use concord_storage::{connections, on_both_databases, testing::TestDb};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};

async fn a_deletion_asks_and_cancels_nothing_by_itself(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert_eq!(fixture.now(&booking).await.draft.status, BookingStatus::Confirmed);

    // Until somebody answers it stays away, whoever resyncs.
    concord_services::connections::sync_all_pending(&fixture.context, fixture.business.id).await.unwrap();
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.changes(&booking).await.len(), 1);

    fixture.decide(&change, RemoteChangeAnswer::Revert).await.unwrap();
    assert_eq!(fixture.outside.one_seen_by(ANA).await.id, id);
    assert!(matches!(fixture.decide(&change, RemoteChangeAnswer::Follow).await, Err(AnswerError::Overtaken)));

    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    let again = fixture.changes(&booking).await.remove(0);
    fixture.decide(&again, RemoteChangeAnswer::Follow).await.unwrap();
    assert_eq!(fixture.now(&booking).await.draft.status, BookingStatus::Cancelled);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.sync_states(&booking).await, ["Ana: removed"]);
}

async fn resync_follows_a_deletion_by_the_rules(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_deletes(ANA, &id).await;
    let connections = connections::list(db, fixture.business.id).await.unwrap();
    manage::resync(&fixture.context, fixture.business.id, connections[0].id).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.now(&booking).await.draft.status, BookingStatus::Cancelled);
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Followed));
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
}

async fn who_brings_it_back_themselves_need_not_be_asked(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    assert_eq!(fixture.outside.one_seen_by(ANA).await.id, id);
}

async fn a_business_can_let_deletions_cancel_but_not_many_at_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = fixture.booked_often().await;
    let ids: Vec<String> = fixture.outside.seen_by(ANA).await.into_iter().map(|seen| seen.id).collect();
    fixture.outside.person_deletes(ANA, &ids[0]).await;
    fixture.poll().await;
    for id in &ids[1..] {
        fixture.outside.person_deletes(ANA, id).await;
    }
    fixture.poll().await;
    fixture.only_the_first_was_cancelled(&booked).await;
}

/// Whoever writes sees one entry at a time: an emptied calendar must not cancel one booking after the other.
async fn what_a_write_finds_gone_is_asked_about_whatever_the_rules(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booked = fixture.booked_often().await;
    for seen in fixture.outside.seen_by(ANA).await {
        fixture.outside.person_deletes(ANA, &seen.id).await;
    }
    // All of them are written anew before anybody has read the calendar.
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.settle().await;
    fixture.poll().await;
    for booking in &booked {
        assert_eq!(fixture.now(booking).await.draft.status, BookingStatus::Confirmed);
        assert_eq!(fixture.change_of(booking).await.state, RemoteChangeState::Open);
    }
}

async fn what_comes_back_after_a_cancellation_is_asked_about(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.cancel("A-1").await;
    fixture.settle().await;
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Restored, RemoteChangeState::Open));
    fixture.decide(&change, RemoteChangeAnswer::Follow).await.unwrap();
    assert_eq!(fixture.now(&booking).await.draft.status, BookingStatus::Confirmed);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);

    fixture.cancel("A-1").await;
    fixture.settle().await;
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    fixture.poll().await;
    let again = fixture.changes(&booking).await.remove(0);
    fixture.decide(&again, RemoteChangeAnswer::Revert).await.unwrap();
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
}

on_both_databases!(
    what_a_write_finds_gone_is_asked_about_whatever_the_rules,
    a_deletion_asks_and_cancels_nothing_by_itself,
    resync_follows_a_deletion_by_the_rules,
    who_brings_it_back_themselves_need_not_be_asked,
    a_business_can_let_deletions_cancel_but_not_many_at_once,
    what_comes_back_after_a_cancellation_is_asked_about,
);
