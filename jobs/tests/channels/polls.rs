use chrono::Duration;
use concord_domain::{
    channel::{ChannelState, RunOrigin, RunOutcome},
    job::JobKind,
    people::Actor,
};
use concord_services::channels::{self as manage, ChannelError, ChannelUpdate};
use concord_storage::{
    PageRequest,
    bookings::{self, BookingFilter},
    history, jobs,
    notices::{self, Audience},
    testing::TestDb,
};
use secrecy::SecretString;

use crate::{
    feed_server::{FeedServer, nights, reserved},
    fixture::ChannelFixture,
    shared::DrainJobs,
};

async fn what_is_sold_arrives_changes_and_goes(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9), reserved("c", 20, 22)]);
    let airbnb = fixture.on("airbnb").await;
    assert_eq!(
        fixture.standing().await,
        ["3-5 airbnb: Reserved", "7-9 airbnb: Reserved", "20-22 airbnb: Reserved"]
    );
    let run = &fixture.runs(airbnb).await[0];
    assert_eq!((run.counts.imported, run.origin, run.outcome), (3, RunOrigin::Person, RunOutcome::Applied));
    assert!(!fixture.book("ours", 4, 6).await, "the night is taken");

    fixture.site.events(&[reserved("a", 4, 8), reserved("c", 20, 22)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["4-8 airbnb: Reserved", "20-22 airbnb: Reserved"]);
    let run = &fixture.runs(airbnb).await[0];
    assert_eq!((run.counts.updated, run.counts.cancelled, run.actor.clone()), (1, 1, Actor::System));
    assert_eq!(run.message, "1 changed, 1 cancelled");
    assert!(fixture.log().await.contains(&"ok: 1 changed, 1 cancelled".to_owned()));

    // Read again and again, it is the same.
    let before = fixture.runs(airbnb).await.len();
    fixture.later(5).await;
    assert_eq!(fixture.runs(airbnb).await.len(), before);
    let all = bookings::list(db, fixture.business.id, &BookingFilter::default(), &PageRequest::default())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 3, "nothing is imported twice");
}

async fn an_unchanged_feed_is_not_sent_again(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    fixture.site.tagged("one");
    let airbnb = fixture.on("airbnb").await;
    fixture.later(3).await;
    let (asked, unchanged) = fixture.site.asked();
    assert_eq!(asked - 1, unchanged, "only the first was sent whole");
    assert!(asked >= 3);
    assert_eq!(
        fixture.channel(airbnb).await.read_at.map(|at| fixture.clock.now() - at < Duration::hours(1)),
        Some(true)
    );
    // A new day may mean something else by the same feed.
    fixture.later(24).await;
    let (asked, unchanged) = fixture.site.asked();
    assert_eq!(asked - unchanged, 2);
    // Other rules do, too.
    let changes = ChannelUpdate {
        blocks: Some(concord_domain::channel::BlockRule::Ignore),
        ..ChannelUpdate::default()
    };
    manage::update(&fixture.context, &fixture.change(), airbnb, &changes).await.unwrap();
    fixture.jobs.drain().await.unwrap();
    let (asked, unchanged) = fixture.site.asked();
    assert_eq!(asked - unchanged, 3);
}

async fn a_paused_channel_is_not_read(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    let airbnb = fixture.on("airbnb").await;
    let pause = ChannelUpdate { state: Some(ChannelState::Paused), ..ChannelUpdate::default() };
    manage::update(&fixture.context, &fixture.change(), airbnb, &pause).await.unwrap();
    let (asked, _) = fixture.site.asked();
    fixture.site.events(&[]);
    fixture.later(48).await;
    assert_eq!(fixture.site.asked().0, asked);
    assert_eq!(fixture.standing().await.len(), 1);
    let go_on = ChannelUpdate { state: Some(ChannelState::Active), ..ChannelUpdate::default() };
    manage::update(&fixture.context, &fixture.change(), airbnb, &go_on).await.unwrap();
    fixture.jobs.drain().await.unwrap();
    assert_eq!(fixture.site.asked().0, asked + 1);
}

async fn readings_are_spread_and_within_the_interval(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let airbnb = fixture.on("airbnb").await;
    let next =
        jobs::next_due_at(db, fixture.business.id, JobKind::PollChannel, airbnb.0).await.unwrap().unwrap();
    let wait = next - fixture.clock.now();
    assert!(wait > Duration::minutes(47) && wait <= Duration::minutes(60), "{wait}");
    let set = ChannelUpdate { interval_minutes: Some(Some(30)), ..ChannelUpdate::default() };
    manage::update(&fixture.context, &fixture.change(), airbnb, &set).await.unwrap();
    fixture.jobs.drain().await.unwrap();
    let next =
        jobs::next_due_at(db, fixture.business.id, JobKind::PollChannel, airbnb.0).await.unwrap().unwrap();
    let wait = next - fixture.clock.now();
    assert!(wait > Duration::minutes(23) && wait <= Duration::minutes(30), "{wait}");
}

async fn what_people_change_here_stays_when_the_platform_moves_it(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    let airbnb = fixture.on("airbnb").await;
    let reference = fixture.items(airbnb).await[0].reference.clone().unwrap();
    let before = fixture.booking(&reference).await;
    let mut draft = before.draft.clone();
    "Maria Silva".clone_into(&mut draft.customer.name);
    "arrives late".clone_into(&mut draft.notes);
    bookings::put(db, &fixture.change(), &reference, &draft, None).await.unwrap();
    fixture.site.events(&[nights("a", "Reserved by phone", 4, 6)]);
    fixture.later(2).await;
    let after = fixture.booking(&reference).await;
    assert_eq!(
        (after.draft.customer.name.as_str(), after.draft.notes.as_str()),
        ("Maria Silva", "arrives late")
    );
    assert_eq!(after.draft.title, "Reserved by phone");
    assert_eq!(fixture.standing().await, ["4-6 Maria Silva"]);

    // Called off here, it stays so until the platform has other dates.
    fixture.cancel(&reference).await;
    fixture.later(24).await;
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    fixture.site.events(&[nights("a", "Reserved by phone", 10, 12)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["10-12 Maria Silva"]);
}

async fn what_finds_no_room_is_shown(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    assert!(fixture.book("ours", 3, 6).await);
    fixture.site.events(&[reserved("a", 4, 7)]);
    let airbnb = fixture.on("airbnb").await;
    assert_eq!(fixture.standing().await.len(), 2);
    assert_eq!(fixture.standing().await[1], "4-7 airbnb: Reserved");
    assert_eq!((fixture.conflicts().await, fixture.runs(airbnb).await[0].counts.conflicts), (1, 1));
    fixture.cancel("ours").await;
    assert_eq!(fixture.conflicts().await, 0, "it has the room now");
    assert!(!fixture.book("again", 5, 6).await);
}

async fn double_booking_is_told_by_its_reference_alone(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 6)]);
    fixture.on("airbnb").await;
    let vrbo = FeedServer::start().await;
    vrbo.events(&[nights("v", "Reserved - Maria Silva", 4, 7)]);
    fixture.add_channel_at("vrbo", &vrbo).await;
    let told = notices::unsent(db, fixture.business.id, Audience::Managers, 100).await.unwrap();
    let details: Vec<&str> = told.iter().map(|notice| notice.detail.as_str()).collect();
    assert!(details.iter().any(|detail| detail.contains("overlaps the booking ")), "{details:?}");
    assert!(details.iter().all(|detail| !detail.contains("Reserved")), "{details:?}");
}

async fn an_address_is_refused_that_cannot_be_one(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let airbnb = fixture.on("airbnb").await;
    let to = async |url: &str| {
        let changes =
            ChannelUpdate { import_url: Some(Some(SecretString::from(url))), ..ChannelUpdate::default() };
        manage::update(&fixture.context, &fixture.change(), airbnb, &changes).await.unwrap_err()
    };
    assert!(matches!(to("ftp://example.com/a.ics").await, ChannelError::Address(_)));
    assert!(matches!(to("https://book.example/feeds/cf_abc.ics").await, ChannelError::OwnFeed));
    assert_eq!(fixture.channel(airbnb).await.import_host, "127.0.0.1");
}

async fn a_removed_channel_leaves_its_bookings(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    let airbnb = fixture.on("airbnb").await;
    fixture.clock.advance(Duration::minutes(1));
    manage::remove(&fixture.context, &fixture.change(), airbnb).await.unwrap();
    let (asked, _) = fixture.site.asked();
    fixture.later(48).await;
    assert_eq!((fixture.site.asked().0, fixture.standing().await.len()), (asked, 1));
    let lines = history::list_for_subject(db, fixture.business.id, airbnb.0, &PageRequest::default())
        .await
        .unwrap()
        .items;
    assert_eq!(lines.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["removed", "created"]);
}

async fn a_stay_that_has_ended_may_last_longer(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    fixture.on("airbnb").await;
    fixture.clock.advance(
        "2026-12-05T08:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - fixture.clock.now(),
    );
    fixture.site.events(&[reserved("a", 3, 7)]);
    fixture.later(2).await;
    assert_eq!(fixture.standing().await, ["3-7 airbnb: Reserved"]);
    assert!(!fixture.book("ours", 5, 6).await);
}

async fn a_channel_that_is_connected_again_knows_what_it_brought(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9)]);
    let airbnb = fixture.on("airbnb").await;
    manage::remove(&fixture.context, &fixture.change(), airbnb).await.unwrap();
    fixture.site.events(&[reserved("a", 4, 6), reserved("b", 7, 9)]);
    assert_eq!(fixture.on("airbnb").await, airbnb);
    assert_eq!(fixture.standing().await, ["4-6 airbnb: Reserved", "7-9 airbnb: Reserved"]);
    assert_eq!(fixture.conflicts().await, 0);
}

concord_storage::on_both_databases!(
    a_stay_that_has_ended_may_last_longer,
    a_channel_that_is_connected_again_knows_what_it_brought,
    what_is_sold_arrives_changes_and_goes,
    an_unchanged_feed_is_not_sent_again,
    a_paused_channel_is_not_read,
    readings_are_spread_and_within_the_interval,
    what_people_change_here_stays_when_the_platform_moves_it,
    what_finds_no_room_is_shown,
    double_booking_is_told_by_its_reference_alone,
    an_address_is_refused_that_cannot_be_one,
    a_removed_channel_leaves_its_bookings,
);
