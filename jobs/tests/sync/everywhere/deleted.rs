//! Entries that are gone when they are to be written: their owner is asked about them, whatever the provider says.

use concord_domain::{
    connection::ProviderKind,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeState},
};
use concord_services::remote_changes::RemoteChangeAnswer;
use concord_storage::testing::TestDb;

use super::{everywhere, grants::book};
use crate::fixture::{ANA, SyncFixture};

async fn what_a_write_finds_gone_is_asked_about(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    fixture.connected(&fixture.ana).await;
    let booking = book(&fixture, "Massage", 9).await;
    fixture.settle().await;
    fixture.poll().await;
    let entry = fixture.outside.one_seen_by(ANA).await;
    fixture.outside.person_deletes(ANA, &entry.id).await;
    // It is written anew before anybody has read the calendar.
    fixture.set_privacy(EntryPrivacy::Full).await;
    fixture.settle().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!(change.state, RemoteChangeState::Open);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 0);
    fixture.decide(&change, RemoteChangeAnswer::Revert).await.unwrap();
    assert_ne!(fixture.outside.one_seen_by(ANA).await.title, entry.title, "it says more now");
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Revert);
}

everywhere!(what_a_write_finds_gone_is_asked_about);
