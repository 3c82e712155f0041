use chrono::Duration;
use concord_domain::{
    ids::{BusinessId, WebhookEndpointId},
    webhook::{DisabledReason, EndpointHealth, EndpointSettings, EndpointState, EventType},
};
use concord_storage::{
    Db,
    seal::{Keyring, MasterKey},
    testing::{self, TestDb, at, begin, commit},
    webhook_endpoints::{self, WebhookEndpoint},
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{is_not_found, precise};

pub(crate) fn hearing(event_types: &[EventType]) -> EndpointSettings {
    EndpointSettings { description: "Our shop".to_owned(), event_types: event_types.to_vec() }
}

/// An endpoint that hears of these types; none: of all.
pub(crate) async fn endpoint(db: &Db, business: BusinessId, event_types: &[EventType]) -> WebhookEndpoint {
    sealed_by(db, &testing::keyring(), business, event_types).await
}

async fn sealed_by(
    db: &Db,
    ring: &Keyring,
    business: BusinessId,
    event_types: &[EventType],
) -> WebhookEndpoint {
    let mut tx = begin(db).await;
    let place = ("https://shop.example/hook", &hearing(event_types));
    let secret = SecretString::from("whsec_first");
    let made = webhook_endpoints::create(&mut tx, ring, business, place, &secret, precise(0)).await.unwrap();
    commit(tx).await;
    made
}

async fn found(db: &Db, endpoint: &WebhookEndpoint) -> WebhookEndpoint {
    webhook_endpoints::find(db, endpoint.business_id, endpoint.id).await.unwrap().unwrap()
}

async fn an_endpoint_is_found_by_its_business_alone(db: &TestDb) {
    let [business, other] = [testing::business(db).await.id, testing::business(db).await.id];
    let types = [EventType::BookingCreated, EventType::BookingCancelled];
    let made = endpoint(db, business, &types).await;
    assert_eq!(made.url, "https://shop.example/hook");
    assert_eq!((made.settings.clone(), made.state), (hearing(&types), EndpointState::Active));
    assert_eq!((made.health, made.created_at), (EndpointHealth::default(), precise(0)));
    assert_eq!(webhook_endpoints::list(db, business).await.unwrap(), std::slice::from_ref(&made));
    assert!(webhook_endpoints::list(db, other).await.unwrap().is_empty());
    assert_eq!(webhook_endpoints::find(db, business, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(webhook_endpoints::find(db, other, made.id).await.unwrap(), None);
    let mut tx = begin(db).await;
    assert_eq!(webhook_endpoints::count(&mut tx, business).await.unwrap(), 1);
    assert_eq!(webhook_endpoints::lock(&mut tx, business, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(webhook_endpoints::lock(&mut tx, other, made.id).await.unwrap(), None);
    let none = hearing(&[]);
    is_not_found(webhook_endpoints::update(&mut tx, (other, made.id), "https://x.example", &none).await);
    is_not_found(webhook_endpoints::delete(&mut tx, other, made.id).await);
    webhook_endpoints::update(&mut tx, (business, made.id), "https://x.example/", &none).await.unwrap();
    commit(tx).await;
    let changed = found(db, &made).await;
    assert_eq!((changed.url.as_str(), changed.settings), ("https://x.example/", none));
    let mut tx = begin(db).await;
    webhook_endpoints::delete(&mut tx, business, made.id).await.unwrap();
    commit(tx).await;
    assert!(webhook_endpoints::list(db, business).await.unwrap().is_empty());
}

async fn a_disabled_endpoint_begins_anew_when_it_is_enabled(db: &TestDb) {
    let business = testing::business(db).await.id;
    let made = endpoint(db, business, &[]).await;
    let place = (business, made.id);
    let failing = EndpointHealth {
        failures: 9,
        failing_since: Some(precise(1)),
        last_failure_at: Some(precise(2)),
        hold_until: Some(precise(3)),
    };
    let mut tx = begin(db).await;
    webhook_endpoints::record_health(&mut tx, place, &failing, Some(precise(0))).await.unwrap();
    webhook_endpoints::record_health(&mut tx, place, &failing, None).await.unwrap();
    commit(tx).await;
    let noted = found(db, &made).await;
    assert_eq!((noted.health, noted.last_success_at), (failing, Some(precise(0))));
    let mut tx = begin(db).await;
    assert!(!webhook_endpoints::enable(&mut tx, business, made.id).await.unwrap(), "it is active");
    assert!(webhook_endpoints::disable(&mut tx, place, DisabledReason::Gone, precise(4)).await.unwrap());
    assert!(!webhook_endpoints::disable(&mut tx, place, DisabledReason::ByHand, precise(5)).await.unwrap());
    commit(tx).await;
    let disabled = found(db, &made).await;
    assert_eq!((disabled.state, disabled.disabled_at), (EndpointState::Disabled, Some(precise(4))));
    assert_eq!(disabled.disabled_reason, Some(DisabledReason::Gone));
    let mut tx = begin(db).await;
    assert!(webhook_endpoints::enable(&mut tx, business, made.id).await.unwrap());
    commit(tx).await;
    let enabled = found(db, &made).await;
    assert_eq!(enabled, WebhookEndpoint { last_success_at: Some(precise(0)), ..made });
}

async fn both_secrets_sign_for_a_while_after_a_rotation(db: &TestDb) {
    let old = MasterKey::generate();
    let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
    let ring = Keyring::new(old, vec![]);
    let business = testing::business(db).await.id;
    let made = sealed_by(db, &ring, business, &[]).await;
    let place = (business, made.id);
    let secrets = async |ring: &Keyring, minute| -> Vec<String> {
        let found = webhook_endpoints::secrets(db, ring, place, at(minute)).await.unwrap();
        found.iter().map(|secret| secret.expose_secret().to_owned()).collect()
    };
    assert_eq!(secrets(&ring, 0).await, ["whsec_first"]);
    let mut tx = begin(db).await;
    let new = SecretString::from("whsec_second");
    webhook_endpoints::rotate(&mut tx, &ring, place, &new, at(60)).await.unwrap();
    let nobody = (business, WebhookEndpointId(Uuid::nil()));
    is_not_found(webhook_endpoints::rotate(&mut tx, &ring, nobody, &new, at(60)).await);
    commit(tx).await;
    assert_eq!(secrets(&ring, 59).await, ["whsec_second", "whsec_first"]);
    assert_eq!(secrets(&ring, 60).await, ["whsec_second"]);
    assert_eq!(found(db, &made).await.former_secret_until, Some(at(0) + Duration::hours(1)));
    is_not_found(webhook_endpoints::secrets(db, &ring, nobody, at(0)).await);

    let mut tx = begin(db).await;
    assert_eq!(webhook_endpoints::rotate_keys(&mut tx, &ring).await.unwrap(), 0);
    let new = MasterKey::generate();
    let alone = Keyring::new(MasterKey::from_base64(&new.to_base64()).unwrap(), vec![]);
    let after = Keyring::new(new, vec![kept]);
    assert_eq!(webhook_endpoints::rotate_keys(&mut tx, &after).await.unwrap(), 2);
    commit(tx).await;
    assert_eq!(secrets(&alone, 0).await, ["whsec_second", "whsec_first"]);
}

concord_storage::on_both_databases!(
    an_endpoint_is_found_by_its_business_alone,
    a_disabled_endpoint_begins_anew_when_it_is_enabled,
    both_secrets_sign_for_a_while_after_a_rotation,
);
