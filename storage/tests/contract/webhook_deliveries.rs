use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, EventId, WebhookEndpointId, new_uuid},
    job::JobKind,
    webhook::{self, DeliveryState, DisabledReason, EventType, OVERTAKE_AFTER},
};
use concord_storage::{
    Db,
    testing::{self, TestDb, at, begin, commit},
    webhook_deliveries::{self, ReadyDelivery, RecordedAttempt},
    webhook_endpoints::{self, WebhookEndpoint},
};
use uuid::Uuid;

use crate::{
    events::{all, event, publish},
    first, following, is_not_found, precise,
    webhook_endpoints::endpoint,
};

type Place = (BusinessId, WebhookEndpointId);

fn place(endpoint: &WebhookEndpoint) -> Place {
    (endpoint.business_id, endpoint.id)
}

async fn ready(db: &Db, place: Place, now: DateTime<Utc>) -> Vec<ReadyDelivery> {
    webhook_deliveries::ready(db, place, now, 50).await.unwrap()
}

/// Each as `subject:version`, in their order.
fn named(deliveries: &[ReadyDelivery]) -> Vec<String> {
    let name = |one: &ReadyDelivery| {
        let data: serde_json::Value = serde_json::from_str(&one.data).unwrap();
        format!("{}:{}", one.subject_id.as_u128(), data["version"])
    };
    deliveries.iter().map(name).collect()
}

fn attempt(event: EventId, state: DeliveryState, due_at: Option<DateTime<Utc>>) -> RecordedAttempt {
    RecordedAttempt {
        event,
        state,
        due_at,
        began_at: precise(1),
        status: Some(if state == DeliveryState::Delivered { 204 } else { 500 }),
        answer: Some("Oh no".to_owned()),
        error: None,
        duration_ms: 17,
    }
}

async fn record(db: &Db, place: Place, attempt: &RecordedAttempt) {
    let mut tx = begin(db).await;
    webhook_deliveries::record(&mut tx, place, attempt, precise(2)).await.unwrap();
    commit(tx).await;
}

async fn an_event_goes_to_those_that_hear_of_it(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let everything = endpoint(db, business, &[]).await;
    let changes = endpoint(db, business, &[EventType::BookingChanged, EventType::SyncFailed]).await;
    endpoint(db, business, &[EventType::BookingCreated]).await;
    endpoint(db, other, &[]).await;
    let gone = endpoint(db, business, &[]).await;
    let mut tx = begin(db).await;
    webhook_endpoints::disable(&mut tx, place(&gone), DisabledReason::ByHand, at(0)).await.unwrap();
    commit(tx).await;
    assert_eq!(publish(db, business, &event(7, 1), 0).await, 2);
    for hears in [&everything, &changes] {
        let due = ready(db, place(hears), at(1)).await;
        assert_eq!(named(&due), ["7:1"]);
        assert_eq!((due[0].kind, due[0].attempts), (EventType::BookingChanged, 0));
        assert_eq!((due[0].happened_at, due[0].due_at), (precise(0), precise(0)));
    }
    assert!(ready(db, (other, everything.id), at(1)).await.is_empty(), "not another business's");
    assert!(ready(db, place(&everything), at(-1)).await.is_empty(), "not before it is due");
}

async fn an_attempt_is_written_down(db: &TestDb) {
    let business = testing::business(db).await.id;
    let place = place(&endpoint(db, business, &[]).await);
    publish(db, business, &event(7, 1), 0).await;
    let one = ready(db, place, at(1)).await.remove(0);
    record(db, place, &attempt(one.event_id, DeliveryState::Waiting, Some(at(9)))).await;
    assert!(ready(db, place, at(8)).await.is_empty());
    assert_eq!(ready(db, place, at(9)).await[0].attempts, 1);
    let line = webhook_deliveries::find(db, place, one.event_id).await.unwrap().unwrap();
    assert_eq!((line.state, line.due_at, line.attempts), (DeliveryState::Waiting, Some(at(9)), 1));
    assert_eq!((line.last_status, line.last_answer.as_deref()), (Some(500), Some("Oh no")));
    assert_eq!((line.last_attempt_at, line.last_duration_ms), (Some(precise(1)), Some(17)));
    record(db, place, &attempt(one.event_id, DeliveryState::Delivered, None)).await;
    // What is delivered is so, whatever a late worker says.
    record(db, place, &attempt(one.event_id, DeliveryState::Failed, None)).await;
    let line = webhook_deliveries::find(db, place, one.event_id).await.unwrap().unwrap();
    assert_eq!(
        (line.state, line.delivered_at, line.attempts),
        (DeliveryState::Delivered, Some(precise(2)), 2)
    );
    assert_eq!(
        webhook_deliveries::find(db, (place.0, WebhookEndpointId(Uuid::nil())), one.event_id).await.unwrap(),
        None
    );
}

async fn events_of_a_subject_wait_for_one_another(db: &TestDb) {
    let business = testing::business(db).await.id;
    let place = place(&endpoint(db, business, &[]).await);
    for (subject, version, minute) in [(1, 1, 0), (1, 2, 1), (2, 1, 2)] {
        publish(db, business, &event(subject, version), minute).await;
    }
    let due = ready(db, place, at(3)).await;
    assert_eq!(named(&due), ["1:1", "2:1"]);
    record(db, place, &attempt(due[0].event_id, DeliveryState::Waiting, Some(at(60)))).await;
    assert_eq!(named(&ready(db, place, at(3)).await), ["2:1"]);
    assert_eq!(webhook_deliveries::next(db, place, at(3)).await.unwrap(), Some(precise(1) + OVERTAKE_AFTER));
    assert_eq!(named(&ready(db, place, at(7)).await), ["1:2", "2:1"]);
    record(db, place, &attempt(due[1].event_id, DeliveryState::Delivered, None)).await;
    let passed = ready(db, place, at(7)).await.remove(0);
    record(db, place, &attempt(passed.event_id, DeliveryState::Delivered, None)).await;
    assert_eq!(webhook_deliveries::next(db, place, at(7)).await.unwrap(), Some(at(60)));
    assert_eq!(webhook_deliveries::count_waiting(db, place, 10).await.unwrap(), 1);
    let mut tx = begin(db).await;
    assert_eq!(webhook_deliveries::reschedule_waiting(&mut tx, place, at(8)).await.unwrap(), 1);
    commit(tx).await;
    assert_eq!(named(&ready(db, place, at(8)).await), ["1:1"]);
    let mut tx = begin(db).await;
    assert_eq!(webhook_deliveries::fail_waiting(&mut tx, place, "it was disabled").await.unwrap(), 1);
    commit(tx).await;
    assert_eq!(webhook_deliveries::next(db, place, at(8)).await.unwrap(), None);
    assert_eq!(webhook_deliveries::count_waiting(db, place, 10).await.unwrap(), 0);
}

async fn the_database_finds_what_the_rule_says(db: &TestDb) {
    let business = testing::business(db).await.id;
    let place = place(&endpoint(db, business, &[]).await);
    // As good as any dice: bytes of random ids.
    let dice = || *new_uuid(at(0)).as_bytes().last().unwrap();
    for version in 0..60 {
        publish(db, business, &event(u128::from(dice() % 8), version), i64::from(dice() % 12)).await;
    }
    for event in all(db, business).await {
        let state = [DeliveryState::Waiting, DeliveryState::Waiting, DeliveryState::Delivered]
            [usize::from(dice() % 3)];
        let due = (state == DeliveryState::Waiting).then(|| at(i64::from(dice() % 12)));
        if dice() % 2 == 0 {
            record(db, place, &attempt(event.id, state, due)).await;
        }
    }
    let far = at(10_000);
    let mut waiting = Vec::new();
    for minute in 0..14 {
        let now = precise(minute);
        if waiting.is_empty() {
            // All that waits, once all of it may go.
            waiting = webhook_deliveries::ready(db, place, far, 200).await.unwrap();
        }
        let rows: Vec<_> = waiting.iter().map(ReadyDelivery::waiting).collect();
        let mut expected: Vec<_> =
            webhook::ready(&rows, now).into_iter().map(|place| waiting[place].event_id).collect();
        let mut found: Vec<_> = ready(db, place, now).await.into_iter().map(|one| one.event_id).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "minute {minute}");
    }
    assert!(waiting.len() > 20);
}

async fn the_log_is_read_a_page_at_a_time(db: &TestDb) {
    let business = testing::business(db).await.id;
    let place = place(&endpoint(db, business, &[]).await);
    for version in 1..=3 {
        publish(db, business, &event(7, version), version).await;
    }
    let page = webhook_deliveries::list(db, place, None, &first(2)).await.unwrap();
    assert_eq!(
        page.items.iter().map(|line| line.data.as_str()).collect::<Vec<_>>(),
        ["{\"version\":3}", "{\"version\":2}"]
    );
    let rest = webhook_deliveries::list(db, place, None, &following(2, page.next)).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    record(db, place, &attempt(rest.items[0].event_id, DeliveryState::Failed, None)).await;
    let failed = webhook_deliveries::list(db, place, Some(DeliveryState::Failed), &first(9)).await.unwrap();
    assert_eq!(failed.items.iter().map(|line| line.event_id).collect::<Vec<_>>(), [rest.items[0].event_id]);
}

async fn events_are_sent_again_by_hand(db: &TestDb) {
    let business = testing::business(db).await.id;
    let made = endpoint(db, business, &[EventType::BookingChanged]).await;
    let place = place(&made);
    let mut tx = begin(db).await;
    webhook_endpoints::disable(&mut tx, place, DisabledReason::ByHand, at(0)).await.unwrap();
    commit(tx).await;
    publish(db, business, &event(1, 1), 10).await;
    publish(db, business, &event(2, 1), 20).await;
    let mut tx = begin(db).await;
    webhook_endpoints::enable(&mut tx, business, made.id).await.unwrap();
    commit(tx).await;
    publish(db, business, &event(3, 1), 30).await;
    let third = ready(db, place, at(40)).await.remove(0);
    record(db, place, &attempt(third.event_id, DeliveryState::Delivered, None)).await;

    let since = async |minute, all| {
        let mut tx = begin(db).await;
        let sent = webhook_deliveries::resend_since(&mut tx, place, (at(minute), all), at(50)).await.unwrap();
        commit(tx).await;
        sent
    };
    let (sent, job) = since(15, false).await;
    assert_eq!((sent, job.kind), (1, JobKind::DeliverWebhooks));
    assert_eq!(named(&ready(db, place, at(50)).await), ["2:1"]);
    let (sent, _) = since(0, true).await;
    assert_eq!(
        sent, 3,
        "the first, which it never got, the second, which waits, and the third, which it has taken"
    );
    let mut due = named(&ready(db, place, at(50)).await);
    due.sort();
    assert_eq!(due, ["1:1", "2:1", "3:1"]);

    record(db, place, &attempt(third.event_id, DeliveryState::Delivered, None)).await;
    let mut tx = begin(db).await;
    let job = webhook_deliveries::resend(&mut tx, place, third.event_id, at(60)).await.unwrap();
    is_not_found(webhook_deliveries::resend(&mut tx, place, EventId(Uuid::nil()), at(60)).await);
    let again = webhook_deliveries::enqueue(&mut tx, place, at(61)).await.unwrap();
    commit(tx).await;
    assert_eq!((job.key, again.id), (Some(made.id.into()), job.id));
    let line = webhook_deliveries::find(db, place, third.event_id).await.unwrap().unwrap();
    assert_eq!((line.state, line.attempts, line.due_at), (DeliveryState::Waiting, 0, Some(at(60))));
}

concord_storage::on_both_databases!(
    an_event_goes_to_those_that_hear_of_it,
    an_attempt_is_written_down,
    events_of_a_subject_wait_for_one_another,
    the_database_finds_what_the_rule_says,
    the_log_is_read_a_page_at_a_time,
    events_are_sent_again_by_hand,
);
