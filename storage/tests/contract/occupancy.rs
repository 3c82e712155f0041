use concord_domain::{
    booking::BookingDraft,
    ids::new_uuid,
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, StorageError, bookings,
    businesses::Business,
    occupancy::{self, OccupancyRequest, OccupancySubject, OccupiedInterval, Reallocated},
    resources::{self, Resource},
    testing::{self, TestDb, at, begin, commit, monday, plans},
};
use uuid::Uuid;

use crate::{at_once, raw};

fn arrival(room: &Resource, from: i64, to: i64) -> OccupancyRequest {
    OccupancyRequest {
        business: room.business_id,
        subject: OccupancySubject { kind: SubjectKind::Resource, id: room.id.0, capacity: room.capacity },
        interval: Interval::new(at(from), at(to)).unwrap(),
        source: OccupancySource::Block,
        source_id: new_uuid(monday()),
        quantity: 1,
    }
}

/// `false`: there is no room.
async fn allocate(db: &Db, arrival: &OccupancyRequest) -> bool {
    let mut tx = begin(db).await;
    let room = concord_domain::ids::ResourceId(arrival.subject.id);
    resources::lock(&mut tx, arrival.business, room).await.unwrap();
    let allocated = occupancy::allocate(&mut tx, arrival, monday()).await.unwrap().is_ok();
    commit(tx).await;
    allocated
}

async fn record(db: &Db, arrival: &OccupancyRequest, minute: i64) -> bool {
    let mut tx = begin(db).await;
    let allocated = occupancy::record(&mut tx, arrival, at(minute)).await.unwrap();
    commit(tx).await;
    allocated
}

async fn release(db: &Db, arrival: &OccupancyRequest) -> u32 {
    let mut tx = begin(db).await;
    let freed = occupancy::release(&mut tx, arrival.business, arrival.source_id).await.unwrap();
    let mut reallocated = 0;
    for room in freed {
        let interval = Interval { start: room.starts_at, end: room.ends_at };
        assert_eq!((room.subject_kind, room.subject_id), (arrival.subject.kind, arrival.subject.id));
        reallocated +=
            occupancy::reallocate(&mut tx, arrival.business, arrival.subject, interval).await.unwrap().rows;
    }
    commit(tx).await;
    reallocated
}

async fn standing(db: &Db, room: &Resource, from: i64, to: i64) -> Vec<OccupiedInterval> {
    let within = Interval::new(at(from), at(to)).unwrap();
    occupancy::list_occupied(db, room.business_id, room.id.0, within).await.unwrap()
}

fn units(rows: &[OccupiedInterval]) -> Vec<Option<i64>> {
    rows.iter().map(|row| row.unit).collect()
}

async fn touching_intervals_share_a_unit(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    assert!(allocate(db, &arrival(&room, 0, 60)).await);
    assert!(allocate(db, &arrival(&room, 60, 120)).await);
    assert!(allocate(db, &arrival(&room, -30, 0)).await);
    for (from, to) in [(59, 61), (0, 60), (10, 20), (-90, 600), (119, 121)] {
        assert!(!allocate(db, &arrival(&room, from, to)).await, "{from} to {to}");
    }
    let rows = standing(db, &room, 0, 60).await;
    assert_eq!((rows.len(), rows[0].subject_name.as_deref()), (1, Some("Sea View")));
    assert_eq!((rows[0].starts_at, rows[0].ends_at, rows[0].unit), (at(0), at(60), Some(1)));
    assert_eq!(standing(db, &room, -600, 600).await.len(), 3);
}

async fn alike_units_are_moved_to_make_room(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    // Unit 1: [0,2) and [4,6), unit 2: [2,4) once [0,2) of the second is gone; then [0,4) fits on no one unit.
    assert!(allocate(db, &arrival(&room, 0, 2)).await);
    let in_the_way = arrival(&room, 0, 4);
    assert!(allocate(db, &in_the_way).await);
    assert!(allocate(db, &arrival(&room, 4, 6)).await);
    release(db, &in_the_way).await;
    assert!(allocate(db, &OccupancyRequest { quantity: 1, ..arrival(&room, 2, 4) }).await);
    assert!(allocate(db, &arrival(&room, 2, 6)).await);
    assert!(allocate(db, &arrival(&room, 0, 2)).await);
    let rows = standing(db, &room, 0, 6).await;
    assert_eq!(rows.len(), 5);
    for (index, row) in rows.iter().enumerate() {
        for other in &rows[index + 1..] {
            let apart = row.ends_at <= other.starts_at || other.ends_at <= row.starts_at;
            assert!(apart || row.unit != other.unit, "{rows:#?}");
        }
    }
    assert!(!allocate(db, &arrival(&room, 1, 5)).await);
}

async fn several_units_are_taken_together_or_not_at_all(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    let group = OccupancyRequest { quantity: 2, ..arrival(&room, 0, 60) };
    assert!(allocate(db, &group).await);
    assert!(!allocate(db, &OccupancyRequest { quantity: 2, ..arrival(&room, 30, 90) }).await);
    assert_eq!(standing(db, &room, 60, 90).await.len(), 0, "nothing of what was refused was written");
    assert!(allocate(db, &arrival(&room, 30, 90)).await);
    assert_eq!(release(db, &group).await, 0);
    assert!(allocate(db, &OccupancyRequest { quantity: 2, ..arrival(&room, 30, 90) }).await);
}

async fn external_occupancy_is_unallocated_until_room_is_free(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let (first, second) = (arrival(&room, 0, 60), arrival(&room, 30, 90));
    let outside = OccupancyRequest { source: OccupancySource::Reservation, ..arrival(&room, 45, 50) };
    assert!(record(db, &first, 0).await);
    assert!(!record(db, &second, 1).await);
    assert!(!record(db, &outside, 2).await);
    assert_eq!(units(&standing(db, &room, 0, 90).await), [Some(1), None, None]);
    assert!(!allocate(db, &arrival(&room, 60, 90)).await, "a fact without a unit is no less true");

    let within = Interval::new(at(0), at(46)).unwrap();
    let others = occupancy::units_of_others(db, business.id, room.id.0, within, "none").await.unwrap();
    assert_eq!(others.iter().map(|one| one.unit).collect::<Vec<_>>(), [Some(1), None, None]);
    let conflicts = occupancy::conflicts(db, business.id, at(49)).await.unwrap();
    assert_eq!(conflicts.len(), 2);
    assert_eq!(occupancy::conflicts(db, business.id, at(50)).await.unwrap().len(), 1);
    assert_eq!(release(db, &first).await, 1, "the oldest of the two gets the unit");
    assert_eq!(units(&standing(db, &room, 0, 90).await), [Some(1), None]);
    assert_eq!(release(db, &second).await, 1);
    assert_eq!(units(&standing(db, &room, 0, 90).await), [Some(1)]);
    assert!(occupancy::conflicts(db, business.id, at(0)).await.unwrap().is_empty());
}

async fn two_appointments_of_ones_own_are_no_conflict(db: &TestDb) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let busy = |from, to| OccupancyRequest {
        business: business.id,
        subject: OccupancySubject { kind: SubjectKind::Staff, id: ana.id.0, capacity: 1 },
        interval: Interval::new(at(from), at(to)).unwrap(),
        source: OccupancySource::Busy,
        source_id: new_uuid(monday()),
        quantity: 1,
    };
    assert!(record(db, &busy(0, 60), 0).await);
    assert!(!record(db, &busy(30, 90), 1).await);
    assert!(occupancy::conflicts(db, business.id, at(0)).await.unwrap().is_empty());
    assert!(!record(db, &OccupancyRequest { source: OccupancySource::Booking, ..busy(50, 55) }, 2).await);
    assert_eq!(occupancy::conflicts(db, business.id, at(0)).await.unwrap().len(), 2);
    // Each two once, and never two appointments of her own.
    let pairs = occupancy::double_bookings(db, business.id, at(0)).await.unwrap();
    assert_eq!(pairs.len(), 2);
    let is_booking = |party: &occupancy::OccupancyParty| party.source == OccupancySource::Booking;
    assert!(pairs.iter().all(|pair| pair.parties().iter().filter(|party| is_booking(party)).count() == 1));
    assert!(occupancy::double_bookings(db, business.id, at(90)).await.unwrap().is_empty());
}

async fn of_many_who_want_the_last_unit_one_gets_it(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    assert!(allocate(db, &OccupancyRequest { quantity: 2, ..arrival(&room, 0, 60) }).await);
    let allocated = at_once(db, 30, |db, number| {
        let from = i64::try_from(number).unwrap() % 30;
        let wanted = arrival(&room, from, from + 31);
        async move { allocate(&db, &wanted).await }
    })
    .await;
    assert_eq!(allocated.iter().filter(|got| **got).count(), 1);
}

/// Whatever the code does, the database itself lets no two rows share a unit.
async fn the_database_itself_refuses_an_overlap(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    assert!(allocate(db, &arrival(&room, 0, 60)).await);
    assert!(allocate(db, &arrival(&room, 30, 90)).await);
    assert!(allocate(db, &arrival(&room, 60, 120)).await);
    let statements = [
        "UPDATE occupancy SET unit = 1 WHERE unit = 2",
        "UPDATE occupancy SET starts_at = (SELECT MIN(starts_at) FROM occupancy) WHERE unit = 1",
        "UPDATE occupancy SET ends_at = (SELECT MAX(ends_at) FROM occupancy) WHERE unit = 1",
    ];
    for statement in statements {
        plans::leave_out(statement);
        let refused: StorageError = match &**db {
            Db::Sqlite { write, .. } => sqlx::query(statement).execute(write).await.unwrap_err().into(),
            Db::Postgres(pool) => sqlx::query(statement).execute(pool).await.unwrap_err().into(),
        };
        assert!(matches!(refused, StorageError::Overlap), "{statement}: {refused:?}");
    }
    assert_eq!(raw(db, "UPDATE occupancy SET unit = NULL").await, 3);
}

async fn another_business_sees_and_frees_nothing(db: &TestDb) {
    let [business, other]: [Business; 2] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    let (first, second) = (arrival(&room, 0, 60), arrival(&room, 30, 90));
    record(db, &first, 0).await;
    record(db, &second, 1).await;
    let theirs: Vec<OccupiedInterval> =
        occupancy::list_occupied(db, other.id, room.id.0, Interval::new(at(0), at(90)).unwrap())
            .await
            .unwrap();
    assert!(theirs.is_empty());
    assert!(occupancy::conflicts(db, other.id, at(0)).await.unwrap().is_empty());
    let mut tx = begin(db).await;
    assert!(occupancy::release(&mut tx, other.id, first.source_id).await.unwrap().is_empty());
    let wide = Interval::new(at(0), at(90)).unwrap();
    assert_eq!(
        occupancy::reallocate(&mut tx, other.id, OccupancySubject { capacity: 9, ..first.subject }, wide)
            .await
            .unwrap(),
        Reallocated::default()
    );
    commit(tx).await;
    assert_eq!(units(&standing(db, &room, 0, 90).await), [Some(1), None]);
    assert_ne!(first.source_id, Uuid::nil());
}

/// Many years of one resource: what stands within an hour of it is not looked for among all of them.
const MANY_HOURS: &str = "
    INSERT INTO occupancy (id, business_id, subject_kind, subject_id, unit, starts_at, ends_at, source, source_id, part,
        created_at)
    SELECT gen_random_uuid(), r.business_id, 'resource', r.id, CASE WHEN hour % 100 = 0 THEN NULL ELSE 1 END,
           TIMESTAMPTZ '2020-01-01T00:00:00Z' + hour * INTERVAL '3 hours',
           TIMESTAMPTZ '2020-01-01T00:00:00Z' + hour * INTERVAL '3 hours' + INTERVAL '1 hour',
           'busy', gen_random_uuid(), 0, now()
    FROM resources r, generate_series(1, 20000) AS hour";

#[tokio::test]
async fn overlaps_are_found_by_the_index_of_ranges() {
    let db = testing::postgres().await;
    db.spoil().await;
    let business = testing::business(&db).await;
    let room = testing::resource(&db, &business, 1).await;
    raw(&db, MANY_HOURS).await;
    raw(&db, "ANALYZE").await;
    for plan in testing::plans_of_overlaps(&db, &room).await {
        let by_range =
            plan.lines().any(|line| line.contains("occupancy_by_subject") || line.contains("one_row_a_unit"));
        assert!(by_range && !plan.contains("Seq Scan on occupancy"), "{plan}");
    }
}

/// A block may take all of a camping site: it is written, and taken away, a few hundred rows at a time.
async fn a_thousand_units_take_few_statements(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1_000).await;
    let many = OccupancyRequest { quantity: 1_000, ..arrival(&room, 0, 60) };
    let before = plans::statements();
    assert!(allocate(db, &many).await);
    assert!(!allocate(db, &arrival(&room, 30, 90)).await, "all of them are taken");
    let fact = OccupancyRequest { quantity: 1_000, ..arrival(&room, 30, 90) };
    assert!(!record(db, &fact, 1).await);
    let ran = plans::statements() - before;
    assert!(ran < 60, "{ran} statements");
    assert_eq!(standing(db, &room, 70, 80).await.iter().filter(|row| row.unit.is_none()).count(), 1_000);

    let before = plans::statements();
    let block = BookingDraft { quantity: 1_000, ..testing::draft(&room, 120, 180) };
    testing::booking(db, &business, "ALL", &block).await;
    let change = ChangeContext { business: business.id, actor: Actor::System, now: at(1) };
    bookings::cancel(db, &change, "ALL", None).await.unwrap();
    let ran = plans::statements() - before;
    assert!(ran < 60, "{ran} statements");
    assert_eq!(standing(db, &room, 120, 180).await.len(), 0);
}

concord_storage::on_both_databases!(
    a_thousand_units_take_few_statements,
    touching_intervals_share_a_unit,
    alike_units_are_moved_to_make_room,
    several_units_are_taken_together_or_not_at_all,
    external_occupancy_is_unallocated_until_room_is_free,
    two_appointments_of_ones_own_are_no_conflict,
    of_many_who_want_the_last_unit_one_gets_it,
    the_database_itself_refuses_an_overlap,
    another_business_sees_and_frees_nothing,
);
