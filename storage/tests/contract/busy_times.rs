use concord_domain::{
    booking::BookingDraft,
    ids::{BusinessId, BusyTimeId, CalendarId},
    interval::Interval,
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db,
    bookings::{self, PutError},
    busy_times::{self, NewBusyTime},
    occupancy,
    people::{self, Staff},
    testing::{self, TestDb, at, begin, commit, monday},
};

/// A staff member whose calendar is read.
async fn connected(db: &Db) -> (Staff, CalendarId) {
    let business = testing::business(db).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    let calendar = testing::calendar(db, &ana, connection).await;
    (ana, calendar)
}

async fn read(
    db: &Db,
    ana: &Staff,
    calendar: CalendarId,
    external_id: &str,
    minutes: (i64, i64),
) -> BusyTimeId {
    let event = NewBusyTime {
        business: ana.business_id,
        staff: ana.id,
        calendar,
        external_id,
        series: None,
        etag: Some("\"3181161784712000\""),
        interval: Interval::new(at(minutes.0), at(minutes.1)).unwrap(),
        tentative: true,
    };
    let mut tx = begin(db).await;
    people::lock(&mut tx, ana.business_id, ana.id).await.unwrap();
    let id = busy_times::upsert(&mut tx, &event, at(1)).await.unwrap();
    commit(tx).await;
    id
}

/// What recurs is found by its whole, and by nothing that is only named alike.
async fn an_instance_is_found_by_its_series(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let mut tx = begin(db).await;
    people::lock(&mut tx, ana.business_id, ana.id).await.unwrap();
    for (external_id, series, minute) in [
        ("yoga", None, 0),
        ("yoga#1", Some("yoga"), 100),
        ("yoga#2", Some("yoga"), 200),
        ("yoga2", None, 300),
        ("choir#1", Some("choir"), 400),
    ] {
        let event = NewBusyTime {
            business: ana.business_id,
            staff: ana.id,
            calendar,
            external_id,
            series,
            etag: None,
            interval: Interval::new(at(minute), at(minute + 60)).unwrap(),
            tentative: false,
        };
        busy_times::upsert(&mut tx, &event, at(1)).await.unwrap();
    }
    commit(tx).await;
    let found = busy_times::within(db, ana.business_id, calendar, "yoga").await.unwrap();
    let ids: Vec<&str> = found.iter().map(|row| row.external_id.as_str()).collect();
    assert_eq!(ids, ["yoga", "yoga#1", "yoga#2"]);
    assert_eq!(found[1].series.as_deref(), Some("yoga"));
    let other = testing::business(db).await.id;
    assert!(busy_times::within(db, other, calendar, "yoga").await.unwrap().is_empty());
}

async fn busy(db: &Db, ana: &Staff) -> Vec<(i64, i64)> {
    let within = Interval::new(at(-600), at(600)).unwrap();
    let rows = occupancy::list_occupied(db, ana.business_id, ana.id.0, within).await.unwrap();
    rows.iter()
        .map(|row| ((row.starts_at - monday()).num_minutes(), (row.ends_at - monday()).num_minutes()))
        .collect()
}

async fn a_busy_time_occupies_its_person_until_it_goes(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let id = read(db, &ana, calendar, "dentist", (0, 60)).await;
    assert_eq!(busy(db, &ana).await, [(0, 60)]);
    let known = busy_times::named(db, ana.business_id, calendar, "dentist").await.unwrap().unwrap();
    assert_eq!((known.id, known.calendar_id, known.tentative), (id, calendar, true));
    assert_eq!((known.starts_at, known.ends_at, known.seen_at), (at(0), at(60), at(1)));
    assert_eq!(known.etag.as_deref(), Some("\"3181161784712000\""));

    assert_eq!(read(db, &ana, calendar, "dentist", (120, 180)).await, id);
    assert_eq!(busy(db, &ana).await, [(120, 180)]);
    read(db, &ana, calendar, "lunch", (30, 90)).await;
    let all = busy_times::of_calendar(db, ana.business_id, calendar).await.unwrap();
    let names: Vec<&str> = all.iter().map(|event| event.external_id.as_str()).collect();
    assert_eq!(names, ["lunch", "dentist"]);
    let upcoming = busy_times::upcoming(db, ana.business_id, calendar, at(90)).await.unwrap();
    assert_eq!((upcoming.len(), upcoming[0].external_id.as_str()), (1, "dentist"));

    let mut tx = begin(db).await;
    people::lock(&mut tx, ana.business_id, ana.id).await.unwrap();
    busy_times::remove(&mut tx, (ana.business_id, ana.id), id, at(0)).await.unwrap();
    commit(tx).await;
    assert_eq!(busy(db, &ana).await, [(30, 90)]);
    assert!(busy_times::named(db, ana.business_id, calendar, "dentist").await.unwrap().is_none());
}

async fn what_found_no_unit_gets_the_one_that_is_freed(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let dentist = read(db, &ana, calendar, "dentist", (0, 60)).await;
    read(db, &ana, calendar, "lunch", (30, 90)).await;
    read(db, &ana, calendar, "call", (80, 100)).await;
    let units = async || {
        let within = Interval::new(at(0), at(100)).unwrap();
        let rows = occupancy::list_occupied(db, ana.business_id, ana.id.0, within).await.unwrap();
        rows.iter().map(|row| row.unit).collect::<Vec<_>>()
    };
    assert_eq!(units().await, [Some(1), None, Some(1)]);
    read(db, &ana, calendar, "call", (95, 100)).await;
    assert_eq!(units().await, [Some(1), None, Some(1)], "the dentist is still there");
    let mut tx = begin(db).await;
    people::lock(&mut tx, ana.business_id, ana.id).await.unwrap();
    busy_times::remove(&mut tx, (ana.business_id, ana.id), dentist, at(0)).await.unwrap();
    commit(tx).await;
    assert_eq!(units().await, [Some(1), Some(1)]);
}

async fn whoever_is_busy_cannot_be_booked(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let business = concord_storage::businesses::find(db, ana.business_id).await.unwrap().unwrap();
    let room = testing::resource(db, &business, 1).await;
    let id = read(db, &ana, calendar, "dentist", (0, 60)).await;
    let change = ChangeContext { business: business.id, actor: Actor::System, now: at(-60) };
    let draft = BookingDraft { staff: vec![ana.id], ..testing::draft(&room, 30, 90) };
    let refused = bookings::put(db, &change, "A-1", &draft, None).await.unwrap_err();
    let PutError::Taken(taken) = refused else { panic!("{refused:?}") };
    assert_eq!(taken.obstacles.len(), 1);
    assert_eq!(taken.obstacles[0].calendar.as_deref(), Some("Ana"));
    assert_eq!(taken.obstacles[0].subject_name.as_deref(), Some("Ana"));

    let mut tx = begin(db).await;
    people::lock(&mut tx, ana.business_id, ana.id).await.unwrap();
    busy_times::remove(&mut tx, (ana.business_id, ana.id), id, at(0)).await.unwrap();
    commit(tx).await;
    bookings::put(db, &change, "A-1", &draft, None).await.unwrap();
    read(db, &ana, calendar, "surgery", (0, 60)).await;
    let conflicts = occupancy::conflicts(db, business.id, at(0)).await.unwrap();
    assert_eq!(conflicts.len(), 1, "what the outside made is shown");
    assert_eq!(conflicts[0].calendar.as_deref(), Some("Ana"));
    bookings::cancel(db, &change, "A-1", None).await.unwrap();
    assert!(occupancy::conflicts(db, business.id, at(0)).await.unwrap().is_empty(), "and closes by itself");
}

async fn another_business_finds_no_busy_time(db: &TestDb) {
    let (ana, calendar) = connected(db).await;
    let id = read(db, &ana, calendar, "dentist", (0, 60)).await;
    let other: BusinessId = testing::business(db).await.id;
    assert!(busy_times::named(db, other, calendar, "dentist").await.unwrap().is_none());
    assert!(busy_times::of_calendar(db, other, calendar).await.unwrap().is_empty());
    assert!(busy_times::upcoming(db, other, calendar, at(0)).await.unwrap().is_empty());
    let mut tx = begin(db).await;
    busy_times::remove(&mut tx, (other, ana.id), id, at(0)).await.unwrap();
    commit(tx).await;
    assert_eq!(busy(db, &ana).await, [(0, 60)]);
}

concord_storage::on_both_databases!(
    a_busy_time_occupies_its_person_until_it_goes,
    an_instance_is_found_by_its_series,
    what_found_no_unit_gets_the_one_that_is_freed,
    whoever_is_busy_cannot_be_booked,
    another_business_finds_no_busy_time,
);
