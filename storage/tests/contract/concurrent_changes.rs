//! What two transactions do to each other that are open at the same time.

use std::{sync::Arc, time::Duration};

use concord_domain::{
    connection::{ConnectionState, Coverage, Direction},
    ids::BookingId,
};
use concord_storage::{
    bookings,
    connections::{self, ConnectionSettings, StoredTokens},
    entries::{self, TargetScope},
    seal::{Keyring, MasterKey},
    testing::{self, TestDb, at, begin, commit, monday},
};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use uuid::Uuid;

use crate::entries::fixture;

/// Whatever waits for a lock has been waiting for some time by then; without the lock it would be done.
const A_WHILE: Duration = Duration::from_millis(400);

async fn a_booking_waits_for_a_calendar_that_is_being_disconnected(db: &TestDb) {
    let fixture = Arc::new(fixture(db).await);
    // One who covers everything has nothing to do with the people of a booking.
    let mut tx = begin(db).await;
    let settings =
        ConnectionSettings { direction: Some(Direction::Both), coverage: Some(Coverage::Everything) };
    connections::set_settings(&mut tx, fixture.business.id, fixture.of_rui, settings).await.unwrap();
    commit(tx).await;

    let mut tx = begin(db).await;
    let state = ConnectionState::Disconnected;
    for ending in [fixture.of_ana, fixture.of_rui] {
        connections::set_state(&mut tx, fixture.business.id, ending, state, None, at(1)).await.unwrap();
    }
    let (same_fixture, same_db) = (Arc::clone(&fixture), (**db).clone());
    let mut putting =
        tokio::spawn(async move { same_fixture.put(&same_db, &[&same_fixture.ana], "Massage").await });
    assert!(timeout(A_WHILE, &mut putting).await.is_err(), "nobody knows yet where the booking must stand");
    commit(tx).await;
    let put = putting.await.unwrap();
    assert_eq!(fixture.states(db, &put.booking).await, [""; 0], "it is targeted at nothing that is over");
}

async fn a_calendar_waits_for_a_booking_that_is_being_written(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.eva], "Massage").await;
    let mut tx = begin(db).await;
    assert_eq!(
        entries::target(&mut tx, &put.booking, false, TargetScope::Everywhere, at(1)).await.unwrap(),
        [],
        "nobody covers it"
    );
    let (business, same_db, eva) = (fixture.business.id, (**db).clone(), fixture.eva.clone());
    let mut connecting =
        tokio::spawn(async move { testing::connection(&same_db, &testing::keyring(), &eva).await });
    assert!(timeout(A_WHILE, &mut connecting).await.is_err(), "it would not see what is being written");
    commit(tx).await;
    let connection = connecting.await.unwrap();
    testing::calendar(db, &fixture.eva, connection).await;
    let start = BookingId(Uuid::nil());
    let concerning = bookings::concerning(db, business, connection, monday(), start, 10).await.unwrap();
    assert_eq!(concerning.len(), 1);
}

/// SQLite has one writer.
#[tokio::test]
async fn bookings_of_a_business_are_aimed_at_the_same_time() {
    let db = testing::postgres().await;
    let fixture = fixture(&db).await;
    let put = fixture.put(&db, &[&fixture.eva], "Massage").await;
    let [mut one, mut other] = [begin(&db).await, begin(&db).await];
    entries::target(&mut one, &put.booking, false, TargetScope::Everywhere, at(1)).await.unwrap();
    let targeted = entries::target(&mut other, &put.booking, false, TargetScope::Everywhere, at(1));
    timeout(A_WHILE * 20, targeted).await.expect("neither waits for the other").unwrap();
}

/// A process that runs since before the keys were changed refreshes a token while the command changes them.
async fn a_token_that_is_refreshed_while_keys_change_is_not_lost(db: &TestDb) {
    let ana = testing::staff(db, &testing::business(db).await, "Ana").await;
    let old = MasterKey::generate();
    let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
    let before = Arc::new(Keyring::new(old, vec![]));
    let after = Arc::new(Keyring::new(MasterKey::generate(), vec![kept]));
    let id = testing::connection(db, &before, &ana).await;
    let stored = async |ring: &Keyring| connections::tokens(db, ring, ana.business_id, id).await.unwrap();
    let refresh = |ring: &Arc<Keyring>, of: StoredTokens, token: &'static str| {
        let (db, ring) = ((**db).clone(), Arc::clone(ring));
        tokio::spawn(async move {
            let mut tx = begin(&db).await;
            let tokens = testing::tokens("ya29.new", Some(token));
            assert!(
                connections::store_tokens(&mut tx, &ring, (id, "refresher#1"), &of, &tokens).await.unwrap()
            );
            commit(tx).await;
        })
    };
    let refreshed = async || stored(&after).await.refresh.unwrap().expose_secret().to_owned();

    // The change of keys comes first ...
    let of = stored(&before).await;
    let mut tx = begin(db).await;
    assert_eq!(connections::rotate_keys(&mut tx, &after).await.unwrap(), 1);
    let mut refreshing = refresh(&before, of, "1//second");
    assert!(timeout(A_WHILE, &mut refreshing).await.is_err(), "it waits");
    commit(tx).await;
    refreshing.await.unwrap();
    assert_eq!(refreshed().await, "1//second");

    // ... or the refresh does.
    let of = stored(&after).await;
    let mut tx = begin(db).await;
    let tokens = testing::tokens("ya29.newer", Some("1//third"));
    assert!(connections::store_tokens(&mut tx, &before, (id, "refresher#1"), &of, &tokens).await.unwrap());
    let (same_db, ring) = ((**db).clone(), Arc::clone(&after));
    let mut rotating = tokio::spawn(async move {
        let mut tx = begin(&same_db).await;
        let changed = connections::rotate_keys(&mut tx, &ring).await.unwrap();
        commit(tx).await;
        changed
    });
    assert!(timeout(A_WHILE, &mut rotating).await.is_err(), "it waits");
    commit(tx).await;
    assert_eq!(rotating.await.unwrap(), 1);
    assert_eq!(refreshed().await, "1//third");
    let mut tx = begin(db).await;
    assert_eq!(connections::rotate_keys(&mut tx, &after).await.unwrap(), 0, "all is under the new key");
    commit(tx).await;
}

concord_storage::on_both_databases!(
    a_booking_waits_for_a_calendar_that_is_being_disconnected,
    a_calendar_waits_for_a_booking_that_is_being_written,
    a_token_that_is_refreshed_while_keys_change_is_not_lost,
);
