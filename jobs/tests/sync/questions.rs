//! Questions about what people did close by themselves once nobody needs to answer them.

use chrono::Duration;
use concord_domain::{
    booking::{BookingDraft, BookingStatus},
    connection::EntryState,
    privacy::EntryPrivacy,
    sync::remote_change::{Refusal, RemoteChangePolicy, RemoteChangeState},
};
use concord_jobs::remote_change::{Answer, AnswerError};
use concord_storage::{notices, on_both_databases, remote_changes, testing::TestDb};
use serde_json::json;

use crate::world::{ANA, World, titled, with_status};

impl World<'_> {
    /// Nobody is asked any more, and nobody will be told.
    async fn nobody_is_asked(&self) {
        let open = remote_changes::open(self.db, self.business.id, None).await.unwrap();
        assert!(open.is_empty(), "{open:#?}");
        let staff = notices::Audience::Staff(self.ana.id);
        for audience in [notices::Audience::Managers, staff] {
            let untold = notices::untold(self.db, self.business.id, audience, 10).await.unwrap();
            assert!(untold.is_empty(), "{untold:#?}");
        }
    }
}

async fn a_question_closes_when_its_booking_is_over(db: &TestDb) {
    let world = World::new(db).await;
    let (booking, id) = world.booked().await;
    world.outside.person_deletes(ANA, &id).await;
    world.poll().await;
    let asked = world.change_of(&booking).await;
    assert_eq!(asked.state, RemoteChangeState::Open);

    let now = world.clock.now();
    world.clock.advance(booking.interval.end - now - Duration::minutes(1));
    world.drain().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    world.clock.advance(Duration::minutes(1));
    world.settle().await;
    let closed = world.change_of(&booking).await;
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::Over)));
    assert!(closed.decided_at.is_some() && closed.decided_by.is_none());
    world.nobody_is_asked().await;
    assert!(matches!(world.decide(&closed, Answer::Follow).await, Err(AnswerError::Overtaken)));

    // What was deleted stays so, whoever looks.
    world.outside.forget_calls().await;
    world.clock.advance(Duration::hours(20));
    world.settle().await;
    assert_eq!(world.outside.writes().await, Vec::<String>::new());
    assert_eq!(world.entry_state(&booking).await, EntryState::Removed);
    assert_eq!(world.now(&booking).await.draft.status, BookingStatus::Confirmed);
    assert_eq!(world.changes(&booking).await.len(), 1);
}

/// An entry that somebody moved goes back: the calendar tells what was.
async fn a_move_that_nobody_decided_is_revert_when_its_booking_is_over(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = world.booked().await;
    let before = world.outside.one_seen_by(ANA).await;
    world.person_moves(&id, 7_000, 7_060).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    world.clock.advance(booking.interval.end - world.clock.now());
    world.settle().await;
    let closed = world.change_of(&booking).await;
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::Over)));
    let after = world.outside.one_seen_by(ANA).await;
    assert_eq!((after.starts_at, after.ends_at), (before.starts_at, before.ends_at));
    world.nobody_is_asked().await;
}

/// Somebody who waits for an answer may go on with what no booking follows.
async fn what_no_booking_follows_answers_nothing(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = world.booked().await;
    world.person_moves(&id, 7_000, 7_060).await;
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "description": "by the back door" })).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    // Back where it was, nobody needs to be asked.
    world.person_moves(&id, 6_000, 6_060).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Overtaken);
}

/// A write has met it first, and was refused.
async fn what_is_taken_back_after_a_write_met_it_closes_the_question(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    world.set_privacy(EntryPrivacy::Full).await;
    let (booking, id) = world.booked().await;
    world.person_moves(&id, 7_000, 7_060).await;
    // It is written anew before anybody has read the calendar.
    world.put("A-1", &BookingDraft { notes: "By the window".to_owned(), ..world.hour() }).await;
    world.settle().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    assert_eq!(world.entry_state(&booking).await, EntryState::Asked);
    world.person_moves(&id, 6_000, 6_060).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    world.nobody_is_asked().await;
}

async fn what_is_done_here_closes_a_question_and_says_what_it_was(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = world.booked().await;
    for (draft, why) in [
        (titled(&world.hour(), "Second"), Refusal::ChangedHere),
        (with_status(&world.hour(), BookingStatus::Cancelled), Refusal::Cancelled),
    ] {
        world.person_moves(&id, 7_000, 7_060).await;
        world.poll().await;
        assert_eq!(world.changes(&booking).await[0].state, RemoteChangeState::Open);
        // What changes nothing answers nothing.
        let same = world.now(&booking).await.draft;
        world.put("A-1", &same).await;
        world.settle().await;
        assert_eq!(world.changes(&booking).await[0].state, RemoteChangeState::Open);

        world.put("A-1", &draft).await;
        world.settle().await;
        let closed = world.changes(&booking).await.remove(0);
        assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(why)));
        world.nobody_is_asked().await;
    }
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);

    // A change that concerns no calendar is one too.
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    world.poll().await;
    assert_eq!(world.changes(&booking).await[0].state, RemoteChangeState::Open);
    world.put("A-1", &with_status(&titled(&world.hour(), "Third"), BookingStatus::Cancelled)).await;
    world.settle().await;
    let closed = world.changes(&booking).await.remove(0);
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::ChangedHere)));
    world.nobody_is_asked().await;
}

on_both_databases!(
    a_question_closes_when_its_booking_is_over,
    a_move_that_nobody_decided_is_revert_when_its_booking_is_over,
    what_no_booking_follows_answers_nothing,
    what_is_taken_back_after_a_write_met_it_closes_the_question,
    what_is_done_here_closes_a_question_and_says_what_it_was,
);
