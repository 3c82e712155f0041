//! Which connected calendars get an entry of a booking.

use concord_domain::{
    booking::{Booking, BookingDraft, BookingStatus},
    connection::{ConnectionState, Coverage, Direction, EntryState, ProviderKind},
    ids::{BookingId, ConnectionId},
    job::{JobKind, QueueClass},
    people::Actor,
    sync::unknown_writes::UnknownWrite,
};
use concord_storage::{
    ChangeContext, Tx, bookings,
    calendars::{self, ListedCalendar},
    connections::{self, ConnectionSettings},
    entries::{self, TargetScope, WrittenEntry},
    jobs::JobRef,
    people::{self, Staff},
    testing::{self, TestDb, at, begin, commit, monday},
};
use uuid::Uuid;

use crate::entries::{fixture, kinds, shape, stands, written};

async fn retarget(tx: &mut Tx, booking: &Booking, of: ConnectionId) -> Vec<JobRef> {
    let (business, reference) = (booking.business, booking.reference.as_str());
    bookings::retarget(tx, business, reference, TargetScope::Only(of), at(1)).await.unwrap()
}

async fn a_booking_goes_to_the_calendars_of_its_staff(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana, &fixture.eva], "Massage").await;
    assert_eq!(kinds(&put.jobs), [JobKind::SyncBooking]);
    assert_eq!(put.jobs[0].queue, QueueClass::Interactive);
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.booking_id, entry.connection_id), (put.booking.id, fixture.of_ana));
    assert_eq!((entry.staff_id, entry.provider), (fixture.ana.id, ProviderKind::Google));
    assert_eq!((entry.state, entry.connection_state), (EntryState::Pending, ConnectionState::Active));
    assert_eq!(entry.calendar_external_id, "ana@harbour.example");
    assert!(entry.desired && !entry.attempted && entry.etag.is_none() && entry.external_id.len() >= 5);

    let same = fixture.put(db, &[&fixture.eva, &fixture.ana], "Massage").await;
    assert!(same.jobs.is_empty() && same.booking.version == 1, "nothing changed");
    let moved = fixture.put(db, &[&fixture.rui], "Massage").await;
    assert_eq!(kinds(&moved.jobs), [JobKind::SyncBooking, JobKind::DeleteBooking]);
    assert!(!fixture.entry(db, &put.booking, fixture.of_ana).await.desired);
    assert!(fixture.entry(db, &put.booking, fixture.of_rui).await.desired);
    assert_eq!(fixture.states(db, &put.booking).await, ["Ana: pending", "Rui: pending"]);
    let back = fixture.put(db, &[&fixture.ana], "Massage").await;
    assert_eq!(kinds(&back.jobs), [JobKind::SyncBooking, JobKind::DeleteBooking]);
    let again = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert!(again.desired && again.id == entry.id && again.external_id == entry.external_id);
}

async fn a_calendar_for_everything_gets_every_booking(db: &TestDb) {
    let fixture = fixture(db).await;
    let set = async |direction, coverage| {
        let mut tx = begin(db).await;
        let settings = ConnectionSettings { direction: Some(direction), coverage: Some(coverage) };
        connections::set_settings(&mut tx, fixture.business.id, fixture.of_rui, settings).await.unwrap();
        commit(tx).await;
    };
    set(Direction::In, Coverage::Everything).await;
    assert!(fixture.put(db, &[&fixture.eva], "Massage").await.jobs.is_empty(), "only read");
    set(Direction::Both, Coverage::Everything).await;
    let put = fixture.put(db, &[&fixture.eva], "Sauna").await;
    assert_eq!(fixture.states(db, &put.booking).await, ["Rui: pending"]);
    set(Direction::Both, Coverage::Assigned).await;
    let mut tx = begin(db).await;
    let enqueued = retarget(&mut tx, &put.booking, fixture.of_ana).await;
    assert!(enqueued.is_empty());
    let enqueued = retarget(&mut tx, &put.booking, fixture.of_rui).await;
    commit(tx).await;
    assert_eq!(kinds(&enqueued), [JobKind::DeleteBooking]);
}

async fn another_default_gets_no_second_entry(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let second = testing::staff(db, &fixture.business, "Second").await;
    let second = Staff { id: fixture.ana.id, ..second };
    let second = testing::connection(db, &testing::keyring(), &second).await;
    testing::calendar(db, &Staff { email: "second@harbour.example".into(), ..fixture.ana.clone() }, second)
        .await;
    let mut tx = begin(db).await;
    connections::set_default(&mut tx, fixture.business.id, second).await.unwrap();
    assert_eq!(retarget(&mut tx, &put.booking, second).await, []);
    // Once it cannot stand where it stood, it goes to the new one.
    let state = ConnectionState::Disconnected;
    connections::set_state(&mut tx, fixture.business.id, fixture.of_ana, state, None, at(1)).await.unwrap();
    assert_eq!(kinds(&retarget(&mut tx, &put.booking, second).await), [JobKind::SyncBooking]);
    commit(tx).await;
}

async fn entry_of_missing_calendar_moves_to_written_one(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let id = fixture.entry(db, &put.booking, fixture.of_ana).await.id;
    written(db, id, 1).await;
    let before = stands(db, id).await;
    let clinic = ListedCalendar {
        external_id: "clinic".into(),
        name: "Clinic".into(),
        colour: None,
        zone: None,
        owner: None,
        writable: true,
        is_primary: true,
    };
    let mut tx = begin(db).await;
    // The main calendar is no longer listed, and there is no other one to go to at first.
    let reader = ListedCalendar { writable: false, ..clinic.clone() };
    calendars::take_over(&mut tx, fixture.business.id, fixture.of_ana, &[reader], at(1)).await.unwrap();
    assert_eq!(retarget(&mut tx, &put.booking, fixture.of_ana).await.len(), 1);
    commit(tx).await;
    assert_eq!(fixture.entry(db, &put.booking, fixture.of_ana).await.calendar_external_id, fixture.ana.email);
    let mut tx = begin(db).await;
    calendars::take_over(&mut tx, fixture.business.id, fixture.of_ana, &[clinic], at(2)).await.unwrap();
    commit(tx).await;
    let calendars = calendars::of_connection(db, fixture.business.id, fixture.of_ana).await.unwrap();
    let clinic = calendars.iter().find(|one| one.external_id == "clinic").unwrap().id;
    let mut tx = begin(db).await;
    calendars::set_written(&mut tx, fixture.business.id, fixture.of_ana, clinic).await.unwrap();
    assert_eq!(kinds(&retarget(&mut tx, &put.booking, fixture.of_ana).await), [JobKind::SyncBooking]);
    commit(tx).await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.calendar_external_id.as_str(), &entry.etag, entry.attempted), ("clinic", &None, true));
    // A write into the calendar that is gone ends only now.
    let mut tx = begin(db).await;
    let late = WrittenEntry {
        external_id: "late",
        etag: "\"2\"",
        content_hash: "hash",
        version: 1,
        shape: &shape("late"),
    };
    assert!(!entries::record_written(&mut tx, before, &late, at(3)).await.unwrap());
    let unknown = vec![UnknownWrite::Left(shape("late"))];
    let again = entries::look_again(&mut tx, (before.0, before.1), unknown, at(3)).await.unwrap();
    assert_eq!(again, None, "of the calendar that it is in now it says nothing");
    commit(tx).await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.etag, entry.content_hash, entry.state), (None, None, EntryState::Pending));
    assert_ne!(entry.external_id, "late");
    written(db, id, 1).await;
    let entry = fixture.entry(db, &put.booking, fixture.of_ana).await;
    assert_eq!((entry.external_id.as_str(), entry.state), ("given", EntryState::Synced));
}

async fn aiming_within_a_transaction_is_undone_with_it(db: &TestDb) {
    let fixture = fixture(db).await;
    let put = fixture.put(db, &[&fixture.ana], "Massage").await;
    let booking =
        Booking { draft: BookingDraft { staff: vec![], ..put.booking.draft.clone() }, ..put.booking };
    let cancelled = Booking {
        draft: BookingDraft { status: BookingStatus::Cancelled, ..booking.draft.clone() },
        ..booking.clone()
    };
    let mut tx = begin(db).await;
    let enqueued = entries::target(&mut tx, &cancelled, false, TargetScope::Everywhere, at(1)).await.unwrap();
    assert_eq!(kinds(&enqueued), [JobKind::DeleteBooking]);
    drop(tx);
    assert!(fixture.entry(db, &booking, fixture.of_ana).await.desired);
}

async fn who_has_left_gets_only_what_they_are_assigned_to(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let set = async |direction| {
        let mut tx = begin(db).await;
        let settings =
            ConnectionSettings { direction: Some(direction), coverage: Some(Coverage::Everything) };
        connections::set_settings(&mut tx, business, fixture.of_rui, settings).await.unwrap();
        commit(tx).await;
    };
    set(Direction::In).await;
    let theirs = fixture.put(db, &[&fixture.eva, &fixture.rui], "Massage").await.booking;
    let mut tx = begin(db).await;
    people::set_staff_archived(&mut tx, business, fixture.rui.id, Some(monday())).await.unwrap();
    commit(tx).await;
    set(Direction::Both).await;
    let change = ChangeContext { business, actor: Actor::System, now: monday() };
    let draft = BookingDraft { staff: vec![fixture.eva.id], ..testing::draft(&fixture.room, 120, 180) };
    let others = bookings::put(db, &change, "A-2", &draft, None).await.unwrap().booking;
    assert_eq!(fixture.states(db, &others).await, [""; 0]);
    let start = BookingId(Uuid::nil());
    let concerned = bookings::concerning(db, business, fixture.of_rui, monday(), start, 9).await.unwrap();
    assert_eq!(concerned.iter().map(|one| one.id).collect::<Vec<_>>(), [theirs.id]);
    let mut tx = begin(db).await;
    assert_eq!(retarget(&mut tx, &theirs, fixture.of_rui).await.len(), 1);
    commit(tx).await;
    assert_eq!(fixture.states(db, &theirs).await, ["Rui: pending"]);
}

concord_storage::on_both_databases!(
    a_booking_goes_to_the_calendars_of_its_staff,
    a_calendar_for_everything_gets_every_booking,
    another_default_gets_no_second_entry,
    entry_of_missing_calendar_moves_to_written_one,
    aiming_within_a_transaction_is_undone_with_it,
    who_has_left_gets_only_what_they_are_assigned_to,
);
