use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft},
    ids::{BusinessId, EventId},
    job::JobKind,
    webhook::{Event, EventSubject, EventType},
};
use concord_storage::{
    Db, bookings,
    events::{self, StoredEvent},
    jobs,
    retention::RetentionPeriods,
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::{
    bookings::{change, put},
    is_not_found, precise,
    retention::deleted,
    webhook_endpoints::endpoint,
};

/// An event about a subject, without anything that happened.
pub(crate) fn event(subject: u128, version: i64) -> Event {
    Event {
        kind: EventType::BookingChanged,
        subject: Uuid::from_u128(subject),
        version: Some(version),
        data: format!("{{\"version\":{version}}}"),
    }
}

/// Publishes it at that minute.
pub(crate) async fn publish(db: &Db, business: BusinessId, event: &Event, minute: i64) -> usize {
    let mut tx = begin(db).await;
    let jobs = events::publish(&mut tx, business, event, precise(minute)).await.unwrap();
    commit(tx).await;
    jobs.len()
}

pub(crate) async fn all(db: &Db, business: BusinessId) -> Vec<StoredEvent> {
    events::after(db, business, None, 200).await.unwrap().items
}

async fn events_are_read_on_from_the_last_that_was_seen(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    for version in 1..=5 {
        assert_eq!(publish(db, business, &event(7, version), 0).await, 0, "nobody hears of it");
    }
    publish(db, other, &event(7, 1), 0).await;
    let page = events::after(db, business, None, 2).await.unwrap();
    let versions = |events: &[StoredEvent]| -> Vec<_> {
        events.iter().map(|event| event.subject_version.unwrap()).collect()
    };
    assert_eq!(versions(&page.items), [1, 2]);
    let first = &page.items[0];
    assert_eq!((first.kind, first.subject_kind), (EventType::BookingChanged, EventSubject::Booking));
    assert_eq!((first.schema_version, first.data.as_str()), (1, "{\"version\":1}"));
    assert_eq!((first.subject_id, first.created_at), (Uuid::from_u128(7), precise(0)));
    assert_eq!(events::find(db, business, first.id).await.unwrap().as_ref(), Some(first));
    assert_eq!(events::find(db, other, first.id).await.unwrap(), None);

    let seen: EventId = page.next.unwrap().parse().unwrap();
    assert_eq!(seen, page.items[1].id);
    let rest = events::after(db, business, Some(seen), 200).await.unwrap();
    assert_eq!((versions(&rest.items), rest.next), (vec![3, 4, 5], None));
    // What comes later stands behind it.
    publish(db, business, &event(7, 6), -9).await;
    let seen = rest.items[2].id;
    let rest = events::after(db, business, Some(seen), 200).await.unwrap();
    assert_eq!(versions(&rest.items), [6]);
    is_not_found(events::after(db, other, Some(seen), 5).await);
    is_not_found(events::after(db, business, Some(EventId(Uuid::nil())), 5).await);
}

async fn event_that_is_committed_late_is_not_missed(db: &TestDb) {
    let Db::Postgres(_) = &**db else { return };
    let business = testing::business(db).await.id;
    // It takes its position first, and is committed last.
    let mut slow = begin(db).await;
    events::publish(&mut slow, business, &event(1, 1), at(0)).await.unwrap();
    publish(db, business, &event(2, 1), 0).await;
    let seen = all(db, business).await;
    assert_eq!(seen.iter().map(|event| event.subject_id.as_u128()).collect::<Vec<_>>(), [2]);
    commit(slow).await;
    let rest = events::after(db, business, Some(seen[0].id), 5).await.unwrap().items;
    assert_eq!(rest.iter().map(|event| event.subject_id.as_u128()).collect::<Vec<_>>(), [1]);
}

async fn event_is_written_with_what_it_tells_of_or_not_at_all(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let draft = testing::draft(&room, 0, 60);
    put(db, business.id, "B-1", &draft).await.unwrap();
    put(db, business.id, "B-1", &draft).await.unwrap();
    let later = BookingDraft { title: "Later".to_owned(), ..draft.clone() };
    put(db, business.id, "B-1", &later).await.unwrap();
    bookings::cancel(db, &change(business.id), "B-1", None).await.unwrap();
    let told = all(db, business.id).await;
    let said: Vec<_> = told.iter().map(|event| (event.kind, event.subject_version)).collect();
    assert_eq!(
        said,
        [
            (EventType::BookingCreated, Some(1)),
            (EventType::BookingChanged, Some(2)),
            (EventType::BookingCancelled, Some(3)),
        ]
    );
    assert!(told[1].data.contains("\"title\":\"Later\""), "{}", told[1].data);
    // What is refused is not told.
    put(db, business.id, "B-2", &draft).await.unwrap();
    put(db, business.id, "B-3", &draft).await.unwrap_err();
    assert_eq!(all(db, business.id).await.len(), 4);
}

async fn conflict_is_told_when_it_opens_and_when_it_closes(db: &TestDb) {
    let fixture = crate::channel_items::fixture(db).await;
    let business = fixture.business.id;
    let draft = testing::draft(&fixture.resource, 0, 60);
    let ours = put(db, business, "B-1", &draft).await.unwrap().booking;
    let (_, sold) = fixture.import(db, "first", &draft).await;
    assert!(!sold.allocated);
    bookings::cancel(db, &change(business), "B-1", None).await.unwrap();
    let said = |events: &[StoredEvent]| -> Vec<_> {
        events.iter().map(|event| (event.kind, event.subject_id)).collect()
    };
    let of = |booking: &Booking| booking.id.0;
    assert_eq!(
        said(&all(db, business).await),
        [
            (EventType::BookingCreated, of(&ours)),
            (EventType::BookingCreated, of(&sold.booking)),
            (EventType::ConflictDetected, of(&sold.booking)),
            (EventType::BookingCancelled, of(&ours)),
            (EventType::ConflictResolved, of(&sold.booking)),
        ]
    );
    // One that is cancelled while it has no room needs none.
    let (_, again) = fixture.import(db, "second", &draft).await;
    bookings::cancel(db, &change(business), &again.booking.reference, None).await.unwrap();
    assert_eq!(
        said(&all(db, business).await[5..]),
        [
            (EventType::BookingCreated, of(&again.booking)),
            (EventType::ConflictDetected, of(&again.booking)),
            (EventType::BookingCancelled, of(&again.booking)),
            (EventType::ConflictResolved, of(&again.booking)),
        ]
    );
}

async fn event_for_one_endpoint_goes_to_no_other(db: &TestDb) {
    let business = testing::business(db).await.id;
    let [one, _other] = [endpoint(db, business, &[]).await, endpoint(db, business, &[]).await];
    let mut tx = begin(db).await;
    let (event, job) =
        events::publish_to(&mut tx, (business, one.id), &Event::test(one.id), at(0)).await.unwrap();
    commit(tx).await;
    assert_eq!((job.kind, job.key), (JobKind::DeliverWebhooks, Some(one.id.into())));
    let due = jobs::due(db, at(1), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(events::find(db, business, event).await.unwrap().unwrap().kind, EventType::WebhookTest);
    let stranger = testing::business(db).await.id;
    let mut tx = begin(db).await;
    is_not_found(events::publish_to(&mut tx, (stranger, one.id), &Event::test(one.id), at(0)).await);
}

async fn events_go_after_a_month_with_their_deliveries(db: &TestDb) {
    let business = testing::business(db).await.id;
    endpoint(db, business, &[]).await;
    publish(db, business, &event(1, 1), 0).await;
    publish(db, business, &event(1, 2), 5).await;
    let days = Duration::days(400);
    let keep =
        RetentionPeriods { sync_log: days, mails: days, done_jobs: days, history: days, customers: None };
    assert_eq!(deleted(db, keep, at(0) + Duration::days(30), "events").await, 0);
    assert_eq!(deleted(db, keep, at(1) + Duration::days(30), "events").await, 1);
    assert_eq!(all(db, business).await.len(), 1);
}

concord_storage::on_both_databases!(
    events_are_read_on_from_the_last_that_was_seen,
    event_that_is_committed_late_is_not_missed,
    event_is_written_with_what_it_tells_of_or_not_at_all,
    conflict_is_told_when_it_opens_and_when_it_closes,
    event_for_one_endpoint_goes_to_no_other,
    events_go_after_a_month_with_their_deliveries,
);
