//! Technicians and drivers: what suits their trade, and the days of drivers.

use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind},
    connection::Coverage,
    delivery_route::day_of,
    ids::ConnectionId,
    job::JobKind,
    people::{Actor, Trade},
};
use concord_storage::{
    ChangeContext, Db,
    bookings::{self, WrittenBooking},
    connections::{self, ConnectionSettings},
    entries,
    people::{self, Staff, StaffSettings},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{
    at_once,
    entries::{EntryFixture, fixture, written},
};

async fn covers_trade(db: &Db, fixture: &EntryFixture, of: ConnectionId) {
    let mut tx = begin(db).await;
    let settings = ConnectionSettings { coverage: Some(Coverage::Trade), ..ConnectionSettings::default() };
    connections::set_settings(&mut tx, fixture.business.id, of, settings).await.unwrap();
    commit(tx).await;
}

async fn becomes(db: &Db, staff: &Staff, trade: Trade) -> Vec<ConnectionId> {
    let settings = StaffSettings { name: staff.name.clone(), email: staff.email.clone(), trade };
    let mut tx = begin(db).await;
    people::update_staff(&mut tx, staff.business_id, staff.id, &settings).await.unwrap();
    let served = connections::list_active_of_staff(&mut tx, staff.business_id, staff.id).await.unwrap();
    commit(tx).await;
    served
}

fn of_kind(fixture: &EntryFixture, kind: BookingKind, staff: &[&Staff], from: i64) -> BookingDraft {
    let staff = staff.iter().map(|one| one.id).collect();
    BookingDraft { kind, staff, ..testing::draft(&fixture.room, from, from + 1) }
}

async fn put(db: &Db, fixture: &EntryFixture, reference: &str, draft: &BookingDraft) -> WrittenBooking {
    let change = ChangeContext { business: fixture.business.id, actor: Actor::System, now: monday() };
    bookings::put(db, &change, reference, draft, None).await.unwrap()
}

async fn order(db: &Db, fixture: &EntryFixture, of: ConnectionId) -> Vec<String> {
    let day = day_of(monday(), fixture.business.zone);
    let round = bookings::round(db, fixture.business.id, of, day).await.unwrap();
    round.into_iter().map(|booking| booking.reference).collect()
}

async fn trade_calendar_gets_matching_bookings_of_any_assignee(db: &TestDb) {
    let fixture = fixture(db).await;
    assert_eq!(becomes(db, &fixture.ana, Trade::Technician).await, [fixture.of_ana]);
    becomes(db, &fixture.rui, Trade::Driver).await;
    for (number, (kind, expected)) in [
        (BookingKind::Maintenance, vec![]),
        (BookingKind::Delivery, vec![]),
        (BookingKind::Maintenance, vec!["Ana: pending"]),
        (BookingKind::Delivery, vec!["Rui: pending"]),
        (BookingKind::Booking, vec![]),
        (BookingKind::Block, vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        if number == 2 {
            covers_trade(db, &fixture, fixture.of_ana).await;
            covers_trade(db, &fixture, fixture.of_rui).await;
        }
        let from = i64::try_from(number).unwrap() * 10;
        let made =
            put(db, &fixture, &format!("A-{number}"), &of_kind(&fixture, kind, &[&fixture.eva], from)).await;
        assert_eq!(fixture.states(db, &made.booking).await, expected, "{kind}");
    }
    // What one is assigned to comes as before; and whoever changes their trade no longer gets the rest.
    let own = put(db, &fixture, "B-1", &of_kind(&fixture, BookingKind::Booking, &[&fixture.ana], 100)).await;
    assert_eq!(fixture.states(db, &own.booking).await, ["Ana: pending"]);
    becomes(db, &fixture.ana, Trade::General).await;
    let repair =
        put(db, &fixture, "B-2", &of_kind(&fixture, BookingKind::Maintenance, &[&fixture.eva], 110)).await;
    assert!(repair.jobs.is_empty());
    let concerning = async |of| {
        let first = concord_domain::ids::BookingId(uuid::Uuid::nil());
        let found = bookings::concerning(db, fixture.business.id, of, monday(), first, 50).await.unwrap();
        let mut references: Vec<_> = found.into_iter().map(|booking| booking.reference).collect();
        references.sort();
        references
    };
    assert_eq!(concerning(fixture.of_rui).await, ["A-1", "A-3"], "those too that were made before");
}

async fn a_change_of_one_stop_raises_the_others_of_its_day(db: &TestDb) {
    let fixture = fixture(db).await;
    let delivery = |from| of_kind(&fixture, BookingKind::Delivery, &[&fixture.ana], from);
    let first = put(db, &fixture, "D-1", &delivery(60)).await;
    let next_day = put(db, &fixture, "D-2", &delivery(3_000)).await;
    assert_eq!(next_day.jobs.len(), 1, "another day is another round");
    let repair =
        put(db, &fixture, "M-1", &of_kind(&fixture, BookingKind::Maintenance, &[&fixture.ana], 90)).await;
    assert_eq!(repair.jobs.len(), 1);
    let other =
        put(db, &fixture, "D-3", &of_kind(&fixture, BookingKind::Delivery, &[&fixture.rui], 45)).await;
    assert_eq!(other.jobs.len(), 1, "another driver has another round");
    assert_eq!(order(db, &fixture, fixture.of_ana).await, ["D-1"]);

    let of_first = fixture.entry(db, &first.booking, fixture.of_ana).await.id;
    written(db, of_first, 1).await;
    let second = put(db, &fixture, "D-4", &delivery(30)).await;
    assert_eq!(second.jobs.iter().map(|job| job.kind).collect::<Vec<_>>(), [JobKind::SyncBooking; 2]);
    assert_eq!(fixture.states(db, &first.booking).await, ["Ana: pending"], "it says another number by now");
    assert_eq!(order(db, &fixture, fixture.of_ana).await, ["D-4", "D-1"]);
    // To the other day: both days change.
    let moved = put(db, &fixture, "D-4", &delivery(3_030)).await;
    assert_eq!(moved.jobs.len(), 3);
    // Given to Rui: he has one more, and Ana one less.
    let given =
        put(db, &fixture, "D-1", &of_kind(&fixture, BookingKind::Delivery, &[&fixture.rui], 60)).await;
    assert_eq!(given.jobs.len(), 3);
    assert_eq!(order(db, &fixture, fixture.of_rui).await, ["D-3", "D-1"]);
    assert_eq!(order(db, &fixture, fixture.of_ana).await, Vec::<String>::new());
    let change = ChangeContext { business: fixture.business.id, actor: Actor::System, now: at(1) };
    let cancelled = bookings::cancel(db, &change, "D-3", None).await.unwrap();
    assert_eq!(cancelled.jobs.len(), 2);

    covers_trade(db, &fixture, fixture.of_ana).await;
    becomes(db, &fixture.ana, Trade::Driver).await;
    assert_eq!(order(db, &fixture, fixture.of_ana).await, ["D-1"], "all of her trade");
    let states = entries::sync_states(db, fixture.business.id, other.booking.id).await.unwrap();
    assert_eq!(states.len(), 1);
}

async fn many_who_change_the_same_day_at_once_all_do(db: &TestDb) {
    let fixture = fixture(db).await;
    for number in 0..6 {
        let draft = of_kind(&fixture, BookingKind::Delivery, &[], number * 10);
        put(db, &fixture, &format!("D-{number}"), &draft).await;
    }
    becomes(db, &fixture.ana, Trade::Driver).await;
    covers_trade(db, &fixture, fixture.of_ana).await;
    let drafts: Vec<BookingDraft> =
        (0..6).map(|number| of_kind(&fixture, BookingKind::Delivery, &[], 200 + number * 10)).collect();
    let business = fixture.business.id;
    let done: Vec<Booking> = at_once(db, 6, move |db, number| {
        let draft = drafts[number].clone();
        async move {
            let change = ChangeContext { business, actor: Actor::System, now: monday() };
            bookings::put(&db, &change, &format!("D-{number}"), &draft, None).await.unwrap().booking
        }
    })
    .await;
    assert_eq!(done.len(), 6);
    assert_eq!(order(db, &fixture, fixture.of_ana).await, ["D-0", "D-1", "D-2", "D-3", "D-4", "D-5"]);
}

concord_storage::on_both_databases!(
    trade_calendar_gets_matching_bookings_of_any_assignee,
    a_change_of_one_stop_raises_the_others_of_its_day,
    many_who_change_the_same_day_at_once_all_do,
);
