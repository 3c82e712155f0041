//! Technicians and drivers: what suits their trade, and the days of drivers.

use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind},
    connection::Coverage,
    ids::ConnectionId,
    job::JobKind,
    people::{Actor, Trade},
    route::day_of,
};
use concord_storage::{
    Db,
    bookings::{self, Change, Put},
    connections::{self, Settings},
    entries,
    people::{self, Staff, StaffSettings},
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{
    at_once,
    entries::{World, world, written},
};

async fn covers_trade(db: &Db, world: &World, of: ConnectionId) {
    let mut tx = begin(db).await;
    let settings = Settings { coverage: Some(Coverage::Trade), ..Settings::default() };
    connections::set_settings(&mut tx, world.business.id, of, settings).await.unwrap();
    commit(tx).await;
}

async fn becomes(db: &Db, staff: &Staff, trade: Trade) -> Vec<ConnectionId> {
    let settings = StaffSettings { name: staff.name.clone(), email: staff.email.clone(), trade };
    let mut tx = begin(db).await;
    people::update_staff(&mut tx, staff.business_id, staff.id, &settings).await.unwrap();
    let served = connections::active_of_staff(&mut tx, staff.business_id, staff.id).await.unwrap();
    commit(tx).await;
    served
}

fn of_kind(world: &World, kind: BookingKind, staff: &[&Staff], from: i64) -> BookingDraft {
    let staff = staff.iter().map(|one| one.id).collect();
    BookingDraft { kind, staff, ..testing::draft(&world.room, from, from + 1) }
}

async fn put(db: &Db, world: &World, reference: &str, draft: &BookingDraft) -> Put {
    let change = Change { business: world.business.id, actor: Actor::System, now: monday() };
    bookings::put(db, &change, reference, draft, None).await.unwrap()
}

async fn order(db: &Db, world: &World, of: ConnectionId) -> Vec<String> {
    let day = day_of(monday(), world.business.zone);
    let round = bookings::round(db, world.business.id, of, day).await.unwrap();
    round.into_iter().map(|booking| booking.reference).collect()
}

async fn a_calendar_for_a_trade_gets_what_suits_it_whoever_is_assigned(db: &TestDb) {
    let world = world(db).await;
    assert_eq!(becomes(db, &world.ana, Trade::Technician).await, [world.of_ana]);
    becomes(db, &world.rui, Trade::Driver).await;
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
            covers_trade(db, &world, world.of_ana).await;
            covers_trade(db, &world, world.of_rui).await;
        }
        let from = i64::try_from(number).unwrap() * 10;
        let made = put(db, &world, &format!("A-{number}"), &of_kind(&world, kind, &[&world.eva], from)).await;
        assert_eq!(world.states(db, &made.booking).await, expected, "{kind}");
    }
    // What one is assigned to comes as before; and whoever changes their trade no longer gets the rest.
    let own = put(db, &world, "B-1", &of_kind(&world, BookingKind::Booking, &[&world.ana], 100)).await;
    assert_eq!(world.states(db, &own.booking).await, ["Ana: pending"]);
    becomes(db, &world.ana, Trade::General).await;
    let repair = put(db, &world, "B-2", &of_kind(&world, BookingKind::Maintenance, &[&world.eva], 110)).await;
    assert!(repair.jobs.is_empty());
    let concerning = async |of| {
        let first = concord_domain::ids::BookingId(uuid::Uuid::nil());
        let found = bookings::concerning(db, world.business.id, of, monday(), first, 50).await.unwrap();
        let mut references: Vec<_> = found.into_iter().map(|booking| booking.reference).collect();
        references.sort();
        references
    };
    assert_eq!(concerning(world.of_rui).await, ["A-1", "A-3"], "those too that were made before");
}

async fn a_change_of_one_stop_raises_the_others_of_its_day(db: &TestDb) {
    let world = world(db).await;
    let delivery = |from| of_kind(&world, BookingKind::Delivery, &[&world.ana], from);
    let first = put(db, &world, "D-1", &delivery(60)).await;
    let next_day = put(db, &world, "D-2", &delivery(3_000)).await;
    assert_eq!(next_day.jobs.len(), 1, "another day is another round");
    let repair = put(db, &world, "M-1", &of_kind(&world, BookingKind::Maintenance, &[&world.ana], 90)).await;
    assert_eq!(repair.jobs.len(), 1);
    let other = put(db, &world, "D-3", &of_kind(&world, BookingKind::Delivery, &[&world.rui], 45)).await;
    assert_eq!(other.jobs.len(), 1, "another driver has another round");
    assert_eq!(order(db, &world, world.of_ana).await, ["D-1"]);

    let of_first = world.entry(db, &first.booking, world.of_ana).await.id;
    written(db, of_first, 1).await;
    let second = put(db, &world, "D-4", &delivery(30)).await;
    assert_eq!(second.jobs.iter().map(|job| job.kind).collect::<Vec<_>>(), [JobKind::SyncBooking; 2]);
    assert_eq!(world.states(db, &first.booking).await, ["Ana: pending"], "it says another number by now");
    assert_eq!(order(db, &world, world.of_ana).await, ["D-4", "D-1"]);
    // To the other day: both days change.
    let moved = put(db, &world, "D-4", &delivery(3_030)).await;
    assert_eq!(moved.jobs.len(), 3);
    // Given to Rui: he has one more, and Ana one less.
    let given = put(db, &world, "D-1", &of_kind(&world, BookingKind::Delivery, &[&world.rui], 60)).await;
    assert_eq!(given.jobs.len(), 3);
    assert_eq!(order(db, &world, world.of_rui).await, ["D-3", "D-1"]);
    assert_eq!(order(db, &world, world.of_ana).await, Vec::<String>::new());
    let change = Change { business: world.business.id, actor: Actor::System, now: at(1) };
    let cancelled = bookings::cancel(db, &change, "D-3", None).await.unwrap();
    assert_eq!(cancelled.jobs.len(), 2);

    covers_trade(db, &world, world.of_ana).await;
    becomes(db, &world.ana, Trade::Driver).await;
    assert_eq!(order(db, &world, world.of_ana).await, ["D-1"], "all of her trade");
    let states = entries::sync_states(db, world.business.id, other.booking.id).await.unwrap();
    assert_eq!(states.len(), 1);
}

async fn many_who_change_the_same_day_at_once_all_do(db: &TestDb) {
    let world = world(db).await;
    for number in 0..6 {
        let draft = of_kind(&world, BookingKind::Delivery, &[], number * 10);
        put(db, &world, &format!("D-{number}"), &draft).await;
    }
    becomes(db, &world.ana, Trade::Driver).await;
    covers_trade(db, &world, world.of_ana).await;
    let drafts: Vec<BookingDraft> =
        (0..6).map(|number| of_kind(&world, BookingKind::Delivery, &[], 200 + number * 10)).collect();
    let business = world.business.id;
    let done: Vec<Booking> = at_once(db, 6, move |db, number| {
        let draft = drafts[number].clone();
        async move {
            let change = Change { business, actor: Actor::System, now: monday() };
            bookings::put(&db, &change, &format!("D-{number}"), &draft, None).await.unwrap().booking
        }
    })
    .await;
    assert_eq!(done.len(), 6);
    assert_eq!(order(db, &world, world.of_ana).await, ["D-0", "D-1", "D-2", "D-3", "D-4", "D-5"]);
}

concord_storage::on_both_databases!(
    a_calendar_for_a_trade_gets_what_suits_it_whoever_is_assigned,
    a_change_of_one_stop_raises_the_others_of_its_day,
    many_who_change_the_same_day_at_once_all_do,
);
