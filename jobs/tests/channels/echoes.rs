//! What we publish comes back, and is no booking; what a platform does not know yet, it may sell.

use concord_domain::{
    channel::{ItemKind, Settled},
    ical::uid,
    people::Actor,
};
use concord_jobs::channels::{exposure, quarantine::ReviewError, unconfirmed};
use concord_services::channels::{
    ChannelError,
    import::{self, ImportSource},
    preview::preview,
};
use concord_storage::testing::TestDb;

use crate::{
    feed_server::{FeedServer, nights, reserved},
    fixture::ChannelFixture,
};

async fn what_we_published_comes_back_as_an_echo(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let airbnb = fixture.on("airbnb").await;
    assert!(fixture.book("ours", 3, 5).await);
    fixture.platform_reads(airbnb).await;
    fixture.site.events(&[nights("n", "Airbnb (Not available)", 3, 5), reserved("a", 7, 9)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await.len(), 2);
    assert_eq!(fixture.items(airbnb).await[0].kind, ItemKind::Echo);
    assert_eq!(fixture.conflicts().await, 0);

    // Ours goes; the platform shows it until it has read that, and a little longer.
    fixture.cancel("ours").await;
    fixture.later(3).await;
    assert_eq!(fixture.standing().await, ["7-9 airbnb: Reserved"]);
    fixture.platform_reads(airbnb).await;
    fixture.site.events(&[reserved("a", 7, 9)]);
    fixture.later(2).await;
    assert_eq!(fixture.items(airbnb).await.len(), 1);
    // What is sold there now on these nights is sold.
    fixture.site.events(&[reserved("new", 3, 5), reserved("a", 7, 9)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["3-5 airbnb: Reserved", "7-9 airbnb: Reserved"]);
}

/// The feed of all bookings comes back by a calendar that subscribes to it and gives UIDs of its own.
async fn a_subscribers_calendar_gives_back_what_it_has_read(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let google = fixture.on("google").await;
    assert!(fixture.book("ours", 3, 5).await);
    fixture.subscriber_reads().await;
    let own = nights("own", "Painting", 20, 22);
    // A part of our nights is no copy of them.
    let part = nights("part", "Sauna is cold", 3, 4);
    fixture.site.events(&[nights("copy@google.com", "Busy", 3, 5), part.clone(), own.clone()]);
    fixture.later(2).await;
    let kinds = async || fixture.items(google).await.iter().map(|item| item.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds().await.iter().filter(|kind| **kind == ItemKind::Echo).count(),
        1,
        "{:?}",
        kinds().await
    );
    assert_eq!(fixture.standing().await, ["3-5 Maria Silva", "3-4 block", "20-22 block"]);

    // Ours goes, and the calendar shows it until it has read that: it holds nothing, and so does not come back for ever.
    fixture.site.events(&[nights("copy@google.com", "Busy", 3, 5), own.clone()]);
    fixture.cancel("ours").await;
    fixture.later(3).await;
    assert_eq!(fixture.standing().await, ["20-22 block"]);
    fixture.site.events(std::slice::from_ref(&own));
    fixture.later(2).await;
    // What a person enters there on these nights then is theirs.
    fixture.site.events(&[nights("theirs", "Family", 3, 5), own]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["3-5 block", "20-22 block"]);
}

async fn who_sells_the_nights_of_a_feed_is_in_conflict(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.on("generic").await;
    assert!(fixture.book("ours", 3, 5).await);
    fixture.subscriber_reads().await;
    fixture.site.events(&[nights("x", "Party", 3, 5)]);
    fixture.later(2).await;
    assert_eq!(fixture.conflicts().await, 1);
}

async fn what_a_platform_has_not_read_is_no_echo(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let booking_com = fixture.on("booking_com").await;
    assert!(fixture.book("ours", 3, 5).await);
    // It has sold the same nights before it read ours.
    fixture.site.events(&[nights("x", "CLOSED - Not available", 3, 5)]);
    fixture.later(2).await;
    assert_eq!(fixture.items(booking_com).await[0].kind, ItemKind::Reservation);
    assert_eq!(fixture.conflicts().await, 1);
    // And it stays sold when it has read ours.
    fixture.platform_reads(booking_com).await;
    fixture.later(2).await;
    assert_eq!(fixture.conflicts().await, 1);
}

async fn two_platforms_close_each_other(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let (airbnb, other) = (fixture.on("airbnb").await, FeedServer::start().await);
    let booking_com = fixture.add_channel_at("booking_com", &other).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    fixture.later(2).await;
    fixture.platform_reads(booking_com).await;
    other.events(&[nights("x", "CLOSED - Not available", 3, 5)]);
    fixture.later(2).await;
    fixture.platform_reads(airbnb).await;
    fixture.later(30).await;
    assert_eq!(fixture.standing().await, ["3-5 airbnb: Reserved"]);
    assert_eq!(fixture.conflicts().await, 0);
    // The first calls it off: both are free.
    fixture.site.events(&[nights("keep", "Reserved", 20, 22)]);
    fixture.later(30).await;
    fixture.platform_reads(booking_com).await;
    other.events(&[]);
    fixture.later(30).await;
    assert_eq!(fixture.standing().await, ["20-22 airbnb: Reserved"]);
}

async fn what_a_platform_does_not_know_is_counted(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 20, 22)]);
    let airbnb = fixture.on("airbnb").await;
    assert!(fixture.book("ours", 3, 5).await);
    let told =
        async || exposure::exposure(db, &fixture.channel(airbnb).await, fixture.clock.now()).await.unwrap();
    let before = told().await;
    assert_eq!((before.nights(), before.unknown.len(), before.last_read.is_none()), (2, 1, true));
    fixture.platform_reads(airbnb).await;
    assert_eq!(told().await.nights(), 0);
    assert!(fixture.book("more", 7, 10).await);
    let after = told().await;
    assert_eq!((after.nights(), after.unknown[0].reference.as_str()), (3, "more"));
    assert!(after.last_read.unwrap().revision < after.revision);
}

async fn a_night_is_exposed_once_and_never_where_the_platform_sold_it(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let airbnb = fixture.on("airbnb").await;
    assert!(fixture.book("first", 3, 5).await);
    assert!(fixture.book("second", 7, 9).await);
    let nights = async || {
        let now = fixture.clock.now();
        let one = exposure::exposure(db, &fixture.channel(airbnb).await, now).await.unwrap().nights();
        let all = exposure::exposed_nights_by_channel(db, fixture.business.id, now).await.unwrap();
        assert_eq!(all.get(&airbnb).copied().unwrap_or(0), one, "told alike everywhere");
        one
    };
    assert_eq!(nights().await, 4);
    // Airbnb sells two of them itself, before it has read that they are taken.
    fixture.site.events(&[reserved("a", 4, 8)]);
    fixture.later(30).await;
    assert_eq!(nights().await, 2, "4 to 5 and 7 to 8 are sold there");
    // Of what is sold there whole nothing is exposed, and it is not listed.
    fixture.site.events(&[reserved("a", 4, 8), reserved("b", 8, 9)]);
    fixture.later(30).await;
    let exposed = exposure::exposure(db, &fixture.channel(airbnb).await, fixture.clock.now()).await.unwrap();
    let references: Vec<&str> = exposed.unknown.iter().map(|one| one.reference.as_str()).collect();
    assert_eq!((exposed.nights(), references), (1, vec!["first"]));
}

async fn what_was_published_is_no_booking_where_all_is_unclear(db: &TestDb) {
    for platform in ["generic", "lekkeslaap", "safarinow"] {
        let fixture = ChannelFixture::new(db).await;
        let channel = fixture.on(platform).await;
        assert!(fixture.book("ours", 3, 5).await && fixture.book("next", 5, 8).await);
        fixture.platform_reads(channel).await;
        // Under new UIDs; joined; and beside what was sold.
        for echoes in [
            vec![nights("x", "Busy", 3, 5), nights("y", "Busy", 5, 8)],
            vec![nights("joined", "Imported", 3, 8)],
        ] {
            fixture.site.events(&[echoes, vec![nights("sold", "Family Alpha", 10, 12)]].concat());
            fixture.later(2).await;
            let standing = fixture.standing().await;
            assert_eq!((standing.len(), fixture.conflicts().await), (3, 0), "{platform}: {standing:?}");
        }
    }
}

async fn own_uids_are_no_bookings_on_any_way_in(db: &TestDb) {
    for platform in ["generic", "airbnb", "agoda"] {
        let fixture = ChannelFixture::new(db).await;
        assert!(fixture.book("ours", 3, 5).await && fixture.book("gone", 7, 9).await);
        let host = "an.older.example";
        let [ours, gone] = [fixture.booking("ours").await.id, fixture.booking("gone").await.id];
        fixture.cancel("gone").await;
        // By the general feed nobody has noted what was published.
        let events = [
            nights(&uid(ours, host), "Booking: Maria", 3, 5),
            nights(&uid(gone, host), "Reserved", 7, 9),
            reserved("sold", 20, 22),
        ];
        fixture.site.events(&events);
        let file =
            ImportSource::File(format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", events.concat()).into());
        let foreseen = preview(&fixture.context, &fixture.wish(platform, file.clone())).await.unwrap();
        assert_eq!(foreseen.counts.imported, 1, "{platform}");
        let taken = import::import(&fixture.context, &fixture.wish(platform, file)).await.unwrap();
        assert_eq!((taken.counts.imported, taken.counts.conflicts), (1, 0), "{platform}");
        let by_address = fixture.wish(platform, ImportSource::Address(fixture.site.url.clone().into()));
        assert!(!import::import(&fixture.context, &by_address).await.unwrap().changed(), "{platform}");
        fixture.on(platform).await;
        fixture.later(2).await;
        assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (2, 0), "{platform}");
        // Those of another business are its own affair.
        let other = ChannelFixture::new(db).await;
        other.site.events(&events);
        other.on(platform).await;
        assert_eq!(other.standing().await.len(), 3, "{platform}");
    }
}

async fn our_own_address_is_refused_before_it_is_fetched(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let airbnb = fixture.on("airbnb").await;
    let token = fixture.token_of(airbnb).await;
    let asked = fixture.site.asked();
    for address in [
        "https://book.example/feeds/cf_whatever.ics".to_owned(),
        format!("http://WWW.book.example/api/ical/bookings.ics?token={token}"),
        // Under another name, whose server would be asked.
        format!("{}&token={token}", fixture.site.url),
        format!("http://127.0.0.1:1/feeds/{token}.ics"),
    ] {
        let wish = fixture.wish("generic", ImportSource::Address(address.clone().into()));
        for refused in [
            preview(&fixture.context, &wish).await.err().map(|error| error.to_string()),
            import::import(&fixture.context, &wish).await.err().map(|error| error.to_string()),
            import::check_readable(&fixture.context, &wish).await.err().map(|error| error.to_string()),
        ] {
            assert!(
                refused.as_ref().is_some_and(|text| text.contains("one of Concord's own feeds")),
                "{refused:?}"
            );
        }
        let refused = fixture.connect("generic", &address).await;
        assert!(matches!(refused, Err(ChannelError::OwnFeed)), "{refused:?}");
    }
    assert_eq!(fixture.site.asked(), asked);
}

/// Ours over 3 to 5 was read there, and given back; then it is called off here, and the platform has read that.
async fn freed(db: &TestDb) -> (ChannelFixture<'_>, concord_domain::ids::ChannelId) {
    let fixture = ChannelFixture::new(db).await;
    let channel = fixture.on("booking_com").await;
    assert!(fixture.book("ours", 3, 5).await);
    fixture.platform_reads(channel).await;
    fixture.site.events(&[nights("x", CLOSED, 3, 5)]);
    fixture.later(2).await;
    fixture.cancel("ours").await;
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, Vec::<String>::new(), "until it has read so, it cannot sell them");
    fixture.platform_reads(channel).await;
    (fixture, channel)
}

const CLOSED: &str = "CLOSED - Not available";

async fn freed_nights_are_held_while_unconfirmed(db: &TestDb) {
    let (fixture, channel) = freed(db).await;
    // Sold there, under whatever UID.
    fixture.site.events(&[nights("sold", CLOSED, 3, 5)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["3-5 block"]);
    assert!(!fixture.book("again", 4, 6).await, "it may be sold there");
    let warnings = unconfirmed::events(&fixture.context, &fixture.channel(channel).await).await.unwrap();
    assert_eq!(warnings.len(), 1);
    // A day later it is no echo.
    fixture.later(25).await;
    assert_eq!((fixture.standing().await, fixture.conflicts().await), (vec![sold_there()], 0));
}

fn sold_there() -> String {
    format!("3-5 booking_com: {CLOSED}")
}

async fn unconfirmed_event_ends_when_the_platform_drops_it(db: &TestDb) {
    let (fixture, channel) = freed(db).await;
    fixture.later(2).await;
    assert_eq!(fixture.items(channel).await[0].kind, ItemKind::Unconfirmed);
    fixture.site.events(&[]);
    fixture.later(2).await;
    assert_eq!((fixture.standing().await, fixture.channel(channel).await.import_guard), (vec![], None));
    assert!(fixture.book("again", 4, 6).await);
}

async fn unconfirmed_event_is_settled_by_an_answer(db: &TestDb) {
    for (settled, standing) in [(Settled::Booking, vec![sold_there()]), (Settled::Ours, vec![])] {
        let (fixture, channel) = freed(db).await;
        fixture.later(2).await;
        let place = (channel, fixture.items(channel).await[0].id);
        let settle = async || {
            unconfirmed::settle(&fixture.context, fixture.business.id, place, settled, &Actor::System).await
        };
        settle().await.unwrap();
        assert_eq!(fixture.standing().await, standing);
        let again = settle().await;
        assert!(matches!(again, Err(ReviewError::Nothing)), "{again:?}");
        // It stays said, under other UIDs too.
        fixture.site.events(&[nights("other", CLOSED, 3, 5)]);
        fixture.later(30).await;
        assert_eq!((fixture.standing().await, fixture.conflicts().await), (standing, 0), "{settled}");
    }
}

concord_storage::on_both_databases!(
    a_subscribers_calendar_gives_back_what_it_has_read,
    who_sells_the_nights_of_a_feed_is_in_conflict,
    what_was_published_is_no_booking_where_all_is_unclear,
    own_uids_are_no_bookings_on_any_way_in,
    our_own_address_is_refused_before_it_is_fetched,
    freed_nights_are_held_while_unconfirmed,
    unconfirmed_event_ends_when_the_platform_drops_it,
    unconfirmed_event_is_settled_by_an_answer,
    what_we_published_comes_back_as_an_echo,
    what_a_platform_has_not_read_is_no_echo,
    two_platforms_close_each_other,
    what_a_platform_does_not_know_is_counted,
    a_night_is_exposed_once_and_never_where_the_platform_sold_it,
);
