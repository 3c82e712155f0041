use concord_domain::{
    audit::HistorySubject,
    booking::{BookingDraft, BookingKind, BookingStatus},
    ids::{BookingId, BusinessId, ResourceId, StaffId},
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, DbOptions, StorageError,
    bookings::{self, BookingFilter, FeedRange, PutError, WrittenBooking},
    businesses, history, resources,
    testing::{self, TestDb, at, begin, commit, draft, monday},
};
use uuid::Uuid;

use crate::{at_once, first, precise};

pub(crate) fn change(business: BusinessId) -> ChangeContext {
    ChangeContext { business, actor: Actor::System, now: precise(-600) }
}

pub(crate) async fn put(
    db: &Db,
    business: BusinessId,
    reference: &str,
    draft: &BookingDraft,
) -> Result<WrittenBooking, PutError> {
    bookings::put(db, &change(business), reference, draft, None).await
}

pub(crate) async fn is_taken(db: &Db, business: BusinessId, reference: &str, draft: &BookingDraft) -> bool {
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
    assert!(made.created && made.jobs.is_empty());
    assert_eq!((made.booking.version, made.booking.created_at), (1, precise(-600)));
    let found = bookings::find(db, business.id, "B-17").await.unwrap().unwrap();
    assert_eq!(found, made.booking);
    assert_eq!(found.draft, BookingDraft { staff: staff.to_vec(), ..said });
    let id = found.id;
    assert_eq!(bookings::by_id(db, business.id, id).await.unwrap(), Some(found.clone()));
    let whole = bookings::in_context(db, business.id, id).await.unwrap().unwrap();
    assert_eq!((whole.booking, whole.resource, whole.resource_zone), (found, room.name.clone(), room.zone));
    assert_eq!((whole.business, whole.business_zone), (business.name.clone(), business.zone));
    assert_eq!((whole.privacy, whole.mark_cancelled), (business.entry_privacy, business.mark_cancelled));
    assert!(bookings::in_context(db, BusinessId(Uuid::nil()), id).await.unwrap().is_none());
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

    let lines = history::list_for_subject(db, business.id, made.id.0, &first(10)).await.unwrap().items;
    let mut actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["cancelled", "changed", "created"]);
    assert!(lines.iter().all(|line| line.subject_kind == HistorySubject::Booking));
    let changed = lines.iter().find(|line| line.action == "changed").unwrap();
    assert_eq!(changed.detail["changes"]["title"], serde_json::json!(["Massage", "Sauna"]));
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
    resources::set_archived(&mut tx, business.id, room.id, Some(monday())).await.unwrap();
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
    let ask = FeedRange { from: at(0), most: 9 };
    assert_eq!(bookings::of_business(db, theirs, ask).await.unwrap(), []);
    assert_eq!(bookings::list_for_resource_feed(db, theirs, room.id, ask).await.unwrap(), []);
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
    of_many_with_one_reference_one_creates,
    crossing_changes_come_to_an_end,
    what_is_not_of_the_business_is_refused_by_field,
    another_business_finds_no_booking,
    a_cancellation_leaves_what_was_said_meanwhile,
    a_search_knows_all_letters,
);
