//! What was written of entries, what is known of that and what is not.

use std::collections::HashSet;

use concord_domain::{
    connection::EntryState,
    ids::{EntryId, StaffId},
    job::JobKind,
    sync::{read_sequence::ReadSequence, unknown_writes::UnknownWrite},
};
use concord_storage::{
    connections,
    entries::{self, EntryCounts, PlannedWrite, WrittenEntry},
    jobs,
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::entries::{begun, fixture, held, kinds, planned, shape, stands, written};

async fn what_was_written_is_known(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    begun(db, id, "Massage").await;
    assert!(fixture.entry(db, &put.booking, fixture.of_ana).await.attempted);
    written(db, id, 1).await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.etag.as_deref(), entry.content_hash.as_deref()), (Some("\"1\""), Some("hash")));
    assert_eq!((entry.written_version, entry.state), (Some(1), EntryState::Synced));
    assert_eq!(entry.unknown_writes, []);
    let states = entries::sync_states(db, fixture.business.id, put.booking.id).await.unwrap();
    assert_eq!((states[0].connection, states[0].staff), (fixture.of_ana, fixture.ana.id));
    assert_eq!((states[0].calendar.as_str(), states[0].written_at), ("Ana", Some(at(1))));
    let counts = entries::counts(db, fixture.business.id, None, monday()).await.unwrap();
    assert_eq!(counts, EntryCounts { synced: 1, ..EntryCounts::default() });
    for (staff, synced) in [(None, 1), (Some(fixture.ana.id), 1), (Some(StaffId(Uuid::nil())), 0)] {
        let counted = entries::count_synced(db, fixture.business.id, staff, monday()).await.unwrap();
        assert_eq!(counted, synced, "{staff:?}");
    }
    let end = put.booking.interval.end;
    let over = entries::counts(db, fixture.business.id, None, end).await.unwrap();
    assert_eq!(over, EntryCounts::default(), "the past is not counted");

    begun(db, id, "Sauna").await;
    let unsure = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!(unsure.content_hash, None, "an answer may be lost, so nobody knows what stands there");
    assert_eq!(unsure.unknown_writes, [UnknownWrite::Left(shape("Sauna"))]);
    assert_eq!(unsure.base, Some(shape("Massage")), "it stood there, and may do so still");
    let mut tx = begin(db).await;
    assert!(entries::refuse_write(&mut tx, (id, unsure.revision), &[]).await.unwrap());
    entries::record_failure(&mut tx, id, EntryState::Failed, "Google refused it").await.unwrap();
    commit(tx).await;
    let states = entries::sync_states(db, fixture.business.id, put.booking.id).await.unwrap();
    assert_eq!(
        (states[0].state, states[0].last_error.as_deref()),
        (EntryState::Failed, Some("Google refused it"))
    );
    assert_eq!(entries::counts(db, fixture.business.id, None, monday()).await.unwrap().failed, 1);
}

async fn a_write_that_was_overtaken_is_not_the_last(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    fixture.put(db, &[&fixture.ana], "Sauna").await;
    written(db, id, 1).await;
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.state, EntryState::Pending);
    written(db, id, 2).await;
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.state, EntryState::Synced);
    let cancelled = fixture.cancel(db).await;
    assert_eq!(kinds(&cancelled.jobs), [JobKind::DeleteBooking]);
    written(db, id, 3).await;
    assert_eq!(
        fixture.entry(db, &put.booking, fixture.of_ana).await.state,
        EntryState::Pending,
        "it must go"
    );
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, id).await, Some("gone"), at(2)).await.unwrap();
    commit(tx).await;
    let gone = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((gone.state, gone.etag, gone.written_version), (EntryState::Removed, None, None));
    assert_eq!(gone.content_hash.as_deref(), Some("gone"));
    assert!(fixture.cancel(db).await.jobs.is_empty());
    let revived = fixture.put(db, &[&fixture.ana], "Sauna").await;
    assert_eq!(kinds(&revived.jobs), [JobKind::SyncBooking]);
    let mut tx = begin(db).await;
    entries::record_removed(&mut tx, stands(db, id).await, None, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(
        fixture.entry(db, &put.booking, fixture.of_ana).await.state,
        EntryState::Pending,
        "it must return"
    );
}

async fn an_overtaken_store_is_refused(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    let (_, calendar, former) = stands(db, id).await;
    begun(db, id, "Massage").await;
    let (sauna, unknown) = (shape("Sauna"), [UnknownWrite::Removed]);
    let lost = held(db).await;
    jobs::release_leases_of_worker(db, "w").await.unwrap();
    let held = held(db).await;
    let now = planned(db, id, &unknown, &held).await;
    assert!(!entries::begin_write(db, (id, former), &now).await.unwrap());
    let (_, _, current) = stands(db, id).await;
    for other in [
        PlannedWrite { version: Some(9), ..now.clone() },
        PlannedWrite { desired: !now.desired, ..now.clone() },
        PlannedWrite { held: &lost, ..now.clone() },
    ] {
        assert!(!entries::begin_write(db, (id, current), &other).await.unwrap(), "{other:?}");
    }
    let mut tx = begin(db).await;
    let late =
        WrittenEntry { external_id: "late", etag: "\"9\"", content_hash: "late", version: 1, shape: &sauna };
    assert!(!entries::record_written(&mut tx, (id, calendar, former), &late, at(1)).await.unwrap());
    assert!(!entries::record_removed(&mut tx, (id, calendar, former), None, at(1)).await.unwrap());
    assert!(!entries::refuse_write(&mut tx, (id, former), &[]).await.unwrap());
    assert!(!entries::note_seen(&mut tx, (id, former), (Some("\"9\""), None), true).await.unwrap());
    commit(tx).await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.external_id.as_str(), entry.etag, entry.state), ("given", None, EntryState::Pending));
    assert_eq!(entry.unknown_writes, [UnknownWrite::Left(shape("Massage"))]);
}

async fn an_overtaken_write_is_looked_at_again(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    begun(db, id, "Sauna").await;
    let (_, calendar, _) = stands(db, id).await;
    let again = async || {
        let mut tx = begin(db).await;
        let unknown = vec![UnknownWrite::Removed];
        let enqueued = entries::look_again(&mut tx, (id, calendar), unknown, at(1)).await.unwrap();
        commit(tx).await;
        enqueued.unwrap().kind
    };
    assert_eq!(again().await, JobKind::SyncBooking);
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.state, entry.content_hash), (EntryState::Pending, None));
    assert_eq!(entry.unknown_writes, [UnknownWrite::Left(shape("Sauna")), UnknownWrite::Removed]);
    assert_eq!(entry.base, Some(shape("Massage")), "what is known for certain is kept");
    fixture.cancel(db).await;
    assert_eq!(again().await, JobKind::DeleteBooking);
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.unknown_writes.len(), 2);
}

async fn an_entry_is_being_written_while_its_job_is_leased(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    assert!(!entries::is_being_written(db, id, at(1)).await.unwrap());
    let claimed = jobs::claim(db, put.jobs[0], "w#1", at(2), at(1)).await.unwrap();
    assert!(claimed.is_some());
    assert!(entries::is_being_written(db, id, at(1)).await.unwrap());
    assert!(!entries::is_being_written(db, id, at(2)).await.unwrap(), "the lease has run out");
    assert!(!entries::is_being_written(db, EntryId(Uuid::nil()), at(1)).await.unwrap());
}

async fn an_entry_knows_which_readings_had_begun(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    let reading = async || fixture.entry(db, &put.booking, fixture.of_ana).await.reading;
    assert_eq!(reading().await, ReadSequence(0));
    let first = connections::begin_reading(db, fixture.of_ana).await.unwrap();
    assert!(first.is_newer_than(reading().await), "nothing was stored since it began");
    written(db, id, 1).await;
    assert!(!first.is_newer_than(reading().await));
    let second = connections::begin_reading(db, fixture.of_ana).await.unwrap();
    assert!(second.is_newer_than(reading().await));
    connections::begin_reading(db, fixture.of_rui).await.unwrap();
    begun(db, id, "Sauna").await;
    assert_eq!(reading().await, second, "another connection's readings are not its");
}

async fn one_knows_its_own_entries(db: &TestDb) {
    let fixture = fixture(db).await;
    assert!(entries::ours(db, fixture.business.id, &[]).await.unwrap().is_empty());
    let put = fixture.put(db, &[&fixture.ana, &fixture.rui], "Massage").await;
    let mine = [
        fixture.entry(db, &put.booking, fixture.of_ana).await.id,
        fixture.entry(db, &put.booking, fixture.of_rui).await.id,
    ];
    // More than one question's worth, with one of ours at either end, and one of them twice.
    let mut asked: Vec<EntryId> = (0..1_200).map(|_| EntryId(Uuid::new_v4())).collect();
    asked.insert(0, mine[0]);
    asked.extend([mine[1], mine[0]]);
    let ours = async |asked: &[EntryId]| {
        let found = entries::ours(db, fixture.business.id, asked).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<HashSet<_>>()
    };
    assert_eq!(ours(&asked).await, mine.into());
    assert_eq!(ours(&mine[..1]).await, [mine[0]].into());
    let other = testing::business(db).await.id;
    assert!(entries::ours(db, other, &asked).await.unwrap().is_empty());
}

async fn what_should_be_gone_is_raised_again_also_when_it_is_over(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    let (business, first) = (fixture.business.id, EntryId(Uuid::nil()));
    let of_ana = (business, fixture.of_ana);
    let mut tx = begin(db).await;
    let nothing = entries::remove_undesired(&mut tx, of_ana, first, 1, at(600)).await.unwrap();
    assert_eq!(nothing, (vec![], None));
    commit(tx).await;
    fixture.cancel(db).await;
    let mut tx = begin(db).await;
    let (enqueued, more) = entries::remove_undesired(&mut tx, of_ana, first, 1, at(600)).await.unwrap();
    assert_eq!((kinds(&enqueued), more), (vec![JobKind::DeleteBooking], Some(id)));
    assert_eq!(entries::remove_undesired(&mut tx, of_ana, id, 1, at(600)).await.unwrap(), (vec![], None));
    let of_rui = (business, fixture.of_rui);
    assert_eq!(entries::remove_undesired(&mut tx, of_rui, first, 1, at(600)).await.unwrap(), (vec![], None));
    entries::record_removed(&mut tx, stands(db, id).await, None, at(601)).await.unwrap();
    assert_eq!(entries::remove_undesired(&mut tx, of_ana, first, 1, at(600)).await.unwrap(), (vec![], None));
    commit(tx).await;
}

concord_storage::on_both_databases!(
    what_was_written_is_known,
    a_write_that_was_overtaken_is_not_the_last,
    an_overtaken_store_is_refused,
    an_overtaken_write_is_looked_at_again,
    an_entry_is_being_written_while_its_job_is_leased,
    an_entry_knows_which_readings_had_begun,
    one_knows_its_own_entries,
    what_should_be_gone_is_raised_again_also_when_it_is_over,
);
