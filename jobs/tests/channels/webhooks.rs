use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::Duration;
use concord_domain::{
    channel::{ChannelState, RunOutcome},
    ical::uid,
    ids::{BookingId, ChannelId},
};
use concord_jobs::channels::webhook::{WebhookError, WebhookMessage, WebhookOutcome, hear};
use concord_services::channels::{self as manage, ChannelUpdate, WebhookCredentials};
use concord_storage::{
    Db,
    testing::{self, TestDb},
};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{fixture::ChannelFixture, shared::DrainJobs};

/// As a channel manager signs it, by the text of Standard Webhooks.
fn sign(keys: &WebhookCredentials, id: &str, timestamp: &str, body: &str) -> String {
    let key = STANDARD.decode(keys.secret.expose_secret().strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

struct ChannelManagerClient<'a> {
    fixture: &'a ChannelFixture<'a>,
    keys: WebhookCredentials,
}

impl<'a> ChannelManagerClient<'a> {
    async fn of(fixture: &'a ChannelFixture<'a>, channel: ChannelId) -> Self {
        let mut tx = fixture.context.db.begin().await.unwrap();
        let change = fixture.change();
        let keys = manage::allow_webhooks(&mut tx, &fixture.context, &change, channel).await.unwrap();
        tx.commit().await.unwrap();
        Self { fixture, keys }
    }

    async fn tell(&self, id: &str, said: &Value) -> Result<WebhookOutcome, WebhookError> {
        let timestamp = self.fixture.clock.now().timestamp().to_string();
        self.send_event_at(id, &timestamp, said).await
    }

    async fn send_event_at(
        &self,
        id: &str,
        timestamp: &str,
        said: &Value,
    ) -> Result<WebhookOutcome, WebhookError> {
        let body = said.to_string();
        let signature = format!("v1,AAAA {}", sign(&self.keys, id, timestamp, &body));
        self.send(id, timestamp, &signature, &Bytes::from(body)).await
    }

    async fn send(
        &self,
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &Bytes,
    ) -> Result<WebhookOutcome, WebhookError> {
        hear(&self.fixture.context, &self.keys.token, &WebhookMessage { id, timestamp, signature, body })
            .await
    }
}

fn reserved(uid: &str, from: &str, until: &str) -> Value {
    json!({ "type": "reservation.created",
        "data": { "uid": uid, "check_in": from, "check_out": until, "guest": "Maria" } })
}

async fn a_reservation_is_told_once(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.add_channel_without_feed("vrbo").await).await;
    let said = reserved("r-1", "2026-12-03", "2026-12-05");
    assert_eq!(manager.tell("m-1", &said).await.unwrap(), WebhookOutcome::Done);
    assert_eq!(manager.tell("m-1", &said).await.unwrap(), WebhookOutcome::Before);
    assert_eq!(fixture.standing().await, ["3-5 vrbo: Maria"]);
    // Another message that says the same changes nothing.
    assert_eq!(manager.tell("m-2", &said).await.unwrap(), WebhookOutcome::Nothing);
    assert_eq!(fixture.standing().await.len(), 1);
    let moved = json!({ "type": "reservation.updated",
        "data": { "uid": "r-1", "check_in": "2026-12-04", "check_out": "2026-12-06", "guest": "Maria" } });
    manager.tell("m-3", &moved).await.unwrap();
    assert_eq!(fixture.standing().await, ["4-6 vrbo: Maria"]);
    let gone = json!({ "type": "reservation.cancelled", "data": { "uid": "r-1" } });
    manager.tell("m-4", &gone).await.unwrap();
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    manager.tell("m-5", &gone).await.unwrap();
}

async fn where_there_is_a_feed_it_is_the_judge(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let vrbo = fixture.on("vrbo").await;
    let manager = ChannelManagerClient::of(&fixture, vrbo).await;
    manager.tell("m-1", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    // The feed is slower: what it lacks stays.
    fixture.later(30).await;
    assert_eq!(fixture.standing().await, ["3-5 vrbo: Maria"]);
    fixture.site.events(&[crate::feed_server::nights("r-1", "Reserved - Maria", 3, 5)]);
    fixture.later(2).await;
    // A cancellation is believed when the feed has it: else the next reading would bring the booking back.
    let gone = json!({ "type": "reservation.cancelled", "data": { "uid": "r-1" } });
    let (asked, _) = fixture.site.asked();
    manager.tell("m-2", &gone).await.unwrap();
    fixture.jobs.drain().await.unwrap();
    assert_eq!((fixture.site.asked().0, fixture.standing().await.len()), (asked + 1, 1));
    let pause = ChannelUpdate { state: Some(ChannelState::Paused), ..ChannelUpdate::default() };
    manage::update(&fixture.context, &fixture.change(), vrbo, &pause).await.unwrap();
    let refused = manager.tell("m-3", &gone).await;
    assert!(matches!(refused, Err(WebhookError::Paused)), "{refused:?}");
}

async fn what_was_called_off_before_the_feed_had_it_goes(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.on("vrbo").await).await;
    manager.tell("m-1", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    fixture.later(2).await;
    assert_eq!(fixture.standing().await.len(), 1);
    let gone = json!({ "type": "reservation.cancelled", "data": { "uid": "r-1" } });
    assert_eq!(manager.tell("m-2", &gone).await.unwrap(), WebhookOutcome::LeftToFeed);
    // An empty feed is believed after a day, as ever.
    fixture.later(27).await;
    assert_eq!(fixture.standing().await, Vec::<String>::new());
}

async fn what_the_feed_has_under_another_name_is_not_sold_again(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[crate::feed_server::nights("uid-of-the-feed", "Reserved - Maria", 3, 5)]);
    let manager = ChannelManagerClient::of(&fixture, fixture.on("vrbo").await).await;
    manager.tell("m-1", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (1, 0));
}

async fn a_message_that_was_overtaken_changes_nothing(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.add_channel_without_feed("vrbo").await).await;
    manager.tell("m-1", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    let moved = json!({ "type": "reservation.updated",
        "data": { "uid": "r-1", "check_in": "2026-12-04", "check_out": "2026-12-06", "guest": "Maria" } });
    manager.tell("m-2", &moved).await.unwrap();
    manager.tell("m-3", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    assert_eq!(fixture.standing().await, ["4-6 vrbo: Maria"]);
    manager.tell("m-4", &json!({ "type": "reservation.cancelled", "data": { "uid": "r-1" } })).await.unwrap();
    manager.tell("m-5", &reserved("r-1", "2026-12-03", "2026-12-05")).await.unwrap();
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    assert_eq!(manager.tell("m-6", &moved).await.unwrap(), WebhookOutcome::Nothing);
    assert_eq!(fixture.standing().await, Vec::<String>::new());
}

async fn failed_webhook_is_recorded_as_failed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let vrbo = fixture.add_channel_without_feed("vrbo").await;
    let manager = ChannelManagerClient::of(&fixture, vrbo).await;
    let refuse_bookings = match &**db {
        Db::Sqlite { .. } => {
            "CREATE TRIGGER refused BEFORE INSERT ON bookings BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Db::Postgres(_) => "ALTER TABLE bookings ADD CONSTRAINT refused CHECK (FALSE) NOT VALID",
    };
    testing::raw(db, refuse_bookings).await;
    db.spoil().await;
    let failed = manager.tell("m-1", &reserved("r-1", "2026-12-03", "2026-12-05")).await;
    assert!(failed.is_err(), "{failed:?}");
    let runs = fixture.runs(vrbo).await;
    assert_eq!((runs.len(), runs[0].outcome), (1, RunOutcome::Failed));
    assert_ne!(runs[0].message, "in progress");
}

/// Some channel managers tell of what they have read in our feed as of any other reservation.
async fn webhook_with_our_own_uid_books_nothing(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    assert!(fixture.book("ours", 3, 5).await);
    let own = uid(fixture.booking("ours").await.id, "book.example");
    let others = uid(BookingId::new(fixture.clock.now()), "book.example");
    let without_feed =
        ChannelManagerClient::of(&fixture, fixture.add_channel_without_feed("vrbo").await).await;
    let with_feed = ChannelManagerClient::of(&fixture, fixture.on("airbnb").await).await;
    for (manager, heard) in
        [(&without_feed, WebhookOutcome::Nothing), (&with_feed, WebhookOutcome::LeftToFeed)]
    {
        for (id, from, kind) in [("m-1", "03", "created"), ("m-2", "04", "updated")] {
            let mut said = reserved(&own, &format!("2026-12-{from}"), "2026-12-06");
            said["type"] = format!("reservation.{kind}").into();
            assert_eq!(manager.tell(id, &said).await.unwrap(), heard);
        }
    }
    assert_eq!(
        (fixture.standing().await, fixture.conflicts().await),
        (vec!["3-5 Maria Silva".to_owned()], 0)
    );
    // A UID that only looks like ours is a reservation's.
    let said = reserved(&others, "2026-12-07", "2026-12-09");
    assert_eq!(without_feed.tell("m-3", &said).await.unwrap(), WebhookOutcome::Done);
    assert_eq!(fixture.standing().await.len(), 2);
}

async fn a_changed_calendar_is_read_at_once(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.on("vrbo").await).await;
    let (asked, _) = fixture.site.asked();
    manager.tell("m-1", &json!({ "type": "calendar.changed" })).await.unwrap();
    manager.tell("m-2", &json!({ "type": "calendar.changed", "data": { "any": 1 } })).await.unwrap();
    fixture.jobs.drain().await.unwrap();
    assert_eq!(fixture.site.asked().0, asked + 1);
}

async fn what_is_not_signed_is_not_believed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.on("vrbo").await).await;
    let said = reserved("r-1", "2026-12-03", "2026-12-05");
    let (now, body) = (fixture.clock.now().timestamp().to_string(), Bytes::from(said.to_string()));
    let right = sign(&manager.keys, "m-1", &now, &said.to_string());
    let old = (fixture.clock.now() - Duration::minutes(6)).timestamp().to_string();
    let ahead = (fixture.clock.now() + Duration::minutes(6)).timestamp().to_string();
    let other = Bytes::from(reserved("r-2", "2026-12-03", "2026-12-05").to_string());
    for (name, id, timestamp, signature, body) in [
        ("no signature", "m-1", now.as_str(), "", &body),
        ("another body", "m-1", &now, right.as_str(), &other),
        ("another id", "m-2", &now, &right, &body),
        ("another time", "m-1", &ahead, &right, &body),
        ("no base64", "m-1", &now, "v1,???", &body),
        ("another version", "m-1", &now, &right.replace("v1,", "v2,"), &body),
        ("too short", "m-1", &now, &right[..20], &body),
    ] {
        let refused = manager.send(id, timestamp, signature, body).await;
        assert!(matches!(refused, Err(WebhookError::NotBelieved)), "{name}: {refused:?}");
    }
    for timestamp in [old.as_str(), &ahead, "soon", ""] {
        let late = manager.send_event_at("m-1", timestamp, &said).await;
        assert!(matches!(late, Err(WebhookError::NotBelieved)), "{timestamp}: {late:?}");
    }
    let nobody = WebhookMessage { id: "m-1", timestamp: &now, signature: &right, body: &body };
    let refused = hear(&fixture.context, &SecretString::from("cw_nobody"), &nobody).await;
    assert!(matches!(refused, Err(WebhookError::NotBelieved)));
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    assert_eq!(manager.tell("m-1", &said).await.unwrap(), WebhookOutcome::Done);
}

async fn what_makes_no_sense_is_told(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let manager = ChannelManagerClient::of(&fixture, fixture.on("vrbo").await).await;
    for (number, said) in [
        json!({ "type": "reservation.exploded", "data": {} }),
        json!({ "type": "reservation.created", "data": { "uid": "r" } }),
        json!({ "type": "reservation.created", "data": ["r", "2026-12-03", "2026-12-05"] }),
        json!({ "type": "reservation.created", "data": { "uid": "", "check_in": "2026-12-03", "check_out": "2026-12-04" } }),
        reserved("r", "2026-12-05", "2026-12-03"),
        json!([1, 2]),
    ]
    .iter()
    .enumerate()
    {
        let refused = manager.tell(&format!("m-{number}"), said).await;
        assert!(matches!(refused, Err(WebhookError::Malformed(_))), "{said}: {refused:?}");
    }
    assert_eq!(fixture.standing().await, Vec::<String>::new());
}

concord_storage::on_both_databases!(
    a_reservation_is_told_once,
    where_there_is_a_feed_it_is_the_judge,
    what_was_called_off_before_the_feed_had_it_goes,
    what_the_feed_has_under_another_name_is_not_sold_again,
    a_message_that_was_overtaken_changes_nothing,
    webhook_with_our_own_uid_books_nothing,
    a_changed_calendar_is_read_at_once,
    what_is_not_signed_is_not_believed,
    what_makes_no_sense_is_told,
    failed_webhook_is_recorded_as_failed,
);
