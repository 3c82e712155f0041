//! Disconnecting.

use std::{sync::Arc, time::Duration};

use concord_domain::connection::{ConnectionState, EntryState};
use concord_jobs::{Context, dispatch::JobRunner};
use concord_providers::{ProviderRegistry, ProviderRegistryConfig};
use concord_services::connections as manage;
use concord_storage::{
    connections, on_both_databases,
    testing::{self, TestDb, at},
};
use serde_json::json;

use crate::{
    connection_choices,
    fixture::{ANA, RUI, SyncFixture, titled},
    shared::DrainJobs,
};

async fn entries_stay_if_that_is_chosen_and_access_ends(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await.len(), 2);

    manage::disconnect(&fixture.context, &fixture.change(), id, false).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Dentist", "Sea View — Maria (Massage)"]);
    assert_eq!(fixture.taken(&fixture.ana).await, ["booking: 60 - 120"], "busy times are forgotten");
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    assert!(fixture.log().await.contains(&"disconnect ok".to_owned()));

    // From now on it is let alone.
    fixture.outside.forget_calls().await;
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.poll().await;
    assert_eq!(fixture.outside.calls().await, [""; 0]);
    manage::test(&fixture.context, fixture.business.id, id).await.unwrap_err();
    assert_eq!(fixture.open_jobs().await.len(), 0);
    let counts =
        concord_storage::entries::counts(db, fixture.business.id, None, fixture.clock.now()).await.unwrap();
    assert_eq!(counts.pending, 0, "nobody waits for an entry of a calendar that is over");

    // Connected again, the entry that stayed is taken up.
    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Dentist", "Sea View — Maria (Changed)"]);
    assert_eq!(fixture.taken(&fixture.ana).await.len(), 2);
}

async fn entries_go_if_that_is_chosen(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for number in 0..60 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    fixture.settle().await;
    let own = fixture.outside.person_adds(ANA, (at(6000), at(6060)), json!({})).await;
    // One has been deleted by its owner already.
    let first = fixture.outside.seen_by(ANA).await.remove(0).id;
    assert_ne!(first, own);
    fixture.outside.person_deletes(ANA, &first).await;

    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Dentist"]);
    assert_eq!(fixture.state(id).await, ConnectionState::Disconnected);
    assert_eq!(fixture.open_jobs().await.len(), 0);
    // The token is worth nothing any more, not even to somebody who kept it.
    let given = fixture.outside.tokens_given();
    assert_eq!(fixture.connect(&fixture.ana, ANA).await, id);
    assert_eq!(fixture.outside.tokens_given(), given + 1);
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 61);
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Dentist"]);
}

async fn a_dead_grant_can_be_disconnected_too(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::Disconnected);
    assert_eq!(fixture.open_jobs().await.len(), 0);
    assert_eq!(fixture.failed().await.len(), 0);
}

async fn a_provider_in_trouble_is_waited_for(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    for kind in ["server_error", "apply_then_drop", "rate_limit"] {
        fixture.outside.fault(json!({ "kind": kind, "count": 2 })).await;
    }
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
}

/// A calendar that may no longer be written keeps its entries, and access ends all the same.
async fn what_cannot_be_removed_does_not_keep_access_alive(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let scope = "openid email https://www.googleapis.com/auth/calendar.readonly";
    let grant = json!({ "provider": "google", "account": ANA, "scope": scope });
    let grant = fixture.outside.control(http::Method::POST, "grants", Some(grant)).await;
    let given = crate::provider_sandbox::GrantedTokens {
        access: grant["access_token"].as_str().unwrap().to_owned(),
        refresh: grant["refresh_token"].as_str().unwrap().to_owned(),
    };
    fixture.connect_with(&fixture.ana, given).await;
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    let told = fixture.log_lines().await.into_iter().find(|line| line.operation == "disconnect").unwrap();
    assert!(told.detail.contains("1 could not be deleted"), "{told:?}");
    assert_eq!(fixture.open_jobs().await.len(), 0);
    assert_eq!(fixture.failed().await.len(), 0);
    assert_ne!(fixture.entry_state(&booking).await, EntryState::Removed);
}

/// The licence or the whole mailbox was taken away: nothing can be removed there, and access ends all the same.
async fn mailbox_that_is_gone_does_not_keep_access_alive(db: &TestDb) {
    let fixture = SyncFixture::at_microsoft(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    fixture.outside.fault(json!({ "kind": "no_mailbox" })).await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert!(stored.access.is_none() && stored.refresh.is_none());
    let lines = fixture.log_lines().await;
    let said = lines.iter().find(|line| line.operation == "disconnect").unwrap();
    assert!(said.detail.contains("1 could not be deleted") && said.detail.contains("no mailbox"), "{said:?}");
    assert_eq!(fixture.open_jobs().await.len(), 0);
    assert_eq!(fixture.failed().await.len(), 0);
    assert_ne!(fixture.entry_state(&booking).await, EntryState::Removed);
}

/// An entry is on its way to the calendar at the moment of the disconnection.
async fn a_write_under_way_leaves_nothing_behind(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let elsewhere = JobRunner::new(fixture.elsewhere(), "second");
    let end = async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
        elsewhere.drain().await.unwrap();
    };
    tokio::join!(fixture.drain(), end);
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0]);
    assert_eq!(fixture.open_jobs().await.len(), 0);
}

/// The person thinks better of it while the entries are being removed.
async fn connected_again_while_entries_go_it_stays_connected(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    for number in 0..4 {
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
    }
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    fixture.outside.forget_calls().await;
    let again = async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        let given = fixture.outside.consent(ANA).await;
        assert_eq!(fixture.connect_with(&fixture.ana, given).await, id);
    };
    tokio::join!(fixture.drain(), again);
    let removed = fixture.outside.writes().await.iter().filter(|call| call.starts_with("DELETE")).count();
    assert_eq!(removed, 1, "it stopped");
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 4);
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    let stored = connections::tokens(db, &fixture.context.ring, fixture.business.id, id).await.unwrap();
    assert!(stored.access.is_some() && stored.refresh.is_some());
    assert!(!fixture.log().await.contains(&"disconnect ok".to_owned()));
}

/// Wrong credentials of the installation are no refusal of the calendar: the entries are removed once they are right.
async fn entries_go_once_the_installation_is_set_up_again(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    let nothing =
        ProviderRegistryConfig { providers: Vec::new(), ..fixture.outside.providers(Duration::from_secs(5)) };
    let registry = Arc::new(ProviderRegistry::new(nothing, &fixture.clock).unwrap());
    let without = JobRunner::new(Context { providers: registry, ..fixture.elsewhere() }, "without");
    without.drain().await.unwrap();
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    assert!(!fixture.log().await.contains(&"disconnect ok".to_owned()));
    assert!(fixture.failed().await[0].last_error.as_deref().unwrap_or_default().contains("not set up"));
    fixture.poll().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    assert_eq!(fixture.log().await.last().unwrap(), "disconnect ok");
    assert_eq!(fixture.failed().await.len(), 0);
}

/// Busy times are being read at the moment of the disconnection.
async fn a_read_under_way_keeps_nobody_busy(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.outside.person_adds(ANA, (at(600), at(660)), json!({})).await;
    fixture.clock.advance(chrono::Duration::minutes(16));
    fixture.outside.fault(json!({ "kind": "latency_ms", "value": 2_500, "count": 1 })).await;
    let elsewhere = JobRunner::new(fixture.elsewhere(), "second");
    let end = async {
        while fixture.outside.hits().await == 0 {
            tokio::task::yield_now().await;
        }
        manage::disconnect(&fixture.context, &fixture.change(), id, false).await.unwrap();
        elsewhere.drain().await.unwrap();
    };
    tokio::join!(fixture.drain(), end);
    fixture.settle().await;
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
}

/// Google ends all that an application may do with an account at once, so the grant of an account that somebody else
/// has connected too must be left alone.
async fn shared_account_stays_connected_for_other_person(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let of_ana = fixture.connect(&fixture.ana, "rui@harbour.example").await;
    let of_rui = fixture.connected(&fixture.rui).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.rui], 60, 120)).await;
    fixture.settle().await;
    manage::disconnect(&fixture.context, &fixture.change(), of_ana, true).await.unwrap();
    fixture.settle().await;
    fixture.put("A-2", &fixture.draft(&[&fixture.rui], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.state(of_rui).await, ConnectionState::Active);
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 2);

    // The last one out ends it.
    manage::disconnect(&fixture.context, &fixture.change(), of_rui, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(RUI).await.len(), 0);
}

async fn another_business_cannot_touch_it(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let id = fixture.connected(&fixture.ana).await;
    let stranger = testing::business(db).await;
    let change = concord_storage::ChangeContext { business: stranger.id, ..fixture.change() };
    manage::disconnect(&fixture.context, &change, id, true).await.unwrap_err();
    manage::pause(&fixture.context, &change, id).await.unwrap_err();
    connection_choices::set_default(&fixture.context, &change, id).await.unwrap_err();
    manage::test(&fixture.context, stranger.id, id).await.unwrap_err();
    manage::resync(&fixture.context, stranger.id, id).await.unwrap_err();
    let calendar = fixture.calendars(id).await[0].id;
    connection_choices::set_reads(&fixture.context, &change, id, calendar, false).await.unwrap_err();
    connection_choices::set_written(&fixture.context, &change, id, calendar).await.unwrap_err();
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    assert!(fixture.calendars(id).await[0].reads);
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
    shared_account_stays_connected_for_other_person,
    another_business_cannot_touch_it,
);
