//! Entries that are gone when they are to be written: their owner is asked about them, whatever the provider says.

use concord_domain::{
    connection::ProviderKind,
    privacy::EntryPrivacy,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeState},
};
use concord_jobs::remote_change::Answer;
use concord_storage::testing::TestDb;

use super::{everywhere, grants::book};
use crate::world::{ANA, World};

async fn what_a_write_finds_gone_is_asked_about(db: &TestDb, kind: ProviderKind) {
    let world = World::with_provider(db, kind).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    world.connected(&world.ana).await;
    let booking = book(&world, "Massage", 9).await;
    world.settle().await;
    world.poll().await;
    let entry = world.outside.one_seen_by(ANA).await;
    world.outside.person_deletes(ANA, &entry.id).await;
    // It is written anew before anybody has read the calendar.
    world.set_privacy(EntryPrivacy::Full).await;
    world.settle().await;
    let change = world.change_of(&booking).await;
    assert_eq!(change.state, RemoteChangeState::Open);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 0);
    world.decide(&change, Answer::Revert).await.unwrap();
    assert_ne!(world.outside.one_seen_by(ANA).await.title, entry.title, "it says more now");
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Revert);
}

everywhere!(what_a_write_finds_gone_is_asked_about);
