//! What we publish comes back, and is no booking; what a platform does not know yet, it may sell.

use concord_domain::channel::ItemKind;
use concord_jobs::channels::exposure;
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
}

concord_storage::on_both_databases!(
    what_we_published_comes_back_as_an_echo,
    what_a_platform_has_not_read_is_no_echo,
    two_platforms_close_each_other,
    what_a_platform_does_not_know_is_counted,
    a_night_is_exposed_once_and_never_where_the_platform_sold_it,
);
