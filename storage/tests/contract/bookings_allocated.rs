//! Which bookings have room, and which are refused.

use concord_domain::{
    booking::{BookingDraft, BookingStatus, BookingTime},
    interval::Interval,
};
use concord_storage::{
    bookings::{self, PutError},
    busy_times::{self, NewBusyTime},
    occupancy,
    resources::{self, Resource, ResourceSettings},
    testing::{self, TestDb, at, begin, commit, draft, monday},
};

use crate::{
    at_once,
    bookings::{change, is_taken, put},
    precise,
};

async fn the_time_is_held_from_the_first_to_the_last_minute(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    put(db, business.id, "A-1", &draft(&room, 60, 120)).await.unwrap();
    assert!(is_taken(db, business.id, "A-2", &draft(&room, 119, 180)).await);
    assert_eq!(bookings::find(db, business.id, "A-2").await.unwrap(), None, "nothing is written");
    assert!(!is_taken(db, business.id, "A-2", &draft(&room, 120, 180)).await);
    assert!(
        !is_taken(db, business.id, "A-1", &draft(&room, 70, 110)).await,
        "its own time is not in its way"
    );
    assert!(is_taken(db, business.id, "A-1", &draft(&room, 70, 121)).await);
    bookings::cancel(db, &change(business.id), "A-2", None).await.unwrap();
    assert!(!is_taken(db, business.id, "A-1", &draft(&room, 70, 121)).await);
    let revived = put(db, business.id, "A-2", &draft(&room, 120, 180)).await;
    assert!(matches!(revived, Err(PutError::Taken(_))), "its place is gone: {revived:?}");
    let standing = bookings::find(db, business.id, "A-2").await.unwrap().unwrap();
    assert_eq!(standing.draft.status, BookingStatus::Cancelled);
}

async fn a_refusal_says_what_is_there_and_what_is_free(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    let group = BookingDraft { quantity: 2, ..draft(&room, 60, 120) };
    put(db, business.id, "A-1", &group).await.unwrap();
    let refused = put(db, business.id, "A-2", &draft(&room, 90, 150)).await.unwrap_err();
    let PutError::Taken(taken) = refused else { panic!("{refused:?}") };
    assert_eq!(taken.obstacles.len(), 1, "a booking of two units is named once");
    let obstacle = &taken.obstacles[0];
    assert_eq!(obstacle.reference.as_deref(), Some("A-1"));
    assert_eq!(obstacle.title.as_deref(), Some("Massage"));
    assert_eq!(obstacle.subject_name.as_deref(), Some("Sea View"));
    assert_eq!((obstacle.starts_at, obstacle.ends_at), (at(60), at(120)));
    assert!(!taken.alternatives.is_empty() && taken.alternatives.len() <= 5);
    for time in taken.alternatives {
        let elsewhere = BookingDraft { time, ..draft(&room, 0, 1) };
        assert!(!is_taken(db, business.id, "A-2", &elsewhere).await, "{time:?} was said to be free");
    }
}

async fn more_units_than_there_are_is_a_fault_of_the_field(db: &TestDb) {
    let business = testing::business(db).await;
    let [single, pair] =
        [testing::resource(db, &business, 1).await, testing::resource(db, &business, 2).await];
    let of = |room: &Resource, quantity: u32| BookingDraft { quantity, ..draft(room, 60, 120) };
    let fault =
        async |reference: &str, draft: &BookingDraft| match put(db, business.id, reference, draft).await {
            Err(PutError::Invalid(faults)) => format!("{} {}", faults[0].field, faults[0].message),
            other => panic!("{other:?}"),
        };
    assert_eq!(fault("A-1", &of(&single, 9)).await, "quantity is 9, but Sea View has 1 unit");
    assert_eq!(fault("A-1", &of(&pair, 3)).await, "quantity is 3, but Sea View has 2 units");
    // Who takes up nothing may say what they like, until they take it up.
    let cancelled = BookingDraft { status: BookingStatus::Cancelled, ..of(&single, 9) };
    put(db, business.id, "A-1", &cancelled).await.unwrap();
    assert_eq!(fault("A-1", &of(&single, 9)).await, "quantity is 9, but Sea View has 1 unit");

    put(db, business.id, "A-2", &of(&pair, 2)).await.unwrap();
    let fewer = ResourceSettings {
        name: "Sea View".to_owned(),
        zone: None,
        capacity: 1,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
    };
    let mut tx = begin(db).await;
    resources::update(&mut tx, business.id, pair.id, &fewer, at(121)).await.unwrap();
    commit(tx).await;
    // It was held while there were two, and can still be told what became of it.
    let completed = BookingDraft { status: BookingStatus::Completed, ..of(&pair, 2) };
    assert_eq!(put(db, business.id, "A-2", &completed).await.unwrap().booking.version, 2);
    let moved = BookingDraft { time: draft(&pair, 180, 240).time, ..completed.clone() };
    assert_eq!(fault("A-2", &moved).await, "quantity is 2, but Sea View has 1 unit");
    put(db, business.id, "A-2", &BookingDraft { quantity: 1, ..moved }).await.unwrap();
}

async fn a_stay_leaves_its_last_day_free(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let stay = |check_in: &str, check_out: &str| BookingDraft {
        time: BookingTime::Stay {
            check_in: check_in.parse().unwrap(),
            check_out: check_out.parse().unwrap(),
        },
        ..draft(&room, 0, 1)
    };
    // The clocks go forward in Lisbon on the 28th.
    let made = put(db, business.id, "A-1", &stay("2027-03-27", "2027-03-29")).await.unwrap().booking;
    assert_eq!(made.interval.length(), chrono::Duration::hours(47));
    assert_eq!(bookings::find(db, business.id, "A-1").await.unwrap(), Some(made));
    assert!(is_taken(db, business.id, "A-2", &stay("2027-03-28", "2027-03-30")).await);
    assert!(!is_taken(db, business.id, "A-2", &stay("2027-03-29", "2027-03-30")).await);
    assert!(!is_taken(db, business.id, "A-3", &stay("2027-03-26", "2027-03-27")).await);
}

async fn buffers_are_kept_free(db: &TestDb) {
    let business = testing::business(db).await;
    let settings = ResourceSettings {
        name: "Sauna".to_owned(),
        zone: None,
        capacity: 1,
        buffer_before_minutes: 10,
        buffer_after_minutes: 20,
    };
    let mut tx = begin(db).await;
    let sauna = resources::create(&mut tx, business.id, &settings, monday()).await.unwrap();
    commit(tx).await;
    put(db, business.id, "A-1", &draft(&sauna, 60, 120)).await.unwrap();
    assert!(is_taken(db, business.id, "A-2", &draft(&sauna, 149, 160)).await, "20 after and 10 before");
    assert!(!is_taken(db, business.id, "A-2", &draft(&sauna, 150, 160)).await);
    assert!(is_taken(db, business.id, "A-3", &draft(&sauna, 0, 31)).await);
    assert!(!is_taken(db, business.id, "A-3", &draft(&sauna, 0, 30)).await);
}

async fn people_do_one_thing_at_a_time(db: &TestDb) {
    let business = testing::business(db).await;
    let rooms = [testing::resource(db, &business, 1).await, testing::resource(db, &business, 1).await];
    let ana = testing::staff(db, &business, "Ana").await.id;
    let with_ana = |room: usize, from, to| BookingDraft { staff: vec![ana], ..draft(&rooms[room], from, to) };
    put(db, business.id, "A-1", &with_ana(0, 60, 120)).await.unwrap();
    let refused = put(db, business.id, "A-2", &with_ana(1, 100, 160)).await.unwrap_err();
    let PutError::Taken(taken) = refused else { panic!("{refused:?}") };
    assert_eq!(taken.obstacles[0].subject_name.as_deref(), Some("Ana"));
    assert!(
        !is_taken(db, business.id, "A-2", &draft(&rooms[1], 100, 160)).await,
        "nobody's unit stays behind"
    );
    put(db, business.id, "A-1", &draft(&rooms[0], 60, 120)).await.unwrap();
    assert!(!is_taken(db, business.id, "A-2", &with_ana(1, 100, 160)).await);
}

async fn of_many_who_want_the_last_unit_one_gets_it(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 2).await;
    put(db, business.id, "first", &draft(&room, 60, 120)).await.unwrap();
    let id = business.id;
    let wanted = draft(&room, 60, 120);
    let results = at_once(db, 40, |db, number| {
        let wanted = wanted.clone();
        async move { put(&db, id, &format!("A-{number}"), &wanted).await }
    })
    .await;
    let mut made = 0;
    for result in results {
        match result {
            Ok(_) => made += 1,
            Err(PutError::Taken(taken)) => assert_eq!(taken.obstacles.len(), 2),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(made, 1);
}

/// Somebody puts an appointment of their own over a booking: a fact that finds no unit.
async fn a_booking_in_conflict_can_still_be_changed(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let said = BookingDraft { staff: vec![ana.id], ..draft(&room, 0, 60) };
    put(db, business.id, "B-1", &said).await.unwrap();
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    let calendar = testing::calendar(db, &ana, connection).await;
    let mut tx = begin(db).await;
    let dentist = NewBusyTime {
        business: business.id,
        staff: ana.id,
        calendar,
        external_id: "dentist",
        series: None,
        etag: None,
        interval: Interval { start: at(30), end: at(90) },
        tentative: false,
    };
    busy_times::upsert(&mut tx, &dentist, precise(-600)).await.unwrap();
    commit(tx).await;
    assert_eq!(occupancy::conflicts(db, business.id, at(0)).await.unwrap().len(), 1);

    let retitled = BookingDraft { title: "Other words".to_owned(), ..said.clone() };
    assert_eq!(put(db, business.id, "B-1", &retitled).await.unwrap().booking.version, 2);
    let completed = BookingDraft { status: BookingStatus::Completed, ..retitled };
    put(db, business.id, "B-1", &completed).await.unwrap();
    let longer = BookingDraft { time: draft(&room, 0, 75).time, ..completed.clone() };
    assert!(is_taken(db, business.id, "B-1", &longer).await, "more of her time is not to be had");
    let given_away = BookingDraft { staff: vec![], ..completed };
    put(db, business.id, "B-1", &given_away).await.unwrap();
    assert_eq!(
        occupancy::conflicts(db, business.id, at(0)).await.unwrap().len(),
        0,
        "the dentist has the hour"
    );
}

concord_storage::on_both_databases!(
    the_time_is_held_from_the_first_to_the_last_minute,
    a_refusal_says_what_is_there_and_what_is_free,
    more_units_than_there_are_is_a_fault_of_the_field,
    a_stay_leaves_its_last_day_free,
    buffers_are_kept_free,
    people_do_one_thing_at_a_time,
    of_many_who_want_the_last_unit_one_gets_it,
    a_booking_in_conflict_can_still_be_changed,
);
