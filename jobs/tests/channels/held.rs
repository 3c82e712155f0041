use concord_domain::{
    channel::{ImportGuard, RunOutcome},
    people::Actor,
};
use concord_jobs::channels::held::{self, Undone, WordError};
use concord_storage::testing::TestDb;

use crate::{site::reserved, world::World};

fn three() -> [String; 3] {
    [reserved("a", 3, 5), reserved("b", 7, 9), reserved("c", 20, 22)]
}

async fn an_empty_feed_cancels_nothing_for_a_day(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[]);
    world.later(20).await;
    assert_eq!(world.standing().await.len(), 3);
    let channel = world.channel(airbnb).await;
    assert_eq!((channel.import_guard, channel.held_items, channel.held_of), (Some(ImportGuard::Empty), 3, 3));
    assert_eq!(world.runs(airbnb).await[0].outcome, RunOutcome::Held);
    // It was a fault.
    world.site.events(&three());
    world.later(2).await;
    assert_eq!(world.channel(airbnb).await.import_guard, None);
    world.later(48).await;
    assert_eq!(world.standing().await.len(), 3);
}

async fn an_empty_feed_is_believed_in_the_end(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[]);
    world.later(27).await;
    assert_eq!(world.standing().await, Vec::<String>::new());
    assert_eq!(world.channel(airbnb).await.import_guard, None);
    assert_eq!(world.runs(airbnb).await[0].counts.cancelled, 3);
}

async fn a_feed_that_is_half_gone_waits_for_hours(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[reserved("c", 20, 22), reserved("new", 24, 26)]);
    world.later(4).await;
    // What is new is taken at once: only cancelling waits.
    assert_eq!(world.standing().await.len(), 4);
    assert_eq!(world.channel(airbnb).await.import_guard, Some(ImportGuard::Shrunk));
    world.later(4).await;
    assert_eq!(world.standing().await, ["20-22 airbnb: Reserved", "24-26 airbnb: Reserved"]);
}

async fn somebody_lets_it_through_and_takes_it_back(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[]);
    world.later(2).await;
    let (run, cancelled) =
        held::release(&world.context, world.business.id, airbnb, &Actor::System).await.unwrap();
    assert_eq!((cancelled, world.standing().await.len()), (3, 0));
    assert_eq!(world.channel(airbnb).await.import_guard, None);
    assert!(world.book("ours", 7, 9).await);

    let undone = held::undo(&world.context, world.business.id, run, &Actor::System).await.unwrap();
    assert_eq!(
        undone,
        Undone { brought_back: 3, conflicts: 1, ..Undone::default() },
        "one of them has no room by now"
    );
    assert_eq!((world.standing().await.len(), world.conflicts().await), (4, 1));
    let again = held::undo(&world.context, world.business.id, run, &Actor::System).await;
    assert!(matches!(again, Err(WordError::TooLate)), "{again:?}");
    // The feed goes on lacking them, and they stay.
    world.later(72).await;
    assert_eq!(world.standing().await.len(), 4);
    // Once it has had them again, it is believed again.
    world.site.events(&three());
    world.later(2).await;
    world.site.events(&[reserved("b", 7, 9), reserved("c", 20, 22)]);
    world.later(2).await;
    assert_eq!(world.standing().await.len(), 3);
}

async fn somebody_keeps_what_the_feed_lacks(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[]);
    world.later(2).await;
    assert_eq!(held::keep(&world.context, world.business.id, airbnb).await.unwrap(), 3);
    world.later(72).await;
    assert_eq!((world.standing().await.len(), world.channel(airbnb).await.import_guard), (3, None));
    let nothing = held::keep(&world.context, world.business.id, airbnb).await;
    assert!(matches!(nothing, Err(WordError::Nothing)), "{nothing:?}");
}

async fn what_people_had_called_off_is_not_brought_back(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    let items = world.items(airbnb).await;
    let reference = |key: &str| {
        items.iter().find(|item| item.item_key.contains(key)).and_then(|item| item.reference.clone()).unwrap()
    };
    world.cancel(&reference("a")).await;
    world.site.events(&[]);
    world.later(2).await;
    let (run, _) = held::release(&world.context, world.business.id, airbnb, &Actor::System).await.unwrap();
    assert_eq!(world.standing().await, Vec::<String>::new());
    let undone = held::undo(&world.context, world.business.id, run, &Actor::System).await.unwrap();
    assert_eq!(undone, Undone { brought_back: 2, ..Undone::default() });
    assert_eq!(world.standing().await, ["7-9 airbnb: Reserved", "20-22 airbnb: Reserved"]);
}

async fn what_has_come_back_under_another_name_is_not_doubled(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[]);
    world.later(2).await;
    let (run, _) = held::release(&world.context, world.business.id, airbnb, &Actor::System).await.unwrap();
    world.site.events(&[reserved("x", 3, 5), reserved("y", 7, 9)]);
    world.later(2).await;
    let undone = held::undo(&world.context, world.business.id, run, &Actor::System).await.unwrap();
    assert_eq!((undone.brought_back, undone.conflicts, world.standing().await.len()), (1, 0, 3));
}

async fn after_a_week_it_is_too_late(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&three());
    let airbnb = world.on("airbnb").await;
    world.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9)]);
    world.later(2).await;
    let run = world.runs(airbnb).await[0].clone();
    assert_eq!(run.counts.cancelled, 1);
    world.clock.advance(chrono::Duration::days(8));
    let late = held::undo(&world.context, world.business.id, run.id, &Actor::System).await;
    assert!(matches!(late, Err(WordError::TooLate)), "{late:?}");
}

concord_storage::on_both_databases!(
    an_empty_feed_cancels_nothing_for_a_day,
    an_empty_feed_is_believed_in_the_end,
    a_feed_that_is_half_gone_waits_for_hours,
    somebody_lets_it_through_and_takes_it_back,
    somebody_keeps_what_the_feed_lacks,
    what_people_had_called_off_is_not_brought_back,
    what_has_come_back_under_another_name_is_not_doubled,
    after_a_week_it_is_too_late,
);
