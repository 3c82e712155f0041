//! Lists of bookings: for pages, for feeds, for a connection.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus},
    ids::BookingId,
    people::Actor,
};
use concord_storage::{
    ChangeContext, StorageError,
    bookings::{self, BookingFilter, FeedRange, PutError},
    businesses, people, resources,
    testing::{self, TestDb, at, draft},
};
use serde_json::json;
use uuid::Uuid;

use crate::{bookings::put, first, following, is_not_found};

fn references(bookings: &[Booking]) -> Vec<&str> {
    bookings.iter().map(|booking| booking.reference.as_str()).collect()
}

async fn bookings_are_listed_by_start_and_narrowed(db: &TestDb) {
    let business = testing::business(db).await;
    let rooms = [testing::resource(db, &business, 9).await, testing::resource(db, &business, 9).await];
    let ana = testing::staff(db, &business, "Ana").await.id;
    let cases = [
        ("C", draft(&rooms[0], 100, 160)),
        ("A", BookingDraft { staff: vec![ana], ..draft(&rooms[0], 0, 60) }),
        ("B", BookingDraft { status: BookingStatus::Pending, ..draft(&rooms[1], 50, 110) }),
        (
            "D",
            BookingDraft {
                kind: BookingKind::Block,
                title: "100% Paint_job".to_owned(),
                ..draft(&rooms[1], 100, 160)
            },
        ),
    ];
    for (reference, said) in &cases {
        put(db, business.id, reference, said).await.unwrap();
    }
    let listed = async |filter: BookingFilter| {
        let page = bookings::list(db, business.id, &filter, &first(10)).await.unwrap();
        references(&page.items).join("")
    };
    let all = BookingFilter::default;
    assert!(["ABCD", "ABDC"].contains(&listed(all()).await.as_str()));
    assert_eq!(listed(BookingFilter { resource: Some(rooms[1].id), ..all() }).await, "BD");
    assert_eq!(listed(BookingFilter { staff: Some(ana), ..all() }).await, "A");
    assert_eq!(listed(BookingFilter { status: Some(BookingStatus::Pending), ..all() }).await, "B");
    assert_eq!(listed(BookingFilter { kind: Some(BookingKind::Block), ..all() }).await, "D");
    assert_eq!(listed(BookingFilter { until: Some(at(100)), ..all() }).await, "AB");
    assert_eq!(listed(BookingFilter { from: Some(at(60)), until: Some(at(100)), ..all() }).await, "B");
    let search = |text: &str| BookingFilter { search: Some(text.to_owned()), ..all() };
    assert_eq!(listed(search("PAINT_JOB")).await, "D");
    assert_eq!(listed(search("100%")).await, "D");
    assert_eq!(listed(search("maria@example")).await.len(), 4);
    assert_eq!(listed(search("nobody")).await, "");

    let page = bookings::list(db, business.id, &all(), &first(3)).await.unwrap();
    let rest = bookings::list(db, business.id, &all(), &following(3, page.next)).await.unwrap();
    let mut seen = [page.items, rest.items].concat();
    assert_eq!((seen.len(), rest.next), (4, None));
    assert_eq!(seen[0].draft.staff, [ana]);
    seen.dedup_by_key(|booking| booking.id);
    assert_eq!(seen.len(), 4);
}

async fn a_feed_holds_what_stands(db: &TestDb) {
    let business = testing::business(db).await;
    let rooms = [testing::resource(db, &business, 9).await, testing::resource(db, &business, 9).await];
    let ana = testing::staff(db, &business, "Ana").await.id;
    let with_ana = |draft: BookingDraft| BookingDraft { staff: vec![ana], ..draft };
    for (reference, said) in [
        ("over", with_ana(draft(&rooms[0], -60, 0))),
        ("mine", with_ana(draft(&rooms[0], 0, 60))),
        ("there", draft(&rooms[1], 60, 120)),
        ("asked-for", BookingDraft { status: BookingStatus::Pending, ..draft(&rooms[0], 120, 180) }),
        ("off", BookingDraft { status: BookingStatus::Cancelled, ..draft(&rooms[0], 180, 240) }),
    ] {
        put(db, business.id, reference, &said).await.unwrap();
    }
    let ask = FeedRange { from: at(0), most: 100 };
    let whole = bookings::of_business(db, business.id, ask).await.unwrap();
    assert_eq!(references(&whole), ["mine", "there", "asked-for"]);
    assert_eq!(whole[0].draft.staff, [ana]);
    let room = bookings::list_for_resource_feed(db, business.id, rooms[0].id, ask).await.unwrap();
    assert_eq!(references(&room), ["mine", "asked-for"], "who reads it must not sell what is asked for");
    let earlier = FeedRange { from: at(-60), most: 100 };
    let hers = bookings::of_staff(db, business.id, ana, earlier).await.unwrap();
    assert_eq!(references(&hers), ["over", "mine"]);
    let part = bookings::of_business(db, business.id, FeedRange { from: at(0), most: 2 }).await.unwrap();
    assert_eq!(references(&part), ["there", "asked-for"], "the past is left out, not what is to come");
}

async fn a_connection_is_told_what_concerns_it(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    let ana = testing::staff(db, &business, "Ana").await;
    let with_ana = |draft: BookingDraft| BookingDraft { staff: vec![ana.id], ..draft };
    for (reference, said) in [
        ("over", with_ana(draft(&room, -120, -60))),
        ("first", with_ana(draft(&room, 0, 60))),
        ("others", draft(&room, 0, 60)),
        ("off", BookingDraft { status: BookingStatus::Cancelled, ..with_ana(draft(&room, 60, 120)) }),
        ("second", with_ana(draft(&room, 60, 120))),
    ] {
        put(db, business.id, reference, &said).await.unwrap();
    }
    let connection = testing::connection(db, &testing::keyring(), &ana).await;
    testing::calendar(db, &ana, connection).await;
    let start = BookingId(Uuid::nil());
    let told = bookings::concerning(db, business.id, connection, at(0), start, 10).await.unwrap();
    let mut names = references(&told);
    names.sort_unstable();
    assert_eq!(names, ["first", "second"]);
    assert!(told[0].id < told[1].id && told[0].draft.staff == [ana.id]);
    let part = bookings::concerning(db, business.id, connection, at(0), start, 1).await.unwrap();
    let rest = bookings::concerning(db, business.id, connection, at(0), part[0].id, 10).await.unwrap();
    assert_eq!([part, rest].concat(), told);
}

/// Whatever is asked for: no text that somebody sends makes a database fail, and both answer alike.
async fn no_text_is_too_strange_to_be_looked_for(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 9).await;
    put(db, business.id, "a", &draft(&room, 0, 60)).await.unwrap();
    let long = "m".repeat(60_000);
    for reference in ["a\0b", "\0", "a\nb", "a\u{85}", "", &long] {
        assert_eq!(bookings::find(db, business.id, reference).await.unwrap(), None, "{reference:?}");
        let change = ChangeContext { business: business.id, actor: Actor::System, now: at(0) };
        let cancelled = bookings::cancel(db, &change, reference, None).await;
        assert!(matches!(cancelled, Err(PutError::Storage(StorageError::NotFound))), "{cancelled:?}");
    }
    for (search, found) in [("\0", 1), ("mar\0ia", 1), ("\0maria\n", 1), ("zz\0", 0), (&long, 0)] {
        let filter = BookingFilter { search: Some(search.to_owned()), ..BookingFilter::default() };
        let page = bookings::list(db, business.id, &filter, &first(10)).await.unwrap();
        assert_eq!(page.items.len(), found, "{search:.10?}");
    }
    let cursor = URL_SAFE_NO_PAD.encode(json!(["a\0b", Uuid::nil()]).to_string());
    let ask = following(10, Some(cursor));
    let rooms = resources::list(db, business.id, &ask).await;
    assert!(matches!(rooms, Err(StorageError::BadCursor)), "{rooms:?}");
    let staff = people::list_staff(db, business.id, &ask).await;
    assert!(matches!(staff, Err(StorageError::BadCursor)), "{staff:?}");
    // A place that nobody thought of.
    assert_eq!(businesses::find_by_slug(db, "no-such").await.unwrap(), None);
    is_not_found(
        businesses::find_by_slug(db, "a\0b").await.and_then(|found| found.ok_or(StorageError::NotFound)),
    );
}

concord_storage::on_both_databases!(
    bookings_are_listed_by_start_and_narrowed,
    a_feed_holds_what_stands,
    a_connection_is_told_what_concerns_it,
    no_text_is_too_strange_to_be_looked_for,
);
