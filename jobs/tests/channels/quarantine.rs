use concord_domain::{
    channel::{ImportGuard, RunOrigin, RunOutcome},
    people::Actor,
};
use concord_jobs::channels::quarantine::{self, ReviewError, UndoCounts};
use concord_storage::testing::TestDb;

use crate::{feed_server::reserved, fixture::ChannelFixture};

fn three() -> [String; 3] {
    [reserved("a", 3, 5), reserved("b", 7, 9), reserved("c", 20, 22)]
}

async fn an_empty_feed_cancels_nothing_for_a_day(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[]);
    fixture.later(20).await;
    assert_eq!(fixture.standing().await.len(), 3);
    let channel = fixture.channel(airbnb).await;
    assert_eq!(
        (channel.import_guard, channel.quarantined_items, channel.quarantined_total),
        (Some(ImportGuard::Empty), 3, 3)
    );
    assert_eq!(fixture.runs(airbnb).await[0].outcome, RunOutcome::Held);
    // It was a fault.
    fixture.site.events(&three());
    fixture.later(2).await;
    assert_eq!(fixture.channel(airbnb).await.import_guard, None);
    fixture.later(48).await;
    assert_eq!(fixture.standing().await.len(), 3);
}

async fn an_empty_feed_is_believed_in_the_end(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[]);
    fixture.later(27).await;
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    assert_eq!(fixture.channel(airbnb).await.import_guard, None);
    assert_eq!(fixture.runs(airbnb).await[0].counts.cancelled, 3);
}

async fn a_feed_that_is_half_gone_waits_for_hours(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[reserved("c", 20, 22), reserved("new", 24, 26)]);
    fixture.later(4).await;
    // What is new is taken at once: only cancelling waits.
    assert_eq!(fixture.standing().await.len(), 4);
    assert_eq!(fixture.channel(airbnb).await.import_guard, Some(ImportGuard::Shrunk));
    fixture.later(4).await;
    assert_eq!(fixture.standing().await, ["20-22 airbnb: Reserved", "24-26 airbnb: Reserved"]);
}

async fn somebody_lets_it_through_and_takes_it_back(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[]);
    fixture.later(2).await;
    let (run, cancelled) =
        quarantine::release(&fixture.context, fixture.business.id, airbnb, &Actor::System).await.unwrap();
    assert_eq!((cancelled, fixture.standing().await.len()), (3, 0));
    assert_eq!(fixture.channel(airbnb).await.import_guard, None);
    assert!(fixture.book("ours", 7, 9).await);

    let undone = quarantine::undo(&fixture.context, fixture.business.id, run, &Actor::System).await.unwrap();
    assert_eq!(
        undone,
        UndoCounts { brought_back: 3, conflicts: 1, ..UndoCounts::default() },
        "one of them has no room by now"
    );
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (4, 1));
    let again = quarantine::undo(&fixture.context, fixture.business.id, run, &Actor::System).await;
    assert!(matches!(again, Err(ReviewError::TooLate)), "{again:?}");
    // The feed goes on lacking them, and they stay.
    fixture.later(72).await;
    assert_eq!(fixture.standing().await.len(), 4);
    // Once it has had them again, it is believed again.
    fixture.site.events(&three());
    fixture.later(2).await;
    fixture.site.events(&[reserved("b", 7, 9), reserved("c", 20, 22)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await.len(), 3);
}

async fn somebody_keeps_what_the_feed_lacks(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[]);
    fixture.later(2).await;
    let keep = || quarantine::keep(&fixture.context, fixture.business.id, airbnb, &Actor::System);
    assert_eq!(keep().await.unwrap(), 3);
    let run = fixture.runs(airbnb).await[0].clone();
    assert_eq!(run.message, "3 kept although the calendar is missing them");
    assert_eq!((run.origin, run.outcome), (RunOrigin::Person, RunOutcome::Applied));
    fixture.later(72).await;
    assert_eq!((fixture.standing().await.len(), fixture.channel(airbnb).await.import_guard), (3, None));
    let nothing = keep().await;
    assert!(matches!(nothing, Err(ReviewError::Nothing)), "{nothing:?}");
}

async fn what_people_had_called_off_is_not_brought_back(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    let items = fixture.items(airbnb).await;
    let reference = |key: &str| {
        items.iter().find(|item| item.item_key.contains(key)).and_then(|item| item.reference.clone()).unwrap()
    };
    fixture.cancel(&reference("a")).await;
    fixture.site.events(&[]);
    fixture.later(2).await;
    let (run, _) =
        quarantine::release(&fixture.context, fixture.business.id, airbnb, &Actor::System).await.unwrap();
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    let undone = quarantine::undo(&fixture.context, fixture.business.id, run, &Actor::System).await.unwrap();
    assert_eq!(undone, UndoCounts { brought_back: 2, ..UndoCounts::default() });
    assert_eq!(fixture.standing().await, ["7-9 airbnb: Reserved", "20-22 airbnb: Reserved"]);
}

async fn what_has_come_back_under_another_name_is_not_doubled(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[]);
    fixture.later(2).await;
    let (run, _) =
        quarantine::release(&fixture.context, fixture.business.id, airbnb, &Actor::System).await.unwrap();
    fixture.site.events(&[reserved("x", 3, 5), reserved("y", 7, 9)]);
    fixture.later(2).await;
    let undone = quarantine::undo(&fixture.context, fixture.business.id, run, &Actor::System).await.unwrap();
    assert_eq!((undone.brought_back, undone.conflicts, fixture.standing().await.len()), (1, 0, 3));
}

async fn after_a_week_it_is_too_late(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&three());
    let airbnb = fixture.on("airbnb").await;
    fixture.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9)]);
    fixture.later(2).await;
    let run = fixture.runs(airbnb).await[0].clone();
    assert_eq!(run.counts.cancelled, 1);
    fixture.clock.advance(chrono::Duration::days(8));
    let late = quarantine::undo(&fixture.context, fixture.business.id, run.id, &Actor::System).await;
    assert!(matches!(late, Err(ReviewError::TooLate)), "{late:?}");
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
