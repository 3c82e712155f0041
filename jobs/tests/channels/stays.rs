//! How long a stay is, and whether it is agreed on.

use concord_domain::booking::{BookingDraft, BookingStatus, BookingTime};
use concord_services::channels::{import::ImportSource, preview::preview};
use concord_storage::{bookings, testing::TestDb};

use crate::{
    feed_server::{nights, reserved},
    fixture::ChannelFixture,
};

async fn without_an_end_a_stay_neither_goes_nor_shrinks(db: &TestDb) {
    let ends = "DTEND;VALUE=DATE:20261206";
    for (platform, uid) in [("airbnb", "a"), ("booking_com", "another")] {
        for broken in [
            "X-NOTHING:1",
            "DTEND;VALUE=DATE:20261203",
            "DTEND;VALUE=DATE:soon",
            "DURATION:P0D",
            "DTEND:20261202",
        ] {
            let fixture = ChannelFixture::new(db).await;
            let others = [reserved("b", 10, 12), reserved("c", 20, 22)].concat();
            fixture.site.events(&[reserved("a", 3, 6), others.clone()]);
            let channel = fixture.on(platform).await;
            fixture.site.events(&[reserved(uid, 3, 6).replace(ends, broken), others.clone()]);
            fixture.later(30).await;
            let standing = fixture.standing().await;
            assert_eq!(standing.len(), 3, "{platform} {broken}");
            assert!(standing[0].starts_with("3-6 "), "{platform} {broken}: {standing:?}");
            let error = fixture.channel(channel).await.last_error.unwrap_or_default();
            assert!(error.contains("has no end"), "{platform} {broken}: {error}");
            // Hours without a length, too.
            let timed = |end: &str| {
                format!(
                    "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:20261203T150000Z\r\n{end}SUMMARY:Reserved\r\nEND:VEVENT\r\n"
                )
            };
            fixture.site.events(&[timed("DTEND:20261206T090000Z\r\n"), others.clone()]);
            fixture.later(2).await;
            fixture.site.events(&[timed(""), others]);
            fixture.later(30).await;
            assert_eq!(
                (fixture.standing().await.len(), fixture.items(channel).await[0].ends_at.to_rfc3339()),
                (3, "2026-12-06T09:00:00+00:00".to_owned()),
                "{platform} {broken}"
            );
        }
    }
}

async fn block_begun_long_ago_keeps_its_nights_without_an_end(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let works = nights("works", "Airbnb (Not available)", 3, 20).replace("DATE:20261203", "DATE:20261001");
    let others = [reserved("b", 21, 22), reserved("c", 24, 26)].concat();
    fixture.site.events(&[works.clone(), others.clone()]);
    let channel = fixture.on("airbnb").await;
    assert_eq!(fixture.standing().await.len(), 3);
    fixture.site.events(&[works.replace("DTEND;VALUE=DATE:20261220\r\n", ""), others]);
    fixture.later(30).await;
    assert_eq!(fixture.standing().await.len(), 3);
    assert!(!fixture.book("ours", 5, 7).await, "its nights were free");
    let error = fixture.channel(channel).await.last_error.unwrap_or_default();
    assert!(error.contains("has no end"), "{error}");
}

async fn a_block_of_years_is_held_whole(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    assert!(fixture.book("ours", 10, 12).await);
    let years = nights("a", "Blocked", 3, 5).replace("20261205", "20361205");
    fixture.site.events(&[years]);
    let wish = fixture.wish("vrbo", ImportSource::Address(fixture.site.url.clone().into()));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    let end = foreseen.events[0].interval.end;
    assert_eq!(end.date_naive().to_string(), "2036-12-05");
    let channel = fixture.on("vrbo").await;
    let reference = fixture.items(channel).await[0].reference.clone().unwrap();
    let block = fixture.booking(&reference).await;
    assert_eq!(block.interval.end, end);
    let in_years = BookingTime::Stay {
        check_in: "2034-05-01".parse().unwrap(),
        check_out: "2034-05-03".parse().unwrap(),
    };
    assert!(!fixture.book_at("late", in_years).await);
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (2, 0));
    // What is free again in its midst is held again.
    fixture.cancel("ours").await;
    assert!(!fixture.book("again", 10, 11).await);
    // People can write on it, though they could not make one.
    let draft = BookingDraft { notes: "closed for good".into(), ..block.draft };
    bookings::put(db, &fixture.change(), &reference, &draft, None).await.unwrap();
}

async fn tentative_is_pending_until_it_is_agreed_on(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let agreed = nights("a", "Reserved - Maria", 3, 5);
    let asked = agreed.replace("SUMMARY", "STATUS:TENTATIVE\r\nSUMMARY");
    fixture.site.events(std::slice::from_ref(&asked));
    let channel = fixture.on("vrbo").await;
    let reference = fixture.items(channel).await[0].reference.clone().unwrap();
    let status = async || fixture.booking(&reference).await.draft.status;
    assert_eq!(status().await, BookingStatus::Pending);
    assert!(!fixture.book("ours", 4, 6).await, "it holds its nights");
    fixture.site.events(&[agreed]);
    fixture.later(2).await;
    assert_eq!(status().await, BookingStatus::Confirmed);
    // What was decided here stays.
    let booking = fixture.booking(&reference).await;
    let draft = BookingDraft { status: BookingStatus::InProgress, ..booking.draft };
    bookings::put(db, &fixture.change(), &reference, &draft, None).await.unwrap();
    fixture.site.events(&[asked]);
    fixture.later(2).await;
    assert_eq!(status().await, BookingStatus::InProgress);
}

concord_storage::on_both_databases!(
    without_an_end_a_stay_neither_goes_nor_shrinks,
    block_begun_long_ago_keeps_its_nights_without_an_end,
    a_block_of_years_is_held_whole,
    tentative_is_pending_until_it_is_agreed_on,
);
