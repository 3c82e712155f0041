//! Directions that change, and what people ask for by hand.

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangePolicy,
};
use concord_jobs::{
    batch_sync,
    connections::{self as manage, ManageError},
};
use concord_storage::{
    on_both_databases,
    testing::{self, TestDb, at},
};
use serde_json::json;

use crate::world::{ANA, World};

async fn a_calendar_that_is_only_written_keeps_nobody_busy(db: &TestDb) {
    let world = World::new(db).await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = world.connected(&world.ana).await;
    world.set(id, Direction::Out, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
    world.outside.forget_calls().await;
    world.poll().await;
    assert_eq!(world.outside.calls().await, [""; 0]);
    world.set(id, Direction::Both, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["busy: 600 - 660"]);
}

async fn a_change_during_a_pause_holds_too(db: &TestDb) {
    let world = World::new(db).await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    manage::pause(&world.context, &world.change(), id).await.unwrap();
    world.set(id, Direction::Out, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120"]);
    world.set(id, Direction::In, Coverage::Assigned).await;
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await.len(), 2, "it is paused");
    manage::resume(&world.context, &world.change(), id).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Dentist"]);
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);
}

async fn everything_can_be_brought_up_to_date_by_hand(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.connected(&world.rui).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;

    manage::resync(&world.context, world.business.id, id).await.unwrap();
    world.drain().await;
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120", "busy: 600 - 660"]);

    world.outside.person_adds(ANA, (at(700), at(760)), json!({})).await;
    world.outside.forget_calls().await;
    assert_eq!(batch_sync::import_all(&world.context, world.business.id).await.unwrap(), 2);
    assert_eq!(batch_sync::sync_all_pending(&world.context, world.business.id).await.unwrap(), 2);
    world.drain().await;
    assert_eq!(world.taken(&world.ana).await.len(), 3);
    // What is as it should be is not written again.
    assert_eq!(world.outside.writes().await, [""; 0]);
}

/// Nobody has changed the bookings, but people have been at work in a calendar that has no say.
async fn what_people_did_to_entries_is_put_right_by_hand(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Revert, RemoteChangePolicy::Revert).await;
    let id = world.connected(&world.ana).await;
    for number in 0..3 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    world.settle().await;
    let before = world.outside.seen_by(ANA).await;
    world.outside.person_deletes(ANA, &before[0].id).await;
    let moved = json!({ "starts_at": at(5000), "ends_at": at(5060), "title": "Somewhen" });
    world.outside.person_changes(ANA, &before[1].id, moved).await;
    // Not by itself, nor with all that waits.
    batch_sync::sync_all_pending(&world.context, world.business.id).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 2);

    manage::resync(&world.context, world.business.id, id).await.unwrap();
    world.settle().await;
    let times = |seen: Vec<crate::outside::Seen>| {
        let mut times: Vec<_> =
            seen.into_iter().map(|one| (one.id, one.title, one.starts_at, one.ends_at)).collect();
        times.sort();
        times
    };
    assert_eq!(times(world.outside.seen_by(ANA).await), times(before));
    let counts =
        concord_storage::entries::counts(db, world.business.id, None, world.clock.now()).await.unwrap();
    assert_eq!((counts.synced, counts.pending, counts.failed), (3, 0, 0));
}

/// Whoever was told that the connection is over does not see it served again.
async fn a_pause_and_an_end_at_the_same_time_leave_it_ended(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for _ in 0..8 {
        manage::pause(&world.context, &world.change(), id).await.unwrap();
        let change = world.change();
        let end = manage::disconnect(&world.context, &change, id, false);
        let resume = manage::resume(&world.context, &change, id);
        let (ended, _) = tokio::join!(end, resume);
        ended.unwrap();
        assert_eq!(world.state(id).await, ConnectionState::Disconnected);
        let refused = manage::pause(&world.context, &change, id).await;
        assert!(matches!(refused, Err(ManageError::NotFound)), "{refused:?}");
        let again = manage::disconnect(&world.context, &change, id, true).await;
        assert!(matches!(again, Err(ManageError::NotFound)), "{again:?}");
        assert_eq!(world.connect(&world.ana, ANA).await, id);
    }
    let refused = manage::resume(&world.context, &world.change(), id).await;
    assert!(matches!(refused, Err(ManageError::NotPossible(_))), "{refused:?}");
}

/// A booking changes just when a batch goes over it.
async fn a_batch_and_a_change_at_the_same_time_agree(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for round in 0..3 {
        let drafts: Vec<_> = (0..40)
            .map(|number| (number, world.draft(&[&world.ana], 60 + number * 60, 120 + number * 60)))
            .collect();
        for (number, draft) in &drafts {
            world.put(&format!("{round}-{number}"), draft).await;
        }
        world.settle().await;
        for (number, _) in drafts.iter().filter(|(number, _)| number % 2 == 0) {
            world.cancel(&format!("{round}-{number}")).await;
        }
        // All that was cancelled comes back while the batch goes through them, and the rest is cancelled.
        let change = async {
            for (number, draft) in drafts.iter().rev() {
                if number % 2 == 0 {
                    world.put(&format!("{round}-{number}"), draft).await;
                } else {
                    world.cancel(&format!("{round}-{number}")).await;
                }
                tokio::task::yield_now().await;
            }
        };
        let batch = async {
            manage::resync(&world.context, world.business.id, id).await.unwrap();
            world.drain().await;
        };
        tokio::join!(change, batch);
        world.settle().await;
        let seen = world.outside.seen_by(ANA).await.len();
        assert_eq!(seen, 20, "round {round}");
        let counts =
            concord_storage::entries::counts(db, world.business.id, None, world.clock.now()).await.unwrap();
        assert_eq!((counts.synced, counts.pending, counts.failed), (20, 0, 0), "round {round}");
        for (number, _) in drafts.iter().filter(|(number, _)| number % 2 == 0) {
            world.cancel(&format!("{round}-{number}")).await;
        }
        world.settle().await;
    }
}

async fn what_a_change_of_settings_asks_for_is_true_with_the_change(db: &TestDb) {
    let world = World::new(db).await;
    world.connected(&world.ana).await;
    let mut tx = testing::begin(db).await;
    let enqueued = batch_sync::enqueue_all(&mut tx, &world.context, world.business.id).await.unwrap();
    assert_eq!(enqueued.len(), 1);
    drop(tx);
    assert_eq!(world.open_jobs().await.len(), 0, "nothing was changed");
    let mut tx = testing::begin(db).await;
    batch_sync::enqueue_all(&mut tx, &world.context, world.business.id).await.unwrap();
    testing::commit(tx).await;
    // Whoever asked for it is gone before anything was pushed.
    assert_eq!(world.open_jobs().await.len(), 1);
}

async fn what_is_over_tells_no_more_than_what_is_to_come(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.set_privacy(EntryPrivacy::Full).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    assert!(world.outside.one_seen_by(ANA).await.description.contains("+351 900"));
    world.clock.advance(Duration::days(40));
    world.settle().await;

    // It is not written to at the moment, and the change is not forgotten by then.
    manage::pause(&world.context, &world.change(), id).await.unwrap();
    world.set_privacy(EntryPrivacy::Minimal).await;
    world.settle().await;
    assert!(world.outside.one_seen_by(ANA).await.description.contains("+351 900"));
    manage::resume(&world.context, &world.change(), id).await.unwrap();
    world.settle().await;
    let seen = world.outside.one_seen_by(ANA).await;
    assert!(!seen.description.contains("+351 900"), "{}", seen.description);

    // To tell more of what is over is of no use to anybody.
    world.set_privacy(EntryPrivacy::Full).await;
    world.settle().await;
    assert_eq!(world.outside.one_seen_by(ANA).await.description, seen.description);
    // As of a time at which it was not over.
    let then = world.clock.now() - Duration::days(40);
    let counts = concord_storage::entries::counts(db, world.business.id, None, then).await.unwrap();
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
