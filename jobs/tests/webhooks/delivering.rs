//! What an endpoint gets, and in which order.

use std::collections::BTreeSet;

use chrono::Duration;
use concord_domain::webhook::{DeliveryState, EventType};
use concord_services::webhooks;
use concord_storage::{bookings, testing::TestDb};
use secrecy::ExposeSecret;

use crate::{
    fixture::WebhookFixture,
    receiver::{
        ReceivedMessage,
        ScriptedAnswer::{Hang, Redirect, Slow, Status},
    },
};

async fn a_booking_is_told_signed_and_once(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    let booking = fixture.put("B-1", "Two nights").await;
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!(came.len(), 1);
    let told = &came[0];
    assert_eq!((told.kind(), told.version()), ("booking.created", 1));
    assert_eq!(told.message["data"]["reference"], "B-1");
    assert_eq!(told.message["data"]["id"], booking.id.to_string());
    assert_eq!(told.message["id"], told.id);
    assert_eq!(told.timestamp, fixture.clock.now().timestamp());
    assert!(told.verifies(&shop.secret));
    assert_eq!(told.signatures(), 1);
    fixture.later(Duration::days(1)).await;
    assert!(shop.receiver.take().is_empty());
    let log = fixture.log(&shop).await;
    assert_eq!((log.len(), log[0].state, log[0].attempts), (1, DeliveryState::Delivered, 1));
    assert_eq!((log[0].last_status, log[0].last_answer.as_deref()), (Some(200), Some("as it was told")));
}

async fn an_endpoint_hears_of_what_it_wants(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[EventType::BookingCancelled]).await;
    fixture.put("B-1", "One").await;
    bookings::cancel(db, &fixture.change(), "B-1", None).await.unwrap();
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!(came.iter().map(ReceivedMessage::kind).collect::<Vec<_>>(), ["booking.cancelled"]);
    // A test comes though it hears of nothing such.
    webhooks::test(&fixture.context, &fixture.change(), shop.id).await.unwrap();
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!((came.len(), came[0].kind()), (1, "webhook.test"));
    assert_eq!(came[0].message["data"]["endpoint"], shop.id.to_string());
}

async fn what_fails_is_sent_again_under_its_id(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    shop.receiver.answers([Status(500), Redirect("/elsewhere"), Hang]);
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    fixture.later(Duration::seconds(4)).await;
    assert_eq!(shop.receiver.versions(), [1], "not before its time");
    let first = fixture.log(&shop).await.remove(0);
    assert_eq!((first.state, first.last_status), (DeliveryState::Waiting, Some(500)));
    fixture.later(Duration::seconds(2)).await;
    let second = shop.receiver.take();
    let log = fixture.log(&shop).await;
    assert_eq!((log[0].attempts, log[0].last_status), (2, Some(301)), "a redirect is followed nowhere");
    fixture.later(Duration::minutes(6)).await;
    let third = shop.receiver.take();
    let log = fixture.log(&shop).await;
    assert_eq!((log[0].attempts, log[0].last_status), (3, None));
    assert!(log[0].last_error.as_deref().unwrap().contains("in time"), "{:?}", log[0].last_error);
    fixture.later(Duration::minutes(34)).await;
    let fourth = shop.receiver.take();
    assert_eq!(fixture.log(&shop).await[0].state, DeliveryState::Delivered);
    let ids = [&second, &third, &fourth].map(|came| came[0].id.clone());
    assert!(ids.iter().all(|id| *id == first.event_id.to_string()), "{ids:?}");
    assert!(second[0].timestamp < third[0].timestamp, "signed anew at each attempt");
    assert!(fourth[0].verifies(&shop.secret));
}

async fn a_booking_is_told_in_order_while_it_is_taken(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    for title in ["One", "Two", "Three", "Four"] {
        fixture.put("B-1", title).await;
    }
    fixture.drain().await;
    assert_eq!(shop.receiver.versions(), [1, 2, 3, 4]);
}

async fn later_events_wait_behind_a_failing_one_for_minutes(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    // The second attempt fails too, so that the third comes after five minutes.
    shop.receiver.answers([Status(500)]);
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    shop.receiver.answers([Status(500)]);
    fixture.later(Duration::seconds(6)).await;
    fixture.put("B-1", "Two").await;
    fixture.put("B-3", "Third").await;
    shop.receiver.take();
    fixture.drain().await;
    let came: Vec<_> =
        shop.receiver.take().iter().map(|one| one.message["data"]["reference"].clone()).collect();
    assert_eq!(came, ["B-3"], "another booking is in nobody's way");
    fixture.later(Duration::minutes(4)).await;
    assert!(shop.receiver.take().is_empty());
    // The first is due again after five minutes and up to half a minute, and goes first; or the second has passed it.
    shop.receiver.always(Status(500));
    fixture.later(Duration::seconds(65)).await;
    let versions = shop.receiver.versions();
    assert!(versions.contains(&2), "{versions:?}");
}

async fn an_endpoint_that_asks_for_peace_gets_it(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    shop.receiver.answers([Slow(429, 120)]);
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    fixture.put("B-2", "Two").await;
    fixture.later(Duration::seconds(100)).await;
    assert_eq!(shop.receiver.take().len(), 1, "nothing else is sent meanwhile");
    fixture.later(Duration::seconds(25)).await;
    assert_eq!(shop.receiver.take().len(), 2);
}

async fn a_dead_endpoint_is_in_nobodys_way(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let [dead, well] = [fixture.endpoint(&[]).await, fixture.endpoint(&[]).await];
    dead.receiver.always(Hang);
    for number in 0..20 {
        fixture.put(&format!("B-{number}"), "One").await;
    }
    fixture.drain().await;
    assert_eq!(well.receiver.take().len(), 20);
    let tried = dead.receiver.take().len();
    assert!(tried <= 8, "an endpoint that is out is asked by one at a time: {tried}");
    // It is back: within minutes all is there, though some had been tried and would have come hours later.
    fixture.later(Duration::minutes(2)).await;
    dead.receiver.always(None);
    for _ in 0..6 {
        fixture.later(Duration::minutes(1)).await;
    }
    let ids: BTreeSet<_> = dead.receiver.take().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 20);
    let log = fixture.log(&dead).await;
    assert!(log.iter().all(|one| one.state == DeliveryState::Delivered));
}

async fn two_secrets_sign_during_a_rotation(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    let mut tx = db.begin().await.unwrap();
    let (_, new) = webhooks::rotate(&mut tx, &fixture.context, &fixture.change(), shop.id).await.unwrap();
    tx.commit().await.unwrap();
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!(came[0].signatures(), 2);
    assert!(came[0].verifies(&shop.secret) && came[0].verifies(new.expose_secret()));
    fixture.clock.advance(webhooks::ROTATION);
    fixture.put("B-1", "Two").await;
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!(came[0].signatures(), 1);
    assert!(!came[0].verifies(&shop.secret) && came[0].verifies(new.expose_secret()));
}

async fn what_was_missed_is_sent_when_asked_for(db: &TestDb) {
    let fixture = WebhookFixture::new(db).await;
    let shop = fixture.endpoint(&[]).await;
    fixture.put("B-1", "One").await;
    fixture.drain().await;
    let (context, change) = (&fixture.context, fixture.change());
    webhooks::disable(context, &change, shop.id).await.unwrap();
    fixture.put("B-2", "Two").await;
    fixture.drain().await;
    let first = shop.receiver.take();
    assert_eq!(first.len(), 1);
    webhooks::test(context, &change, shop.id).await.unwrap_err();
    webhooks::enable(context, &change, shop.id).await.unwrap();
    let by = fixture.change();
    let since = by.now - Duration::hours(1);
    assert_eq!(webhooks::resend_since(context, &by, shop.id, (since, false)).await.unwrap(), 1);
    fixture.drain().await;
    let missed = shop.receiver.take();
    assert_eq!((missed.len(), &missed[0].message["data"]["reference"]), (1, &"B-2".into()));
    assert_eq!(webhooks::resend_since(context, &by, shop.id, (since, true)).await.unwrap(), 2);
    fixture.drain().await;
    let again = shop.receiver.take();
    assert_eq!(again.len(), 2);
    let ids = |messages: &[ReceivedMessage]| -> BTreeSet<String> {
        messages.iter().map(|one| one.id.clone()).collect()
    };
    assert_eq!(ids(&again), &ids(&first) | &ids(&missed), "under their ids");
    for bad in [by.now + Duration::minutes(1), by.now - Duration::days(31)] {
        let refused = webhooks::resend_since(context, &by, shop.id, (bad, false)).await.unwrap_err();
        assert!(refused.to_string().starts_with("since is "), "{refused}");
    }
    let event = missed[0].id.parse().unwrap();
    webhooks::resend(context, &by, shop.id, event).await.unwrap();
    fixture.drain().await;
    assert_eq!(shop.receiver.take()[0].id, missed[0].id);
}

concord_storage::on_both_databases!(
    a_booking_is_told_signed_and_once,
    an_endpoint_hears_of_what_it_wants,
    what_fails_is_sent_again_under_its_id,
    a_booking_is_told_in_order_while_it_is_taken,
    later_events_wait_behind_a_failing_one_for_minutes,
    an_endpoint_that_asks_for_peace_gets_it,
    a_dead_endpoint_is_in_nobodys_way,
    two_secrets_sign_during_a_rotation,
    what_was_missed_is_sent_when_asked_for,
);
