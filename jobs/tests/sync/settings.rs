//! Directions that change, and what people ask for by hand.

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangePolicy,
};
use concord_jobs::enqueue;
use concord_services::{ServiceError, connections as manage};
use concord_storage::{
    on_both_databases,
    testing::{self, TestDb, at},
};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};

async fn a_calendar_that_is_only_written_keeps_nobody_busy(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.set(id, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    fixture.outside.forget_calls().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.calls().await, [""; 0]);
    fixture.set(id, Direction::Both, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);
}

async fn a_change_during_a_pause_holds_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.set(id, Direction::Out, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120"]);
    fixture.set(id, Direction::In, Coverage::Assigned).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await.len(), 2, "it is paused");
    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Dentist"]);
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);
}

async fn everything_can_be_brought_up_to_date_by_hand(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.connected(&fixture.rui).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;

    manage::resync(&fixture.context, fixture.business.id, id).await.unwrap();
    fixture.drain().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);

    fixture.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    fixture.outside.forget_calls().await;
    assert_eq!(manage::import_all(&fixture.context, fixture.business.id).await.unwrap(), 2);
    assert_eq!(manage::sync_all_pending(&fixture.context, fixture.business.id).await.unwrap(), 2);
    fixture.drain().await;
    assert_eq!(fixture.taken(&fixture.ana).await.len(), 3);
    // What is as it should be is not written again.
    assert_eq!(fixture.outside.writes().await, [""; 0]);
}

/// Nobody has changed the bookings, but people have been at work in a calendar that has no say.
async fn what_people_did_to_entries_is_put_right_by_hand(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Revert, RemoteChangePolicy::Revert).await;
    let id = fixture.connected(&fixture.ana).await;
    for number in 0..3 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    fixture.settle().await;
    let before = fixture.outside.seen_by(ANA).await;
    fixture.outside.person_deletes(ANA, &before[0].id).await;
    let moved = json!({ "starts_at": at(5000), "ends_at": at(5060), "title": "Somewhen" });
    fixture.outside.person_changes(ANA, &before[1].id, moved).await;
    // Not by itself, nor with all that waits.
    manage::sync_all_pending(&fixture.context, fixture.business.id).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);

    manage::resync(&fixture.context, fixture.business.id, id).await.unwrap();
    fixture.settle().await;
    let times = |seen: Vec<crate::provider_sandbox::SeenEvent>| {
        let mut times: Vec<_> =
            seen.into_iter().map(|one| (one.id, one.title, one.starts_at, one.ends_at)).collect();
        times.sort();
        times
    };
    assert_eq!(times(fixture.outside.seen_by(ANA).await), times(before));
    let counts =
        concord_storage::entries::counts(db, fixture.business.id, None, fixture.clock.now()).await.unwrap();
    assert_eq!((counts.synced, counts.pending, counts.failed), (3, 0, 0));
}

/// Whoever was told that the connection is over does not see it served again.
async fn a_pause_and_an_end_at_the_same_time_leave_it_ended(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for _ in 0..8 {
        manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
        let change = fixture.change();
        let end = manage::disconnect(&fixture.context, &change, id, false);
        let resume = manage::resume(&fixture.context, &change, id);
        let (ended, _) = tokio::join!(end, resume);
        ended.unwrap();
        assert_eq!(fixture.state(id).await, ConnectionState::Disconnected);
        let refused = manage::pause(&fixture.context, &change, id).await;
        assert!(matches!(refused, Err(ServiceError::NotFound(_))), "{refused:?}");
        let again = manage::disconnect(&fixture.context, &change, id, true).await;
        assert!(matches!(again, Err(ServiceError::NotFound(_))), "{again:?}");
        assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    }
    let refused = manage::resume(&fixture.context, &fixture.change(), id).await;
    assert!(matches!(refused, Err(ServiceError::NotPossible(_))), "{refused:?}");
}

/// A booking changes just when a batch goes over it.
async fn a_batch_and_a_change_at_the_same_time_agree(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for round in 0..3 {
        let drafts: Vec<_> = (0..40)
            .map(|number| (number, fixture.draft(&[&fixture.ana], 60 + number * 60, 120 + number * 60)))
            .collect();
        for (number, draft) in &drafts {
            fixture.put(&format!("{round}-{number}"), draft).await;
        }
        fixture.settle().await;
        for (number, _) in drafts.iter().filter(|(number, _)| number % 2 == 0) {
            fixture.cancel(&format!("{round}-{number}")).await;
        }
        // All that was cancelled comes back while the batch goes through them, and the rest is cancelled.
        let change = async {
            for (number, draft) in drafts.iter().rev() {
                if number % 2 == 0 {
                    fixture.put(&format!("{round}-{number}"), draft).await;
                } else {
                    fixture.cancel(&format!("{round}-{number}")).await;
                }
                tokio::task::yield_now().await;
            }
        };
        let batch = async {
            manage::resync(&fixture.context, fixture.business.id, id).await.unwrap();
            fixture.drain().await;
        };
        tokio::join!(change, batch);
        fixture.settle().await;
        let seen = fixture.outside.seen_by(ANA).await.len();
        assert_eq!(seen, 20, "round {round}");
        let counts = concord_storage::entries::counts(db, fixture.business.id, None, fixture.clock.now())
            .await
            .unwrap();
        assert_eq!((counts.synced, counts.pending, counts.failed), (20, 0, 0), "round {round}");
        for (number, _) in drafts.iter().filter(|(number, _)| number % 2 == 0) {
            fixture.cancel(&format!("{round}-{number}")).await;
        }
        fixture.settle().await;
    }
}

async fn what_a_change_of_settings_asks_for_is_true_with_the_change(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.connected(&fixture.ana).await;
    let mut tx = testing::begin(db).await;
    let enqueued =
        enqueue::batch_sync_of_business(&mut tx, &fixture.context, fixture.business.id).await.unwrap();
    assert_eq!(enqueued.len(), 1);
    drop(tx);
    assert_eq!(fixture.open_jobs().await.len(), 0, "nothing was changed");
    let mut tx = testing::begin(db).await;
    enqueue::batch_sync_of_business(&mut tx, &fixture.context, fixture.business.id).await.unwrap();
    testing::commit(tx).await;
    // Whoever asked for it is gone before anything was pushed.
    assert_eq!(fixture.open_jobs().await.len(), 1);
}

async fn what_is_over_tells_no_more_than_what_is_to_come(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    assert!(fixture.outside.one_seen_by(ANA).await.description.contains("+351 900"));
    fixture.clock.advance(Duration::days(40));
    fixture.settle().await;

    // It is not written to at the moment, and the change is not forgotten by then.
    manage::pause(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.set_privacy(EntryPrivacy::Minimal).await;
    fixture.settle().await;
    assert!(fixture.outside.one_seen_by(ANA).await.description.contains("+351 900"));
    manage::resume(&fixture.context, &fixture.change(), id).await.unwrap();
    fixture.settle().await;
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert!(!seen.description.contains("+351 900"), "{}", seen.description);

    // To tell more of what is over is of no use to anybody.
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.one_seen_by(ANA).await.description, seen.description);
    // As of a time at which it was not over.
    let then = fixture.clock.now() - Duration::days(40);
    let counts = concord_storage::entries::counts(db, fixture.business.id, None, then).await.unwrap();
    assert_eq!((counts.synced, counts.pending, counts.failed), (1, 0, 0));
}

on_both_databases!(
    what_a_change_of_settings_asks_for_is_true_with_the_change,
    what_is_over_tells_no_more_than_what_is_to_come,
    a_calendar_that_is_only_written_keeps_nobody_busy,
    a_change_during_a_pause_holds_too,
    everything_can_be_brought_up_to_date_by_hand,
    what_people_did_to_entries_is_put_right_by_hand,
    a_pause_and_an_end_at_the_same_time_leave_it_ended,
    a_batch_and_a_change_at_the_same_time_agree,
);
