//! Whether a connection is served, and which: states, defaults, leases.

use concord_domain::connection::{ConnectionState, Coverage, Direction};
use concord_storage::{
    connections::{self, ConnectionSettings},
    testing::{self, TestDb, at, begin, commit},
};

use crate::{
    at_once,
    connections::{adopt, ana, found, set_state},
};

async fn a_state_changes_once(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    assert!(set_state(db, &ana, id, ConnectionState::NeedsReconnect).await);
    assert!(!set_state(db, &ana, id, ConnectionState::NeedsReconnect).await);
    let connection = found(db, &ana, id).await;
    assert_eq!((connection.state, connection.state_changed_at), (ConnectionState::NeedsReconnect, at(2)));
    assert!(connection.is_default, "it is only asleep");
    assert_eq!(connections::list(db, ana.business_id).await.unwrap().len(), 1);
}

async fn a_state_is_left_only_where_it_was_thought_to_be(db: &TestDb) {
    use ConnectionState::{Active, Disconnected, Paused};
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let whose = (ana.business_id, id);
    let go = async |whose, states, minute| {
        let mut tx = begin(db).await;
        let direction = connections::move_state(&mut tx, whose, states, at(minute)).await.unwrap();
        commit(tx).await;
        direction
    };
    let mut tx = begin(db).await;
    let settings = ConnectionSettings { direction: Some(Direction::In), coverage: Some(Coverage::Assigned) };
    connections::set_settings(&mut tx, ana.business_id, id, settings).await.unwrap();
    connections::note_failure(&mut tx, id, "Google answered 503").await.unwrap();
    commit(tx).await;
    assert_eq!(go(whose, (Paused, Active), 2).await, None, "it is not paused");
    let stranger = (testing::business(db).await.id, id);
    assert_eq!(go(stranger, (Active, Paused), 2).await, None, "another business has no such connection");
    let before = found(db, &ana, id).await;
    assert_eq!((before.state, before.state_changed_at), (Active, at(1)));
    assert_eq!(before.last_error.as_deref(), Some("Google answered 503"));

    assert_eq!(go(whose, (Active, Paused), 3).await, Some(Direction::In));
    assert_eq!(go(whose, (Active, Paused), 4).await, None, "somebody else has paused it by then");
    let paused = found(db, &ana, id).await;
    assert_eq!((paused.state, paused.state_changed_at, paused.last_error), (Paused, at(3), None));
    // Who ends a pause must not bring back what is being disconnected at the same moment.
    assert!(set_state(db, &ana, id, Disconnected).await);
    assert_eq!(go(whose, (Paused, Active), 5).await, None);
    assert_eq!(found(db, &ana, id).await.state, Disconnected);
}

async fn of_many_who_pause_at_once_one_does(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let business = ana.business_id;
    let moved = at_once(db, 8, |db, _| async move {
        let mut tx = begin(&db).await;
        let states = (ConnectionState::Active, ConnectionState::Paused);
        let moved = connections::move_state(&mut tx, (business, id), states, at(2)).await.unwrap();
        commit(tx).await;
        moved
    })
    .await;
    assert_eq!(moved.into_iter().flatten().count(), 1);
}

async fn an_account_may_be_connected_twice(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let first = adopt(db, &ring, &ana, "private", None).await;
    assert!(!connections::is_account_shared(db, ana.business_id, first).await.unwrap());
    // By somebody of another business, even.
    let stranger = testing::staff(db, &testing::business(db).await, "Rui").await;
    let second = adopt(db, &ring, &stranger, "private", None).await;
    adopt(db, &ring, &ana, "work", None).await;
    assert!(connections::is_account_shared(db, ana.business_id, first).await.unwrap());
    assert!(set_state(db, &stranger, second, ConnectionState::Disconnected).await);
    assert!(!connections::is_account_shared(db, ana.business_id, first).await.unwrap());
}

async fn a_person_whose_default_ended_has_another_one(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let first = adopt(db, &ring, &ana, "private", None).await;
    let second = adopt(db, &ring, &ana, "work", None).await;
    let ensure = async || {
        let mut tx = begin(db).await;
        connections::ensure_default(&mut tx, ana.business_id, ana.id).await.unwrap();
        commit(tx).await;
    };
    ensure().await;
    assert!(!found(db, &ana, second).await.is_default, "there is one");
    assert!(set_state(db, &ana, first, ConnectionState::Disconnected).await);
    ensure().await;
    assert!(found(db, &ana, second).await.is_default);
    assert!(set_state(db, &ana, second, ConnectionState::Disconnected).await);
    ensure().await;
    assert!(!found(db, &ana, second).await.is_default);
}

async fn one_refreshes_at_a_time(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    let refreshers = at_once(db, 8, |db, _| async move {
        connections::acquire_refresh_lease(&db, id, "refresher#1", at(2), at(1)).await.unwrap()
    })
    .await;
    assert_eq!(refreshers.iter().filter(|got| **got).count(), 1);
    connections::release_refresh_lease(db, id, "refresher#1").await.unwrap();
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", at(2), at(1)).await.unwrap());
    let mut tx = begin(db).await;
    let old = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    let new = testing::tokens("new", None);
    assert!(connections::store_tokens(&mut tx, &ring, (id, "refresher#1"), &old, &new).await.unwrap());
    commit(tx).await;
    assert!(
        connections::acquire_refresh_lease(db, id, "refresher#1", at(2), at(1)).await.unwrap(),
        "new tokens end a refresh"
    );
    assert!(!connections::acquire_refresh_lease(db, id, "refresher#1", at(3), at(1)).await.unwrap());
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", at(3), at(2)).await.unwrap());
}

async fn what_the_dead_held_is_free(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", at(9), at(1)).await.unwrap());
    let mut tx = begin(db).await;
    connections::release_all_refresh_leases(&mut tx).await.unwrap();
    commit(tx).await;
    assert!(connections::acquire_refresh_lease(db, id, "refresher#1", at(9), at(1)).await.unwrap());
}

async fn only_what_is_served_is_active(db: &TestDb) {
    let (ring, ana, other) = (testing::keyring(), ana(db).await, ana(db).await);
    let first = adopt(db, &ring, &ana, "private", None).await;
    let second = adopt(db, &ring, &ana, "work", None).await;
    adopt(db, &ring, &other, "elsewhere", None).await;
    set_state(db, &ana, second, ConnectionState::Paused).await;
    let mut tx = begin(db).await;
    assert_eq!(connections::active(&mut tx, ana.business_id).await.unwrap(), [first]);
}

async fn a_process_that_stops_gives_back_its_own_rights(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let [first, second] =
        [adopt(db, &ring, &ana, "private", None).await, adopt(db, &ring, &ana, "work", None).await];
    for (id, process) in [(first, "process-1"), (second, "process-11")] {
        let refresher = format!("{process}#5");
        assert!(connections::acquire_refresh_lease(db, id, &refresher, at(9), at(1)).await.unwrap());
    }
    let mut tx = begin(db).await;
    connections::release_refresh_leases_of_process(&mut tx, "process-1").await.unwrap();
    commit(tx).await;
    for (id, is_free) in [(first, true), (second, false)] {
        assert_eq!(
            connections::acquire_refresh_lease(db, id, "next#1", at(9), at(1)).await.unwrap(),
            is_free
        );
    }
}

/// A refresh took longer than anybody could know, and another one began: it is not ended by the first.
async fn a_late_refresher_ends_nobody_elses_right(db: &TestDb) {
    let (ring, ana) = (testing::keyring(), ana(db).await);
    let id = adopt(db, &ring, &ana, "private", None).await;
    assert!(connections::acquire_refresh_lease(db, id, "slow#1", at(2), at(1)).await.unwrap());
    let old = connections::tokens(db, &ring, ana.business_id, id).await.unwrap();
    assert!(connections::acquire_refresh_lease(db, id, "next#1", at(4), at(2)).await.unwrap());
    connections::release_refresh_lease(db, id, "slow#1").await.unwrap();
    assert!(!connections::acquire_refresh_lease(db, id, "third#1", at(5), at(3)).await.unwrap());
    let mut tx = begin(db).await;
    let new = testing::tokens("new", None);
    assert!(connections::store_tokens(&mut tx, &ring, (id, "slow#1"), &old, &new).await.unwrap());
    commit(tx).await;
    assert!(!connections::acquire_refresh_lease(db, id, "third#1", at(5), at(3)).await.unwrap());
    connections::release_refresh_lease(db, id, "next#1").await.unwrap();
    assert!(connections::acquire_refresh_lease(db, id, "third#1", at(5), at(3)).await.unwrap());
}

concord_storage::on_both_databases!(
    a_process_that_stops_gives_back_its_own_rights,
    a_late_refresher_ends_nobody_elses_right,
    a_state_changes_once,
    a_state_is_left_only_where_it_was_thought_to_be,
    of_many_who_pause_at_once_one_does,
    an_account_may_be_connected_twice,
    a_person_whose_default_ended_has_another_one,
    one_refreshes_at_a_time,
    what_the_dead_held_is_free,
    only_what_is_served_is_active,
);
