//! What was written of entries, what is known of that and what is in doubt.

use std::collections::HashSet;

use concord_domain::{connection::EntryState, duty::DutyKind, ids::EntryId};
use concord_storage::{
    entries::{self, EntryCounts},
    testing::{self, TestDb, at, begin, commit},
};
use uuid::Uuid;

use crate::entries::{kinds, stands, world, written};

async fn what_was_written_is_known(db: &TestDb) {
    let world = world(db).await;
    let put = world.put(db, &[&world.ana], "Massage").await;
    let id = world.entry(db, &put.booking, world.of_ana).await.id;
    entries::begin_write(db, id, "given").await.unwrap();
    assert!(world.entry(db, &put.booking, world.of_ana).await.attempted);
    written(db, id, 1).await;
    let entry = world.entry(db, &put.booking, world.of_ana).await;
    assert_eq!((entry.etag.as_deref(), entry.content_hash.as_deref()), (Some("\"1\""), Some("hash")));
    assert_eq!((entry.written_version, entry.state, entry.in_doubt), (Some(1), EntryState::Synced, false));
    let states = entries::sync_states(db, world.business.id, put.booking.id).await.unwrap();
    assert_eq!((states[0].connection, states[0].staff), (world.of_ana, world.ana.id));
    assert_eq!((states[0].calendar.as_str(), states[0].written_at), ("Ana", Some(at(1))));
    let counts = entries::counts(db, world.business.id).await.unwrap();
    assert_eq!(counts, EntryCounts { synced: 1, ..EntryCounts::default() });

    entries::begin_write(db, id, "given").await.unwrap();
    let unsure = world.entry(db, &put.booking, world.of_ana).await;
    assert_eq!(unsure.content_hash, None, "an answer may be lost, so nobody knows what stands there");
    assert!(unsure.in_doubt);
    entries::end_doubt(db, id).await.unwrap();
    assert!(!world.entry(db, &put.booking, world.of_ana).await.in_doubt, "it was refused");
    let mut tx = begin(db).await;
    entries::record_failure(&mut tx, id, EntryState::Failed, "Google refused it", false).await.unwrap();
    commit(tx).await;
    let states = entries::sync_states(db, world.business.id, put.booking.id).await.unwrap();
    assert_eq!(
        (states[0].state, states[0].last_error.as_deref()),
        (EntryState::Failed, Some("Google refused it"))
    );
    assert_eq!(entries::counts(db, world.business.id).await.unwrap().failed, 1);
}

async fn a_write_that_was_overtaken_is_not_the_last(db: &TestDb) {
    let world = world(db).await;
    let put = world.put(db, &[&world.ana], "Massage").await;
    let id = world.entry(db, &put.booking, world.of_ana).await.id;
    world.put(db, &[&world.ana], "Sauna").await;
    written(db, id, 1).await;
    assert_eq!(world.entry(db, &put.booking, world.of_ana).await.state, EntryState::Pending);
    written(db, id, 2).await;
    assert_eq!(world.entry(db, &put.booking, world.of_ana).await.state, EntryState::Synced);
    let cancelled = world.cancel(db).await;
    assert_eq!(kinds(&cancelled.duties), [DutyKind::DeleteBooking]);
    written(db, id, 3).await;
    assert_eq!(world.entry(db, &put.booking, world.of_ana).await.state, EntryState::Pending, "it must go");
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, id).await, Some("gone"), at(2)).await.unwrap();
    commit(tx).await;
    let gone = world.entry(db, &put.booking, world.of_ana).await;
    assert_eq!((gone.state, gone.etag, gone.written_version), (EntryState::Removed, None, None));
    assert_eq!(gone.content_hash.as_deref(), Some("gone"));
    assert!(world.cancel(db).await.duties.is_empty());
    let revived = world.put(db, &[&world.ana], "Sauna").await;
    assert_eq!(kinds(&revived.duties), [DutyKind::SyncBooking]);
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, id).await, None, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(
        world.entry(db, &put.booking, world.of_ana).await.state,
        EntryState::Pending,
        "it must return"
    );
}

async fn a_write_in_doubt_is_looked_at_again(db: &TestDb) {
    let world = world(db).await;
    let put = world.put(db, &[&world.ana], "Massage").await;
    let id = world.entry(db, &put.booking, world.of_ana).await.id;
    written(db, id, 1).await;
    let mut tx = begin(db).await;
    let raised = entries::doubt(&mut tx, id, at(1)).await.unwrap();
    commit(tx).await;
    assert_eq!(raised.kind, DutyKind::SyncBooking);
    let entry = world.entry(db, &put.booking, world.of_ana).await;
    assert_eq!((entry.state, entry.etag, entry.content_hash), (EntryState::Pending, None, None));
    assert!(entry.attempted);
    world.cancel(db).await;
    let mut tx = begin(db).await;
    assert_eq!(entries::doubt(&mut tx, id, at(1)).await.unwrap().kind, DutyKind::DeleteBooking);
    commit(tx).await;
}

async fn all_that_stands_in_an_account_is_doubted(db: &TestDb) {
    let world = world(db).await;
    let put = world.put(db, &[&world.ana, &world.rui], "Massage").await;
    for of in [world.of_ana, world.of_rui] {
        written(db, world.entry(db, &put.booking, of).await.id, 1).await;
    }
    let doubt_all = async |business| {
        let mut tx = begin(db).await;
        entries::doubt_all(&mut tx, business, world.of_ana).await.unwrap();
        commit(tx).await;
    };
    doubt_all(testing::business(db).await.id).await;
    let hash = async |of| world.entry(db, &put.booking, of).await.content_hash;
    assert!(hash(world.of_ana).await.is_some(), "another business's account");
    doubt_all(world.business.id).await;
    let doubted = world.entry(db, &put.booking, world.of_ana).await;
    assert_eq!((doubted.content_hash, doubted.etag.as_deref()), (None, Some("\"1\"")));
    assert_eq!((doubted.state, doubted.attempted), (EntryState::Synced, true), "nothing is raised by that");
    assert!(hash(world.of_rui).await.is_some(), "another account");

    // That it is gone, and is to be gone, is known for good; and nothing is known of what was never tried.
    world.cancel(db).await;
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, doubted.id).await, Some("gone"), at(2)).await.unwrap();
    commit(tx).await;
    doubt_all(world.business.id).await;
    assert_eq!(hash(world.of_ana).await.as_deref(), Some("gone"));
}

async fn one_knows_its_own_entries(db: &TestDb) {
    let world = world(db).await;
    assert!(entries::ours(db, world.business.id, &[]).await.unwrap().is_empty());
    let put = world.put(db, &[&world.ana, &world.rui], "Massage").await;
    let mine = [
        world.entry(db, &put.booking, world.of_ana).await.id,
        world.entry(db, &put.booking, world.of_rui).await.id,
    ];
    // More than one question's worth, with one of ours at either end, and one of them twice.
    let mut asked: Vec<EntryId> = (0..1_200).map(|_| EntryId(Uuid::new_v4())).collect();
    asked.insert(0, mine[0]);
    asked.extend([mine[1], mine[0]]);
    let ours = async |asked: &[EntryId]| {
        let found = entries::ours(db, world.business.id, asked).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<HashSet<_>>()
    };
    assert_eq!(ours(&asked).await, mine.into());
    assert_eq!(ours(&mine[..1]).await, [mine[0]].into());
    let other = testing::business(db).await.id;
    assert!(entries::ours(db, other, &asked).await.unwrap().is_empty());
}

async fn what_should_be_gone_is_raised_again_also_when_it_is_over(db: &TestDb) {
    let world = world(db).await;
    let put = world.put(db, &[&world.ana], "Massage").await;
    let id = world.entry(db, &put.booking, world.of_ana).await.id;
    written(db, id, 1).await;
    let (business, first) = (world.business.id, EntryId(Uuid::nil()));
    let of_ana = (business, world.of_ana);
    let mut tx = begin(db).await;
    let nothing = entries::remove_unwanted(&mut tx, of_ana, first, 1, at(600)).await.unwrap();
    assert_eq!(nothing, (vec![], None));
    commit(tx).await;
    world.cancel(db).await;
    let mut tx = begin(db).await;
    let (raised, more) = entries::remove_unwanted(&mut tx, of_ana, first, 1, at(600)).await.unwrap();
    assert_eq!((kinds(&raised), more), (vec![DutyKind::DeleteBooking], Some(id)));
    assert_eq!(entries::remove_unwanted(&mut tx, of_ana, id, 1, at(600)).await.unwrap(), (vec![], None));
    let of_rui = (business, world.of_rui);
    assert_eq!(entries::remove_unwanted(&mut tx, of_rui, first, 1, at(600)).await.unwrap(), (vec![], None));
    entries::record_removed(&mut tx, stands(db, id).await, None, at(601)).await.unwrap();
    assert_eq!(entries::remove_unwanted(&mut tx, of_ana, first, 1, at(600)).await.unwrap(), (vec![], None));
    commit(tx).await;
}

concord_storage::on_both_databases!(
    what_was_written_is_known,
    a_write_that_was_overtaken_is_not_the_last,
    a_write_in_doubt_is_looked_at_again,
    all_that_stands_in_an_account_is_doubted,
    one_knows_its_own_entries,
    what_should_be_gone_is_raised_again_also_when_it_is_over,
);
