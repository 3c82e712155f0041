use concord_domain::people::Actor;
use concord_jobs::channels::import::{self, From, ImportError, Wish, only_resource};
use concord_storage::{
    channels,
    testing::{self, TestDb},
};
use secrecy::SecretString;

use crate::{
    site::{nights, reserved},
    world::World,
};

impl World<'_> {
    fn wish<'a>(&'a self, platform: &str, from: From<'a>) -> Wish<'a> {
        Wish {
            business: self.business.id,
            resource: self.house.id,
            platform: self.context.platforms.find(platform).unwrap(),
            from,
            actor: Actor::System,
        }
    }
}

async fn an_address_is_imported_once_and_again(db: &TestDb) {
    let world = World::new(db).await;
    let url = SecretString::from(world.site.url.clone());
    let wish = world.wish("airbnb", From::Address(&url));
    world.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9), reserved("past", 1, 2)]);
    let foreseen = import::preview(&world.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.imported, foreseen.events.len()), (3, 3));
    assert_eq!(world.standing().await, Vec::<String>::new(), "it was only looked at");

    let taken = import::import(&world.context, &wish).await.unwrap();
    assert_eq!((taken.counts.imported, taken.counts.skipped), (3, 0));
    let again = import::import(&world.context, &wish).await.unwrap();
    assert_eq!((again.counts.imported, again.counts.skipped, again.changed()), (0, 3, false));
    world.site.events(&[reserved("a", 4, 6), reserved("b", 7, 9)]);
    let foreseen = import::preview(&world.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.updated, foreseen.counts.cancelled), (1, 1));
    let changed = import::import(&world.context, &wish).await.unwrap();
    assert_eq!((changed.counts.updated, changed.counts.cancelled), (1, 1));
    // It is read when somebody asks, and not by itself.
    let asked = world.site.asked();
    world.later(48).await;
    assert_eq!(world.site.asked(), asked);
    assert_eq!(channels::list(db, world.business.id).await.unwrap().len(), 1);
}

async fn a_file_adds_and_changes_and_cancels_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let file = |events: &[String]| {
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat());
        From::File(text.into())
    };
    let first = world.wish("vrbo", file(&[nights("a", "Reserved - Maria", 3, 5), reserved("b", 7, 9)]));
    assert_eq!(import::import(&world.context, &first).await.unwrap().counts.imported, 2);
    assert_eq!(world.standing().await, ["3-5 vrbo: Reserved - Maria", "7-9 vrbo: Reserved"]);
    let second = world.wish("vrbo", file(&[nights("a", "Reserved - Maria", 4, 6)]));
    let taken = import::import(&world.context, &second).await.unwrap();
    assert_eq!((taken.counts.updated, taken.counts.cancelled, taken.held), (1, 0, None));
    assert_eq!(world.standing().await.len(), 2);
}

async fn an_import_says_what_finds_no_room(db: &TestDb) {
    let world = World::new(db).await;
    assert!(world.book("ours", 3, 6).await);
    let url = SecretString::from(world.site.url.clone());
    let wish = world.wish("airbnb", From::Address(&url));
    world.site.events(&[reserved("a", 4, 7), reserved("b", 8, 9)]);
    let foreseen = import::preview(&world.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.imported, foreseen.counts.conflicts), (2, 1));
    let taken = import::import(&world.context, &wish).await.unwrap();
    assert_eq!((taken.counts.imported, taken.counts.conflicts), (2, 1));
}

async fn what_cannot_be_read_leaves_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let url = SecretString::from(world.site.url.clone());
    world.site.answers(404, "text/plain", "no");
    let wish = world.wish("airbnb", From::Address(&url));
    let refused = import::import(&world.context, &wish).await.unwrap_err();
    assert!(matches!(refused, ImportError::Unread(_)), "{refused}");
    assert!(channels::list(db, world.business.id).await.unwrap().is_empty());
    let strange = Wish { resource: concord_domain::ids::ResourceId::new(world.clock.now()), ..wish };
    let refused = import::import(&world.context, &strange).await.unwrap_err();
    assert!(matches!(refused, ImportError::NoResource), "{refused}");
}

async fn one_resource_need_not_be_named(db: &TestDb) {
    let world = World::new(db).await;
    let only = only_resource(&world.context, world.business.id).await.unwrap();
    assert_eq!(only, Some(world.house.id));
    testing::resource(db, &world.business, 1).await;
    assert_eq!(only_resource(&world.context, world.business.id).await.unwrap(), None);
}

concord_storage::on_both_databases!(
    an_address_is_imported_once_and_again,
    a_file_adds_and_changes_and_cancels_nothing,
    an_import_says_what_finds_no_room,
    what_cannot_be_read_leaves_nothing,
    one_resource_need_not_be_named,
);
