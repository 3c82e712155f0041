use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, BookingTime},
    ids::{BookingId, BusinessId, ResourceId, StaffId},
    interval::Interval,
    people::Actor,
    record::HistorySubject,
};
use concord_storage::{
    Db, DbOptions, StorageError,
    bookings::{self, BookingFilter, Change, FeedAsk, Put, PutError},
    businesses, history, occupancy,
    outside_events::{self, NewOutsideEvent},
    resources::{self, Resource, ResourceSettings},
    testing::{self, TestDb, at, begin, commit, draft, monday},
};
use uuid::Uuid;

use crate::{at_once, first, precise};

fn change(business: BusinessId) -> Change {
    Change { business, actor: Actor::System, now: precise(-600) }
}

pub(crate) async fn put(
    db: &Db,
    business: BusinessId,
    reference: &str,
    draft: &BookingDraft,
) -> Result<Put, PutError> {
    bookings::put(db, &change(business), reference, draft, None).await
}

async fn is_taken(db: &Db, business: BusinessId, reference: &str, draft: &BookingDraft) -> bool {
    match put(db, business, reference, draft).await {
        Ok(_) => false,
        Err(PutError::Taken(_)) => true,
        Err(other) => panic!("{other:?}"),
    }
}

async fn what_is_written_is_read_back(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 3).await;
    let mut staff =
        [testing::staff(db, &business, "Ana").await.id, testing::staff(db, &business, "Rui").await.id];
    staff.sort_unstable();
    let said = BookingDraft {
        kind: BookingKind::Delivery,
        status: BookingStatus::Pending,
        quantity: 2,
        party_size: None,
        staff: vec![staff[1], staff[0], staff[1]],
        title: "Two boats \u{26F5}".to_owned(),
        location: "Pier 3".to_owned(),
        notes: "Line one\nline two".to_owned(),
        source: "page".to_owned(),
        ..draft(&room, 60, 120)
    };
    let made = put(db, business.id, "B-17", &said).await.unwrap();
    assert!(made.created && made.duties.is_empty());
    assert_eq!((made.booking.version, made.booking.created_at), (1, precise(-600)));
    let found = bookings::find(db, business.id, "B-17").await.unwrap().unwrap();
    assert_eq!(found, made.booking);
    assert_eq!(found.draft, BookingDraft { staff: staff.to_vec(), ..said });
    assert_eq!(bookings::by_id(db, business.id, found.id).await.unwrap(), Some(found));
    assert_eq!(bookings::find(db, business.id, "b-17").await.unwrap(), None);
    assert_eq!(bookings::by_id(db, business.id, BookingId(Uuid::nil())).await.unwrap(), None);
}

async fn a_change_counts_and_is_written_down(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let said = draft(&room, 60, 120);
    let made = put(db, business.id, "A-1", &said).await.unwrap().booking;
    let same = put(db, business.id, "A-1", &said).await.unwrap();
    assert!(!same.created && same.booking == made);
    let later = BookingDraft { title: "Sauna".to_owned(), ..draft(&room, 90, 150) };
    let changed = put(db, business.id, "A-1", &later).await.unwrap();
    assert_eq!((changed.created, changed.booking.version, changed.booking.id), (false, 2, made.id));
    let stale = bookings::put(db, &change(business.id), "A-1", &said, Some(1)).await;
    assert!(matches!(stale, Err(PutError::Stale { current: 2 })), "{stale:?}");
    let stale = bookings::cancel(db, &change(business.id), "A-1", Some(1)).await;
    assert!(matches!(stale, Err(PutError::Stale { current: 2 })), "{stale:?}");
    let cancelled = bookings::cancel(db, &change(business.id), "A-1", Some(2)).await.unwrap().booking;
    assert_eq!((cancelled.version, cancelled.draft.status), (3, BookingStatus::Cancelled));
    assert_eq!(bookings::cancel(db, &change(business.id), "A-1", None).await.unwrap().booking.version, 3);
    let nobody = bookings::cancel(db, &change(business.id), "A-2", None).await;
    assert!(matches!(nobody, Err(PutError::Storage(StorageError::NotFound))), "{nobody:?}");

    let lines = history::of_subject(db, business.id, made.id.0, &first(10)).await.unwrap().items;
    let mut actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["cancelled", "changed", "created"]);
    assert!(lines.iter().all(|line| line.subject_kind == HistorySubject::Booking));
    let changed = lines.iter().find(|line| line.action == "changed").unwrap();
    assert_eq!(changed.detail["changes"]["title"], serde_json::json!(["Massage", "Sauna"]));
}

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
        "nobody's seat stays behind"
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

async fn of_many_with_one_reference_one_creates(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let id = business.id;
    let wanted = draft(&room, 60, 120);
    let results = at_once(db, 20, |db, number| {
        let wanted = BookingDraft { title: format!("Title {}", number % 2), ..wanted.clone() };
        async move { put(&db, id, "A-1", &wanted).await.unwrap() }
    })
    .await;
    assert_eq!(results.iter().filter(|put| put.created).count(), 1);
    let standing = bookings::find(db, id, "A-1").await.unwrap().unwrap();
    let newest = results.iter().map(|put| put.booking.version).max().unwrap();
    assert_eq!(standing.version, newest);
}

/// Changes that cross between two rooms and two people, all at once: none may wait for another in a circle.
async fn crossing_changes_come_to_an_end(db: &TestDb) {
    let business = testing::business(db).await;
    let rooms = [testing::resource(db, &business, 40).await, testing::resource(db, &business, 40).await];
    let staff =
        [testing::staff(db, &business, "Ana").await.id, testing::staff(db, &business, "Rui").await.id];
    let id = business.id;
    for (number, from) in (0..12_usize).zip((0..).step_by(100)) {
        let there =
            BookingDraft { staff: vec![staff[number % 2]], ..draft(&rooms[number % 2], from, from + 30) };
        put(db, id, &format!("A-{number}"), &there).await.unwrap();
    }
    let results = at_once(db, 24, |db, number| {
        let (booking, round) = (number % 12, number / 12);
        let from = i64::try_from(booking).unwrap() * 100;
        let there = BookingDraft {
            staff: if round == 0 { vec![staff[1], staff[0]] } else { vec![staff[0]] },
            ..draft(&rooms[(booking + 1) % 2], from, from + 40)
        };
        async move { put(&db, id, &format!("A-{booking}"), &there).await.map(drop) }
    })
    .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    // A deadlock that the database broke and `put` tried again would stay unseen, but for the second that it costs.
    // A connection reports what it counted when it ends.
    db.close().await;
    let again = Db::open_url(&DbOptions::new(db.url())).await.unwrap();
    if let Db::Postgres(pool) = &again {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(sqlx::query_scalar::<_, i64>(deadlocks).fetch_one(pool).await.unwrap(), 0);
    }
    again.close().await;
}

async fn what_is_not_of_the_business_is_refused_by_field(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    let theirs = testing::resource(db, &other, 1).await;
    let stranger = testing::staff(db, &other, "Eva").await.id;
    let field =
        async |reference: &str, draft: &BookingDraft| match put(db, business.id, reference, draft).await {
            Err(PutError::Invalid(faults)) => faults[0].field,
            other => panic!("{other:?}"),
        };
    assert_eq!(field("A-1", &draft(&theirs, 0, 60)).await, "resource");
    let nowhere = BookingDraft { resource: ResourceId(Uuid::nil()), ..draft(&room, 0, 60) };
    assert_eq!(field("A-1", &nowhere).await, "resource");
    for who in [stranger, StaffId(Uuid::nil())] {
        assert_eq!(field("A-1", &BookingDraft { staff: vec![who], ..draft(&room, 0, 60) }).await, "staff");
    }
    assert_eq!(field("A 1", &draft(&room, 0, 60)).await, "reference");
    assert_eq!(field("A-1", &draft(&room, 60, 60)).await, "ends_at");
    let mut tx = begin(db).await;
    resources::archive(&mut tx, business.id, room.id, monday()).await.unwrap();
    commit(tx).await;
    assert_eq!(field("A-1", &draft(&room, 0, 60)).await, "resource");
    assert_eq!(
        bookings::list(db, business.id, &BookingFilter::default(), &first(10)).await.unwrap().items,
        []
    );
    let lines = history::list(db, business.id, &first(10)).await.unwrap().items;
    assert!(lines.is_empty(), "nothing was written");
}

async fn another_business_finds_no_booking(db: &TestDb) {
    let [business, other] = [testing::business(db).await, testing::business(db).await];
    let room = testing::resource(db, &business, 1).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    testing::calendar(db, &ana, connection).await;
    let said = BookingDraft { staff: vec![ana.id], ..draft(&room, 60, 120) };
    let made = put(db, business.id, "A-1", &said).await.unwrap().booking;
    let theirs = other.id;
    assert_eq!(bookings::find(db, theirs, "A-1").await.unwrap(), None);
    assert_eq!(bookings::by_id(db, theirs, made.id).await.unwrap(), None);
    for filter in [
        BookingFilter::default(),
        BookingFilter { resource: Some(room.id), staff: Some(ana.id), ..BookingFilter::default() },
    ] {
        assert_eq!(bookings::list(db, theirs, &filter, &first(10)).await.unwrap().items, []);
    }
    let ask = FeedAsk { from: at(0), most: 9 };
    assert_eq!(bookings::of_business(db, theirs, ask).await.unwrap(), []);
    assert_eq!(bookings::of_resource(db, theirs, room.id, ask).await.unwrap(), []);
    assert_eq!(bookings::of_staff(db, theirs, ana.id, ask).await.unwrap(), []);
    let start = BookingId(Uuid::nil());
    assert_eq!(bookings::concerning(db, theirs, connection, at(0), start, 10).await.unwrap(), []);
    let refused = bookings::cancel(db, &change(theirs), "A-1", None).await;
    assert!(matches!(refused, Err(PutError::Storage(StorageError::NotFound))), "{refused:?}");
    assert_eq!(
        businesses::find(db, theirs).await.unwrap(),
        Some(other.clone()),
        "nothing of theirs has changed"
    );
    let own = testing::resource(db, &other, 1).await;
    put(db, theirs, "A-1", &draft(&own, 60, 120)).await.unwrap();
    assert_eq!(bookings::find(db, business.id, "A-1").await.unwrap(), Some(made));
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
    let dentist = NewOutsideEvent {
        business: business.id,
        staff: ana.id,
        calendar,
        external_id: "dentist",
        series: None,
        etag: None,
        interval: Interval { start: at(30), end: at(90) },
        tentative: false,
    };
    outside_events::upsert(&mut tx, &dentist, precise(-600)).await.unwrap();
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

async fn a_cancellation_leaves_what_was_said_meanwhile(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    put(db, business.id, "B-1", &draft(&room, 0, 60)).await.unwrap();
    let renamed = BookingDraft { title: "Said last".to_owned(), ..draft(&room, 0, 60) };
    put(db, business.id, "B-1", &renamed).await.unwrap();
    let stale = bookings::cancel(db, &change(business.id), "B-1", Some(1)).await;
    assert!(matches!(stale, Err(PutError::Stale { current: 2 })), "{stale:?}");
    let cancelled = bookings::cancel(db, &change(business.id), "B-1", None).await.unwrap().booking;
    assert_eq!(
        (cancelled.draft.status, cancelled.draft.title.as_str()),
        (BookingStatus::Cancelled, "Said last")
    );
    let none = bookings::cancel(db, &change(business.id), "B-2", None).await;
    assert!(matches!(none, Err(PutError::Storage(StorageError::NotFound))), "{none:?}");
}

async fn a_search_knows_all_letters(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let said = BookingDraft { title: "\u{C9}VORA \u{41B}\u{415}\u{421}".to_owned(), ..draft(&room, 0, 60) };
    put(db, business.id, "B-1", &said).await.unwrap();
    for words in ["\u{E9}vora", "\u{C9}vora", "\u{43B}\u{435}\u{441}", "b-1"] {
        let filter = BookingFilter { search: Some(words.to_owned()), ..BookingFilter::default() };
        let found = bookings::list(db, business.id, &filter, &first(10)).await.unwrap();
        assert_eq!(found.items.len(), 1, "{words}");
    }
}

concord_storage::on_both_databases!(
    what_is_written_is_read_back,
    a_change_counts_and_is_written_down,
    the_time_is_held_from_the_first_to_the_last_minute,
    a_refusal_says_what_is_there_and_what_is_free,
    more_units_than_there_are_is_a_fault_of_the_field,
    a_stay_leaves_its_last_day_free,
    buffers_are_kept_free,
    people_do_one_thing_at_a_time,
    of_many_who_want_the_last_unit_one_gets_it,
    of_many_with_one_reference_one_creates,
    crossing_changes_come_to_an_end,
    what_is_not_of_the_business_is_refused_by_field,
    another_business_finds_no_booking,
    a_booking_in_conflict_can_still_be_changed,
    a_cancellation_leaves_what_was_said_meanwhile,
    a_search_knows_all_letters,
);
