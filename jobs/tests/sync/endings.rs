//! Disconnecting.

use std::{sync::Arc, time::Duration};

use concord_domain::connection::{ConnectionState, EntryState};
use concord_jobs::{Context, connections as manage, job::JobRunner};
use concord_providers::{ProvidersConfig, Registry};
use concord_storage::{
    connections, on_both_databases,
    testing::{self, TestDb, at},
};
use serde_json::json;

use crate::world::{ANA, RUI, World, titled};

async fn entries_stay_if_that_is_chosen_and_access_ends(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.poll().await;
    assert_eq!(world.taken(&world.ana).await.len(), 2);

    manage::disconnect(&world.context, &world.change(), id, false).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Dentist", "Sea View — Maria (Massage)"]);
    assert_eq!(world.taken(&world.ana).await, ["booking: 60 - 120"], "busy times are forgotten");
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    assert!(world.log().await.contains(&"disconnect ok".to_owned()));

    // From now on it is let alone.
    world.outside.forget_calls().await;
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.poll().await;
    assert_eq!(world.outside.calls().await, [""; 0]);
    manage::test(&world.context, world.business.id, id).await.unwrap_err();
    assert_eq!(world.open_jobs().await.len(), 0);
    let counts =
        concord_storage::entries::counts(db, world.business.id, None, world.clock.now()).await.unwrap();
    assert_eq!(counts.pending, 0, "nobody waits for an entry of a calendar that is over");

    // Connected again, the entry that stayed is taken up.
    assert_eq!(world.connect(&world.ana, ANA).await, id);
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Dentist", "Sea View — Maria (Changed)"]);
    assert_eq!(world.taken(&world.ana).await.len(), 2);
}

async fn entries_go_if_that_is_chosen(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for number in 0..60 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    world.settle().await;
    let own = world.outside.person_adds(ANA, (at(6000), at(6060)), json!({})).await;
    // One has been deleted by its owner already.
    let first = world.outside.seen_by(ANA).await.remove(0).id;
    assert_ne!(first, own);
    world.outside.person_deletes(ANA, &first).await;

    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Dentist"]);
    assert_eq!(world.state(id).await, ConnectionState::Disconnected);
    assert_eq!(world.open_jobs().await.len(), 0);
    // The token is worth nothing any more, not even to somebody who kept it.
    let given = world.outside.tokens_given();
    assert_eq!(world.connect(&world.ana, ANA).await, id);
    assert_eq!(world.outside.tokens_given(), given + 1);
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 61);
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Dentist"]);
}

async fn a_dead_grant_can_be_disconnected_too(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::Disconnected);
    assert_eq!(world.open_jobs().await.len(), 0);
    assert_eq!(world.failed().await.len(), 0);
}

async fn a_provider_in_trouble_is_waited_for(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    for kind in ["server_error", "apply_then_drop", "rate_limit"] {
        world.outside.fault(json!({ "kind": kind, "count": 2 })).await;
    }
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
}

/// A calendar that may no longer be written keeps its entries, and access ends all the same.
async fn what_cannot_be_removed_does_not_keep_access_alive(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let booking = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    let scope = "openid email https://www.googleapis.com/auth/calendar.readonly";
    let grant = json!({ "provider": "google", "account": ANA, "scope": scope });
    let grant = world.outside.control(http::Method::POST, "grants", Some(grant)).await;
    let given = crate::outside::Given {
        access: grant["access_token"].as_str().unwrap().to_owned(),
        refresh: grant["refresh_token"].as_str().unwrap().to_owned(),
    };
    world.connect_with(&world.ana, given).await;
    world.settle().await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    let told = world.log_lines().await.into_iter().find(|line| line.operation == "disconnect").unwrap();
    assert!(told.detail.contains("1 could not be removed"), "{told:?}");
    assert_eq!(world.open_jobs().await.len(), 0);
    assert_eq!(world.failed().await.len(), 0);
    assert_ne!(world.entry_state(&booking).await, EntryState::Removed);
}

/// The licence or the whole mailbox was taken away: nothing can be removed there, and access ends all the same.
async fn mailbox_that_is_gone_does_not_keep_access_alive(db: &TestDb) {
    let world = World::at_microsoft(db).await;
    let id = world.connected(&world.ana).await;
    let booking = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    world.outside.fault(json!({ "kind": "no_mailbox" })).await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    let lines = world.log_lines().await;
    let said = lines.iter().find(|line| line.operation == "disconnect").unwrap();
    assert!(said.detail.contains("1 could not be removed") && said.detail.contains("no mailbox"), "{said:?}");
    assert_eq!(world.open_jobs().await.len(), 0);
    assert_eq!(world.failed().await.len(), 0);
    assert_ne!(world.entry_state(&booking).await, EntryState::Removed);
}

/// An entry is on its way to the calendar at the moment of the disconnection.
async fn a_write_under_way_leaves_nothing_behind(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let elsewhere = JobRunner::new(world.elsewhere(), "second");
    let end = async {
        while world.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
        elsewhere.drain().await.unwrap();
    };
    tokio::join!(world.drain(), end);
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, [""; 0]);
    assert_eq!(world.open_jobs().await.len(), 0);
}

/// The person thinks better of it while the entries are being removed.
async fn connected_again_while_entries_go_it_stays_connected(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    for number in 0..4 {
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
    }
    world.settle().await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    world.outside.forget_calls().await;
    let again = async {
        while world.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        let given = world.outside.consent(ANA).await;
        assert_eq!(world.connect_with(&world.ana, given).await, id);
    };
    tokio::join!(world.drain(), again);
    let removed = world.outside.writes().await.iter().filter(|call| call.starts_with("DELETE")).count();
    assert_eq!(removed, 1, "it stopped");
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 4);
    assert_eq!(world.state(id).await, ConnectionState::Active);
    let stored = connections::tokens(db, &world.context.ring, world.business.id, id).await.unwrap();
    assert!(stored.access.is_some() && stored.refresh.is_some());
    assert!(!world.log().await.contains(&"disconnect ok".to_owned()));
}

/// Wrong credentials of the installation are no refusal of the calendar: the entries are removed once they are right.
async fn entries_go_once_the_installation_is_set_up_again(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    let nothing = ProvidersConfig { google: None, ..world.outside.providers(Duration::from_secs(5)) };
    let registry = Arc::new(Registry::new(nothing, &world.clock).unwrap());
    let without = JobRunner::new(Context { providers: registry, ..world.elsewhere() }, "without");
    without.drain().await.unwrap();
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
    assert!(!world.log().await.contains(&"disconnect ok".to_owned()));
    assert!(world.failed().await[0].last_error.as_deref().unwrap_or_default().contains("not set up"));
    world.poll().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(world.log().await.last().unwrap(), "disconnect ok");
    assert_eq!(world.failed().await.len(), 0);
}

/// Busy times are being read at the moment of the disconnection.
async fn a_read_under_way_keeps_nobody_busy(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    world.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    world.clock.advance(chrono::Duration::minutes(16));
    world.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let elsewhere = JobRunner::new(world.elsewhere(), "second");
    let end = async {
        while world.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        manage::disconnect(&world.context, &world.change(), id, false).await.unwrap();
        elsewhere.drain().await.unwrap();
    };
    tokio::join!(world.drain(), end);
    world.settle().await;
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
}

/// Google ends all that an application may do with an account at once, so the grant of an account that somebody else
/// has connected too must be left alone.
async fn an_account_that_two_have_connected_stays_connected_for_the_other(db: &TestDb) {
    let world = World::new(db).await;
    let of_ana = world.connect(&world.ana, "rui@harbour.example").await;
    let of_rui = world.connected(&world.rui).await;
    world.put("A-1", &world.draft(&[&world.rui], 60, 120)).await;
    world.settle().await;
    manage::disconnect(&world.context, &world.change(), of_ana, true).await.unwrap();
    world.settle().await;
    world.put("A-2", &world.draft(&[&world.rui], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.state(of_rui).await, ConnectionState::Active);
    assert_eq!(world.outside.seen_by(RUI).await.len(), 2);

    // The last one out ends it.
    manage::disconnect(&world.context, &world.change(), of_rui, true).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.seen_by(RUI).await.len(), 0);
}

async fn another_business_cannot_touch_it(db: &TestDb) {
    let world = World::new(db).await;
    let id = world.connected(&world.ana).await;
    let stranger = testing::business(db).await;
    let change = concord_storage::bookings::Change { business: stranger.id, ..world.change() };
    manage::disconnect(&world.context, &change, id, true).await.unwrap_err();
    manage::pause(&world.context, &change, id).await.unwrap_err();
    manage::set_default(&world.context, &change, id).await.unwrap_err();
    manage::test(&world.context, stranger.id, id).await.unwrap_err();
    manage::resync(&world.context, stranger.id, id).await.unwrap_err();
    let calendar = world.calendars(id).await[0].id;
    manage::set_reads(&world.context, &change, id, calendar, false).await.unwrap_err();
    manage::set_written(&world.context, &change, id, calendar).await.unwrap_err();
    assert_eq!(world.state(id).await, ConnectionState::Active);
    assert!(world.calendars(id).await[0].reads);
}

on_both_databases!(
    entries_stay_if_that_is_chosen_and_access_ends,
    entries_go_if_that_is_chosen,
    a_dead_grant_can_be_disconnected_too,
    a_provider_in_trouble_is_waited_for,
    what_cannot_be_removed_does_not_keep_access_alive,
    mailbox_that_is_gone_does_not_keep_access_alive,
    a_write_under_way_leaves_nothing_behind,
    connected_again_while_entries_go_it_stays_connected,
    entries_go_once_the_installation_is_set_up_again,
    a_read_under_way_keeps_nobody_busy,
    an_account_that_two_have_connected_stays_connected_for_the_other,
    another_business_cannot_touch_it,
);
