//! Questions about what people did close by themselves once nobody needs to answer them.

use chrono::Duration;
use concord_domain::{
    booking::BookingStatus,
    connection::EntryState,
    sync::outside::{OutsidePolicy, OutsideState, Refusal},
};
use concord_jobs::outside::{Answer, AnswerError};
use concord_storage::{notices, on_both_databases, outside_changes, testing::TestDb};
use serde_json::json;

use crate::world::{ANA, World, titled, with_status};

impl World<'_> {
    /// Nobody is asked any more, and nobody will be told.
    async fn nobody_is_asked(&self) {
        let open = outside_changes::open(self.db, self.business.id, None).await.unwrap();
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
    assert_eq!(asked.state, OutsideState::Open);

    let now = world.clock.now();
    world.clock.advance(booking.interval.end - now - Duration::minutes(1));
    world.drain().await;
    assert_eq!(world.change_of(&booking).await.state, OutsideState::Open);
    world.clock.advance(Duration::minutes(1));
    world.settle().await;
    let closed = world.change_of(&booking).await;
    assert_eq!((closed.state, closed.refusal), (OutsideState::Overtaken, Some(Refusal::Over)));
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

async fn what_is_done_here_closes_a_question_and_says_what_it_was(db: &TestDb) {
    let world = World::new(db).await;
    world.set_rules(OutsidePolicy::Ask, OutsidePolicy::Ask).await;
    let (booking, id) = world.booked().await;
    for (draft, why) in [
        (titled(&world.hour(), "Second"), Refusal::ChangedHere),
        (with_status(&world.hour(), BookingStatus::Cancelled), Refusal::Cancelled),
    ] {
        world.person_moves(&id, 7_000, 7_060).await;
        world.poll().await;
        assert_eq!(world.changes(&booking).await[0].state, OutsideState::Open);
        // What changes nothing answers nothing.
        let same = world.now(&booking).await.draft;
        world.put("A-1", &same).await;
        world.settle().await;
        assert_eq!(world.changes(&booking).await[0].state, OutsideState::Open);

        world.put("A-1", &draft).await;
        world.settle().await;
        let closed = world.changes(&booking).await.remove(0);
        assert_eq!((closed.state, closed.refusal), (OutsideState::Overtaken, Some(why)));
        world.nobody_is_asked().await;
    }
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);

    // A change that concerns no calendar is one too.
    world.poll().await;
    world.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    world.poll().await;
    assert_eq!(world.changes(&booking).await[0].state, OutsideState::Open);
    world.put("A-1", &with_status(&titled(&world.hour(), "Third"), BookingStatus::Cancelled)).await;
    world.settle().await;
    let closed = world.changes(&booking).await.remove(0);
    assert_eq!((closed.state, closed.refusal), (OutsideState::Overtaken, Some(Refusal::ChangedHere)));
    world.nobody_is_asked().await;
}

on_both_databases!(
    a_question_closes_when_its_booking_is_over,
    what_is_done_here_closes_a_question_and_says_what_it_was,
);
