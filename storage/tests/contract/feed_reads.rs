//! Who reads a feed, and what a platform knows by it.

use concord_domain::{
    booking::{Booking, BookingDraft},
    channel::echo::EchoSource,
    interval::Interval,
    people::Actor,
    privacy::FeedPrivacy,
};
use concord_storage::{
    ChangeContext, Db, bookings,
    businesses::Business,
    channels::{self, Channel, exposure, published},
    feed_reads::{self, NewFeedRead},
    feeds::{self, Feed, FeedSubject, NewFeed},
    resources, secret,
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::channels::channel;

struct FeedReadFixture {
    business: Business,
    channel: Channel,
    feed: Feed,
    ours: Booking,
}

async fn fixture(db: &Db) -> FeedReadFixture {
    let business = testing::business(db).await;
    let resource = testing::resource(db, &business, 2).await;
    let channel = channel(db, &business, &resource).await;
    let new = NewFeed {
        business: business.id,
        subject: FeedSubject::Channel(channel.id),
        name: "Airbnb".to_owned(),
        privacy: FeedPrivacy::Busy,
    };
    let mut tx = begin(db).await;
    let feed = feeds::create(&mut tx, &new, &secret::new_token("cf_"), monday()).await.unwrap();
    channels::set_feed(&mut tx, business.id, channel.id, feed.id).await.unwrap();
    commit(tx).await;
    let ours = testing::booking(db, &business, "ours", &testing::draft(&resource, 100, 160)).await;
    FeedReadFixture { business, channel, feed, ours }
}

impl FeedReadFixture {
    async fn publish(&self, db: &Db, revision: i64, stretches: &[Interval]) {
        let stretches: Vec<_> = stretches.iter().map(|interval| (self.ours.id, *interval)).collect();
        let place = (self.business.id, self.channel.id);
        published::publish(db, place, revision, &stretches, at(revision)).await.unwrap();
    }

    async fn read(&self, db: &Db, revision: i64, minute: i64, person: bool) {
        let read = NewFeedRead {
            feed: self.feed.clone(),
            reader: if person { "Mozilla/5.0" } else { "Airbnb/1" }.to_owned(),
            address: "203.0.113.7".to_owned(),
            person,
            revision,
            reads: 2,
            at: at(minute),
        };
        let mut tx = begin(db).await;
        feed_reads::note(&mut tx, &[read]).await.unwrap();
        commit(tx).await;
    }

    async fn can_come_back(&self, db: &Db, minute: i64) -> Vec<EchoSource> {
        published::can_come_back(db, self.business.id, self.channel.id, at(minute)).await.unwrap()
    }
}

async fn a_platform_gives_back_what_it_has_read(db: &TestDb) {
    let fixture = fixture(db).await;
    let [first, second] =
        [(100, 160), (200, 260)].map(|(from, to)| Interval { start: at(from), end: at(to) });
    fixture.publish(db, 5, &[first]).await;
    assert_eq!(fixture.can_come_back(db, 6).await, [], "it has read nothing yet");
    fixture.read(db, 5, 6, true).await;
    assert_eq!(fixture.can_come_back(db, 7).await, [], "a person is not the platform");
    fixture.read(db, 5, 7, false).await;
    let believed = |interval| EchoSource { interval, believed: true, of_unconfirmed: false };
    assert_eq!(fixture.can_come_back(db, 8).await, [believed(first)]);
    let standing = published::list_current(db, fixture.business.id, fixture.channel.id).await.unwrap();
    assert_eq!((standing.len(), standing[0].seen_at), (1, Some(at(7))));

    fixture.publish(db, 9, &[second]).await;
    fixture.publish(db, 8, &[first]).await;
    assert_eq!(fixture.can_come_back(db, 10).await, [believed(first)], "it does not know that it is free");
    let standing = published::list_current(db, fixture.business.id, fixture.channel.id).await.unwrap();
    assert_eq!(
        (standing[0].starts_at, standing[0].seen_at),
        (second.start, None),
        "an older revision is late"
    );
    fixture.read(db, 9, 20, false).await;
    let lingers = EchoSource { interval: first, believed: false, of_unconfirmed: false };
    assert_eq!(fixture.can_come_back(db, 30).await, [lingers, believed(second)]);
    assert_eq!(fixture.can_come_back(db, 170).await, [believed(second)], "what is over does not come back");
}

async fn what_platforms_do_not_know_is_found_for_all_channels(db: &TestDb) {
    let fixture = fixture(db).await;
    let business = fixture.business.id;
    let exposed = async |minute| exposure::list_unread_bookings(db, business, at(minute)).await.unwrap();
    let ours = Interval { start: at(100), end: at(160) };
    let unread = exposed(0).await;
    assert_eq!((unread.len(), unread[0].channel, unread[0].interval), (1, fixture.channel.id, ours));
    assert_eq!(exposed(160).await, [], "what is over cannot be sold");
    assert_eq!(exposure::never_read(db, business).await.unwrap(), [fixture.channel.id]);
    fixture.publish(db, 5, &[ours]).await;
    fixture.read(db, 5, 6, true).await;
    assert_eq!(exposed(0).await.len(), 1, "a person is not the platform");
    assert_eq!(exposure::never_read(db, business).await.unwrap(), [fixture.channel.id]);
    fixture.read(db, 5, 7, false).await;
    assert_eq!(exposed(0).await, []);
    assert_eq!(exposure::never_read(db, business).await.unwrap(), []);
    let last = exposure::last_read_before(db, None, at(8)).await.unwrap();
    let own = last.iter().find(|one| one.channel_id == fixture.channel.id).unwrap();
    assert_eq!((own.business_id, own.read_at), (business, at(7)));
    for (after, before) in [(Some(fixture.channel.id), at(8)), (None, at(7))] {
        let last = exposure::last_read_before(db, after, before).await.unwrap();
        assert!(last.iter().all(|one| one.channel_id != fixture.channel.id));
    }
    // At a new address nobody has read anything; what was read at the old one is known all the same.
    let mut tx = begin(db).await;
    feed_reads::forget(&mut tx, fixture.feed.id).await.unwrap();
    commit(tx).await;
    assert_eq!(exposure::never_read(db, business).await.unwrap(), [fixture.channel.id]);
    assert_eq!(exposed(0).await, []);

    // What came from the platform is known there, also when its channel has been removed.
    let resource = resources::find(db, business, fixture.channel.resource_id).await.unwrap().unwrap();
    let theirs =
        BookingDraft { source: fixture.channel.platform.clone(), ..testing::draft(&resource, 200, 260) };
    testing::booking(db, &fixture.business, "theirs", &theirs).await;
    assert_eq!(exposed(0).await, []);
    let other = testing::business(db).await;
    assert_eq!(exposure::list_unread_bookings(db, other.id, at(0)).await.unwrap(), []);
}

async fn a_reader_is_one_row(db: &TestDb) {
    let fixture = fixture(db).await;
    fixture.read(db, 7, 3, false).await;
    fixture.read(db, 5, 4, false).await;
    fixture.read(db, 5, 5, true).await;
    let readers = feed_reads::of_feed(db, fixture.business.id, fixture.feed.id).await.unwrap();
    assert_eq!(readers.len(), 2);
    assert!(readers[0].person);
    let platform = &readers[1];
    assert_eq!((platform.revision, platform.reads), (7, 4), "who has read a revision has read it");
    assert_eq!((platform.first_read_at, platform.read_at), (at(3), at(4)));
    let feed = feeds::find(db, fixture.business.id, fixture.feed.id).await.unwrap().unwrap();
    assert_eq!(feed.last_read_at, Some(at(5)));
    let other = testing::business(db).await;
    assert_eq!(feed_reads::of_feed(db, other.id, fixture.feed.id).await.unwrap(), []);
}

/// Who subscribes to a feed that is no channel's may give it back by any calendar of theirs.
async fn what_subscribers_were_shown_is_known(db: &TestDb) {
    let fixture = fixture(db).await;
    let (business, resource, channel) =
        (fixture.business.id, fixture.channel.resource_id, fixture.channel.id);
    let shown = async |resource, minute| {
        let place = (business, channel);
        published::list_subscriber_echoes(db, place, resource, at(minute)).await.unwrap()
    };
    fixture.read(db, 1, 5, false).await;
    assert_eq!(shown(resource, 5).await, [], "a channel's feed is another matter");
    let new = NewFeed {
        business,
        subject: FeedSubject::Resource(resource),
        name: "Sea".to_owned(),
        privacy: FeedPrivacy::Busy,
    };
    let mut tx = begin(db).await;
    let feed = feeds::create(&mut tx, &new, &secret::new_token("cf_"), monday()).await.unwrap();
    commit(tx).await;
    assert_eq!(shown(resource, 5).await, [], "nobody has read it");
    let fixture = FeedReadFixture { feed, ..fixture };
    fixture.read(db, 1, 6, false).await;
    let ours = EchoSource { interval: fixture.ours.interval, believed: true, of_unconfirmed: false };
    assert_eq!(shown(resource, 6).await, [ours]);
    let other = testing::resource(db, &fixture.business, 1).await.id;
    assert_eq!(shown(other, 6).await, []);

    let change = ChangeContext { business, actor: Actor::System, now: at(7) };
    bookings::cancel(db, &change, "ours", None).await.unwrap();
    assert_eq!(shown(resource, 8).await, [EchoSource { believed: false, ..ours }]);
    assert_eq!(shown(resource, 161).await, [], "it is over");
}

concord_storage::on_both_databases!(
    what_subscribers_were_shown_is_known,
    a_platform_gives_back_what_it_has_read,
    what_platforms_do_not_know_is_found_for_all_channels,
    a_reader_is_one_row,
);
