//! What those who are invited answer.

use concord_domain::{
    booking::{Booking, BookingStatus},
    customer::CustomerAnswer,
    ids::BusinessId,
    invitation::AttendeeRole,
    people::Actor,
    webhook::{Event, EventType, InvitationAnswerPayload},
};
use concord_storage::{
    ChangeContext, Db, StorageError,
    answers::{self, AnswerWrite},
    attendees::{self, Attendee},
    bookings::{self, LinkedWrite, PutError},
    events, history, on_both_databases,
    testing::{TestDb, begin, commit},
};
use serde_json::{Value, json};

use crate::{customer_links::booking, first, precise};

fn by(business: BusinessId) -> ChangeContext {
    ChangeContext { business, actor: Actor::System, now: precise(5) }
}

fn event(booking: &Booking) -> Event {
    Event::invitation_answered(&InvitationAnswerPayload {
        booking: booking.id,
        reference: booking.reference.clone(),
        version: booking.version,
        role: AttendeeRole::Customer,
        name: String::new(),
        email: String::new(),
        answer: CustomerAnswer::Declined,
        answered_at: precise(3),
    })
}

/// The customer has declined, by mail.
fn declined<'a>(
    booking: &Booking,
    customer: &Attendee,
    (detail, event): (&'a Value, &'a Event),
) -> AnswerWrite<'a> {
    AnswerWrite {
        attendee: customer.id,
        booking: booking.id,
        answer: CustomerAnswer::Declined,
        answered_at: precise(3),
        reply: Some("abc"),
        detail,
        notices: &[],
        event,
    }
}

async fn event_types(db: &Db, business: BusinessId) -> Vec<EventType> {
    events::after(db, business, None, 50).await.unwrap().items.iter().map(|event| event.kind).collect()
}

async fn answer_is_written_once_with_all_that_says_so(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let (detail, event) = (json!({ "answer": "declined" }), event(&booking));
    let write = declined(&booking, &customer, (&detail, &event));
    let by = by(booking.business);
    let mut tx = begin(db).await;
    answers::record(&mut tx, &by, &write).await.unwrap();
    answers::publish(&mut tx, &by, &write).await.unwrap();
    commit(tx).await;
    let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!((all[0].answer, all[0].answered_at), (Some(CustomerAnswer::Declined), Some(precise(3))));
    assert_eq!(
        event_types(db, booking.business).await,
        [EventType::BookingCreated, EventType::InvitationAnswered]
    );
    let lines = history::list(db, booking.business, &first(5)).await.unwrap().items;
    assert_eq!((lines[0].action.as_str(), &lines[0].detail), ("answered", &detail));
    // The same reply again, and an earlier answer by the page.
    for write in [write, AnswerWrite { reply: None, answered_at: precise(2), ..write }] {
        let mut tx = begin(db).await;
        let again = answers::record(&mut tx, &by, &write).await;
        assert!(matches!(again, Err(StorageError::Exists)), "{again:?}");
    }
    let mut tx = begin(db).await;
    assert!(!answers::is_new_reply(&mut tx, booking.id, "abc", precise(6)).await.unwrap());
    assert!(answers::is_new_reply(&mut tx, booking.id, "abd", precise(6)).await.unwrap());
}

async fn answer_cancels_with_the_booking_or_not_at_all(db: &TestDb) {
    let (booking, customer) = booking(db).await;
    let (detail, event) = (json!({}), event(&booking));
    let write = declined(&booking, &customer, (&detail, &event));
    let by = by(booking.business);
    let cancel = async |version| {
        bookings::cancel_linked(db, &by, "tasting", version, LinkedWrite::Answered(&write)).await
    };
    assert!(matches!(cancel(booking.version + 1).await, Err(PutError::Stale { .. })));
    let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!(all[0].answer, None, "nothing of it was written");
    let cancelled = cancel(booking.version).await.unwrap().booking;
    assert_eq!(cancelled.draft.status, BookingStatus::Cancelled);
    let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!(all[0].answer, Some(CustomerAnswer::Declined));
    assert_eq!(
        event_types(db, booking.business).await[1..],
        [EventType::BookingCancelled, EventType::InvitationAnswered]
    );
    let again = cancel(cancelled.version).await;
    assert!(matches!(again, Err(PutError::Storage(StorageError::Exists))), "{again:?}");
}

on_both_databases!(
    answer_is_written_once_with_all_that_says_so,
    answer_cancels_with_the_booking_or_not_at_all,
);
