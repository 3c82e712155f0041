//! What we publish comes back, and is no booking; what a platform does not know yet, it may sell.

use concord_domain::{
    channel::{ItemKind, Settled},
    ical::uid,
    people::Actor,
};
use concord_jobs::channels::{
    exposure,
    held::WordError,
    import::{self, From},
    in_doubt,
    manage::ChannelError,
    preview::preview,
};
use concord_storage::testing::TestDb;

use crate::{
    site::{Site, nights, reserved},
    world::World,
};

async fn what_we_published_comes_back_as_an_echo(db: &TestDb) {
    let world = World::new(db).await;
    let airbnb = world.on("airbnb").await;
    assert!(world.book("ours", 3, 5).await);
    world.platform_reads(airbnb).await;
    world.site.events(&[nights("n", "Airbnb (Not available)", 3, 5), reserved("a", 7, 9)]);
    world.later(2).await;
    assert_eq!(world.standing().await.len(), 2);
    assert_eq!(world.items(airbnb).await[0].kind, ItemKind::Echo);
    assert_eq!(world.conflicts().await, 0);

    // Ours goes; the platform shows it until it has read that, and a little longer.
    world.cancel("ours").await;
    world.later(3).await;
    assert_eq!(world.standing().await, ["7-9 airbnb: Reserved"]);
    world.platform_reads(airbnb).await;
    world.site.events(&[reserved("a", 7, 9)]);
    world.later(2).await;
    assert_eq!(world.items(airbnb).await.len(), 1);
    // What is sold there now on these nights is sold.
    world.site.events(&[reserved("new", 3, 5), reserved("a", 7, 9)]);
    world.later(2).await;
    assert_eq!(world.standing().await, ["3-5 airbnb: Reserved", "7-9 airbnb: Reserved"]);
}

/// The feed of all bookings comes back by a calendar that subscribes to it and gives UIDs of its own.
async fn a_subscribers_calendar_gives_back_what_it_has_read(db: &TestDb) {
    let world = World::new(db).await;
    let google = world.on("google").await;
    assert!(world.book("ours", 3, 5).await);
    world.a_subscriber_reads().await;
    let own = nights("own", "Painting", 20, 22);
    // A part of our nights is no copy of them.
    let part = nights("part", "Sauna is cold", 3, 4);
    world.site.events(&[nights("copy@google.com", "Busy", 3, 5), part.clone(), own.clone()]);
    world.later(2).await;
    let kinds = async || world.items(google).await.iter().map(|item| item.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds().await.iter().filter(|kind| **kind == ItemKind::Echo).count(),
        1,
        "{:?}",
        kinds().await
    );
    assert_eq!(world.standing().await, ["3-5 Maria Silva", "3-4 block", "20-22 block"]);

    // Ours goes, and the calendar shows it until it has read that: it holds nothing, and so does not come back for ever.
    world.site.events(&[nights("copy@google.com", "Busy", 3, 5), own.clone()]);
    world.cancel("ours").await;
    world.later(3).await;
    assert_eq!(world.standing().await, ["20-22 block"]);
    world.site.events(std::slice::from_ref(&own));
    world.later(2).await;
    // What a person enters there on these nights then is theirs.
    world.site.events(&[nights("theirs", "Family", 3, 5), own]);
    world.later(2).await;
    assert_eq!(world.standing().await, ["3-5 block", "20-22 block"]);
}

async fn who_sells_the_nights_of_a_feed_is_in_conflict(db: &TestDb) {
    let world = World::new(db).await;
    world.on("generic").await;
    assert!(world.book("ours", 3, 5).await);
    world.a_subscriber_reads().await;
    world.site.events(&[nights("x", "Party", 3, 5)]);
    world.later(2).await;
    assert_eq!(world.conflicts().await, 1);
}

async fn what_a_platform_has_not_read_is_no_echo(db: &TestDb) {
    let world = World::new(db).await;
    let booking_com = world.on("booking_com").await;
    assert!(world.book("ours", 3, 5).await);
    // It has sold the same nights before it read ours.
    world.site.events(&[nights("x", "CLOSED - Not available", 3, 5)]);
    world.later(2).await;
    assert_eq!(world.items(booking_com).await[0].kind, ItemKind::Reservation);
    assert_eq!(world.conflicts().await, 1);
    // And it stays sold when it has read ours.
    world.platform_reads(booking_com).await;
    world.later(2).await;
    assert_eq!(world.conflicts().await, 1);
}

async fn two_platforms_close_each_other(db: &TestDb) {
    let world = World::new(db).await;
    let (airbnb, other) = (world.on("airbnb").await, Site::start().await);
    let booking_com = world.on_at("booking_com", &other).await;
    world.site.events(&[reserved("a", 3, 5)]);
    world.later(2).await;
    world.platform_reads(booking_com).await;
    other.events(&[nights("x", "CLOSED - Not available", 3, 5)]);
    world.later(2).await;
    world.platform_reads(airbnb).await;
    world.later(30).await;
    assert_eq!(world.standing().await, ["3-5 airbnb: Reserved"]);
    assert_eq!(world.conflicts().await, 0);
    // The first calls it off: both are free.
    world.site.events(&[nights("keep", "Reserved", 20, 22)]);
    world.later(30).await;
    world.platform_reads(booking_com).await;
    other.events(&[]);
    world.later(30).await;
    assert_eq!(world.standing().await, ["20-22 airbnb: Reserved"]);
}

async fn what_a_platform_does_not_know_is_counted(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&[reserved("a", 20, 22)]);
    let airbnb = world.on("airbnb").await;
    assert!(world.book("ours", 3, 5).await);
    let told =
        async || exposure::exposure(db, &world.channel(airbnb).await, world.clock.now()).await.unwrap();
    let before = told().await;
    assert_eq!((before.nights(), before.unknown.len(), before.last_read.is_none()), (2, 1, true));
    world.platform_reads(airbnb).await;
    assert_eq!(told().await.nights(), 0);
    assert!(world.book("more", 7, 10).await);
    let after = told().await;
    assert_eq!((after.nights(), after.unknown[0].reference.as_str()), (3, "more"));
    assert!(after.last_read.unwrap().revision < after.revision);
}

async fn a_night_is_exposed_once_and_never_where_the_platform_sold_it(db: &TestDb) {
    let world = World::new(db).await;
    let airbnb = world.on("airbnb").await;
    assert!(world.book("first", 3, 5).await);
    assert!(world.book("second", 7, 9).await);
    let nights = async || {
        let now = world.clock.now();
        let one = exposure::exposure(db, &world.channel(airbnb).await, now).await.unwrap().nights();
        let all = exposure::exposed_of_business(db, world.business.id, now).await.unwrap();
        assert_eq!(all.get(&airbnb).copied().unwrap_or(0), one, "told alike everywhere");
        one
    };
    assert_eq!(nights().await, 4);
    // Airbnb sells two of them itself, before it has read that they are taken.
    world.site.events(&[reserved("a", 4, 8)]);
    world.later(30).await;
    assert_eq!(nights().await, 2, "4 to 5 and 7 to 8 are sold there");
    // Of what is sold there whole nothing is exposed, and it is not listed.
    world.site.events(&[reserved("a", 4, 8), reserved("b", 8, 9)]);
    world.later(30).await;
    let exposed = exposure::exposure(db, &world.channel(airbnb).await, world.clock.now()).await.unwrap();
    let references: Vec<&str> = exposed.unknown.iter().map(|one| one.reference.as_str()).collect();
    assert_eq!((exposed.nights(), references), (1, vec!["first"]));
}

async fn what_was_published_is_no_booking_where_all_is_unclear(db: &TestDb) {
    for platform in ["generic", "lekkeslaap", "safarinow"] {
        let world = World::new(db).await;
        let channel = world.on(platform).await;
        assert!(world.book("ours", 3, 5).await && world.book("next", 5, 8).await);
        world.platform_reads(channel).await;
        // Under new UIDs; joined; and beside what was sold.
        for echoes in [
            vec![nights("x", "Busy", 3, 5), nights("y", "Busy", 5, 8)],
            vec![nights("joined", "Imported", 3, 8)],
        ] {
            world.site.events(&[echoes, vec![nights("sold", "Family Alpha", 10, 12)]].concat());
            world.later(2).await;
            let standing = world.standing().await;
            assert_eq!((standing.len(), world.conflicts().await), (3, 0), "{platform}: {standing:?}");
        }
    }
}

async fn own_uids_are_no_bookings_on_any_way_in(db: &TestDb) {
    for platform in ["generic", "airbnb", "agoda"] {
        let world = World::new(db).await;
        assert!(world.book("ours", 3, 5).await && world.book("gone", 7, 9).await);
        let host = "an.older.example";
        let [ours, gone] = [world.booking("ours").await.id, world.booking("gone").await.id];
        world.cancel("gone").await;
        // By the general feed nobody has noted what was published.
        let events = [
            nights(&uid(ours, host), "Booking: Maria", 3, 5),
            nights(&uid(gone, host), "Reserved", 7, 9),
            reserved("sold", 20, 22),
        ];
        world.site.events(&events);
        let file = From::File(format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", events.concat()).into());
        let foreseen = preview(&world.context, &world.wish(platform, file.clone())).await.unwrap();
        assert_eq!(foreseen.counts.imported, 1, "{platform}");
        let taken = import::import(&world.context, &world.wish(platform, file)).await.unwrap();
        assert_eq!((taken.counts.imported, taken.counts.conflicts), (1, 0), "{platform}");
        let by_address = world.wish(platform, From::Address(world.site.url.clone().into()));
        assert!(!import::import(&world.context, &by_address).await.unwrap().changed(), "{platform}");
        world.on(platform).await;
        world.later(2).await;
        assert_eq!((world.standing().await.len(), world.conflicts().await), (2, 0), "{platform}");
        // Those of another business are its own affair.
        let other = World::new(db).await;
        other.site.events(&events);
        other.on(platform).await;
        assert_eq!(other.standing().await.len(), 3, "{platform}");
    }
}

async fn our_own_address_is_refused_before_it_is_fetched(db: &TestDb) {
    let world = World::new(db).await;
    let airbnb = world.on("airbnb").await;
    let token = world.token_of(airbnb).await;
    let asked = world.site.asked();
    for address in [
        "https://book.example/feeds/cf_whatever.ics".to_owned(),
        format!("http://WWW.book.example/api/ical/bookings.ics?token={token}"),
        // Under another name, whose server would be asked.
        format!("{}&token={token}", world.site.url),
        format!("http://127.0.0.1:1/feeds/{token}.ics"),
    ] {
        let wish = world.wish("generic", From::Address(address.clone().into()));
        for refused in [
            preview(&world.context, &wish).await.err().map(|error| error.to_string()),
            import::import(&world.context, &wish).await.err().map(|error| error.to_string()),
            import::try_reading(&world.context, &wish).await.err().map(|error| error.to_string()),
        ] {
            assert!(
                refused.as_ref().is_some_and(|text| text.contains("one of our own feeds")),
                "{refused:?}"
            );
        }
        let refused = world.connect("generic", &address).await;
        assert!(matches!(refused, Err(ChannelError::OwnFeed)), "{refused:?}");
    }
    assert_eq!(world.site.asked(), asked);
}

/// Ours over 3 to 5 was read there, and given back; then it is called off here, and the platform has read that.
async fn freed(db: &TestDb) -> (World<'_>, concord_domain::ids::ChannelId) {
    let world = World::new(db).await;
    let channel = world.on("booking_com").await;
    assert!(world.book("ours", 3, 5).await);
    world.platform_reads(channel).await;
    world.site.events(&[nights("x", CLOSED, 3, 5)]);
    world.later(2).await;
    world.cancel("ours").await;
    world.later(2).await;
    assert_eq!(world.standing().await, Vec::<String>::new(), "until it has read so, it cannot sell them");
    world.platform_reads(channel).await;
    (world, channel)
}

const CLOSED: &str = "CLOSED - Not available";

async fn freed_nights_are_held_while_they_are_in_doubt(db: &TestDb) {
    let (world, channel) = freed(db).await;
    // Sold there, under whatever UID.
    world.site.events(&[nights("sold", CLOSED, 3, 5)]);
    world.later(2).await;
    assert_eq!(world.standing().await, ["3-5 block"]);
    assert!(!world.book("again", 4, 6).await, "it may be sold there");
    let doubts = in_doubt::events(&world.context, &world.channel(channel).await).await.unwrap();
    assert_eq!(doubts.len(), 1);
    // A day later it is no echo.
    world.later(25).await;
    assert_eq!((world.standing().await, world.conflicts().await), (vec![sold_there()], 0));
}

fn sold_there() -> String {
    format!("3-5 booking_com: {CLOSED}")
}

async fn doubt_ends_when_the_platform_shows_it_no_more(db: &TestDb) {
    let (world, channel) = freed(db).await;
    world.later(2).await;
    assert_eq!(world.items(channel).await[0].kind, ItemKind::Doubt);
    world.site.events(&[]);
    world.later(2).await;
    assert_eq!((world.standing().await, world.channel(channel).await.import_guard), (vec![], None));
    assert!(world.book("again", 4, 6).await);
}

async fn doubt_is_settled_by_word(db: &TestDb) {
    for (settled, standing) in [(Settled::Booking, vec![sold_there()]), (Settled::Ours, vec![])] {
        let (world, channel) = freed(db).await;
        world.later(2).await;
        let place = (channel, world.items(channel).await[0].id);
        let settle = async || {
            in_doubt::settle(&world.context, world.business.id, place, settled, &Actor::System).await
        };
        settle().await.unwrap();
        assert_eq!(world.standing().await, standing);
        let again = settle().await;
        assert!(matches!(again, Err(WordError::Nothing)), "{again:?}");
        // It stays said, under other UIDs too.
        world.site.events(&[nights("other", CLOSED, 3, 5)]);
        world.later(30).await;
        assert_eq!((world.standing().await, world.conflicts().await), (standing, 0), "{settled}");
    }
}

concord_storage::on_both_databases!(
    a_subscribers_calendar_gives_back_what_it_has_read,
    who_sells_the_nights_of_a_feed_is_in_conflict,
    what_was_published_is_no_booking_where_all_is_unclear,
    own_uids_are_no_bookings_on_any_way_in,
    our_own_address_is_refused_before_it_is_fetched,
    freed_nights_are_held_while_they_are_in_doubt,
    doubt_ends_when_the_platform_shows_it_no_more,
    doubt_is_settled_by_word,
    what_we_published_comes_back_as_an_echo,
    what_a_platform_has_not_read_is_no_echo,
    two_platforms_close_each_other,
    what_a_platform_does_not_know_is_counted,
    a_night_is_exposed_once_and_never_where_the_platform_sold_it,
);
