//! Questions about what people did close by themselves once nobody needs to answer them.

use chrono::Duration;
use concord_domain::{
    booking::{BookingDraft, BookingStatus},
    connection::EntryState,
    privacy::EntryPrivacy,
    sync::remote_change::{Refusal, RemoteChangePolicy, RemoteChangeState},
};
use concord_services::remote_changes::{AnswerError, RemoteChangeAnswer};
use concord_storage::{notices, on_both_databases, remote_changes, testing::TestDb};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture, titled, with_status};

impl SyncFixture<'_> {
    /// Nobody is asked any more, and nobody will be told.
    async fn nobody_is_asked(&self) {
        let open = remote_changes::open(self.db, self.business.id, None).await.unwrap();
        assert!(open.is_empty(), "{open:#?}");
        let staff = notices::Audience::Staff(self.ana.id);
        for audience in [notices::Audience::Managers, staff] {
            let untold = notices::unsent(self.db, self.business.id, audience, 10).await.unwrap();
            assert!(untold.is_empty(), "{untold:#?}");
        }
    }
}

async fn a_question_closes_when_its_booking_is_over(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let (booking, id) = fixture.booked().await;
    fixture.outside.person_deletes(ANA, &id).await;
    fixture.poll().await;
    let asked = fixture.change_of(&booking).await;
    assert_eq!(asked.state, RemoteChangeState::Open);

    let now = fixture.clock.now();
    fixture.clock.advance(booking.interval.end - now - Duration::minutes(1));
    fixture.drain().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    fixture.clock.advance(Duration::minutes(1));
    fixture.settle().await;
    let closed = fixture.change_of(&booking).await;
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::Over)));
    assert!(closed.decided_at.is_some() && closed.decided_by.is_none());
    fixture.nobody_is_asked().await;
    assert!(matches!(fixture.decide(&closed, RemoteChangeAnswer::Follow).await, Err(AnswerError::Overtaken)));

    // What was deleted stays so, whoever looks.
    fixture.outside.forget_calls().await;
    fixture.clock.advance(Duration::hours(20));
    fixture.settle().await;
    assert_eq!(fixture.outside.writes().await, Vec::<String>::new());
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Removed);
    assert_eq!(fixture.now(&booking).await.draft.status, BookingStatus::Confirmed);
    assert_eq!(fixture.changes(&booking).await.len(), 1);
}

/// An entry that somebody moved goes back: the calendar tells what was.
async fn undecided_move_is_reverted_when_booking_is_over(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = fixture.booked().await;
    let before = fixture.outside.one_seen_by(ANA).await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    fixture.clock.advance(booking.interval.end - fixture.clock.now());
    fixture.settle().await;
    let closed = fixture.change_of(&booking).await;
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::Over)));
    let after = fixture.outside.one_seen_by(ANA).await;
    assert_eq!((after.starts_at, after.ends_at), (before.starts_at, before.ends_at));
    fixture.nobody_is_asked().await;
}

/// Somebody who waits for an answer may go on with what no booking follows.
async fn what_no_booking_follows_answers_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = fixture.booked().await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &id, json!({ "description": "by the back door" })).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    // Back where it was, nobody needs to be asked.
    fixture.person_moves(&id, 6_000, 6_060).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Overtaken);
}

/// A write has met it first, and was refused.
async fn what_is_taken_back_after_a_write_met_it_closes_the_question(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    fixture.set_privacy(EntryPrivacy::Full).await;
    let (booking, id) = fixture.booked().await;
    fixture.person_moves(&id, 7_000, 7_060).await;
    // It is written anew before anybody has read the calendar.
    fixture.put("A-1", &BookingDraft { notes: "By the window".to_owned(), ..fixture.hour() }).await;
    fixture.settle().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Asked);
    fixture.person_moves(&id, 6_000, 6_060).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    fixture.nobody_is_asked().await;
}

async fn what_is_done_here_closes_a_question_and_says_what_it_was(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.set_rules(RemoteChangePolicy::Ask, RemoteChangePolicy::Ask).await;
    let (booking, id) = fixture.booked().await;
    for (draft, why) in [
        (titled(&fixture.hour(), "Second"), Refusal::ChangedHere),
        (with_status(&fixture.hour(), BookingStatus::Cancelled), Refusal::Cancelled),
    ] {
        fixture.person_moves(&id, 7_000, 7_060).await;
        fixture.poll().await;
        assert_eq!(fixture.changes(&booking).await[0].state, RemoteChangeState::Open);
        // What changes nothing answers nothing.
        let same = fixture.now(&booking).await.draft;
        fixture.put("A-1", &same).await;
        fixture.settle().await;
        assert_eq!(fixture.changes(&booking).await[0].state, RemoteChangeState::Open);

        fixture.put("A-1", &draft).await;
        fixture.settle().await;
        let closed = fixture.changes(&booking).await.remove(0);
        assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(why)));
        fixture.nobody_is_asked().await;
    }
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);

    // A change that concerns no calendar is one too.
    fixture.poll().await;
    fixture.outside.person_changes(ANA, &id, json!({ "status": "confirmed" })).await;
    fixture.poll().await;
    assert_eq!(fixture.changes(&booking).await[0].state, RemoteChangeState::Open);
    fixture.put("A-1", &with_status(&titled(&fixture.hour(), "Third"), BookingStatus::Cancelled)).await;
    fixture.settle().await;
    let closed = fixture.changes(&booking).await.remove(0);
    assert_eq!((closed.state, closed.refusal), (RemoteChangeState::Overtaken, Some(Refusal::ChangedHere)));
    fixture.nobody_is_asked().await;
}

on_both_databases!(
    a_question_closes_when_its_booking_is_over,
    undecided_move_is_reverted_when_booking_is_over,
    what_no_booking_follows_answers_nothing,
    what_is_taken_back_after_a_write_met_it_closes_the_question,
    what_is_done_here_closes_a_question_and_says_what_it_was,
);
